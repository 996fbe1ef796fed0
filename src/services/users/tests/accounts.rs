//! Accounts, passwords and address books.

use super::*;
use crate::{
    mesh::Failure,
    services::users::{passwords::PasswordPool, service::Users},
};

#[test]
fn a_sign_in_does_not_tell_whether_an_account_exists() {
    in_simulated_time(async |harness| {
        harness.register("ada@example.com").await.unwrap();
        let wrong = harness.sign_in("ada@example.com", "coffee & biscuits").await.unwrap_err();
        let unknown = harness.sign_in("bob@example.com", PASSWORD).await.unwrap_err();
        assert_eq!((wrong, unknown), (UsersError::InvalidCredentials, UsersError::InvalidCredentials));
        assert_eq!(harness.register("ada@example.com").await.unwrap_err(), UsersError::EmailTaken);
    });
}

#[test]
fn an_unknown_address_costs_a_hash_as_a_wrong_password_does() {
    // Time is not measured, because a busy machine distorts it. Instead nothing can be hashed here,
    // so that every request that needs a hash fails.
    in_simulated_time(async |harness| {
        harness.register("ada@example.com").await.unwrap();
        let passwords = PasswordPool::with_limits(&harness.env, 0, 0);
        let full =
            Users { env: harness.env.clone(), store: harness.store.clone(), passwords, throttle: Default::default() };
        for email in ["ada@example.com", "bob@example.com"] {
            let context = Context::new(ANONYMOUS, Duration::from_secs(60), TraceId([7; 16]));
            let request = SignIn { email: email.parse().unwrap(), password: secret("coffee & biscuits"), from: None };
            let refused = full.sign_in(context, request).await;
            assert!(matches!(refused, Err(Failure::Domain(UsersError::Busy))), "{email}");
        }
    });
}

#[test]
fn many_networks_guess_a_password_no_faster_than_one_and_do_not_lock_the_owner_out() {
    in_simulated_time(async |harness| {
        harness.register("ada@example.com").await.unwrap();
        let sign_in = async |from: u8, password: &str| {
            let (email, from) = ("ada@example.com".parse().unwrap(), Some([192, 0, 2, from].into()));
            harness.ask(ANONYMOUS, SignIn { email, password: secret(password), from }).await.map(drop)
        };
        let home = 1;
        sign_in(home, PASSWORD).await.unwrap();
        let mut looked_at = 0;
        for from in 2..200 {
            match sign_in(from, "coffee & biscuits").await.unwrap_err() {
                UsersError::InvalidCredentials => looked_at += 1,
                error => assert!(matches!(error, UsersError::TooManyGuesses { .. }), "{error}"),
            }
        }
        assert_eq!(looked_at, 10);
        // The right password is refused, too. Otherwise the refusal would tell which password is
        // right.
        assert!(matches!(sign_in(200, PASSWORD).await, Err(UsersError::TooManyGuesses { .. })));
        sign_in(home, "mistyped password").await.unwrap_err();
        sign_in(home, PASSWORD).await.unwrap();
        pass(Duration::from_secs(60)).await;
        sign_in(200, PASSWORD).await.unwrap();
    });
}

#[test]
fn a_signed_in_client_guesses_the_password_no_faster() {
    in_simulated_time(async |harness| {
        let ada = harness.register("ada@example.com").await.unwrap();
        let change = || ChangePassword {
            user_id: ada.user.id,
            session_id: Some(ada.session_id),
            current_password: secret("coffee & biscuits"),
            new_password: secret("a walk in the rain"),
        };
        for _ in 0..10 {
            assert_eq!(harness.ask(is(&ada.user), change()).await.unwrap_err(), UsersError::WrongPassword);
        }
        let refused = harness.ask(is(&ada.user), change()).await.unwrap_err();
        assert_eq!(refused, UsersError::TooManyGuesses { wait: Duration::from_secs(1) });
    });
}

#[test]
fn a_refused_password_makes_no_account() {
    in_simulated_time(async |harness| {
        for (password, error) in [
            ("short", UsersError::PasswordLength),
            ("password1234", UsersError::PasswordTooCommon),
            ("ada@example.com", UsersError::PasswordTooCommon),
        ] {
            let email = "ada@example.com".parse().unwrap();
            let request =
                RegisterUser { email, password: secret(password), name: "Ada".parse().unwrap(), key: None, from: None };
            assert_eq!(harness.ask(ANONYMOUS, request).await.unwrap_err(), error);
        }
        assert!(harness.register("ada@example.com").await.is_ok());
    });
}

#[test]
fn a_repeated_registration_with_its_key_gives_the_same_account() {
    in_simulated_time(async |harness| {
        let email = "ada@example.com";
        let first = harness.register_with(Some("k"), email, PASSWORD).await.unwrap();
        let again = harness.register_with(Some("k"), email, PASSWORD).await.unwrap();
        assert_eq!((first.is_repeated, again.is_repeated), (false, true));
        assert_eq!(first.signed_in.user, again.signed_in.user);
        assert_ne!(first.signed_in.session_id, again.signed_in.session_id);
        let taken = UsersError::EmailTaken;
        for key in [None, Some("other")] {
            assert_eq!(harness.register_with(key, email, PASSWORD).await.unwrap_err(), taken, "{key:?}");
        }
        let with_another_password = harness.register_with(Some("k"), email, "another long password").await;
        assert_eq!(with_another_password.unwrap_err(), UsersError::KeyReused);
        // The same key of another account is another key.
        assert!(!harness.register_with(Some("k"), "grace@example.com", PASSWORD).await.unwrap().is_repeated);
        tokio::time::advance(std::time::Duration::from_secs(24 * 60 * 60)).await;
        assert_eq!(harness.register_with(Some("k"), email, PASSWORD).await.unwrap_err(), taken);
    });
}

#[actix::test]
async fn of_many_registrations_of_one_address_at_once_one_succeeds() {
    let harness = Harness::open(Env::system(), 4);
    let outcomes = futures_util::future::join_all((0..8).map(|_| harness.register("ada@example.com"))).await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(lost.into_iter().all(|lost| lost.unwrap_err() == UsersError::EmailTaken));
    let user = &won[0].as_ref().unwrap().user;
    assert_eq!(harness.sign_in("ada@example.com", PASSWORD).await.unwrap().user, *user);
    assert_eq!(harness.store.all_user_ids(), [user.id], "the others' records are gone");
}

#[test]
fn an_outdated_hash_is_replaced_at_the_next_sign_in() {
    in_simulated_time(async |harness| {
        use argon2::{Argon2, Params, PasswordHash, password_hash::PasswordHasher};
        let user = harness.register("ada@example.com").await.unwrap().user;
        let weak = Argon2::new(Default::default(), Default::default(), Params::new(8 * 1024, 1, 1, None).unwrap());
        let weak: PasswordHash = weak.hash_password_with_salt(PASSWORD.as_bytes(), b"salt and pepper").unwrap();
        let set = harness.store.change(user.id, |record| {
            record.password_hash = weak.to_string();
            Ok(())
        });
        assert!(set.await.is_ok());
        assert!(harness.sign_in("ada@example.com", PASSWORD).await.is_ok());
        let hash = harness.store.user(user.id).unwrap().unwrap().password_hash;
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(harness.sign_in("ada@example.com", PASSWORD).await.is_ok());
    });
}

#[test]
fn an_account_moves_to_another_address_and_frees_the_old_one() {
    in_simulated_time(async |harness| {
        let ada = harness.register("ada@example.com").await.unwrap().user;
        harness.register("bob@example.com").await.unwrap();
        let update = |email: &str, name: Option<&str>| UpdateUser {
            user_id: ada.id,
            name: name.map(|name| name.parse().unwrap()),
            email: Some(email.parse().unwrap()),
        };
        let taken = harness.ask(is(&ada), update("bob@example.com", Some("Bob"))).await;
        assert_eq!(taken.unwrap_err(), UsersError::EmailTaken);
        assert_eq!(harness.ask(is(&ada), GetUser { user_id: ada.id }).await.unwrap(), ada, "nothing has changed");

        let moved = harness.ask(is(&ada), update("countess@example.com", Some("Countess"))).await.unwrap();
        assert_eq!((moved.email.as_str(), moved.name.as_str()), ("countess@example.com", "Countess"));
        let again = harness.ask(is(&ada), update("countess@example.com", Some("Countess"))).await.unwrap();
        assert_eq!(again, moved);
        assert_eq!(harness.sign_in("ada@example.com", PASSWORD).await.unwrap_err(), UsersError::InvalidCredentials);
        assert_eq!(harness.sign_in("countess@example.com", PASSWORD).await.unwrap().user, moved);
        assert_ne!(harness.register("ada@example.com").await.unwrap().user.id, ada.id);
    });
}

#[test]
fn the_account_of_another_user_looks_as_if_it_did_not_exist() {
    in_simulated_time(async |harness| {
        let ada = harness.register("ada@example.com").await.unwrap();
        let bob = harness.register("bob@example.com").await.unwrap();
        let (user_id, mallory) = (ada.user.id, is(&bob.user));
        let (current_password, new_password) = (secret(PASSWORD), secret("coffee & biscuits"));
        let saved = harness.ask(is(&ada.user), AddAddress { user_id, address: address() }).await.unwrap();
        let address_id = saved.id;
        let unknown = Err(UsersError::UserNotFound);
        for who in [mallory, ANONYMOUS] {
            let ask = async |outcome: Result<(), UsersError>| assert_eq!(outcome, unknown);
            ask(harness.ask(who, GetUser { user_id }).await.map(drop)).await;
            ask(harness.ask(who, UpdateUser { user_id, name: None, email: None }).await.map(drop)).await;
            ask(harness.ask(who, ListSessions { user_id }).await.map(drop)).await;
            ask(harness.ask(who, EndSession { user_id, session_id: None }).await.map(drop)).await;
            ask(harness.ask(who, ListAddresses { user_id }).await.map(drop)).await;
            ask(harness.ask(who, GetAddress { user_id, address_id }).await.map(drop)).await;
            ask(harness.ask(who, AddAddress { user_id, address: address() }).await.map(drop)).await;
            ask(harness.ask(who, ReplaceAddress { user_id, address_id, address: address() }).await.map(drop)).await;
            ask(harness.ask(who, RemoveAddress { user_id, address_id }).await).await;
            let (current_password, new_password) = (current_password.clone(), new_password.clone());
            let change = ChangePassword { user_id, session_id: None, current_password, new_password };
            ask(harness.ask(who, change).await.map(drop)).await;
        }
        let nobody: UserId = harness.env.id();
        assert_eq!(harness.ask(Principal::System, GetUser { user_id: nobody }).await.map(drop), unknown);
        assert_eq!(harness.ask(Principal::System, GetUser { user_id }).await, Ok(ada.user.clone()));
        // Bob's own account does not lead to Ada's address or session.
        let own = harness.ask(mallory, RemoveAddress { user_id: bob.user.id, address_id }).await;
        assert_eq!(own, Err(UsersError::AddressNotFound));
        let end = EndSession { user_id: bob.user.id, session_id: Some(ada.session_id) };
        assert!(harness.ask(mallory, end).await.unwrap().sessions.is_empty());
        assert!(harness.refresh(&ada).await.is_ok());
    });
}

#[test]
fn an_address_book_is_bounded_and_a_repeated_removal_succeeds() {
    in_simulated_time(async |harness| {
        let user = harness.register("ada@example.com").await.unwrap().user;
        let (user_id, me) = (user.id, is(&user));
        let mut saved = Vec::new();
        for _ in 0..rules::MOST_ADDRESSES {
            saved.push(harness.ask(me, AddAddress { user_id, address: address() }).await.unwrap());
        }
        let full = harness.ask(me, AddAddress { user_id, address: address() }).await;
        assert_eq!(full.unwrap_err(), UsersError::AddressBookFull { most: rules::MOST_ADDRESSES });
        assert_eq!(harness.ask(me, ListAddresses { user_id }).await.unwrap(), saved);

        let address_id = saved[3].id;
        let moved = Address { city: "Bonn".parse().unwrap(), ..address() };
        harness.ask(me, ReplaceAddress { user_id, address_id, address: moved.clone() }).await.unwrap();
        assert_eq!(harness.ask(me, GetAddress { user_id, address_id }).await.unwrap().address, moved);
        for _ in 0..2 {
            assert_eq!(harness.ask(me, RemoveAddress { user_id, address_id }).await, Ok(()));
        }
        let gone = Err(UsersError::AddressNotFound);
        assert_eq!(harness.ask(me, GetAddress { user_id, address_id }).await.map(drop), gone);
        assert_eq!(harness.ask(me, ReplaceAddress { user_id, address_id, address: moved }).await.map(drop), gone);
        let never = harness.env.id();
        assert_eq!(harness.ask(me, RemoveAddress { user_id, address_id: never }).await, gone);
    });
}

/// Stands for notifications.
struct Listener(Arc<Mutex<Vec<UserRegistered>>>);

impl Actor for Listener {
    type Context = actix::Context<Self>;
}

impl Handler<Ping> for Listener {
    type Result = ();
    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<InjectedFault> for Listener {
    type Result = ();
    fn handle(&mut self, _: InjectedFault, _: &mut Self::Context) {}
}

impl Handler<Delivery<UserRegistered>> for Listener {
    type Result = Result<(), MeshError>;
    fn handle(&mut self, delivery: Delivery<UserRegistered>, _: &mut Self::Context) -> Self::Result {
        self.0.lock().unwrap().push(delivery.event);
        Ok(())
    }
}

#[test]
fn a_registration_is_published_once_and_a_refused_one_never() {
    in_simulated_time(async |harness| {
        let received = Arc::new(Mutex::new(Vec::new()));
        let listener = Listener(received.clone()).start();
        harness.mesh.register(
            Service::Notifications,
            Handlers::of(&listener).subscribes::<UserRegistered>(listener.recipient()),
        );
        let user = harness.register("ada@example.com").await.unwrap().user;
        harness.register("ada@example.com").await.unwrap_err();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(*received.lock().unwrap(), [UserRegistered { user_id: user.id, name: user.name }]);
    });
}
