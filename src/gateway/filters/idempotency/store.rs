//! The answers that the gateway keeps for `Idempotency-Key`s, in its own tree.
//!
//! A claim says that a request with the key is running. Claims are in memory, for all workers: a
//! restart ends every request, so it may forget every claim. The answer is on disk before its claim
//! is released. At each moment the key has a claim or an answer, so no second request with the key
//! runs in between.
//!
//! | key | record |
//! |---|---|
//! | `idempotency_key/<SHA-256 of scope and key>` | the request's fingerprint, and the answer's key |
//! | `answer/<milliseconds>-<SHA-256>` | the answer |
//!
//! A digest lies anywhere in the tree, and each write moves its neighbours. Therefore the record
//! under the digest is short, and the answers, which are long, lie in the order of time: a sweep
//! reads only those that have expired.

use crate::{
    env::{Env, later},
    storage::{Decision, KnownTable, Record, StorageError, Table, Tree, digest},
    types::Timestamp,
};
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{collections::HashMap, sync::Weak, time::Duration};

/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest lease of a claim. A longer one is cut to it.
const LONGEST_LEASE: Duration = Duration::from_secs(60 * 60);
/// The pause between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);
/// Answers that a sweep removes before it lets other tasks of its thread run: there may be a day's
/// worth.
const SWEPT_AT_ONCE: usize = 16;

/// Which requests with an `Idempotency-Key` are running, and what was answered to those that ended.
///
/// The store is bounded: a claim ends with its lease (at most an hour), an answer after 24 hours.
pub struct IdempotencyStore {
    tree: Tree,
    keys: Table<KeyRecord>,
    answers: Table<AnswerRecord>,
    /// By the SHA-256 of scope and key.
    claims: Mutex<HashMap<String, Lease>>,
}

/// A request with an `Idempotency-Key`, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    /// SHA-256 of scope and key.
    id: String,
    fingerprint: String,
}

impl KeyedRequest {
    /// `scope` is the owner of the key: equal keys of different scopes are different keys. Two
    /// requests with one key are the same request if their fingerprints are equal.
    pub fn new(scope: &str, key: &str, fingerprint: impl Into<String>) -> Self {
        Self { id: digest(&[scope, key]), fingerprint: fingerprint.into() }
    }
}

/// The result of a request's attempt to claim its key.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// The request may run. It holds the claim until [`IdempotencyStore::keep`] or
    /// [`IdempotencyStore::release`], and not longer than its lease.
    Granted,
    /// The same request is running.
    InFlight,
    /// The key was used for another request within 24 hours.
    Reused,
    /// The request ended within 24 hours, with this answer.
    Answered(KeptAnswer),
}

/// An answer, as far as it is kept: other header fields are made anew for each request, or are
/// secrets (`Set-Cookie`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The status code.
    pub status: u16,
    /// The field `Location`.
    pub location: Option<String>,
    /// The field `ETag`.
    pub etag: Option<String>,
    /// The field `Content-Type`; empty if there is none.
    pub content_type: String,
    /// The body, in UTF-8.
    pub body: String,
}

/// The claim of a running request. Until `until` no other request with the key may run.
struct Lease {
    fingerprint: String,
    until: Timestamp,
}

/// For which request a key was used, and where the answer is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KeyRecord {
    fingerprint: String,
    answer: String,
}

impl Record for KeyRecord {
    const TABLE: &'static str = "idempotency_key";
    /// SHA-256 of scope and key.
    type Key = String;
}

/// An answer. It is written before the key that leads to it; an answer that no key leads to is
/// swept like the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct AnswerRecord {
    /// SHA-256 of scope and key.
    key: String,
    expires_at: Timestamp,
    /// `None` for an answer that carries secrets: then only for which request the key was used is
    /// kept.
    answer: Option<StoredAnswer>,
}

impl Record for AnswerRecord {
    const TABLE: &'static str = "answer";
    /// When it was kept, in milliseconds since 1970, and the SHA-256 of scope and key.
    type Key = String;
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredAnswer {
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    content_type: String,
    body: StoredBody,
}

/// A body, byte for byte.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredBody {
    /// JSON, stored as JSON. As a string, each of its quotes would be escaped, which takes a
    /// seventh more space.
    Json(Box<RawValue>),
    Text(String),
}

impl From<KeptAnswer> for StoredAnswer {
    fn from(answer: KeptAnswer) -> Self {
        let KeptAnswer { status, location, etag, content_type, body } = answer;
        let body = match serde_json::from_str::<Box<RawValue>>(&body) {
            // White space around the value is not part of it, and a record is one line of a backup.
            Ok(json) if json.get() == body && !body.contains('\n') => StoredBody::Json(json),
            _ => StoredBody::Text(body),
        };
        Self { status, location, etag, content_type, body }
    }
}

impl From<StoredAnswer> for KeptAnswer {
    fn from(stored: StoredAnswer) -> Self {
        let StoredAnswer { status, location, etag, content_type, body } = stored;
        let body = match body {
            StoredBody::Json(json) => Box::<str>::from(json).into_string(),
            StoredBody::Text(text) => text,
        };
        Self { status, location, etag, content_type, body }
    }
}

/// The tables of a store over the tree of that name, for a check that knows the types of the
/// records.
pub fn tables(tree: &'static str) -> [KnownTable; 2] {
    [KnownTable::of::<KeyRecord>(tree), KnownTable::of::<AnswerRecord>(tree)]
}

/// What was kept for a key, and has not expired.
struct Kept {
    fingerprint: String,
    answer: Option<KeptAnswer>,
}

/// Decides on a request, by the claim of its key (if the lease is not over) and what was kept for
/// its key.
fn decide(fingerprint: &str, claimed_by: Option<&str>, kept: Option<Kept>) -> Claim {
    match (claimed_by, kept) {
        (Some(running), _) if running == fingerprint => Claim::InFlight,
        (Some(_), _) => Claim::Reused,
        (None, None) => Claim::Granted,
        (None, Some(kept)) if kept.fingerprint != fingerprint => Claim::Reused,
        // The answer carried secrets and was not kept: the handler runs again, and its service
        // answers anew.
        (None, Some(kept)) => kept.answer.map_or(Claim::Granted, Claim::Answered),
    }
}

impl IdempotencyStore {
    /// `tree` is the gateway's own.
    pub fn new(tree: &Tree) -> Self {
        Self { tree: tree.clone(), keys: tree.table(), answers: tree.table(), claims: Mutex::default() }
    }

    /// Claims the key for the request, for as long as `lease` (at most an hour). The answer in
    /// [`Claim::Answered`] is on disk.
    pub async fn claim(&self, request: &KeyedRequest, lease: Duration, now: Timestamp) -> Result<Claim, StorageError> {
        let claim = self.claim_now(request, lease, now)?;
        if matches!(claim, Claim::Answered(_)) {
            // The request that wrote the answer may not have committed it yet.
            self.tree.commit().await?;
        }
        Ok(claim)
    }

    fn claim_now(&self, request: &KeyedRequest, lease: Duration, now: Timestamp) -> Result<Claim, StorageError> {
        let mut claims = self.claims();
        let claimed_by = claims.get(&request.id).filter(|lease| now < lease.until);
        // Read under the lock, so that no claim is released in between: its answer was written
        // before.
        let kept = if claimed_by.is_some() { None } else { self.kept(&request.id, now)? };
        let claim = decide(&request.fingerprint, claimed_by.map(|lease| lease.fingerprint.as_str()), kept);
        if claim == Claim::Granted {
            let until = later(now, lease.min(LONGEST_LEASE));
            claims.insert(request.id.clone(), Lease { fingerprint: request.fingerprint.clone(), until });
        }
        Ok(claim)
    }

    /// Keeps the answer for 24 hours, and releases the claim when the answer is on disk. `None` for
    /// an answer that carries secrets: then it keeps only that the key was used, and for which
    /// request. The first answer stays; a request without a claim keeps nothing. After an error the
    /// claim is held until its lease is over.
    pub async fn keep(
        &self,
        request: &KeyedRequest,
        answer: Option<KeptAnswer>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        if !self.is_claimed_by(request) {
            return Ok(());
        }
        if self.kept(&request.id, now)?.is_none() {
            self.write(request, answer, now)?;
        }
        self.tree.commit().await?;
        self.release(request);
        Ok(())
    }

    fn write(&self, request: &KeyedRequest, answer: Option<KeptAnswer>, now: Timestamp) -> Result<(), StorageError> {
        let KeyedRequest { id, fingerprint } = request;
        let at = format!("{:013}-{id}", now.as_millisecond());
        let expires_at = later(now, KEPT_FOR);
        self.answers.create(&at, AnswerRecord { key: id.clone(), expires_at, answer: answer.map(Into::into) })?;
        let used = KeyRecord { fingerprint: fingerprint.clone(), answer: at };
        // A request whose lease was over may have kept its answer meanwhile: that answer stays, and
        // no key leads to this one.
        self.keys.change(id, |found| {
            let first = found.map(|found| self.answers.get(&found.answer)).transpose()?.flatten();
            let is_there = first.is_some_and(|record| now < record.expires_at);
            Ok(if is_there { Decision::Keep(()) } else { Decision::Save(used.clone(), ()) })
        })
    }

    /// What was kept for the key, unless it has expired.
    fn kept(&self, id: &String, now: Timestamp) -> Result<Option<Kept>, StorageError> {
        let Some(KeyRecord { fingerprint, answer }) = self.keys.get(id)? else { return Ok(None) };
        let record = self.answers.get(&answer)?.filter(|record| now < record.expires_at);
        Ok(record.map(|record| Kept { fingerprint, answer: record.answer.map(Into::into) }))
    }

    /// Releases the request's claim, if it holds one: the key may be used again.
    pub fn release(&self, request: &KeyedRequest) {
        let mut claims = self.claims();
        if claims.get(&request.id).is_some_and(|lease| lease.fingerprint == request.fingerprint) {
            claims.remove(&request.id);
        }
    }

    /// Whether the request holds the claim. It holds it after its lease, too, until another request
    /// claims the key.
    fn is_claimed_by(&self, request: &KeyedRequest) -> bool {
        self.claims().get(&request.id).is_some_and(|lease| lease.fingerprint == request.fingerprint)
    }

    /// Removes expired answers, `most` at most, and all claims whose lease is over. Says whether
    /// expired answers are left.
    fn sweep(&self, most: usize, now: Timestamp) -> Result<bool, StorageError> {
        self.claims().retain(|_, lease| now < lease.until);
        for (swept, found) in self.answers.all(None).enumerate() {
            let (at, record) = found?;
            if now < record.expires_at {
                return Ok(false);
            }
            if swept == most {
                return Ok(true);
            }
            // The key may have been used again since.
            let leads_here = |used: &KeyRecord| used.answer == at;
            self.keys.change(&record.key, |used| {
                let is_over = used.as_ref().is_some_and(leads_here);
                Ok::<_, StorageError>(if is_over { Decision::Delete(()) } else { Decision::Keep(()) })
            })?;
            self.answers.change(&at, |_| Ok::<_, StorageError>(Decision::Delete(())))?;
        }
        Ok(false)
    }

    fn claims(&self) -> MutexGuard<'_, HashMap<String, Lease>> {
        self.claims.lock()
    }
}

/// Removes expired answers at once and then every ten minutes, until the store is gone. While it
/// waits it does not hold the store, and so it does not keep the data folder open.
pub async fn keep_swept(store: Weak<IdempotencyStore>, env: Env) {
    while let Some(swept) = store.upgrade().map(|store| store.sweep(SWEPT_AT_ONCE, env.now())) {
        match swept {
            Ok(true) => {
                tokio::task::yield_now().await;
                continue;
            }
            Ok(false) => {}
            Err(error) => log::error!("expired answers of idempotency keys cannot be removed: {error}"),
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Storage;

    const HOUR: Duration = Duration::from_secs(60 * 60);
    const LEASE: Duration = Duration::from_secs(30);

    fn store() -> (tempfile::TempDir, IdempotencyStore) {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path(), &Env::system()).unwrap();
        (folder, IdempotencyStore::new(&storage.outside_tree("gateway").unwrap()))
    }

    fn at(seconds: u64) -> Timestamp {
        later("2026-01-01T00:00:00Z".parse().unwrap(), Duration::from_secs(seconds))
    }

    fn request(fingerprint: &str) -> KeyedRequest {
        KeyedRequest::new("usr_1", "abc", fingerprint)
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

    async fn claim(store: &IdempotencyStore, fingerprint: &str, now: Timestamp) -> Claim {
        store.claim(&request(fingerprint), LEASE, now).await.unwrap()
    }

    async fn keep(store: &IdempotencyStore, fingerprint: &str, body: &str) {
        store.keep(&request(fingerprint), Some(answer(body)), at(0)).await.unwrap();
    }

    #[test]
    fn a_running_request_is_decided_on_before_an_answer_and_another_request_is_refused_by_both() {
        let kept = |answer| Some(Kept { fingerprint: "a".into(), answer });
        assert_eq!(decide("a", None, None), Claim::Granted);
        assert_eq!(decide("a", Some("a"), None), Claim::InFlight);
        assert_eq!(decide("b", Some("a"), None), Claim::Reused);
        assert_eq!(decide("a", None, kept(Some(answer("first")))), Claim::Answered(answer("first")));
        assert_eq!(decide("b", None, kept(Some(answer("first")))), Claim::Reused);
        // The answer was not kept, since it carried secrets.
        assert_eq!(decide("a", None, kept(None)), Claim::Granted);
        assert_eq!(decide("a", Some("a"), kept(None)), Claim::InFlight);
        assert_eq!(decide("b", None, kept(None)), Claim::Reused);
    }

    #[tokio::test]
    async fn a_key_is_granted_once_until_it_is_answered_or_its_lease_is_over() {
        let (_folder, store) = store();
        assert_eq!(claim(&store, "a", at(0)).await, Claim::Granted);
        assert_eq!(claim(&store, "a", at(29)).await, Claim::InFlight);
        assert_eq!(claim(&store, "b", at(29)).await, Claim::Reused);
        assert_eq!(claim(&store, "a", at(30)).await, Claim::Granted);
        assert_eq!(claim(&store, "a", at(59)).await, Claim::InFlight);
        keep(&store, "a", "first").await;
        keep(&store, "a", "second").await;
        keep(&store, "b", "third").await;
        assert_eq!(claim(&store, "a", at(99)).await, Claim::Answered(answer("first")));
    }

    #[tokio::test]
    async fn no_lease_is_longer_than_an_hour() {
        let (_folder, store) = store();
        store.claim(&request("a"), 2 * HOUR, at(0)).await.unwrap();
        assert_eq!(claim(&store, "a", later(at(0), HOUR - Duration::from_secs(1))).await, Claim::InFlight);
        assert_eq!(claim(&store, "a", later(at(0), HOUR)).await, Claim::Granted);
    }

    #[tokio::test]
    async fn a_claim_of_an_earlier_run_is_free_at_once_but_its_answer_stays() {
        let (_folder, store) = store();
        let next = || IdempotencyStore::new(&store.tree);
        claim(&store, "a", at(0)).await;
        let second = next();
        assert_eq!(claim(&second, "b", at(1)).await, Claim::Granted);
        assert_eq!(claim(&second, "b", at(2)).await, Claim::InFlight);
        keep(&second, "b", "first").await;
        assert_eq!(claim(&next(), "b", at(3)).await, Claim::Answered(answer("first")));
        assert_eq!(claim(&next(), "a", at(3)).await, Claim::Reused);
    }

    #[tokio::test]
    async fn an_answer_is_kept_before_its_claim_is_released_and_only_for_the_request_that_holds_the_claim() {
        let (_folder, store) = store();
        keep(&store, "a", "without a claim").await;
        assert_eq!(claim(&store, "a", at(0)).await, Claim::Granted);
        keep(&store, "b", "of another request").await;
        assert_eq!(claim(&store, "a", at(1)).await, Claim::InFlight);
        keep(&store, "a", "first").await;
        assert!(store.claims().is_empty());
        store.claim(&KeyedRequest::new("usr_1", "other", "a"), LEASE, at(0)).await.unwrap();
        store.sweep(100, at(31)).unwrap();
        assert!(store.claims().is_empty(), "the lease of the claim is over");
    }

    #[tokio::test]
    async fn equal_keys_of_different_scopes_are_different_keys() {
        let (_folder, store) = store();
        claim(&store, "a", at(0)).await;
        for (scope, key) in [("usr_2", "abc"), ("usr_1a", "bc")] {
            let other = KeyedRequest::new(scope, key, "b");
            assert_eq!(store.claim(&other, LEASE, at(0)).await.unwrap(), Claim::Granted);
        }
    }

    #[tokio::test]
    async fn an_answer_is_given_again_byte_for_byte() {
        let (_folder, store) = store();
        for (n, body) in
            ["{\"a\": \"\\u00e9\",\n  \"b\":1.0}", " {} ", "", "null", "\"a\"", "not JSON"].into_iter().enumerate()
        {
            let request = KeyedRequest::new("usr_1", &n.to_string(), "a");
            let kept = KeptAnswer { location: Some("/x".into()), etag: Some("\"1\"".into()), ..answer(body) };
            store.claim(&request, LEASE, at(0)).await.unwrap();
            store.keep(&request, Some(kept.clone()), at(0)).await.unwrap();
            assert_eq!(store.claim(&request, LEASE, at(1)).await.unwrap(), Claim::Answered(kept));
        }
    }

    #[tokio::test]
    async fn an_answer_with_secrets_is_not_kept_but_its_request_is() {
        let (_folder, store) = store();
        claim(&store, "a", at(0)).await;
        store.keep(&request("a"), None, at(0)).await.unwrap();
        let next = IdempotencyStore::new(&store.tree);
        assert_eq!(claim(&next, "b", at(1)).await, Claim::Reused);
        assert_eq!(claim(&next, "a", at(1)).await, Claim::Granted);
        assert_eq!(claim(&next, "a", at(2)).await, Claim::InFlight);
        // A second answer does not replace the first, and does not extend its time.
        next.keep(&request("a"), None, at(2)).await.unwrap();
        assert_eq!(next.answers.all(None).count(), 1);
        assert_eq!(claim(&next, "b", later(at(0), KEPT_FOR)).await, Claim::Granted);
    }

    #[tokio::test]
    async fn a_claim_can_be_released_but_no_answer_can() {
        let (_folder, store) = store();
        claim(&store, "a", at(0)).await;
        store.release(&request("a"));
        assert_eq!(claim(&store, "b", at(0)).await, Claim::Granted);
        store.release(&request("a"));
        assert_eq!(claim(&store, "b", at(0)).await, Claim::InFlight);
        keep(&store, "b", "kept").await;
        store.release(&request("b"));
        assert_eq!(claim(&store, "b", at(0)).await, Claim::Answered(answer("kept")));
    }

    #[tokio::test]
    async fn a_day_later_a_key_is_new_and_expired_answers_are_swept() {
        let (_folder, store) = store();
        let left = || (store.keys.all(None).count(), store.answers.all(None).count());
        claim(&store, "a", at(0)).await;
        keep(&store, "a", "old").await;
        assert!(!store.sweep(100, later(at(0), KEPT_FOR - HOUR)).unwrap());
        assert!(matches!(claim(&store, "a", at(60)).await, Claim::Answered(_)));
        let next_day = later(at(0), KEPT_FOR);
        assert_eq!(claim(&store, "b", next_day).await, Claim::Granted);
        store.keep(&request("b"), Some(answer("new")), next_day).await.unwrap();
        assert_eq!(left(), (1, 2));
        assert!(!store.sweep(100, next_day).unwrap());
        assert_eq!(left(), (1, 1), "the key was used again");
        assert_eq!(claim(&store, "b", next_day).await, Claim::Answered(answer("new")));
        assert!(!store.sweep(100, later(next_day, KEPT_FOR)).unwrap());
        assert_eq!(left(), (0, 0));
    }

    #[tokio::test]
    async fn a_sweep_goes_on_until_nothing_expired_is_left() {
        let (_folder, store) = store();
        for key in ["a", "b", "c"] {
            let request = KeyedRequest::new("usr_1", key, "x");
            store.claim(&request, LEASE, at(0)).await.unwrap();
            store.keep(&request, Some(answer("{}")), at(0)).await.unwrap();
        }
        let next_day = later(at(0), KEPT_FOR);
        assert!(store.sweep(2, next_day).unwrap());
        assert_eq!((store.keys.all(None).count(), store.answers.all(None).count()), (1, 1));
        assert!(!store.sweep(2, next_day).unwrap());
        assert_eq!((store.keys.all(None).count(), store.answers.all(None).count()), (0, 0));
    }
}
