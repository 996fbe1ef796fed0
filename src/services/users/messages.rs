//! What users can be asked, what it answers, and what it tells.

use crate::{
    mesh::{events, requests},
    types::{Address, AddressId, Email, Role, Secret, Service, SessionId, Text, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, time::Duration};
use utoipa::ToSchema;

#[rustfmt::skip]
requests! { Service::Users, UsersError,
    command anyone             RegisterUser     "users.register"          -> Registered,
    command anyone             SignIn           "users.sign_in"           -> SignedIn,
    command anyone             RefreshSession   "users.refresh_session"   -> SignedIn,
    keyed   owner              EndSession       "users.end_session"       -> EndedSessions,
    query   owner              ListSessions     "users.list_sessions"     -> Vec<SessionInfo>,
    query   anyone             ListRevoked      "users.list_revoked"      -> Vec<Revoked>,
    query   anyone             GetKeys          "users.get_keys"          -> Vec<PublicKey>,
    query   owner              GetUser          "users.get"               -> User,
    keyed   owner              UpdateUser       "users.update"            -> User,
    command owner              ChangePassword   "users.change_password"   -> EndedSessions,
    query   owner              ListAddresses    "users.list_addresses"    -> Vec<SavedAddress>,
    query   owner              GetAddress       "users.get_address"       -> SavedAddress,
    command owner              AddAddress       "users.add_address"       -> SavedAddress,
    keyed   owner              ReplaceAddress   "users.replace_address"   -> SavedAddress,
    keyed   owner              RemoveAddress    "users.remove_address"    -> (),
    query   anyone             HasOperator      "users.has_operator"      -> bool,
    command program(Forbidden) CreateOperator   "users.create_operator"   -> User,
    command program(Forbidden) IssueSetupToken  "users.issue_setup_token" -> SetupToken,
    command anyone             RedeemSetupToken "users.redeem_setup"      -> SignedIn,
}

#[rustfmt::skip]
events! { Service::Users,
    UserRegistered "users.registered",
}

pub type PersonName = Text<1, 100>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct User {
    pub id: UserId,
    pub email: Email,
    pub name: PersonName,
    pub role: Role,
    pub created_at: Timestamp,
}

/// Makes an account with the role `customer`, and signs it in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RegisterUser {
    pub email: Email,
    /// 12 to 128 characters, not among the commonest.
    pub password: Secret,
    pub name: PersonName,
    /// The same key, address and password within 24 hours find the account that was made with
    /// them, not `EmailTaken`. Another password with this key and address is `KeyReused`.
    pub key: Option<String>,
    pub from: Option<Network>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Registered {
    /// A session of its own each time: no token is kept to be given twice.
    pub signed_in: SignedIn,
    /// Whether the account was there already, made with this key.
    pub is_repeated: bool,
}

/// Takes as long for an unknown e-mail as for a wrong password. Who guesses has to wait longer and longer: `TooManyGuesses`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignIn {
    pub email: Email,
    pub password: Secret,
    pub from: Option<Network>,
}

/// Where somebody comes from: an IPv4 address, or the first address of an IPv6 /64.
pub type Network = IpAddr;

/// A session with its fresh tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignedIn {
    pub user: User,
    pub session_id: SessionId,
    /// A JWT that carries [`AccessClaims`], signed with EdDSA.
    pub access_token: Secret,
    /// Seconds that the access token is good for.
    pub expires_in: u64,
    /// Opaque; good for one use.
    pub refresh_token: Secret,
    /// Sessions that had to make room for this one.
    pub ended: Vec<SessionId>,
}

/// Who gives out access tokens: their `iss`.
pub const ISSUER: &str = "galleria";
/// For whom they are: their `aud`.
pub const AUDIENCE: &str = "galleria-api";
/// The `typ` of their header, so that no other kind of JWT passes for one (RFC 8725 §3.11).
pub const TOKEN_TYPE: &str = "at+jwt";
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);
/// By how much the clocks of who signs and who verifies may differ.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// What an access token says: RFC 9068 without `client_id`, as there are no OAuth clients to tell apart.
/// Times are in Unix seconds.
///
/// The header's `alg` is `EdDSA`, its `typ` [`TOKEN_TYPE`], its `kid` that of a [`PublicKey`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessClaims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    pub sid: SessionId,
    pub role: Role,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    pub jti: String,
}

impl AccessClaims {
    /// Whether they hold at this moment, for us and from us. The rest is for the verifier to look at: the header, the
    /// signature, and whether the session has been revoked.
    pub fn hold_at(&self, now: Timestamp) -> bool {
        let (now, leeway) = (now.as_second(), LEEWAY.as_secs() as i64);
        let times = self.nbf.saturating_sub(leeway) <= now && now < self.exp.saturating_add(leeway);
        self.iss == ISSUER && self.aud == AUDIENCE && times
    }
}

/// Trades a refresh token for fresh ones. Using one that was used before ends its session (RFC 9700 §4.14), except
/// that the last one before the current may come once more within a few seconds: two tabs may refresh at once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshSession {
    pub refresh_token: Secret,
}

/// Ends one session of the user, or, without `session_id`, all of them. Those that ended lately are named, too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndSession {
    pub user_id: UserId,
    pub session_id: Option<SessionId>,
}

/// Sessions whose access tokens are to be refused from now on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndedSessions {
    pub sessions: Vec<SessionId>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListSessions {
    pub user_id: UserId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionInfo {
    pub id: SessionId,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
}

/// The sessions that ended so lately that an access token of theirs may still be in somebody's hands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListRevoked {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revoked {
    pub session_id: SessionId,
    /// When its last access token runs out.
    pub until: Timestamp,
}

/// The public halves of the keys that access tokens are signed with, or lately were: the newest first. A key is replaced
/// now and then, so whoever meets a `kid` that is not among those that it knows asks again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetKeys {}

/// An Ed25519 key as in a JWKS (RFC 8037).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PublicKey {
    pub kid: String,
    /// base64url, without padding.
    pub x: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetUser {
    pub user_id: UserId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpdateUser {
    pub user_id: UserId,
    pub name: Option<PersonName>,
    pub email: Option<Email>,
}

/// Ends every other session of the user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangePassword {
    pub user_id: UserId,
    /// The session that goes on.
    pub session_id: Option<SessionId>,
    pub current_password: Secret,
    pub new_password: Secret,
}

/// An address in a user's book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SavedAddress {
    pub id: AddressId,
    #[serde(flatten)]
    pub address: Address,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListAddresses {
    pub user_id: UserId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetAddress {
    pub user_id: UserId,
    pub address_id: AddressId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddAddress {
    pub user_id: UserId,
    pub address: Address,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReplaceAddress {
    pub user_id: UserId,
    pub address_id: AddressId,
    pub address: Address,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveAddress {
    pub user_id: UserId,
    pub address_id: AddressId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HasOperator {}

/// For the command line only: makes an operator's account, or makes an existing account an operator's with this password
/// and ends its sessions. A set-up token that is still about is worth nothing afterwards.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateOperator {
    pub email: Email,
    pub password: Secret,
    pub name: PersonName,
}

/// For start-up only: a token with which the first operator's account can be made, once, within 30 minutes.
/// A new one replaces the last.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IssueSetupToken {}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetupToken {
    pub token: Secret,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeemSetupToken {
    pub token: Secret,
    pub email: Email,
    pub password: Secret,
    pub name: PersonName,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsersError {
    #[error("this e-mail address has an account already")]
    EmailTaken,
    /// The key was used for another registration within 24 hours.
    #[error("the key was used for another registration; use a new key for a new one")]
    KeyReused,
    #[error("the password must have 12 to 128 characters")]
    PasswordLength,
    #[error("this password is among the commonest and would be guessed at once")]
    PasswordTooCommon,
    #[error("the e-mail address or the password is not right")]
    InvalidCredentials,
    #[error("the current password is not right")]
    WrongPassword,
    #[error("the refresh token is not known or has run out")]
    RefreshTokenInvalid,
    #[error("the refresh token was used before; its session has been ended")]
    RefreshTokenReused { session_id: SessionId },
    #[error("there is no such user")]
    UserNotFound,
    #[error("there is no such address")]
    AddressNotFound,
    #[error("the address book is full ({most} addresses)")]
    AddressBookFull { most: usize },
    #[error("the set-up link is not known, was used, or has run out")]
    SetupTokenInvalid,
    #[error("passwords are being checked as fast as can be; try again in a moment")]
    Busy,
    #[error("there were too many wrong passwords for this account; wait {} s before the next try", wait.as_secs())]
    TooManyGuesses { wait: Duration },
    #[error("this is not for you to do")]
    Forbidden,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserRegistered {
    pub user_id: UserId,
    pub name: PersonName,
}
