//! The public face of users: its requests, replies, events and errors.
#![deny(missing_docs)]

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

/// What a person is called: one line of 1 to 100 characters.
pub type PersonName = Text<1, 100>;

/// An account, as its owner and staff see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Never changes.
    pub id: UserId,
    /// Unique among all accounts.
    pub email: Email,
    /// What the person is called.
    pub name: PersonName,
    /// What the account may do.
    pub role: Role,
    /// When the account was registered.
    pub created_at: Timestamp,
}

/// Makes an account with the role `customer`, and signs it in.
///
/// Errors: `EmailTaken`, `PasswordLength`, `PasswordTooCommon`, `Busy`, `TooManyGuesses`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RegisterUser {
    /// The address of the account; it must have none yet.
    pub email: Email,
    /// 12 to 128 characters, and not a common password (NIST SP 800-63B-4 §3.1.1.2).
    pub password: Secret,
    /// What the person is called.
    pub name: PersonName,
    /// An idempotency key. The same key, address and password within 24 hours give the account
    /// that the first request made, instead of `EmailTaken`. Another password with this key and
    /// address is `KeyReused`.
    pub key: Option<String>,
    /// The network that the request comes from; the account's owner is known there from now on.
    pub from: Option<ClientNetwork>,
}

/// The reply to [`RegisterUser`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Registered {
    /// A new session. A repeated request gets another one, because no token is stored.
    pub signed_in: SignedIn,
    /// Whether an earlier request with the same key made the account.
    pub is_repeated: bool,
}

/// Begins a session. An unknown e-mail address takes as long as a wrong password.
///
/// Errors: `InvalidCredentials`, `Busy`, `TooManyGuesses`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignIn {
    /// The address of the account.
    pub email: Email,
    /// The password of the account.
    pub password: Secret,
    /// The network that the request comes from. Wrong passwords from a network that the account was
    /// signed in from before are counted apart from all others.
    pub from: Option<ClientNetwork>,
}

/// The network of a client: an IPv4 address, or the first address of an IPv6 /64.
pub type ClientNetwork = IpAddr;

/// A session with its fresh tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignedIn {
    /// The account that is signed in.
    pub user: User,
    /// The session.
    pub session_id: SessionId,
    /// A JWT (RFC 7519) that carries [`AccessClaims`], signed with EdDSA (RFC 8037).
    pub access_token: Secret,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// Opaque; good for one use, for up to 30 days.
    pub refresh_token: Secret,
    /// The sessions that ended because the user may have at most 50.
    pub ended: Vec<SessionId>,
}

/// The `iss` of every access token.
pub const ISSUER: &str = "galleria";
/// The `aud` of every access token.
pub const AUDIENCE: &str = "galleria-api";
/// The `typ` in the header of an access token, so that no other kind of JWT is taken for one
/// (RFC 8725 §3.11, RFC 9068 §2.1).
pub const TOKEN_TYPE: &str = "at+jwt";
/// How long an access token is valid.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);
/// How far the clocks of the signer and of a verifier may differ.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// The claims of an access token: RFC 9068 without `client_id`, because there are no OAuth clients.
/// Times are in Unix seconds.
///
/// The header has `alg` `EdDSA`, `typ` [`TOKEN_TYPE`] and the `kid` of a [`PublicKey`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Issuer: always [`ISSUER`].
    pub iss: String,
    /// Audience: always [`AUDIENCE`].
    pub aud: String,
    /// Subject: the user.
    pub sub: UserId,
    /// The session. Ending the session revokes its access tokens.
    pub sid: SessionId,
    /// What the user may do.
    pub role: Role,
    /// Issued at.
    pub iat: i64,
    /// Not valid before.
    pub nbf: i64,
    /// Expires at; [`ACCESS_TOKEN_LIFE`] after `iat`.
    pub exp: i64,
    /// A random id of the token.
    pub jti: String,
}

impl AccessClaims {
    /// Whether issuer, audience and times are right at `now`, with [`LEEWAY`]. The verifier also
    /// checks the header, the signature, and whether the session was revoked.
    pub fn hold_at(&self, now: Timestamp) -> bool {
        let (now, leeway) = (now.as_second(), LEEWAY.as_secs() as i64);
        let times = self.nbf.saturating_sub(leeway) <= now && now < self.exp.saturating_add(leeway);
        self.iss == ISSUER && self.aud == AUDIENCE && times
    }
}

/// Exchanges a refresh token for fresh tokens of the same session.
///
/// A token that was used before ends its session (RFC 9700 §4.14.2). One exception: the token
/// before the current one is accepted again for 10 seconds, because two tabs may refresh at the
/// same time.
// Errors: `RefreshTokenInvalid`, `RefreshTokenReused`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshSession {
    /// The refresh token that the last sign-in or refresh gave out.
    pub refresh_token: Secret,
}

/// Ends one session of the user, or all of them. The reply also names sessions that ended before.
///
/// Errors: `UserNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndSession {
    /// Whose session.
    pub user_id: UserId,
    /// The session to end; absent: all sessions of the user.
    pub session_id: Option<SessionId>,
}

/// Sessions whose access tokens must be refused from now on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndedSessions {
    /// In no particular order.
    pub sessions: Vec<SessionId>,
}

/// The live sessions of the user, newest first. Errors: `UserNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListSessions {
    /// Whose sessions.
    pub user_id: UserId,
}

/// A live session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionInfo {
    /// The id of the session.
    pub id: SessionId,
    /// When the user signed in.
    pub created_at: Timestamp,
    /// When its tokens were last refreshed.
    pub last_used_at: Timestamp,
}

/// The sessions that ended so recently that one of their access tokens may not have expired yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListRevoked {}

/// An ended session whose access tokens must be refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revoked {
    /// The session.
    pub session_id: SessionId,
    /// When its last access token expires.
    pub until: Timestamp,
}

/// The public keys that may have signed a valid access token, newest first. Keys are replaced every
/// 90 days; a verifier that meets an unknown `kid` asks again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetKeys {}

/// An Ed25519 public key, as in a JWK Set (RFC 7517, RFC 8037).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PublicKey {
    /// The key's id: its JWK thumbprint (RFC 7638).
    pub kid: String,
    /// The key itself: base64url, without padding.
    pub x: String,
}

/// One account. Errors: `UserNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetUser {
    /// Which account.
    pub user_id: UserId,
}

/// Changes the name or the e-mail address of an account. An absent field stays as it is.
///
/// Errors: `UserNotFound`, `EmailTaken` (then nothing has changed).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpdateUser {
    /// Which account.
    pub user_id: UserId,
    /// The new name.
    pub name: Option<PersonName>,
    /// The new address.
    pub email: Option<Email>,
}

/// Sets another password and ends all other sessions of the user.
///
/// Errors: `UserNotFound`, `WrongPassword`, `PasswordLength`, `PasswordTooCommon`, `Busy`,
/// `TooManyGuesses`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangePassword {
    /// Whose password.
    pub user_id: UserId,
    /// The session that does not end.
    pub session_id: Option<SessionId>,
    /// The password so far.
    pub current_password: Secret,
    /// 12 to 128 characters, and not a common password.
    pub new_password: Secret,
}

/// An address in a user's address book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SavedAddress {
    /// The id within the book.
    pub id: AddressId,
    /// The address.
    #[serde(flatten)]
    pub address: Address,
}

/// The user's address book, oldest first. Errors: `UserNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListAddresses {
    /// Whose book.
    pub user_id: UserId,
}

/// One address. Errors: `UserNotFound`, `AddressNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetAddress {
    /// Whose book.
    pub user_id: UserId,
    /// Which address.
    pub address_id: AddressId,
}

/// Adds an address to the book. Errors: `UserNotFound`, `AddressBookFull` (at 50 addresses).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddAddress {
    /// Whose book.
    pub user_id: UserId,
    /// The new address.
    pub address: Address,
}

/// Replaces an address of the book. Errors: `UserNotFound`, `AddressNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReplaceAddress {
    /// Whose book.
    pub user_id: UserId,
    /// Which address.
    pub address_id: AddressId,
    /// The address that takes its place.
    pub address: Address,
}

/// Removes an address from the book. A repeated removal succeeds, too.
///
/// Errors: `UserNotFound`, `AddressNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveAddress {
    /// Whose book.
    pub user_id: UserId,
    /// Which address.
    pub address_id: AddressId,
}

/// Whether the shop has at least one operator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HasOperator {}

/// Makes an operator's account, or promotes an existing account, sets this password and ends its
/// sessions. A set-up token that was issued before becomes invalid. For the command line only.
///
/// Errors: `Forbidden`, `PasswordLength`, `PasswordTooCommon`, `Busy`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateOperator {
    /// The operator's address.
    pub email: Email,
    /// 12 to 128 characters, and not a common password.
    pub password: Secret,
    /// What the operator is called; ignored where the account exists.
    pub name: PersonName,
}

/// Issues a token that makes the first operator's account, once, within 30 minutes. It replaces the
/// token that was issued before. For the start of the program only. Errors: `Forbidden`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IssueSetupToken {}

/// The reply to [`IssueSetupToken`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetupToken {
    /// 256 random bits, base64url.
    pub token: Secret,
    /// When it becomes invalid.
    pub expires_at: Timestamp,
}

/// Makes the first operator's account with a set-up token, and signs it in.
// Errors: `SetupTokenInvalid`, `EmailTaken`, `PasswordLength`, `PasswordTooCommon`, `Busy`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeemSetupToken {
    /// The token that the program printed when it started.
    pub token: Secret,
    /// The operator's address.
    pub email: Email,
    /// 12 to 128 characters, and not a common password.
    pub password: Secret,
    /// What the operator is called.
    pub name: PersonName,
}

/// Why a request to users failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsersError {
    /// Another account has the e-mail address.
    #[error("an account with this e-mail address already exists")]
    EmailTaken,
    /// The key was used for another registration within 24 hours.
    #[error("this key was used for another registration; use a new key for a new one")]
    KeyReused,
    /// The new password is too short or too long.
    #[error("the password must have 12 to 128 characters")]
    PasswordLength,
    /// The new password is on the list of common passwords, is a simple pattern, or is the
    /// account's own name or address.
    #[error("this password is too common and easy to guess")]
    PasswordTooCommon,
    /// The address has no account, or the password is wrong. The two cases look the same.
    #[error("the e-mail address or the password is wrong")]
    InvalidCredentials,
    /// The current password was needed and is wrong.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The token was never given out, or its session has ended or expired.
    #[error("the refresh token is unknown or has expired")]
    RefreshTokenInvalid,
    /// The token was used before, so it may have been stolen: its session has been ended.
    #[error("the refresh token was used before; its session has been ended")]
    RefreshTokenReused {
        /// The session that has been ended.
        session_id: SessionId,
    },
    /// There is no such account, or the principal may not see it.
    #[error("there is no such user")]
    UserNotFound,
    /// The book has no such address.
    #[error("there is no such address")]
    AddressNotFound,
    /// The book holds as many addresses as it can.
    #[error("the address book is full ({most} addresses)")]
    AddressBookFull {
        /// How many addresses a book can hold.
        most: usize,
    },
    /// The set-up token was never issued, was used or replaced, or has expired.
    #[error("the set-up link is unknown, was already used, or has expired")]
    SetupTokenInvalid,
    /// The pool that hashes passwords is full. The same request may succeed a moment later.
    #[error("too many passwords are being checked at the moment; try again shortly")]
    Busy,
    /// There were too many wrong passwords in a row; this attempt was not checked.
    #[error("too many wrong passwords for this account; wait {} s before the next attempt", wait.as_secs())]
    TooManyGuesses {
        /// How long to wait: 1 to 60 s.
        wait: Duration,
    },
    /// The principal may not send this request.
    #[error("you are not allowed to do this")]
    Forbidden,
}

/// An account was registered. Published once per account, after it can be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserRegistered {
    /// The new account.
    pub user_id: UserId,
    /// What the person is called.
    pub name: PersonName,
}
