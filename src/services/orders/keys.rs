//! Idempotency keys: what the gateway asks before it does something that must be done once, and keeps after.
//!
//! A claim is in memory, for all instances: whoever had one when the program ended is not at it any more, so there is nothing in it that a
//! restart should find. The answer is on disk before the claim is given back, so that at any moment one of the two is there.
//!
//! What is found by the digest of a key lies anywhere in the tree, and each write to it moves its neighbours: so that is a short
//! record, and the answer itself lies among those of its time.

use super::messages::{Claim, ClaimKey, DropClaim, KeepAnswer, KeptAnswer, OrdersError};
use crate::{
    env::later,
    mesh::Failure,
    storage::{Decision, Record, StorageError, Table, Tree},
    types::Timestamp,
};
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How long a key is remembered.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// A claim without an answer holds no longer than this, whatever the caller says.
const LEASE_MOST: Duration = Duration::from_secs(60 * 60);

#[derive(Clone)]
pub struct Keys {
    tree: Tree,
    used: Table<UsedKey>,
    answers: Table<AnswerRecord>,
    /// Those that are worked on, by the SHA-256 of scope and key.
    claims: Arc<Mutex<HashMap<String, Lease>>>,
}

/// Somebody is at it. Until then nobody else may try.
struct Lease {
    fingerprint: String,
    until: Timestamp,
}

/// A key that was used, for which request, and where the answer is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct UsedKey {
    fingerprint: String,
    answer: String,
}

impl Record for UsedKey {
    const TABLE: &'static str = "idem";
    /// SHA-256 of scope and key.
    type Key = String;
}

/// What was answered. Written before the key that leads to it: one to which none leads is swept like the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AnswerRecord {
    /// SHA-256 of scope and key.
    used: String,
    expires_at: Timestamp,
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    content_type: String,
    body: Body,
}

/// To the letter.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Body {
    /// As it is: inside a string each of its quotes would be escaped, a seventh more to be written.
    Json(Box<RawValue>),
    Text(String),
}

impl AnswerRecord {
    fn new(used: &str, answer: &KeptAnswer, now: Timestamp) -> Self {
        let KeptAnswer { status, location, etag, content_type, body } = answer.clone();
        let body = match serde_json::from_str::<Box<RawValue>>(&body) {
            // Space around it is no part of the value; and a record is one line of a backup.
            Ok(json) if json.get() == body && !body.contains('\n') => Body::Json(json),
            _ => Body::Text(body),
        };
        let (used, expires_at) = (used.to_owned(), later(now, KEPT_FOR));
        Self { used, expires_at, status, location, etag, content_type, body }
    }

    fn into_answer(self) -> KeptAnswer {
        let Self { status, location, etag, content_type, body, .. } = self;
        let body = match body {
            Body::Json(json) => Box::<str>::from(json).into_string(),
            Body::Text(text) => text,
        };
        KeptAnswer { status, location, etag, content_type, body }
    }
}

impl Record for AnswerRecord {
    const TABLE: &'static str = "answer";
    /// When it was given, in milliseconds, and the digest of its key.
    type Key = String;
}

impl Keys {
    pub fn new(tree: &Tree) -> Self {
        Self { tree: tree.clone(), used: tree.table(), answers: tree.table(), claims: Arc::default() }
    }

    pub async fn claim(&self, request: &ClaimKey, now: Timestamp) -> Result<Claim, Failure<OrdersError>> {
        let id = digest(&[&request.scope, &request.key]);
        let claim = self.claim_now(id, request, now)?;
        if matches!(claim, Claim::Answered(_)) {
            // Whoever kept the answer may be about to commit it.
            self.tree.commit().await?;
        }
        Ok(claim)
    }

    fn claim_now(&self, id: String, request: &ClaimKey, now: Timestamp) -> Result<Claim, StorageError> {
        let mut claims = self.claims();
        if let Some(lease) = claims.get(&id).filter(|lease| now < lease.until) {
            let is_same = lease.fingerprint == request.fingerprint;
            return Ok(if is_same { Claim::InFlight } else { Claim::Reused });
        }
        // Looked at while nobody can give a claim back: whoever has just done so has kept his answer before.
        if let Some((used, record)) = self.answered(&id, now)? {
            let is_same = used.fingerprint == request.fingerprint;
            return Ok(if is_same { Claim::Answered(record.into_answer()) } else { Claim::Reused });
        }
        let lease = Duration::from_secs(request.lease_seconds).min(LEASE_MOST);
        claims.insert(id, Lease { fingerprint: request.fingerprint.clone(), until: later(now, lease) });
        Ok(Claim::Granted)
    }

    /// The first answer stays.
    pub async fn keep(&self, request: &KeepAnswer, now: Timestamp) -> Result<(), Failure<OrdersError>> {
        let KeepAnswer { scope, key, fingerprint, answer } = request;
        let id = digest(&[scope, key]);
        if !self.is_held(&id, fingerprint) {
            return Ok(());
        }
        let at = format!("{:013}-{id}", now.as_millisecond());
        self.answers.create(&at, AnswerRecord::new(&id, answer, now))?;
        let used = UsedKey { fingerprint: fingerprint.clone(), answer: at };
        // One whose lease had run out may have kept his: that stays, and to ours leads nothing.
        let kept: Result<(), StorageError> = self.used.change(&id, |found| {
            let first = found.map(|found| self.answers.get(&found.answer)).transpose()?.flatten();
            let is_there = first.is_some_and(|record| now < record.expires_at);
            Ok(if is_there { Decision::Keep(()) } else { Decision::Save(used.clone(), ()) })
        });
        kept?;
        self.tree.commit().await?;
        self.give_back(&id, fingerprint);
        Ok(())
    }

    /// What was answered to the request with that key, unless it is to be forgotten.
    fn answered(&self, id: &String, now: Timestamp) -> Result<Option<(UsedKey, AnswerRecord)>, StorageError> {
        let Some(used) = self.used.get(id)? else { return Ok(None) };
        let record = self.answers.get(&used.answer)?.filter(|record| now < record.expires_at);
        Ok(record.map(|record| (used, record)))
    }

    pub fn drop_claim(&self, request: &DropClaim) {
        self.give_back(&digest(&[&request.scope, &request.key]), &request.fingerprint);
    }

    /// Forgets the answers whose time is over, and the claims of those who have not come back.
    pub async fn sweep(&self, now: Timestamp) -> Result<(), StorageError> {
        self.claims().retain(|_, lease| now < lease.until);
        for found in self.answers.all(None) {
            let (at, record) = found?;
            if now < record.expires_at {
                break;
            }
            // It may have been used anew since.
            let leads_here = |used: &UsedKey| used.answer == at;
            let forgotten: Result<(), StorageError> = self.used.change(&record.used, |used| {
                Ok(if used.as_ref().is_some_and(leads_here) { Decision::Delete(()) } else { Decision::Keep(()) })
            });
            forgotten?;
            let gone: Result<(), StorageError> = self.answers.change(&at, |_| Ok(Decision::Delete(())));
            gone?;
            // There may be a day's worth, and others wait for this thread.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Whether the key is claimed for that request; also where the lease has run out, if nobody else has claimed it since.
    fn is_held(&self, id: &str, fingerprint: &str) -> bool {
        self.claims().get(id).is_some_and(|lease| lease.fingerprint == fingerprint)
    }

    fn give_back(&self, id: &str, fingerprint: &str) {
        let mut claims = self.claims();
        if claims.get(id).is_some_and(|lease| lease.fingerprint == fingerprint) {
            claims.remove(id);
        }
    }

    fn claims(&self) -> MutexGuard<'_, HashMap<String, Lease>> {
        self.claims.lock()
    }
}

/// SHA-256 of the parts, in hexadecimal digits.
pub fn digest(parts: &[&str]) -> String {
    // JSON keeps the parts apart, whatever is in them.
    format!("{:x}", Sha256::digest(serde_json::json!(parts).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{env::Env, storage::Storage, types::Service};

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn keys() -> (tempfile::TempDir, Keys) {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path(), &Env::system()).unwrap();
        (folder, Keys::new(&storage.tree(Service::Orders).unwrap()))
    }

    fn at(seconds: u64) -> Timestamp {
        later("2026-01-01T00:00:00Z".parse().unwrap(), Duration::from_secs(seconds))
    }

    fn request(fingerprint: &str) -> ClaimKey {
        let (scope, key) = ("usr_1".into(), "abc".into());
        ClaimKey { scope, key, fingerprint: fingerprint.into(), lease_seconds: 30 }
    }

    fn answer(body: &str) -> KeptAnswer {
        KeptAnswer {
            status: 201,
            location: None,
            etag: None,
            content_type: "application/json".into(),
            body: body.into(),
        }
    }

    async fn keep(keys: &Keys, fingerprint: &str, body: &str) {
        let ClaimKey { scope, key, fingerprint, .. } = request(fingerprint);
        keys.keep(&KeepAnswer { scope, key, fingerprint, answer: answer(body) }, at(0)).await.unwrap();
    }

    #[tokio::test]
    async fn a_key_is_granted_once_until_it_is_answered_or_its_lease_is_over() {
        let (_folder, keys) = keys();
        assert_eq!(keys.claim(&request("a"), at(0)).await.unwrap(), Claim::Granted);
        assert_eq!(keys.claim(&request("a"), at(29)).await.unwrap(), Claim::InFlight);
        assert_eq!(keys.claim(&request("b"), at(29)).await.unwrap(), Claim::Reused);
        assert_eq!(keys.claim(&request("a"), at(30)).await.unwrap(), Claim::Granted);
        assert_eq!(keys.claim(&request("a"), at(59)).await.unwrap(), Claim::InFlight);
        keep(&keys, "a", "first").await;
        keep(&keys, "a", "second").await;
        keep(&keys, "b", "third").await;
        assert_eq!(keys.claim(&request("a"), at(99)).await.unwrap(), Claim::Answered(answer("first")));
    }

    #[tokio::test]
    async fn a_claim_of_an_earlier_run_is_free_at_once_but_its_answer_stays() {
        let (_folder, keys) = keys();
        let next = || Keys { claims: Arc::default(), ..keys.clone() };
        keys.claim(&request("a"), at(0)).await.unwrap();
        let second = next();
        assert_eq!(second.claim(&request("b"), at(1)).await.unwrap(), Claim::Granted);
        assert_eq!(second.claim(&request("b"), at(2)).await.unwrap(), Claim::InFlight);
        keep(&second, "b", "first").await;
        assert_eq!(next().claim(&request("b"), at(3)).await.unwrap(), Claim::Answered(answer("first")));
        assert_eq!(next().claim(&request("a"), at(3)).await.unwrap(), Claim::Reused);
    }

    #[tokio::test]
    async fn an_answer_is_kept_before_its_claim_is_given_back_and_only_for_who_holds_it() {
        let (_folder, keys) = keys();
        keep(&keys, "a", "of nobody").await;
        assert_eq!(keys.claim(&request("a"), at(0)).await.unwrap(), Claim::Granted);
        keep(&keys, "b", "of another").await;
        assert_eq!(keys.claim(&request("a"), at(1)).await.unwrap(), Claim::InFlight);
        keep(&keys, "a", "first").await;
        assert!(keys.claims().is_empty());
        keys.claim(&ClaimKey { key: "other".into(), ..request("a") }, at(0)).await.unwrap();
        keys.sweep(at(31)).await.unwrap();
        assert!(keys.claims().is_empty(), "who has not come back");
    }

    #[tokio::test]
    async fn keys_of_different_principals_do_not_meet() {
        let (_folder, keys) = keys();
        keys.claim(&request("a"), at(0)).await.unwrap();
        let other = ClaimKey { scope: "usr_2".into(), ..request("b") };
        assert_eq!(keys.claim(&other, at(0)).await.unwrap(), Claim::Granted);
        let shifted = ClaimKey { scope: "usr_1a".into(), key: "bc".into(), ..request("b") };
        assert_eq!(keys.claim(&shifted, at(0)).await.unwrap(), Claim::Granted);
    }

    #[tokio::test]
    async fn an_answer_is_given_again_to_the_letter() {
        let (_folder, keys) = keys();
        for (n, body) in
            ["{\"a\": \"\\u00e9\",\n  \"b\":1.0}", " {} ", "", "null", "\"a\"", "no JSON"].into_iter().enumerate()
        {
            let ClaimKey { scope, fingerprint, lease_seconds, .. } = request("a");
            let (key, kept) = (n.to_string(), KeptAnswer { location: Some("/x".into()), ..answer(body) });
            let claim = ClaimKey { scope, key, fingerprint, lease_seconds };
            keys.claim(&claim, at(0)).await.unwrap();
            let ClaimKey { scope, key, fingerprint, .. } = claim.clone();
            keys.keep(&KeepAnswer { scope, key, fingerprint, answer: kept.clone() }, at(0)).await.unwrap();
            assert_eq!(keys.claim(&claim, at(1)).await.unwrap(), Claim::Answered(kept));
        }
    }

    #[tokio::test]
    async fn a_claim_that_came_to_nothing_can_be_dropped_but_no_answer_can() {
        let (_folder, keys) = keys();
        let ClaimKey { scope, key, fingerprint, .. } = request("a");
        let drop_it = DropClaim { scope, key, fingerprint };
        keys.claim(&request("a"), at(0)).await.unwrap();
        keys.drop_claim(&drop_it);
        assert_eq!(keys.claim(&request("b"), at(0)).await.unwrap(), Claim::Granted);
        keys.drop_claim(&drop_it);
        assert_eq!(keys.claim(&request("b"), at(0)).await.unwrap(), Claim::InFlight);
        keep(&keys, "b", "kept").await;
        keys.drop_claim(&DropClaim { fingerprint: "b".into(), ..drop_it });
        assert_eq!(keys.claim(&request("b"), at(0)).await.unwrap(), Claim::Answered(answer("kept")));
    }

    #[tokio::test]
    async fn a_day_later_a_key_is_new_and_what_is_old_is_swept() {
        let (_folder, keys) = keys();
        let left = || (keys.used.all(None).count(), keys.answers.all(None).count());
        keys.claim(&request("a"), at(0)).await.unwrap();
        keep(&keys, "a", "old").await;
        keys.sweep(later(at(0), KEPT_FOR - HOUR)).await.unwrap();
        assert!(matches!(keys.claim(&request("a"), at(60)).await.unwrap(), Claim::Answered(_)));
        let next_day = later(at(0), KEPT_FOR);
        assert_eq!(keys.claim(&request("b"), next_day).await.unwrap(), Claim::Granted);
        let ClaimKey { scope, key, fingerprint, .. } = request("b");
        keys.keep(&KeepAnswer { scope, key, fingerprint, answer: answer("new") }, next_day).await.unwrap();
        assert_eq!(left(), (1, 2));
        keys.sweep(next_day).await.unwrap();
        assert_eq!(left(), (1, 1), "it was used anew");
        assert_eq!(keys.claim(&request("b"), next_day).await.unwrap(), Claim::Answered(answer("new")));
        keys.sweep(later(next_day, KEPT_FOR)).await.unwrap();
        assert_eq!(left(), (0, 0));
    }
}
