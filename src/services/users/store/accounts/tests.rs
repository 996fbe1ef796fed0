//! No crash and no race loses an account or an address.

use super::*;
use crate::services::users::store::{
    FIRST_PASSWORD,
    tests::{NOW, fixture, mail},
};

impl Store {
    fn claims(&self) -> Vec<(String, UserId)> {
        let claims = self.emails.all(None).map(Result::unwrap);
        claims.map(|(email, claim)| (email.to_string(), claim.user_id)).collect()
    }

    fn is_at_rest(&self, id: UserId) -> bool {
        self.users.get(&id).unwrap().unwrap().duties.is_empty()
    }

    /// As the process finds it when it starts again.
    fn restart(&self) -> Self {
        let store = Store::new(&self.tree);
        store.finish(NOW).unwrap();
        store
    }
}

fn found(store: &Store, email: &str) -> Option<UserId> {
    store.by_email(&mail(email)).unwrap().map(|record| record.user.id)
}

#[actix::test]
async fn a_registration_that_was_cut_short_is_brought_to_its_end() {
    // 0: after the record, 1: after the claim, 2: after all of it.
    for cut_after in 0..3 {
        let house = fixture();
        let user = house.user("ada@example.com");
        house.store.users.create(&user.id, UserRecord::in_the_making(user.clone(), "hash".into())).unwrap();
        assert!(house.store.user(user.id).unwrap().is_none() && found(&house.store, "ada@example.com").is_none());
        if cut_after >= 1 {
            assert!(house.store.claim(&user.email, user.id).unwrap());
            assert!(found(&house.store, "ada@example.com").is_none());
        }
        if cut_after == 2 {
            assert!(house.store.claim_or_delete(&user).unwrap());
        }
        let store = house.store.restart();
        assert_eq!(found(&store, "ada@example.com"), Some(user.id), "cut after {cut_after}");
        assert!(store.is_at_rest(user.id));
        let owing = &store.owing()[0];
        assert_eq!(owing.first_pending(&user.id.to_string()).unwrap().unwrap().name, "users.registered");
        owing.settle(&user.id.to_string(), 0).unwrap();
        assert!(store.users.open_keys().unwrap().is_empty());
    }
}

#[actix::test]
async fn a_registration_that_was_cut_short_gives_way_to_who_has_the_address() {
    let house = fixture();
    let late = house.user("ada@example.com");
    house.store.users.create(&late.id, UserRecord::in_the_making(late.clone(), "hash".into())).unwrap();
    let ada = house.registered("ada@example.com").await;
    let store = house.store.restart();
    assert_eq!((store.everybody(), found(&store, "ada@example.com")), (vec![ada.id], Some(ada.id)));
}

#[actix::test]
async fn an_account_is_found_by_one_address_wherever_its_move_is_cut_short() {
    // 0: after the duty, 1: after the claim, 2: after the swap, 3: after all of it.
    for cut_after in 0..4 {
        let house = fixture();
        let ada = house.registered("old@example.com").await;
        let to = mail("new@example.com");
        assert!(matches!(house.store.begin_move(ada.id, &to), Ok(Turn::Mine)));
        if cut_after >= 1 {
            assert!(house.store.claim(&to, ada.id).unwrap());
        }
        if cut_after == 2 {
            house.store.swap_email(ada.id, &to).unwrap();
        }
        if cut_after == 3 {
            house.store.finish_move(ada.id, &to).unwrap();
        }
        let now = if cut_after < 2 { "old@example.com" } else { "new@example.com" };
        let finds = |store: &Store| (found(store, "old@example.com"), found(store, "new@example.com"));
        let expected = if cut_after < 2 { (Some(ada.id), None) } else { (None, Some(ada.id)) };
        assert_eq!(finds(&house.store), expected, "before the restart, cut after {cut_after}");
        let store = house.store.restart();
        assert_eq!(finds(&store), expected, "after the restart, cut after {cut_after}");
        assert_eq!(store.claims(), [(now.to_owned(), ada.id)], "the other address is free");
        assert!(store.is_at_rest(ada.id));
        assert!(store.move_email(ada.id, &to).await.is_ok());
        assert_eq!(store.claims(), [("new@example.com".to_owned(), ada.id)]);
    }
}

#[actix::test]
async fn a_claim_of_its_own_that_was_left_behind_does_not_keep_an_account_out() {
    let house = fixture();
    let ada = house.registered("old@example.com").await;
    assert!(house.store.claim(&mail("new@example.com"), ada.id).unwrap());
    assert!(found(&house.store, "new@example.com").is_none());
    house.store.move_email(ada.id, &mail("new@example.com")).await.unwrap();
    assert_eq!(house.store.claims(), [("new@example.com".to_owned(), ada.id)]);
}

#[actix::test]
async fn a_move_waits_for_the_one_that_is_under_way() {
    let house = fixture();
    let ada = house.registered("old@example.com").await;
    let to = mail("new@example.com");
    assert!(matches!(house.store.begin_move(ada.id, &to), Ok(Turn::Mine)));
    for other in ["new@example.com", "old@example.com", "third@example.com"] {
        assert!(matches!(house.store.begin_move(ada.id, &mail(other)), Ok(Turn::Wait)), "{other}");
    }
    house.store.finish_move(ada.id, &to).unwrap();
    assert!(matches!(house.store.begin_move(ada.id, &to), Ok(Turn::There(_))));
    assert!(matches!(house.store.begin_move(ada.id, &mail("old@example.com")), Ok(Turn::Mine)));
}

#[test]
fn moves_by_many_hands_lose_no_account_and_no_address() {
    let house = fixture();
    let system = actix::System::new();
    let [ada, bob] = system.block_on(async { [house.registered("a@x.de").await, house.registered("b@x.de").await] });
    std::thread::scope(|scope| {
        for (user, addresses) in
            [(&ada, ["a@x.de", "c@x.de"]), (&ada, ["c@x.de", "a@x.de"]), (&bob, ["c@x.de", "b@x.de"])]
        {
            let store = house.store.clone();
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
        let email = house.store.user(user.id).unwrap().unwrap().user.email;
        assert_eq!(found(&house.store, email.as_str()), Some(user.id));
        assert!(house.store.is_at_rest(user.id));
    }
    assert_eq!(house.store.claims().len(), 2, "no claim is left behind");
}

#[actix::test]
async fn a_new_password_ends_the_sessions_also_after_a_crash() {
    let house = fixture();
    let ada = house.registered("ada@example.com").await;
    let [kept, lost] = [house.session(ada.id), house.session(ada.id)];
    for session in [&kept, &lost] {
        assert!(house.store.open_session(session.clone(), FIRST_PASSWORD).await.unwrap().is_some());
    }
    house.store.set_password(ada.id, Some(kept.id), |_| Ok(())).unwrap();
    let store = house.store.restart();
    let live: Vec<_> = store.sessions_of(ada.id).map(Result::unwrap).filter(|session| session.is_live(NOW)).collect();
    assert_eq!(live, [kept]);
    assert!(store.is_at_rest(ada.id));
}
