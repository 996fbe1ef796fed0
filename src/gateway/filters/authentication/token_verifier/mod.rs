//! Verifies access tokens: with the public keys of users, and without the tokens of sessions that have ended.
//!
//! RFC 8725: the algorithm, type, issuer and audience are pinned here, never taken from the token.

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
use parking_lot::{Mutex, RwLock};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, pin::pin, time::Duration};
use tokio::sync::Notify;

/// Verified tokens that are remembered, so that most requests cost a look-up and not the check of a signature.
const REMEMBERED: usize = 10_000;
/// How long the end of a session is remembered: longer than any access token lives.
const REMEMBER_END: Duration = Duration::from_secs(20 * 60);
/// The least time between two calls for unknown keys, so that made-up key ids do not turn into calls.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

pub struct TokenVerifier {
    env: Env,
    keys: ArcSwap<Vec<PublicKey>>,
    looked: Mutex<Option<Timestamp>>,
    verified: RwLock<HashMap<[u8; 32], Bearer>>,
    ended: RwLock<HashMap<SessionId, Timestamp>>,
    /// Wakes the streams that wait for the end of a session.
    more_ended: Notify,
}

impl TokenVerifier {
    pub fn new(env: Env) -> Self {
        Self {
            env,
            keys: ArcSwap::default(),
            looked: Mutex::default(),
            verified: RwLock::default(),
            ended: RwLock::default(),
            more_ended: Notify::new(),
        }
    }

    /// Reads the keys, and the sessions that have ended lately, also before this process began.
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

    /// Returns when the bearer's token is no longer valid: its session has ended, or it has expired.
    pub async fn end_of(&self, bearer: &Bearer) {
        let expiry = tokio::time::sleep(since(bearer.expires_at(), self.env.now()));
        select(pin!(self.end_of_session(bearer.session_id)), pin!(expiry)).await;
    }

    async fn end_of_session(&self, session: SessionId) {
        loop {
            let mut told = pin!(self.more_ended.notified());
            // Subscribe before reading, so that no end between the two is missed.
            told.as_mut().enable();
            if self.has_ended(session) {
                return;
            }
            told.await;
        }
    }

    fn has_ended(&self, session: SessionId) -> bool {
        self.ended.read().contains_key(&session)
    }

    /// The owner of the token; `None` if it is not valid, or no longer.
    pub async fn verify(&self, token: &str, mesh: &Mesh, context: &Context) -> Option<Bearer> {
        let fingerprint: [u8; 32] = Sha256::digest(token).into();
        let known = self.verified.read().get(&fingerprint).copied();
        let bearer = match known {
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
        self.remember(fingerprint, bearer);
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

    fn remember(&self, fingerprint: [u8; 32], bearer: Bearer) {
        let mut verified = self.verified.write();
        if verified.len() >= REMEMBERED {
            let now = self.env.now().as_second();
            verified.retain(|_, bearer| bearer.expires > now);
            if verified.len() >= REMEMBERED {
                verified.clear();
            }
        }
        verified.insert(fingerprint, bearer);
    }
}

/// jsonwebtoken checks the signature, with this algorithm and no other. [`AccessClaims::hold_at`] checks the times, by the clock of
/// `env`.
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
