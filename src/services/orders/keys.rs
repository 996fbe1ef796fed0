//! Idempotency keys: what the gateway asks before it does something that must be done once, and keeps after.

use super::messages::{Claim, ClaimKey, DropClaim, KeepAnswer, KeptAnswer, OrdersError};
use crate::{
    env::later,
    mesh::Failure,
    storage::{Decision, Record, StorageError, Table, Tree},
    types::Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long a key is remembered.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// A claim without an answer holds no longer than this, whatever the caller says.
const LEASE_MOST: Duration = Duration::from_secs(60 * 60);

#[derive(Clone)]
pub struct Keys {
    tree: Tree,
    claims: Table<ClaimRecord>,
    /// Of the program, since it was started: who held a claim before that holds nothing any more.
    run: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ClaimRecord {
    id: String,
    fingerprint: String,
    /// In which run of the program it was claimed.
    #[serde(default)]
    run: String,
    /// Until then nobody else may try, as long as that run lasts.
    leased_until: Timestamp,
    expires_at: Timestamp,
    answer: Option<KeptAnswer>,
}

impl Record for ClaimRecord {
    const TABLE: &'static str = "idem";
    /// SHA-256 of scope and key.
    type Key = String;

    fn entries(&self) -> Vec<String> {
        vec![format!("expiring/{:010}/{}", hour(self.expires_at), self.id)]
    }
}

impl Keys {
    /// For a run of the program that is like no other.
    pub fn new(tree: &Tree, run: String) -> Self {
        Self { tree: tree.clone(), claims: tree.table(), run }
    }

    pub async fn claim(&self, request: &ClaimKey, now: Timestamp) -> Result<Claim, Failure<OrdersError>> {
        let id = digest(&[&request.scope, &request.key]);
        let claimed: Result<Claim, StorageError> = self.claims.change(&id, |found| {
            let claim =
                found.as_ref().map_or(Claim::Granted, |record| record.judge(&request.fingerprint, &self.run, now));
            Ok(match claim {
                Claim::Granted => Decision::Save(ClaimRecord::granted(id.clone(), request, &self.run, now), claim),
                _ => Decision::Keep(claim),
            })
        });
        let claim = claimed?;
        self.tree.commit().await?;
        Ok(claim)
    }

    /// The first answer stays.
    pub async fn keep(&self, request: &KeepAnswer) -> Result<(), Failure<OrdersError>> {
        self.change_own(&request.scope, &request.key, &request.fingerprint, |record| {
            let answer = Some(request.answer.clone());
            Decision::Save(ClaimRecord { answer, ..record }, ())
        })
        .await
    }

    pub async fn drop_claim(&self, request: &DropClaim) -> Result<(), Failure<OrdersError>> {
        self.change_own(&request.scope, &request.key, &request.fingerprint, |_| Decision::Delete(())).await
    }

    /// Forgets the claims whose time is over.
    pub async fn sweep(&self, now: Timestamp) -> Result<(), StorageError> {
        for found in self.claims.under("expiring/", None, false) {
            let (_, record) = found?;
            if hour(record.expires_at) > hour(now) {
                break;
            }
            let forgotten: Result<(), StorageError> = self.claims.change(&record.id, |found| {
                Ok(match found {
                    Some(record) if record.is_over(now) => Decision::Delete(()),
                    _ => Decision::Keep(()),
                })
            });
            forgotten?;
            // There may be a day's worth, and others wait for this thread.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Changes a claim of that request that has no answer yet; there is nothing to change otherwise.
    async fn change_own(
        &self,
        scope: &str,
        key: &str,
        fingerprint: &str,
        decide: impl Fn(ClaimRecord) -> Decision<ClaimRecord, ()>,
    ) -> Result<(), Failure<OrdersError>> {
        let changed: Result<(), StorageError> = self.claims.change(&digest(&[scope, key]), |found| {
            Ok(match found {
                Some(record) if record.fingerprint == fingerprint && record.answer.is_none() => decide(record),
                _ => Decision::Keep(()),
            })
        });
        changed?;
        Ok(self.tree.commit().await?)
    }
}

impl ClaimRecord {
    fn granted(id: String, request: &ClaimKey, run: &str, now: Timestamp) -> Self {
        let lease = Duration::from_secs(request.lease_seconds).min(LEASE_MOST);
        Self {
            id,
            fingerprint: request.fingerprint.clone(),
            run: run.to_owned(),
            leased_until: later(now, lease),
            expires_at: later(now, KEPT_FOR),
            answer: None,
        }
    }

    /// What somebody with this fingerprint is told.
    fn judge(&self, fingerprint: &str, run: &str, now: Timestamp) -> Claim {
        match &self.answer {
            _ if self.is_over(now) => Claim::Granted,
            _ if self.fingerprint != fingerprint => Claim::Reused,
            Some(answer) => Claim::Answered(answer.clone()),
            None if self.run == run && now < self.leased_until => Claim::InFlight,
            None => Claim::Granted,
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }
}

/// SHA-256 of the parts, in hexadecimal digits.
pub fn digest(parts: &[&str]) -> String {
    // JSON keeps the parts apart, whatever is in them.
    format!("{:x}", Sha256::digest(serde_json::json!(parts).to_string()))
}

fn hour(at: Timestamp) -> i64 {
    at.as_second() / 3600
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{env::Env, storage::Storage, types::Service};

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn keys() -> (tempfile::TempDir, Keys) {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path(), &Env::system()).unwrap();
        (folder, Keys::new(&storage.tree(Service::Orders).unwrap(), "first".into()))
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
        keys.keep(&KeepAnswer { scope, key, fingerprint, answer: answer(body) }).await.unwrap();
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
        let next = Keys { run: "second".into(), ..keys.clone() };
        keys.claim(&request("a"), at(0)).await.unwrap();
        assert_eq!(next.claim(&request("b"), at(1)).await.unwrap(), Claim::Reused);
        assert_eq!(next.claim(&request("a"), at(1)).await.unwrap(), Claim::Granted);
        assert_eq!(next.claim(&request("a"), at(2)).await.unwrap(), Claim::InFlight);
        keep(&next, "a", "first").await;
        let third = Keys { run: "third".into(), ..keys };
        assert_eq!(third.claim(&request("a"), at(3)).await.unwrap(), Claim::Answered(answer("first")));
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
    async fn a_claim_that_came_to_nothing_can_be_dropped_but_no_answer_can() {
        let (_folder, keys) = keys();
        let ClaimKey { scope, key, fingerprint, .. } = request("a");
        let drop_it = DropClaim { scope, key, fingerprint };
        keys.claim(&request("a"), at(0)).await.unwrap();
        keys.drop_claim(&drop_it).await.unwrap();
        assert_eq!(keys.claim(&request("b"), at(0)).await.unwrap(), Claim::Granted);
        keys.drop_claim(&drop_it).await.unwrap();
        assert_eq!(keys.claim(&request("b"), at(0)).await.unwrap(), Claim::InFlight);
        keep(&keys, "b", "kept").await;
        keys.drop_claim(&DropClaim { fingerprint: "b".into(), ..drop_it }).await.unwrap();
        assert_eq!(keys.claim(&request("b"), at(0)).await.unwrap(), Claim::Answered(answer("kept")));
    }

    #[tokio::test]
    async fn a_day_later_a_key_is_new_and_what_is_old_is_swept() {
        let (_folder, keys) = keys();
        keys.claim(&request("a"), at(0)).await.unwrap();
        keep(&keys, "a", "old").await;
        keys.sweep(later(at(0), KEPT_FOR - HOUR)).await.unwrap();
        assert!(matches!(keys.claim(&request("a"), at(60)).await.unwrap(), Claim::Answered(_)));
        assert_eq!(keys.claim(&request("b"), later(at(0), KEPT_FOR)).await.unwrap(), Claim::Granted);
        keys.sweep(later(at(0), KEPT_FOR + HOUR)).await.unwrap();
        assert_eq!(keys.claims.all(None).count(), 1, "it was claimed anew");
        keys.sweep(later(at(0), KEPT_FOR * 2 + HOUR)).await.unwrap();
        assert_eq!(keys.claims.all(None).count(), 0);
    }
}
