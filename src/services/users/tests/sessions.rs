//! Staying signed in, and not.

use super::*;

#[test]
fn a_session_from_registration_to_signing_out() {
    in_simulated_time(async |house| {
        let registered = house.register("ada@example.com").await.unwrap();
        assert_eq!((registered.user.role, registered.expires_in), (Role::Customer, 900));
        let here = house.sign_in("Ada@Example.com", PASSWORD).await.unwrap();
        assert_eq!(here.user, registered.user);
        assert_ne!(here.session_id, registered.session_id);
        assert_eq!(house.sessions(&here.user).await.len(), 2);

        pass(Duration::from_secs(840)).await;
        let next = house.refresh(&here).await.unwrap();
        assert_eq!((next.session_id, &next.user), (here.session_id, &here.user));
        assert_ne!(next.refresh_token.expose(), here.refresh_token.expose());
        assert_ne!(next.access_token.expose(), here.access_token.expose());

        let end = EndSession { user_id: here.user.id, session_id: Some(here.session_id) };
        let ended = house.ask(is(&here.user), end.clone()).await.unwrap();
        assert_eq!(ended.sessions, [here.session_id]);
        assert_eq!(house.ask(is(&here.user), end).await.unwrap().sessions, ended.sessions, "the same when asked again");
        assert_eq!(house.refresh(&next).await.unwrap_err(), UsersError::RefreshTokenInvalid);
        assert_eq!(house.revoked().await, [here.session_id]);
        assert_eq!(house.sessions(&here.user).await, [registered.session_id]);

        let all = EndSession { user_id: here.user.id, session_id: None };
        assert_eq!(house.ask(is(&here.user), all).await.unwrap().sessions.len(), 2);
        assert!(house.sessions(&here.user).await.is_empty());
    });
}

#[test]
fn a_refresh_token_that_was_used_before_ends_its_session() {
    in_simulated_time(async |house| {
        let first = house.register("ada@example.com").await.unwrap();
        let other = house.sign_in("ada@example.com", PASSWORD).await.unwrap();
        let second = house.refresh(&first).await.unwrap();
        pass(rules::REFRESH_GRACE).await;
        let reused = UsersError::RefreshTokenReused { session_id: first.session_id };
        assert_eq!(house.refresh(&first).await.unwrap_err(), reused);
        assert_eq!(house.refresh(&second).await.unwrap_err(), UsersError::RefreshTokenInvalid);
        assert_eq!(house.revoked().await, [first.session_id]);
        assert!(house.refresh(&other).await.is_ok(), "the other session goes on");
    });
}

#[test]
fn two_tabs_that_refresh_at_once_both_stay_signed_in() {
    in_simulated_time(async |house| {
        let before = house.register("ada@example.com").await.unwrap();
        let (a, b) = tokio::join!(house.refresh(&before), house.refresh(&before));
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!(a.refresh_token.expose(), b.refresh_token.expose());
        pass(Duration::from_secs(9)).await;
        let late = house.refresh(&before).await.unwrap();
        assert!(house.verify(late.access_token.expose()).await.is_some());
        pass(Duration::from_secs(60)).await;
        assert!(house.refresh(&late).await.is_ok());
        assert!(house.revoked().await.is_empty());
    });
}

#[test]
fn a_token_that_was_made_up_ends_nothing() {
    in_simulated_time(async |house| {
        let signed_in = house.register("ada@example.com").await.unwrap();
        let made_up = format!("{}.{}", signed_in.session_id, "A".repeat(64));
        for text in ["", ".", "ses_1.x", &made_up, &format!("{made_up}A"), &signed_in.session_id.to_string()] {
            let refused = house.ask(ANYBODY, RefreshSession { refresh_token: secret(text) }).await;
            assert_eq!(refused.unwrap_err(), UsersError::RefreshTokenInvalid, "{text}");
        }
        assert!(house.refresh(&signed_in).await.is_ok());
    });
}

#[test]
fn a_session_ends_when_it_is_not_used_and_is_swept() {
    in_simulated_time(async |house| {
        let idle = house.register("ada@example.com").await.unwrap();
        pass(rules::SESSION_IDLE - Duration::from_secs(1)).await;
        let used = house.refresh(&idle).await.unwrap();
        pass(rules::SESSION_IDLE).await;
        assert_eq!(house.refresh(&used).await.unwrap_err(), UsersError::RefreshTokenInvalid);
        tokio::time::sleep(Duration::from_secs(601)).await;
        assert_eq!(house.store.sessions_of(idle.user.id).count(), 0);
    });
}

#[test]
fn a_session_ends_after_its_time_however_busy_it_was() {
    in_simulated_time(async |house| {
        let mut session = house.register("ada@example.com").await.unwrap();
        for _ in 0..5 {
            pass(Duration::from_secs(15 * 24 * 3600)).await;
            session = house.refresh(&session).await.unwrap();
        }
        pass(Duration::from_secs(15 * 24 * 3600)).await;
        assert_eq!(house.refresh(&session).await.unwrap_err(), UsersError::RefreshTokenInvalid);
    });
}

#[test]
fn a_revoked_session_is_listed_while_a_token_of_it_may_be_good() {
    in_simulated_time(async |house| {
        let session = house.register("ada@example.com").await.unwrap();
        let all = EndSession { user_id: session.user.id, session_id: None };
        house.ask(is(&session.user), all).await.unwrap();
        let until = house.ask(ANYBODY, ListRevoked {}).await.unwrap()[0].until;
        assert_eq!(until, later(house.env.now(), ACCESS_TOKEN_LIFE + LEEWAY));
        pass(ACCESS_TOKEN_LIFE).await;
        assert_eq!(house.revoked().await, [session.session_id]);
        assert!(house.verify(session.access_token.expose()).await.is_some(), "the leeway");
        pass(LEEWAY).await;
        assert!(house.revoked().await.is_empty());
        assert!(house.verify(session.access_token.expose()).await.is_none());
    });
}

#[test]
fn a_new_password_ends_the_other_sessions() {
    in_simulated_time(async |house| {
        let here = house.register("ada@example.com").await.unwrap();
        let there = house.sign_in("ada@example.com", PASSWORD).await.unwrap();
        let change = |current, new| ChangePassword {
            user_id: here.user.id,
            session_id: Some(here.session_id),
            current_password: secret(current),
            new_password: secret(new),
        };
        let new = "coffee & biscuits";
        for (current, new, error) in [
            ("not the password", new, UsersError::WrongPassword),
            (PASSWORD, "short", UsersError::PasswordLength),
            (PASSWORD, "password1234", UsersError::PasswordTooCommon),
        ] {
            assert_eq!(house.ask(is(&here.user), change(current, new)).await.unwrap_err(), error);
        }
        let ended = house.ask(is(&here.user), change(PASSWORD, new)).await.unwrap();
        assert_eq!(ended.sessions, [there.session_id]);
        assert_eq!(house.refresh(&there).await.unwrap_err(), UsersError::RefreshTokenInvalid);
        assert!(house.refresh(&here).await.is_ok());
        assert_eq!(house.sign_in("ada@example.com", PASSWORD).await.unwrap_err(), UsersError::InvalidCredentials);
        assert!(house.sign_in("ada@example.com", new).await.is_ok());
    });
}

#[actix::test]
async fn of_two_new_passwords_at_once_one_is_refused() {
    let house = House::open(Env::system(), 2);
    let here = house.register("ada@example.com").await.unwrap();
    let change = |new: &'static str| {
        let (current_password, new_password) = (secret(PASSWORD), secret(new));
        let user_id = here.user.id;
        house.ask(is(&here.user), ChangePassword { user_id, session_id: None, current_password, new_password })
    };
    let (a, b) = tokio::join!(change("coffee & biscuits"), change("cocoa & croissants"));
    let (won, lost) = if a.is_ok() { ("coffee & biscuits", b) } else { ("cocoa & croissants", a) };
    assert_eq!(lost.unwrap_err(), UsersError::WrongPassword);
    assert!(house.sign_in("ada@example.com", won).await.is_ok());
}

#[test]
fn who_signs_in_again_and_again_keeps_the_sessions_used_last() {
    in_simulated_time(async |house| {
        let first = house.register("ada@example.com").await.unwrap();
        pass(Duration::from_secs(1)).await;
        let mut last = Vec::new();
        for _ in 1..rules::MOST_SESSIONS {
            let opened = house.sign_in("ada@example.com", PASSWORD).await.unwrap();
            assert!(opened.ended.is_empty());
            last.push(opened.session_id);
        }
        pass(Duration::from_secs(1)).await;
        // Used a moment ago, the oldest is not the one that goes.
        house.refresh(&first).await.unwrap();
        let one_more = house.sign_in("ada@example.com", PASSWORD).await.unwrap();
        assert_eq!(one_more.ended.len(), 1);
        assert!(last.contains(&one_more.ended[0]));
        assert_eq!(house.revoked().await, one_more.ended);
        let live = house.sessions(&first.user).await;
        assert_eq!(live.len(), rules::MOST_SESSIONS);
        assert!(live.contains(&first.session_id) && live.contains(&one_more.session_id));
    });
}
