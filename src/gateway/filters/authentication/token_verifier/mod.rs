//! Verifies access tokens, with the public keys of the users service. Tokens of sessions that have
//! ended are rejected.
//!
//! RFC 8725 (JWT best current practices): the algorithm, type, issuer and audience are fixed here,
//! never taken from the token.
//!
//! ## Decisions
//!
//! - **A verified token is remembered until its `exp`.** Checking an Ed25519 signature takes far
//!   longer than a look-up, and a client sends the same token with each request. Consequence: the
//!   memory is bounded ([`REMEMBERED`]), and each use still checks the end of the session and
//!   `exp`.
//! - **moka instead of a map of our own.** A full map of our own forgot all tokens at once, and the
//!   next request of every client paid for a signature. moka drops the entries that are used least
//!   and those that have expired. Consequence: entries end by moka's own clock; the decision
//!   whether a token is valid is taken by the clock of [`Env`].

use crate::{
    env::{Env, since},
    gateway::context::Bearer,
    mesh::{Context, Mesh},
    services::users::messages::{
        AUDIENCE, AccessClaims, EndedSessions, GetKeys, ISSUER, LEEWAY, ListRevoked, PublicKey, TOKEN_TYPE,
    },
    types::{Principal, SessionId, Timestamp},
};
use arc_swap::ArcSwap;
use futures_util::future::select;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use moka::{Expiry, sync::Cache};
use parking_lot::{Mutex, RwLock};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    pin::pin,
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// How many verified tokens are remembered. Most requests then cost a look-up, not the check of a
/// signature.
const REMEMBERED: u64 = 10_000;
/// How long the end of a session is remembered: longer than any access token is valid.
const REMEMBER_END: Duration = Duration::from_secs(20 * 60);
/// The least time between two calls for unknown keys: a client that makes up key ids cannot cause a
/// call for each of them.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Verifies access tokens. All workers share one.
pub struct TokenVerifier {
    env: Env,
    keys: ArcSwap<Vec<PublicKey>>,
    /// When the keys were last read because a token named an unknown one.
    looked: Mutex<Option<Timestamp>>,
    /// By the SHA-256 of the token, so that no token is kept in memory.
    verified: Cache<[u8; 32], Bearer>,
    /// Sessions that have ended, and until when each is remembered.
    ended: RwLock<HashMap<SessionId, Timestamp>>,
    /// Wakes the streams that wait for the end of a session.
    more_ended: Notify,
}

/// Says how long a verified token is remembered: until its `exp`, and at most [`REMEMBER_END`].
struct TokenExpiry(Env);

impl Expiry<[u8; 32], Bearer> for TokenExpiry {
    fn expire_after_create(&self, _: &[u8; 32], bearer: &Bearer, _: Instant) -> Option<Duration> {
        Some(since(bearer.expires_at(), self.0.now()).min(REMEMBER_END))
    }
}

impl TokenVerifier {
    /// A verifier that knows no key yet: see [`Self::learn`].
    pub fn new(env: Env) -> Self {
        let verified = Cache::builder().max_capacity(REMEMBERED).expire_after(TokenExpiry(env.clone())).build();
        Self {
            env,
            keys: ArcSwap::default(),
            looked: Mutex::default(),
            verified,
            ended: RwLock::default(),
            more_ended: Notify::new(),
        }
    }

    /// Reads the public keys, and the sessions that have ended lately (before this process started,
    /// too). If users does not answer, what is known stays.
    pub async fn learn(&self, mesh: &Mesh, context: &Context) {
        if let Ok(keys) = mesh.call(context, GetKeys {}).await {
            self.keys.store(keys.into());
        }
        let system = Context { principal: Principal::System, ..context.clone() };
        if let Ok(revoked) = mesh.call(&system, ListRevoked {}).await {
            let mut ended = self.ended.write();
            ended.extend(revoked.into_iter().map(|revoked| (revoked.session_id, revoked.until)));
            self.more_ended.notify_waiters();
        }
    }

    /// The keys that were last read.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        self.keys.load().as_ref().clone()
    }

    /// Rejects the tokens of these sessions from now on.
    pub fn forget(&self, sessions: &EndedSessions) {
        let now = self.env.now();
        let mut ended = self.ended.write();
        ended.retain(|_, until| *until > now);
        ended.extend(sessions.sessions.iter().map(|session| (*session, crate::env::later(now, REMEMBER_END))));
        self.more_ended.notify_waiters();
    }

    /// Returns when the bearer's token is no longer valid: its session has ended, or it has
    /// expired.
    pub async fn end_of(&self, bearer: &Bearer) {
        let expiry = tokio::time::sleep(since(bearer.expires_at(), self.env.now()));
        select(pin!(self.end_of_session(bearer.session_id)), pin!(expiry)).await;
    }

    async fn end_of_session(&self, session: SessionId) {
        loop {
            let mut notified = pin!(self.more_ended.notified());
            // Subscribe before reading, so that no end between the two is missed.
            notified.as_mut().enable();
            if self.has_ended(session) {
                return;
            }
            notified.await;
        }
    }

    fn has_ended(&self, session: SessionId) -> bool {
        self.ended.read().contains_key(&session)
    }

    /// The owner of the token. `None` if the token is not valid, has expired, or its session has
    /// ended. `context` is used for a call to users if the token names an unknown key.
    pub async fn verify(&self, token: &str, mesh: &Mesh, context: &Context) -> Option<Bearer> {
        let fingerprint: [u8; 32] = Sha256::digest(token).into();
        let bearer = match self.verified.get(&fingerprint) {
            Some(bearer) => bearer,
            None => self.check(token, fingerprint, mesh, context).await?,
        };
        (!self.has_ended(bearer.session_id) && bearer.expires > self.env.now().as_second()).then_some(bearer)
    }

    async fn check(&self, token: &str, fingerprint: [u8; 32], mesh: &Mesh, context: &Context) -> Option<Bearer> {
        let header = decode_header(token).ok()?;
        if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(TOKEN_TYPE) {
            return None;
        }
        let kid = header.kid?;
        if !self.keys.load().iter().any(|key| key.kid == kid) && self.may_look() {
            self.learn(mesh, context).await;
        }
        let keys = self.keys.load();
        let key = keys.iter().find(|key| key.kid == kid)?;
        let claims =
            decode::<AccessClaims>(token, &DecodingKey::from_ed_components(&key.x).ok()?, &rules()).ok()?.claims;
        // A token that is not valid yet is not remembered: it is checked again when it is.
        if !claims.hold_at(self.env.now()) {
            return None;
        }
        let expires = claims.exp.saturating_add(LEEWAY.as_secs() as i64);
        let bearer = Bearer { user_id: claims.sub, session_id: claims.sid, role: claims.role, expires };
        self.verified.insert(fingerprint, bearer);
        Some(bearer)
    }

    fn may_look(&self) -> bool {
        let now = self.env.now();
        let mut looked = self.looked.lock();
        let may = looked.is_none_or(|at| since(now, at) >= LOOK_AGAIN);
        if may {
            *looked = Some(now);
        }
        may
    }
}

/// jsonwebtoken checks the signature, with this algorithm and no other. [`AccessClaims::hold_at`]
/// checks the times, by the clock of `env`.
fn rules() -> Validation {
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.validate_exp = false;
    rules.set_issuer(&[ISSUER]);
    rules.set_audience(&[AUDIENCE]);
    rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    rules
}

#[cfg(test)]
mod tests;
