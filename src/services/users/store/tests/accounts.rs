//! No crash and no race loses an account or an address.

use super::{super::accounts::MoveStart, NOW, fixture, mail};
use crate::{
    mesh::Failure,
    services::users::{
        messages::UsersError,
        records::{FIRST_PASSWORD, UserRecord},
        store::Store,
    },
    types::UserId,
};

impl Store {
    fn claims(&self) -> Vec<(String, UserId)> {
        let claims = self.emails.all(None).map(Result::unwrap);
        claims.map(|(email, claim)| (email.to_string(), claim.user_id)).collect()
    }

    fn is_at_rest(&self, id: UserId) -> bool {
        self.users.get(&id).unwrap().unwrap().pending_tasks.is_empty()
    }

    /// The store as a new process finds it.
    fn restart(&self) -> Self {
        let store = Store::new(&self.tree);
        store.finish_pending_tasks(NOW).unwrap();
        store
    }
}

fn found(store: &Store, email: &str) -> Option<UserId> {
    store.by_email(&mail(email)).unwrap().map(|record| record.user.id)
}

#[actix::test]
async fn an_interrupted_registration_is_finished_at_the_next_start() {
    // 0: after the record, 1: after the claim, 2: after all of it.
    for cut_after in 0..3 {
        let harness = fixture();
        let user = harness.user("ada@example.com");
        harness.store.users.create(&user.id, UserRecord::unfinished(user.clone(), "hash".into())).unwrap();
        assert!(harness.store.user(user.id).unwrap().is_none() && found(&harness.store, "ada@example.com").is_none());
        if cut_after >= 1 {
            assert!(harness.store.claim(&user.email, user.id).unwrap());
            assert!(found(&harness.store, "ada@example.com").is_none());
        }
        if cut_after == 2 {
            assert!(harness.store.claim_or_delete(&user).unwrap());
        }
        let store = harness.store.restart();
        assert_eq!(found(&store, "ada@example.com"), Some(user.id), "cut after {cut_after}");
        assert!(store.is_at_rest(user.id));
        let outbox_tables = &store.outbox_tables()[0];
        assert_eq!(outbox_tables.first_pending(&user.id.to_string()).unwrap().unwrap().name, "users.registered");
        outbox_tables.mark_delivered(&user.id.to_string(), 0).unwrap();
        assert!(store.users.open_keys().unwrap().is_empty());
    }
}

#[actix::test]
async fn an_interrupted_registration_is_deleted_if_another_account_has_the_address() {
    let harness = fixture();
    let late = harness.user("ada@example.com");
    harness.store.users.create(&late.id, UserRecord::unfinished(late.clone(), "hash".into())).unwrap();
    let ada = harness.registered("ada@example.com").await;
    let store = harness.store.restart();
    assert_eq!((store.all_user_ids(), found(&store, "ada@example.com")), (vec![ada.id], Some(ada.id)));
}

#[actix::test]
async fn an_account_is_found_by_one_address_wherever_its_move_is_interrupted() {
    // 0: after the task, 1: after the claim, 2: after the swap, 3: after all of it.
    for cut_after in 0..4 {
        let harness = fixture();
        let ada = harness.registered("old@example.com").await;
        let to = mail("new@example.com");
        assert!(matches!(harness.store.begin_move(ada.id, &to), Ok(MoveStart::Begun)));
        if cut_after >= 1 {
            assert!(harness.store.claim(&to, ada.id).unwrap());
        }
        if cut_after == 2 {
            harness.store.swap_email(ada.id, &to).unwrap();
        }
        if cut_after == 3 {
            harness.store.finish_move(ada.id, &to).unwrap();
        }
        let now = if cut_after < 2 { "old@example.com" } else { "new@example.com" };
        let finds = |store: &Store| (found(store, "old@example.com"), found(store, "new@example.com"));
        let expected = if cut_after < 2 { (Some(ada.id), None) } else { (None, Some(ada.id)) };
        assert_eq!(finds(&harness.store), expected, "before the restart, cut after {cut_after}");
        let store = harness.store.restart();
        assert_eq!(finds(&store), expected, "after the restart, cut after {cut_after}");
        assert_eq!(store.claims(), [(now.to_owned(), ada.id)], "the other address is free");
        assert!(store.is_at_rest(ada.id));
        assert!(store.move_email(ada.id, &to).await.is_ok());
        assert_eq!(store.claims(), [("new@example.com".to_owned(), ada.id)]);
    }
}

#[actix::test]
async fn an_account_can_use_a_claim_that_it_left_behind() {
    let harness = fixture();
    let ada = harness.registered("old@example.com").await;
    assert!(harness.store.claim(&mail("new@example.com"), ada.id).unwrap());
    assert!(found(&harness.store, "new@example.com").is_none());
    harness.store.move_email(ada.id, &mail("new@example.com")).await.unwrap();
    assert_eq!(harness.store.claims(), [("new@example.com".to_owned(), ada.id)]);
}

#[actix::test]
async fn a_move_waits_for_another_move_of_the_same_account() {
    let harness = fixture();
    let ada = harness.registered("old@example.com").await;
    let to = mail("new@example.com");
    assert!(matches!(harness.store.begin_move(ada.id, &to), Ok(MoveStart::Begun)));
    for other in ["new@example.com", "old@example.com", "third@example.com"] {
        assert!(matches!(harness.store.begin_move(ada.id, &mail(other)), Ok(MoveStart::Busy)), "{other}");
    }
    harness.store.finish_move(ada.id, &to).unwrap();
    assert!(matches!(harness.store.begin_move(ada.id, &to), Ok(MoveStart::AlreadyThere(_))));
    assert!(matches!(harness.store.begin_move(ada.id, &mail("old@example.com")), Ok(MoveStart::Begun)));
}

#[test]
fn concurrent_moves_lose_no_account_and_no_address() {
    let harness = fixture();
    let system = actix::System::new();
    let [ada, bob] =
        system.block_on(async { [harness.registered("a@x.de").await, harness.registered("b@x.de").await] });
    std::thread::scope(|scope| {
        for (user, addresses) in
            [(&ada, ["a@x.de", "c@x.de"]), (&ada, ["c@x.de", "a@x.de"]), (&bob, ["c@x.de", "b@x.de"])]
        {
            let store = harness.store.clone();
            scope.spawn(move || {
                actix::System::new().block_on(async {
                    for _ in 0..40 {
                        for to in addresses {
                            match store.move_email(user.id, &mail(to)).await {
                                Ok(moved) => assert_eq!(moved.email, mail(to)),
                                Err(Failure::Domain(UsersError::EmailTaken)) => {}
                                Err(fault) => panic!("{fault:?}"),
                            }
                        }
                    }
                });
            });
        }
    });
    for user in [&ada, &bob] {
        let email = harness.store.user(user.id).unwrap().unwrap().user.email;
        assert_eq!(found(&harness.store, email.as_str()), Some(user.id));
        assert!(harness.store.is_at_rest(user.id));
    }
    assert_eq!(harness.store.claims().len(), 2, "no claim is left behind");
}

#[actix::test]
async fn a_new_password_ends_the_sessions_also_after_a_crash() {
    let harness = fixture();
    let ada = harness.registered("ada@example.com").await;
    let [kept, lost] = [harness.session(ada.id), harness.session(ada.id)];
    for session in [&kept, &lost] {
        assert!(harness.store.open_session(session.clone(), FIRST_PASSWORD).await.unwrap().is_some());
    }
    harness.store.set_password(ada.id, Some(kept.id), |_| Ok(())).unwrap();
    let store = harness.store.restart();
    let live: Vec<_> = store.sessions_of(ada.id).map(Result::unwrap).filter(|session| session.is_live(NOW)).collect();
    assert_eq!(live, [kept]);
    assert!(store.is_at_rest(ada.id));
}
