//! What the store promises about sessions and keys, and the fixture of these tests.

mod accounts;

use super::*;
use crate::{
    env::{Env, earlier, later},
    services::users::{
        messages::User,
        records::FIRST_PASSWORD,
        rules::{KEY_ANNOUNCED_FOR, SIGNING_KEY_LIFE, tokens_gone},
        tokens::RefreshToken,
    },
    storage::Storage,
    types::{Email, Role, Service, Timestamp},
};
use std::time::Duration;

impl Store {
    /// Every account, also one whose address is not claimed yet.
    pub fn all_user_ids(&self) -> Vec<UserId> {
        self.users.all(None).map(|found| found.unwrap().0).collect()
    }
}

pub(super) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

pub(super) struct Fixture {
    _folder: tempfile::TempDir,
    env: Env,
    pub store: Store,
}

pub(super) fn fixture() -> Fixture {
    let (folder, env) = (tempfile::tempdir().unwrap(), Env::system());
    let store = Store::new(&Storage::open(folder.path(), &env).unwrap().tree(Service::Users).unwrap());
    Fixture { _folder: folder, env, store }
}

impl Fixture {
    pub fn user(&self, email: &str) -> User {
        let name = "Ada".parse().unwrap();
        User { id: self.env.id(), email: mail(email), name, role: Role::Customer, created_at: NOW }
    }

    pub async fn registered(&self, email: &str) -> User {
        let user = self.user(email);
        self.store.register(&user, "hash".into(), None).await.unwrap();
        user
    }

    pub fn session(&self, user_id: UserId) -> Session {
        let token = RefreshToken::first(self.env.id(), &self.env);
        let (family, current) = (token.family(), token.fingerprint());
        let id = token.session_id;
        Session {
            id,
            user_id,
            created_at: NOW,
            last_used_at: NOW,
            ended_at: None,
            from: None,
            family,
            current,
            previous: None,
        }
    }
}

pub(super) fn mail(text: &str) -> Email {
    text.parse().unwrap()
}

#[actix::test]
async fn a_sign_in_with_the_old_password_opens_no_session() {
    let harness = fixture();
    let ada = harness.registered("ada@example.com").await;
    harness.store.change_password(ada.id, None, NOW, |_| Ok(())).await.unwrap();
    let late = harness.session(ada.id);
    assert!(harness.store.open_session(late.clone(), FIRST_PASSWORD).await.unwrap().is_none());
    let kept = harness.store.sessions.get(&late.id).unwrap().unwrap();
    assert!(kept.ended_at.is_some());
}

#[actix::test]
async fn ended_and_expired_sessions_are_deleted_when_their_tokens_have_expired() {
    let harness = fixture();
    let ada = harness.registered("ada@example.com").await;
    let [ended, live] = [harness.session(ada.id), harness.session(ada.id)];
    for session in [&ended, &live] {
        harness.store.open_session(session.clone(), FIRST_PASSWORD).await.unwrap();
    }
    harness.store.sign_out(ada.id, Some(ended.id), NOW).await.unwrap();
    let left = |now| {
        harness.store.sweep_sessions(now, 100).unwrap();
        harness.store.sessions_of(ada.id).map(|session| session.unwrap().id).collect::<Vec<_>>()
    };
    let second = Duration::from_secs(1);
    let gone = tokens_gone(NOW);
    assert_eq!(left(Timestamp::from_second(gone.as_second() - 1).unwrap()).len(), 2);
    assert_eq!(left(gone), [live.id]);
    assert_eq!(left(later(live.until(), second)), []);
}

#[test]
fn a_key_signs_for_its_time_and_stays_published_while_its_tokens_live() {
    let harness = fixture();
    let renew = |now| {
        harness.store.renew_keys(now, harness.env.bytes()).unwrap();
        let published = harness.store.published_keys(now).unwrap().into_iter().map(|key| key.kid);
        (harness.store.signing_key().unwrap().unwrap().kid, published.collect::<Vec<_>>())
    };
    let (first, published) = renew(NOW);
    assert_eq!(published, vec![first.clone()]);
    assert_eq!(renew(NOW), (first.clone(), published.clone()), "a restart makes no other");
    let announced = earlier(later(NOW, SIGNING_KEY_LIFE), KEY_ANNOUNCED_FOR);
    assert_eq!(renew(earlier(announced, Duration::from_secs(1))).1.len(), 1);
    let (still, published) = renew(announced);
    assert_eq!((&still, published.len()), (&first, 2), "the next one is published, and does not sign yet");
    let (next, rotated) = (published[0].clone(), later(NOW, SIGNING_KEY_LIFE));
    assert_eq!(renew(earlier(rotated, Duration::from_secs(1))), (first.clone(), published));
    let (second, published) = renew(rotated);
    assert_eq!(second, next);
    assert_eq!(published, [second.clone(), first.clone()], "the newest first");
    assert_eq!(renew(tokens_gone(rotated)), (second.clone(), vec![second]));
    assert!(harness.store.keys.get(&first).unwrap().is_none());
}

#[test]
fn of_many_callers_that_make_the_first_key_at_once_one_key_signs() {
    let harness = fixture();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| harness.store.renew_keys(NOW, harness.env.bytes()).unwrap());
        }
    });
    let current = harness.store.signing_key().unwrap().unwrap().kid;
    for key in harness.store.published_keys(NOW).unwrap() {
        assert_eq!(key.retired_at.is_none(), key.kid == current);
    }
}
