//! The layout of users' tree.
//!
//! | key | record |
//! |---|---|
//! | `user/usr_…` | an account: profile, password hash, address book, pending events and tasks |
//! | `email/<address>` | the claim of an account on its e-mail address |
//! | `session/ses_…` | a sign-in and the fingerprints of its refresh tokens |
//! | `key/<kid>` | a key that signs access tokens, will sign them, or did |
//! | `signing/current` | which key signs now |
//! | `setup/token` | the fingerprint of the set-up token |
//!
//! | index entry | leads to |
//! |---|---|
//! | `operators/usr_…` | an operator's account |
//! | `by_user/usr_…/ses_…` | a session of the user, live or ended |
//! | `live/<until>/ses_…` | a live session that expires then |
//! | `ended/<until>/ses_…` | an ended session whose last access token expires then |
//!
//! Some changes need more than one record. Each of them first writes a
//! [`PendingTask`](super::records::PendingTask) into the user's record, in the same swap as the
//! change that causes it. Then it does the task in the other records, and removes it. A task can be
//! done twice without harm. A record with a task is open, so [`Store::finish_pending_tasks`] finds
//! it at start-up and does what a crash has interrupted. Between writing a task and doing it,
//! nothing is awaited. So only a crash of the whole process leaves a task behind, never the crash
//! of one instance.

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

    /// The tables whose records have an outbox, for the relay.
    pub fn outbox_tables(&self) -> Vec<Box<dyn OutboxTable>> {
        vec![Box::new(self.users.clone())]
    }

    /// The account; `None` while its e-mail address is not claimed yet.
    pub fn user(&self, id: UserId) -> Result<Option<UserRecord>, StorageError> {
        Ok(self.users.get(&id)?.filter(UserRecord::is_complete))
    }

    /// Changes the account, waits until that is on disk, and gives what `decide` gave.
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
