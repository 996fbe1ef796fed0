//! Sessions: refreshed, ended, revoked.

use super::*;

#[test]
fn a_session_from_registration_to_signing_out() {
    in_simulated_time(async |harness| {
        let registered = harness.register("ada@example.com").await.unwrap();
        assert_eq!((registered.user.role, registered.expires_in), (Role::Customer, 900));
        let here = harness.sign_in("Ada@Example.com", PASSWORD).await.unwrap();
        assert_eq!(here.user, registered.user);
        assert_ne!(here.session_id, registered.session_id);
        assert_eq!(harness.sessions(&here.user).await.len(), 2);

        pass(Duration::from_secs(840)).await;
        let next = harness.refresh(&here).await.unwrap();
        assert_eq!((next.session_id, &next.user), (here.session_id, &here.user));
        assert_ne!(next.refresh_token.expose(), here.refresh_token.expose());
        assert_ne!(next.access_token.expose(), here.access_token.expose());

        let end = EndSession { user_id: here.user.id, session_id: Some(here.session_id) };
        let ended = harness.ask(is(&here.user), end.clone()).await.unwrap();
        assert_eq!(ended.sessions, [here.session_id]);
        assert_eq!(
            harness.ask(is(&here.user), end).await.unwrap().sessions,
            ended.sessions,
            "the same when asked again"
        );
        assert_eq!(harness.refresh(&next).await.unwrap_err(), UsersError::RefreshTokenInvalid);
        assert_eq!(harness.revoked().await, [here.session_id]);
        assert_eq!(harness.sessions(&here.user).await, [registered.session_id]);

        let all = EndSession { user_id: here.user.id, session_id: None };
        assert_eq!(harness.ask(is(&here.user), all).await.unwrap().sessions.len(), 2);
        assert!(harness.sessions(&here.user).await.is_empty());
    });
}

#[test]
fn a_refresh_token_that_was_used_before_ends_its_session() {
    in_simulated_time(async |harness| {
        let first = harness.register("ada@example.com").await.unwrap();
        let other = harness.sign_in("ada@example.com", PASSWORD).await.unwrap();
        let second = harness.refresh(&first).await.unwrap();
        pass(rules::REFRESH_GRACE).await;
        let reused = UsersError::RefreshTokenReused { session_id: first.session_id };
        assert_eq!(harness.refresh(&first).await.unwrap_err(), reused);
        assert_eq!(harness.refresh(&second).await.unwrap_err(), UsersError::RefreshTokenInvalid);
        assert_eq!(harness.revoked().await, [first.session_id]);
        assert!(harness.refresh(&other).await.is_ok(), "the other session goes on");
    });
}

#[test]
fn two_tabs_that_refresh_at_once_both_stay_signed_in() {
    in_simulated_time(async |harness| {
        let before = harness.register("ada@example.com").await.unwrap();
        let (a, b) = tokio::join!(harness.refresh(&before), harness.refresh(&before));
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!(a.refresh_token.expose(), b.refresh_token.expose());
        pass(Duration::from_secs(9)).await;
        let late = harness.refresh(&before).await.unwrap();
        assert!(harness.verify(late.access_token.expose()).await.is_some());
        pass(Duration::from_secs(60)).await;
        assert!(harness.refresh(&late).await.is_ok());
        assert!(harness.revoked().await.is_empty());
    });
}

#[test]
fn a_made_up_token_ends_no_session() {
    in_simulated_time(async |harness| {
        let signed_in = harness.register("ada@example.com").await.unwrap();
        let made_up = format!("{}.{}", signed_in.session_id, "A".repeat(64));
        for text in ["", ".", "ses_1.x", &made_up, &format!("{made_up}A"), &signed_in.session_id.to_string()] {
            let refused = harness.ask(ANONYMOUS, RefreshSession { refresh_token: secret(text) }).await;
            assert_eq!(refused.unwrap_err(), UsersError::RefreshTokenInvalid, "{text}");
        }
        assert!(harness.refresh(&signed_in).await.is_ok());
    });
}

#[test]
fn an_unused_session_ends_and_is_deleted() {
    in_simulated_time(async |harness| {
        let idle = harness.register("ada@example.com").await.unwrap();
        pass(rules::SESSION_IDLE - Duration::from_secs(1)).await;
        let used = harness.refresh(&idle).await.unwrap();
        pass(rules::SESSION_IDLE).await;
        assert_eq!(harness.refresh(&used).await.unwrap_err(), UsersError::RefreshTokenInvalid);
        tokio::time::sleep(Duration::from_secs(601)).await;
        assert_eq!(harness.store.sessions_of(idle.user.id).count(), 0);
    });
}

#[test]
fn a_session_ends_after_90_days_even_if_it_is_used() {
    in_simulated_time(async |harness| {
        let mut session = harness.register("ada@example.com").await.unwrap();
        for _ in 0..5 {
            pass(Duration::from_secs(15 * 24 * 3600)).await;
            session = harness.refresh(&session).await.unwrap();
        }
        pass(Duration::from_secs(15 * 24 * 3600)).await;
        assert_eq!(harness.refresh(&session).await.unwrap_err(), UsersError::RefreshTokenInvalid);
    });
}

#[test]
fn a_revoked_session_is_listed_until_its_access_tokens_have_expired() {
    in_simulated_time(async |harness| {
        let session = harness.register("ada@example.com").await.unwrap();
        let all = EndSession { user_id: session.user.id, session_id: None };
        harness.ask(is(&session.user), all).await.unwrap();
        let until = harness.ask(ANONYMOUS, ListRevoked {}).await.unwrap()[0].until;
        assert_eq!(until, later(harness.env.now(), ACCESS_TOKEN_LIFE + LEEWAY));
        pass(ACCESS_TOKEN_LIFE).await;
        assert_eq!(harness.revoked().await, [session.session_id]);
        assert!(harness.verify(session.access_token.expose()).await.is_some(), "the leeway");
        pass(LEEWAY).await;
        assert!(harness.revoked().await.is_empty());
        assert!(harness.verify(session.access_token.expose()).await.is_none());
    });
}

#[test]
fn a_new_password_ends_the_other_sessions() {
    in_simulated_time(async |harness| {
        let here = harness.register("ada@example.com").await.unwrap();
        let there = harness.sign_in("ada@example.com", PASSWORD).await.unwrap();
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
            assert_eq!(harness.ask(is(&here.user), change(current, new)).await.unwrap_err(), error);
        }
        let ended = harness.ask(is(&here.user), change(PASSWORD, new)).await.unwrap();
        assert_eq!(ended.sessions, [there.session_id]);
        assert_eq!(harness.refresh(&there).await.unwrap_err(), UsersError::RefreshTokenInvalid);
        assert!(harness.refresh(&here).await.is_ok());
        assert_eq!(harness.sign_in("ada@example.com", PASSWORD).await.unwrap_err(), UsersError::InvalidCredentials);
        assert!(harness.sign_in("ada@example.com", new).await.is_ok());
    });
}

#[actix::test]
async fn of_two_password_changes_at_once_one_is_refused() {
    let harness = Harness::open(Env::system(), 2);
    let here = harness.register("ada@example.com").await.unwrap();
    let change = |new: &'static str| {
        let (current_password, new_password) = (secret(PASSWORD), secret(new));
        let user_id = here.user.id;
        harness.ask(is(&here.user), ChangePassword { user_id, session_id: None, current_password, new_password })
    };
    let (a, b) = tokio::join!(change("coffee & biscuits"), change("cocoa & croissants"));
    let (won, lost) = if a.is_ok() { ("coffee & biscuits", b) } else { ("cocoa & croissants", a) };
    assert_eq!(lost.unwrap_err(), UsersError::WrongPassword);
    assert!(harness.sign_in("ada@example.com", won).await.is_ok());
}

#[test]
fn beyond_the_limit_the_longest_unused_session_ends() {
    in_simulated_time(async |harness| {
        let first = harness.register("ada@example.com").await.unwrap();
        pass(Duration::from_secs(1)).await;
        let mut last = Vec::new();
        for _ in 1..rules::MOST_SESSIONS {
            let opened = harness.sign_in("ada@example.com", PASSWORD).await.unwrap();
            assert!(opened.ended.is_empty());
            last.push(opened.session_id);
        }
        pass(Duration::from_secs(1)).await;
        // The oldest session was used a moment ago, so it is not the one that ends.
        harness.refresh(&first).await.unwrap();
        let one_more = harness.sign_in("ada@example.com", PASSWORD).await.unwrap();
        assert_eq!(one_more.ended.len(), 1);
        assert!(last.contains(&one_more.ended[0]));
        assert_eq!(harness.revoked().await, one_more.ended);
        let live = harness.sessions(&first.user).await;
        assert_eq!(live.len(), rules::MOST_SESSIONS);
        assert!(live.contains(&first.session_id) && live.contains(&one_more.session_id));
    });
}
