//! Users: accounts, sessions, and the tokens that prove who a client is.
//!
//! | what | how |
//! |---|---|
//! | passwords | 12 to 128 characters, not a common one (`password_policy.rs`), hashed on a bounded pool (`passwords.rs`) |
//! | access tokens | JWTs valid for 15 minutes, signed with EdDSA, verified with the public keys (`tokens.rs`) |
//! | refresh tokens | opaque, for one use, stored as fingerprints; reuse of an old one ends its session (`rules.rs`) |
//! | sessions | end after 30 days without use, after 90 days, on sign-out and on a new password; at most 50 per user |
//! | login throttling | each wrong password makes the next wait longer, and cannot lock the owner out (`login_throttle.rs`) |
//! | e-mail addresses | one account each, also after a crash (`store/accounts.rs`) |
//!
//! ## Decisions
//!
//! - **Passwords are hashed with argon2id on a bounded pool.** One hash takes 19 MiB and about 20
//!   ms of a core, so unbounded hashing would exhaust memory. The pool runs one hash per core and
//!   queues 64 more; further requests get `Busy` at once. Consequence: during a flood of sign-ins
//!   some customers must try again, and all other requests stay fast.
//! - **Refresh tokens rotate.** A stolen token must not be good for 30 days (RFC 9700 §4.14). Each
//!   use replaces the token, and a second use of an old token ends the session. Consequence: a lost
//!   response would sign a customer out, so the previous token is accepted for 10 more seconds and
//!   gives the same successor.
//! - **Access tokens are verified without asking this service.** The gateway reads the public keys
//!   and the list of revoked sessions now and then. Consequence: an access token may outlive its
//!   session until the gateway has heard of the end; it never outlives 15 minutes.

mod actor;
mod login_throttle;
pub mod messages;
mod operators;
mod password_policy;
mod passwords;
mod records;
mod rules;
mod service;
mod sign_in;
mod store;
#[cfg(test)]
mod tests;
mod tokens;

pub use actor::launch;
pub use records::tables;
