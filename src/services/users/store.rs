//! The layout of users' tree.
//!
//! | key | record |
//! |---|---|
//! | `user/usr_…` | an account: profile, password hash, address book, the events and duties that it owes |
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
//! done elsewhere, a [`Duty`], in one swap with what causes it; does it; and strikes it off. A duty can be done twice.
//! While it has one, the record is open: [`Store::finish`] does at start-up what a crash has left, before anybody can ask.
//! What follows a duty in the same request is done without waiting in between, so only the whole process dies with a duty
//! left, never an instance alone.

mod accounts;
mod keys;
mod sessions;
mod setup;
/// The tables of this tree, for a check that knows what is in them.
pub fn tables() -> Vec<KnownTable> {
    vec![
        KnownTable::of::<UserRecord>("users"),
        KnownTable::of::<EmailClaim>("users"),
        KnownTable::of::<Session>("users"),
        KnownTable::of::<TokenKey>("users"),
        KnownTable::of::<Signing>("users"),
        KnownTable::of::<Setup>("users"),
    ]
}

#[cfg(test)]
mod tests;

pub use sessions::Refreshed;

use super::{
    messages::{SavedAddress, User, UsersError},
    rules::Session,
    tokens::{Fingerprint, TokenKey},
};
use crate::{
    mesh::Failure,
    storage::{Decision, KnownTable, Outbox, OutboxTable, Record, StorageError, Table, Tree},
    types::{AddressId, Email, Role, SessionId, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
pub struct Store {
    tree: Tree,
    users: Table<UserRecord>,
    emails: Table<EmailClaim>,
    sessions: Table<Session>,
    keys: Table<TokenKey>,
    signing: Table<Signing>,
    setup: Table<Setup>,
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
    pub fn owing(&self) -> Vec<Box<dyn OutboxTable>> {
        vec![Box::new(self.users.clone())]
    }

    /// The account, once it has its e-mail address.
    pub fn user(&self, id: UserId) -> Result<Option<UserRecord>, StorageError> {
        Ok(self.users.get(&id)?.filter(UserRecord::is_made))
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
            let mut record = found.filter(UserRecord::is_made).ok_or(UsersError::UserNotFound)?;
            let answer = decide(&mut record)?;
            Ok(Decision::Save(record, answer))
        })
    }
}

/// An account. No `Debug`: a password's hash belongs in no log.
#[derive(Clone, Serialize, Deserialize)]
pub struct UserRecord {
    #[serde(flatten)]
    pub user: User,
    /// A PHC string.
    pub password_hash: String,
    /// Goes up when the password is another one, not when the same is hashed anew.
    pub password_version: u32,
    #[serde(default)]
    pub addresses: Vec<SavedAddress>,
    /// The addresses that were removed last, so that one that is removed again was removed.
    #[serde(default)]
    pub removed_addresses: Vec<AddressId>,
    /// The idempotency key of the registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_with: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    duties: Vec<Duty>,
    #[serde(default)]
    outbox: Outbox,
}

/// What is left to be done in other records because of a change of this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Duty {
    /// The account is being made: get its e-mail address for it, or take it back.
    ClaimEmail,
    /// Let go of this address, which is not yet, or no longer, the account's.
    ReleaseEmail(Email),
    /// The password is another one: so end the sessions.
    EndSessions { except: Option<SessionId> },
}

/// Of an account's first password.
pub const FIRST_PASSWORD: u32 = 0;

impl UserRecord {
    fn in_the_making(user: User, password_hash: String) -> Self {
        Self {
            user,
            password_hash,
            password_version: FIRST_PASSWORD,
            addresses: Vec::new(),
            removed_addresses: Vec::new(),
            made_with: None,
            duties: vec![Duty::ClaimEmail],
            outbox: Outbox::default(),
        }
    }

    pub fn was_made_with(&self, key: &str) -> bool {
        self.made_with.as_deref() == Some(key)
    }

    fn is_made(&self) -> bool {
        !self.duties.contains(&Duty::ClaimEmail)
    }

    /// Says whether it was there.
    fn strike(&mut self, duty: &Duty) -> bool {
        let at = self.duties.iter().position(|owed| owed == duty);
        at.map(|at| self.duties.remove(at)).is_some()
    }
}

impl Record for UserRecord {
    const TABLE: &'static str = "user";
    type Key = UserId;

    fn entries(&self) -> Vec<String> {
        let is_operator = self.user.role == Role::Operator && self.is_made();
        if is_operator { vec![format!("{OPERATORS}{}", self.user.id)] } else { Vec::new() }
    }

    fn outbox(&self) -> Option<&Outbox> {
        Some(&self.outbox)
    }

    fn outbox_mut(&mut self) -> Option<&mut Outbox> {
        Some(&mut self.outbox)
    }

    fn is_open(&self) -> bool {
        !self.duties.is_empty() || !self.outbox.is_empty()
    }
}

const OPERATORS: &str = "operators/";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct EmailClaim {
    user_id: UserId,
}

impl Record for EmailClaim {
    const TABLE: &'static str = "email";
    type Key = Email;
}

impl Record for Session {
    const TABLE: &'static str = "session";
    type Key = SessionId;

    fn entries(&self) -> Vec<String> {
        let state = if self.ended_at.is_some() { ENDED } else { LIVE };
        // Padded, so that entries sort as times do.
        let until = self.until().as_millisecond();
        vec![format!("by_user/{}/{}", self.user_id, self.id), format!("{state}{until:014}/{}", self.id)]
    }
}

const LIVE: &str = "live/";
const ENDED: &str = "ended/";

impl Record for TokenKey {
    const TABLE: &'static str = "key";
    type Key = String;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Signing {
    kid: String,
}

impl Record for Signing {
    const TABLE: &'static str = "signing";
    type Key = String;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Setup {
    token: Fingerprint,
    expires_at: Timestamp,
    /// The account that is being made with it, or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redeemed_by: Option<UserId>,
}

impl Record for Setup {
    const TABLE: &'static str = "setup";
    type Key = String;
}
