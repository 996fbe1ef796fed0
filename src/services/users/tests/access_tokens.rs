//! Access tokens are verified, and no secret token is on the disk.

use super::*;

#[test]
fn an_access_token_names_its_user_session_and_role() {
    in_simulated_time(async |harness| {
        let session = harness.register("ada@example.com").await.unwrap();
        let claims = harness.verify(session.access_token.expose()).await.unwrap();
        let now = harness.env.now().as_second();
        assert_eq!((claims.sub, claims.sid, claims.role), (session.user.id, session.session_id, Role::Customer));
        assert_eq!((claims.iat, claims.nbf, claims.exp), (now, now, now + 900));
        let again = harness.verify(harness.refresh(&session).await.unwrap().access_token.expose()).await.unwrap();
        assert_ne!(again.jti, claims.jti);
    });
}

#[test]
fn a_forged_access_token_is_refused() {
    in_simulated_time(async |harness| {
        let session = harness.register("ada@example.com").await.unwrap();
        let good = session.access_token.expose();
        let claims = harness.verify(good).await.unwrap();
        let key = harness.keys().await.remove(0);
        let header = decode_header(good).unwrap();

        let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
        let none = {
            use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
            B64.encode(format!(r#"{{"alg":"none","typ":"at+jwt","kid":"{}"}}"#, key.kid))
        };
        let other_key = {
            use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey};
            EncodingKey::from_ed_der(SigningKey::from_bytes(&[9; 32]).to_pkcs8_der().unwrap().as_bytes())
        };
        // The published half taken for a shared secret.
        let hmac = Header { alg: Algorithm::HS256, ..header.clone() };
        let hmac = encode(&hmac, &claims, &EncodingKey::from_urlsafe_base64_secret(&format!("{}=", key.x)).unwrap());
        let operator = AccessClaims { role: Role::Operator, ..claims.clone() };
        let forged = encode(&header, &operator, &other_key).unwrap();
        let forged_body = forged.split('.').nth(1).unwrap();
        for (what, token) in [
            ("no algorithm", format!("{none}.{body}.")),
            ("no signature", format!("{head}.{body}.")),
            ("another key", forged.clone()),
            ("other claims under a good signature", format!("{head}.{forged_body}.{signature}")),
            ("a symmetric algorithm", hmac.unwrap()),
            ("a refresh token", session.refresh_token.expose().clone()),
        ] {
            assert!(harness.verify(&token).await.is_none(), "{what}");
        }
    });
}

#[test]
fn claims_hold_only_for_their_time_issuer_and_audience() {
    in_simulated_time(async |harness| {
        let session = harness.register("ada@example.com").await.unwrap();
        let claims = harness.verify(session.access_token.expose()).await.unwrap();
        let at = |seconds: i64| Timestamp::from_second(claims.iat + seconds).unwrap();
        for (seconds, hold) in [(-6, false), (-5, true), (0, true), (904, true), (905, false)] {
            assert_eq!(claims.hold_at(at(seconds)), hold, "{seconds}");
        }
        assert!(!AccessClaims { iss: "another".into(), ..claims.clone() }.hold_at(at(0)));
        assert!(!AccessClaims { aud: "another".into(), ..claims.clone() }.hold_at(at(0)));
        assert!(!AccessClaims { exp: i64::MIN, nbf: i64::MAX, ..claims }.hold_at(Timestamp::MAX));
    });
}

#[actix::test]
async fn no_password_and_no_token_is_on_the_disk() {
    let harness = Harness::open(Env::system(), 1);
    let setup = harness.ask(Principal::System, IssueSetupToken {}).await.unwrap().token;
    let first = harness.register("ada@example.com").await.unwrap();
    let second = harness.refresh(&first).await.unwrap();
    let refresh_secret = |signed_in: &SignedIn| signed_in.refresh_token.expose()[37..].to_owned();
    let disk = read_all(harness.folder.path());
    let is_there = |text: &str| disk.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(is_there("ada@example.com"), "the test looks at the right place");
    for text in [PASSWORD, setup.expose(), &refresh_secret(&first), &refresh_secret(&second)] {
        assert!(!is_there(text), "{text}");
    }
    assert!(!is_there(first.access_token.expose().rsplit('.').next().unwrap()));
}

fn read_all(folder: &std::path::Path) -> Vec<u8> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { read_all(&path) } else { std::fs::read(path).unwrap() }).collect()
}
