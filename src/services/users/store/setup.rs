//! The set-up token: at most one exists, and it makes one operator.

use super::Store;
use crate::{
    services::users::{records::SetupRecord, tokens::Fingerprint},
    storage::{Decision, StorageError},
    types::{Timestamp, UserId},
};

const TOKEN: &str = "token";

impl Store {
    /// Stores the token in place of the one before.
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

    /// Uses the token for this account; `false` if it is not valid. Of two requests at the same
    /// time, one succeeds.
    pub fn take_setup_token(&self, token: &Fingerprint, by: UserId, now: Timestamp) -> Result<bool, StorageError> {
        self.setup.change(&TOKEN.to_owned(), |found: Option<SetupRecord>| {
            Ok(match found.filter(|setup| setup.is_redeemable(token, now)) {
                Some(setup) => Decision::Save(SetupRecord { redeemed_by: Some(by), ..setup }, true),
                None => Decision::Keep(false),
            })
        })
    }

    /// Makes the token valid again, because the account could not be made.
    pub fn give_setup_token_back(&self, by: UserId) -> Result<(), StorageError> {
        self.setup.change(&TOKEN.to_owned(), |found: Option<SetupRecord>| {
            Ok(match found.filter(|setup| setup.redeemed_by == Some(by)) {
                Some(setup) => Decision::Save(SetupRecord { redeemed_by: None, ..setup }, ()),
                None => Decision::Keep(()),
            })
        })
    }

    /// Deletes the token, because the shop has an operator.
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
