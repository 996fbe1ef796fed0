//! The layout of users' tree.
//!
//! | key | record |
//! |---|---|
//! | `user/usr_…` | an account: profile, password hash, address book, the events and pending_tasks that it owes |
//! | `email/<address>` | the claim of an account on its e-mail address |
//! | `session/ses_…` | a sign-in and the fingerprints of its refresh tokens |
//! | `key/<kid>` | a key that access tokens are signed with, or were |
//! | `signing/current` | which of them signs |
//! | `setup/token` | the fingerprint of the set-up token |
//!
//! | entry | leads to |
//! |---|---|
//! | `operators/usr_…` | an operator's account |
//! | `by_user/usr_…/ses_…` | a session of the user, live or ended |
//! | `live/<until>/ses_…` | a session that runs out then |
//! | `ended/<until>/ses_…` | an ended session, whose last access token runs out then |
//!
//! Some changes take more than one record. Each of them begins by writing into the *user's record* what is still to be
//! done elsewhere, a [`PendingTask`], in one swap with what causes it; does it; and strikes it off. A task can be done twice.
//! While it has one, the record is open: [`Store::finish_pending_tasks`] does at start-up what a crash has left, before anybody can ask.
//! What follows a task in the same request is done without waiting in between, so only the whole process dies with a task
//! left, never an instance alone.

mod accounts;
mod keys;
mod sessions;
mod setup;
#[cfg(test)]
mod tests;

pub use sessions::Refreshed;

use super::{
    messages::UsersError,
    records::{EmailClaim, Session, SetupRecord, SigningKeyRef, UserRecord},
    tokens::TokenKey,
};
use crate::{
    mesh::Failure,
    storage::{Decision, OutboxTable, StorageError, Table, Tree},
    types::UserId,
};

#[derive(Clone)]
pub struct Store {
    tree: Tree,
    users: Table<UserRecord>,
    emails: Table<EmailClaim>,
    sessions: Table<Session>,
    keys: Table<TokenKey>,
    signing: Table<SigningKeyRef>,
    setup: Table<SetupRecord>,
}

impl Store {
    pub fn new(tree: &Tree) -> Self {
        Self {
            tree: tree.clone(),
            users: tree.table(),
            emails: tree.table(),
            sessions: tree.table(),
            keys: tree.table(),
            signing: tree.table(),
            setup: tree.table(),
        }
    }

    /// The tables whose records owe events.
    pub fn outbox_tables(&self) -> Vec<Box<dyn OutboxTable>> {
        vec![Box::new(self.users.clone())]
    }

    /// The account, once it has its e-mail address.
    pub fn user(&self, id: UserId) -> Result<Option<UserRecord>, StorageError> {
        Ok(self.users.get(&id)?.filter(UserRecord::is_complete))
    }

    /// Changes the account; gives what `decide` gave when that is on disk.
    pub async fn change<T>(
        &self,
        id: UserId,
        decide: impl FnMut(&mut UserRecord) -> Result<T, UsersError>,
    ) -> Result<T, Failure<UsersError>> {
        let answer = self.edit(id, decide)?;
        self.tree.commit().await?;
        Ok(answer)
    }

    /// Returns when everything written before is on disk.
    pub async fn commit(&self) -> Result<(), StorageError> {
        self.tree.commit().await
    }

    fn edit<T>(
        &self,
        id: UserId,
        mut decide: impl FnMut(&mut UserRecord) -> Result<T, UsersError>,
    ) -> Result<T, Failure<UsersError>> {
        self.users.change(&id, |found| {
            let mut record = found.filter(UserRecord::is_complete).ok_or(UsersError::UserNotFound)?;
            let answer = decide(&mut record)?;
            Ok(Decision::Save(record, answer))
        })
    }
}
