//! Users: who has an account, who is signed in, and with which tokens they say so.
//!
//! | what | how |
//! |---|---|
//! | passwords | any 12 to 128 characters but the commonest (`password_policy.rs`), hashed on a bounded pool (`passwords.rs`) |
//! | access tokens | JWTs of 15 minutes, EdDSA, verified by whoever has the public keys (`tokens.rs`) |
//! | refresh tokens | opaque, one use each, kept as fingerprints; an old one that comes back ends its session (`rules.rs`) |
//! | sessions | end after 30 days without use, after 90 days, on signing out, and with the password; at most 50 a user |
//! | guessing | each wrong guess makes the next wait longer; strangers cannot lock the owner out (`login_throttle.rs`) |
//! | e-mail addresses | one account each, whatever crashes when (`store/accounts.rs`) |

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
