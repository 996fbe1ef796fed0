//! The records in users' tree; `store/mod.rs` says where each is kept.

use super::{
    messages::{ClientNetwork, SavedAddress, User},
    tokens::{Fingerprint, TokenKey},
};
use crate::{
    storage::{KnownTable, Outbox, record},
    types::{AddressId, Email, Role, SessionId, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};

/// An account. It has no `Debug`, because a password hash must not appear in a log.
#[derive(Clone, Serialize, Deserialize)]
pub struct UserRecord {
    #[serde(flatten)]
    pub user: User,
    /// The argon2id hash as a PHC string.
    pub password_hash: String,
    /// Goes up when the password changes, not when the same password is hashed again.
    pub password_version: u32,
    #[serde(default)]
    pub addresses: Vec<SavedAddress>,
    /// The addresses that were removed last, so that a repeated removal succeeds.
    #[serde(default)]
    pub removed_addresses: Vec<AddressId>,
    /// The idempotency key of the registration.
    #[serde(rename = "made_with", default, skip_serializing_if = "Option::is_none")]
    pub registration_key: Option<String>,
    #[serde(rename = "duties", default, skip_serializing_if = "Vec::is_empty")]
    pub pending_tasks: Vec<PendingTask>,
    #[serde(default)]
    pub outbox: Outbox,
}

/// Work that is left to do in other records because this record changed. Doing it twice does no
/// harm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingTask {
    /// The account is new: claim its e-mail address, or delete the account if another one has it.
    ClaimEmail,
    /// Release the claim on this address, which the account does not have (yet, or any longer).
    ReleaseEmail(Email),
    /// The password has changed: end all sessions but this one.
    EndSessions { except: Option<SessionId> },
}

/// The `password_version` of an account's first password.
pub const FIRST_PASSWORD: u32 = 0;

impl UserRecord {
    pub fn unfinished(user: User, password_hash: String) -> Self {
        Self {
            user,
            password_hash,
            password_version: FIRST_PASSWORD,
            addresses: Vec::new(),
            removed_addresses: Vec::new(),
            registration_key: None,
            pending_tasks: vec![PendingTask::ClaimEmail],
            outbox: Outbox::default(),
        }
    }

    pub fn was_registered_with(&self, key: &str) -> bool {
        self.registration_key.as_deref() == Some(key)
    }

    fn is_operator(&self) -> bool {
        self.user.role == Role::Operator && self.is_complete()
    }

    pub fn is_complete(&self) -> bool {
        !self.pending_tasks.contains(&PendingTask::ClaimEmail)
    }

    /// Removes a task that is done; `false` if the record did not have it.
    pub fn complete(&mut self, task: &PendingTask) -> bool {
        let at = self.pending_tasks.iter().position(|owed| owed == task);
        at.map(|at| self.pending_tasks.remove(at)).is_some()
    }
}

pub const OPERATORS: &str = "operators/";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EmailClaim {
    pub user_id: UserId,
}

pub const LIVE: &str = "live/";
pub const ENDED: &str = "ended/";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SigningKeyRef {
    pub kid: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetupRecord {
    pub token: Fingerprint,
    pub expires_at: Timestamp,
    /// The account that was made with the token, or is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed_by: Option<UserId>,
}

/// One sign-in. It stores fingerprints of its refresh tokens, never the tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    /// The network that the user signed in from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ClientNetwork>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The fingerprint of the part that all tokens of this session share.
    pub family: Fingerprint,
    /// The fingerprint of the token that is valid now.
    pub current: Fingerprint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Replaced>,
}

/// The refresh token before the current one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replaced {
    pub token: Fingerprint,
    pub at: Timestamp,
    /// The key that derives the current token from this one, if this one is used again within the
    /// grace period.
    pub successor_key: String,
}

record! {
    UserRecord {
        table: "user",
        key: UserId,
        outbox: outbox,
        open_while: |record| !record.pending_tasks.is_empty(),
        entries: |record| Vec::from_iter(record.is_operator().then(|| format!("{OPERATORS}{}", record.user.id))),
    }
    EmailClaim { table: "email", key: Email }
    Session {
        table: "session",
        key: SessionId,
        entries: |session| {
            let state = if session.ended_at.is_some() { ENDED } else { LIVE };
            // Padded with zeros, so that entries sort by time.
            let until = session.until().as_millisecond();
            vec![format!("by_user/{}/{}", session.user_id, session.id), format!("{state}{until:014}/{}", session.id)]
        },
    }
    TokenKey { table: "key", key: String }
    SigningKeyRef { table: "signing", key: String }
    SetupRecord { table: "setup", key: String }
}

/// The tables of this tree, for `galleria check`.
pub fn tables() -> Vec<KnownTable> {
    vec![
        KnownTable::of::<UserRecord>("users"),
        KnownTable::of::<EmailClaim>("users"),
        KnownTable::of::<Session>("users"),
        KnownTable::of::<TokenKey>("users"),
        KnownTable::of::<SigningKeyRef>("users"),
        KnownTable::of::<SetupRecord>("users"),
    ]
}
