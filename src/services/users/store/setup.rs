//! The set-up token: there is one at most, and it makes one operator.

use super::Store;
use crate::{
    services::users::{records::SetupRecord, tokens::Fingerprint},
    storage::{Decision, StorageError},
    types::{Timestamp, UserId},
};

const TOKEN: &str = "token";

impl Store {
    /// From now on this is the token; one that was there before is worth nothing.
    pub async fn issue_setup_token(&self, token: Fingerprint, expires_at: Timestamp) -> Result<(), StorageError> {
        self.setup.change(&TOKEN.to_owned(), |_| {
            let setup = SetupRecord { token: token.clone(), expires_at, redeemed_by: None };
            Ok::<_, StorageError>(Decision::Save(setup, ()))
        })?;
        self.tree.commit().await
    }

    pub fn is_setup_token(&self, token: &Fingerprint, now: Timestamp) -> Result<bool, StorageError> {
        Ok(self.setup.get(&TOKEN.to_owned())?.is_some_and(|setup| setup.is_redeemable(token, now)))
    }

    /// Takes the token for this account: says whether it was there to be taken. Of two who come with it, one gets it.
    pub fn take_setup_token(&self, token: &Fingerprint, by: UserId, now: Timestamp) -> Result<bool, StorageError> {
        self.setup.change(&TOKEN.to_owned(), |found: Option<SetupRecord>| {
            Ok(match found.filter(|setup| setup.is_redeemable(token, now)) {
                Some(setup) => Decision::Save(SetupRecord { redeemed_by: Some(by), ..setup }, true),
                None => Decision::Keep(false),
            })
        })
    }

    /// Gives the token back that was taken for an account which could not be made.
    pub fn give_setup_token_back(&self, by: UserId) -> Result<(), StorageError> {
        self.setup.change(&TOKEN.to_owned(), |found: Option<SetupRecord>| {
            Ok(match found.filter(|setup| setup.redeemed_by == Some(by)) {
                Some(setup) => Decision::Save(SetupRecord { redeemed_by: None, ..setup }, ()),
                None => Decision::Keep(()),
            })
        })
    }

    /// There is an operator: nobody needs a token to become the first.
    pub async fn withdraw_setup_token(&self) -> Result<(), StorageError> {
        self.setup.change(&TOKEN.to_owned(), |_| Ok::<_, StorageError>(Decision::Delete(())))?;
        self.tree.commit().await
    }
}

impl SetupRecord {
    fn is_redeemable(&self, token: &Fingerprint, now: Timestamp) -> bool {
        self.redeemed_by.is_none() && self.token == *token && now < self.expires_at
    }
}
