//! Which tokens are accepted, with a double of users that publishes the keys that a test wants.

use super::*;
use crate::{
    mesh::{HandlerResult, TraceId, service},
    services::{
        ALLOWED_CALLS, SUBSCRIPTIONS,
        users::messages::{ACCESS_TOKEN_LIFE, LEEWAY},
    },
    types::{Id, Role, Service, UserId},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// Publishes keys, and counts how often it is asked for them.
#[derive(Clone, Default)]
struct Publisher {
    keys: Arc<Mutex<Vec<u8>>>,
    asked: Arc<Mutex<u32>>,
}

service! { Publisher,
    handles {
        GetKeys     => keys,
        ListRevoked => revoked,
    }
}

impl Publisher {
    async fn keys(&self, _: Context, _: GetKeys) -> HandlerResult<GetKeys> {
        *self.asked.lock() += 1;
        let public = |seed: &u8| PublicKey {
            kid: kid(*seed),
            x: URL_SAFE_NO_PAD.encode(signing(*seed).verifying_key().as_bytes()),
        };
        Ok(self.keys.lock().iter().map(public).collect())
    }

    async fn revoked(&self, _: Context, _: ListRevoked) -> HandlerResult<ListRevoked> {
        Ok(Vec::new())
    }
}

fn signing(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn kid(seed: u8) -> String {
    format!("key {seed}")
}

fn session(n: u128) -> SessionId {
    SessionId::from_uuid(Uuid::from_u128(n))
}

/// A verifier that knows the key 1.
struct House {
    env: Env,
    mesh: Mesh,
    verifier: TokenVerifier,
    publisher: Publisher,
}

impl House {
    async fn open() -> Self {
        let env = Env::simulated(7, Timestamp::from_second(1_800_000_000).unwrap());
        let (mesh, publisher) = (Mesh::new(env.clone(), ALLOWED_CALLS, SUBSCRIPTIONS), Publisher::default());
        publisher.keys.lock().push(1);
        mesh.register(Service::Users, start(&publisher, &actix::Arbiter::current()));
        let house = Self { verifier: TokenVerifier::new(env.clone()), env, mesh, publisher };
        house.verifier.learn(&house.mesh, &house.context()).await;
        house
    }

    fn context(&self) -> Context {
        Context::new(Principal::System, Duration::from_secs(10), TraceId([7; 16]))
    }

    /// What the claims of a token are that was given out this moment.
    fn claims(&self) -> Value {
        let now = self.env.now().as_second();
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": UserId::from_uuid(Uuid::from_u128(5)), "sid": session(1),
            "role": "customer", "iat": now, "nbf": now, "exp": now + ACCESS_TOKEN_LIFE.as_secs() as i64, "jti": "x",
        })
    }

    async fn lets_in(&self, token: &str) -> bool {
        self.verifier.verify(token, &self.mesh, &self.context()).await.is_some()
    }

    fn asked(&self) -> u32 {
        *self.publisher.asked.lock()
    }
}

/// A token with a good signature, whatever it says.
fn signed(seed: u8, header: &Value, claims: &Value) -> String {
    let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = signing(seed).sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn header(seed: u8) -> Value {
    json!({"alg": "EdDSA", "typ": TOKEN_TYPE, "kid": kid(seed)})
}

fn with(part: &Value, name: &str, value: Value) -> Value {
    let mut part = part.clone();
    part[name] = value;
    part
}

fn without(part: &Value, name: &str) -> Value {
    let mut part = part.clone();
    part.as_object_mut().unwrap().shift_remove(name);
    part
}

fn in_simulated_time(test: impl AsyncFnOnce(House)) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(runtime).block_on(async { test(House::open().await).await });
}

#[test]
fn a_good_signature_does_not_make_a_good_token() {
    in_simulated_time(async |house| {
        let (header, claims) = (header(1), house.claims());
        assert!(house.lets_in(&signed(1, &header, &claims)).await);
        for (what, header, claims) in [
            ("another algorithm", with(&header, "alg", json!("HS256")), claims.clone()),
            ("another type", with(&header, "typ", json!("JWT")), claims.clone()),
            ("no type", without(&header, "typ"), claims.clone()),
            ("no key's name", without(&header, "kid"), claims.clone()),
            ("another issuer", header.clone(), with(&claims, "iss", json!("another"))),
            ("no issuer", header.clone(), without(&claims, "iss")),
            ("another audience", header.clone(), with(&claims, "aud", json!("another"))),
            ("no audience", header.clone(), without(&claims, "aud")),
            ("several audiences", header.clone(), with(&claims, "aud", json!([AUDIENCE, "another"]))),
            ("no end", header.clone(), without(&claims, "exp")),
            ("no beginning", header.clone(), without(&claims, "nbf")),
            ("nobody", header.clone(), without(&claims, "sub")),
            ("no session", header.clone(), without(&claims, "sid")),
            ("an end that is no number", header.clone(), with(&claims, "exp", json!("never"))),
            ("an end that has been", header.clone(), with(&claims, "exp", json!(1_799_999_000))),
            ("a beginning to come", header.clone(), with(&claims, "nbf", json!(1_800_000_060))),
            ("a beginning after every end", header.clone(), with(&claims, "nbf", json!(i64::MAX))),
        ] {
            assert!(!house.lets_in(&signed(1, &header, &claims)).await, "{what}");
        }
    });
}

#[test]
fn a_token_is_good_from_its_beginning_to_its_end_give_or_take_what_clocks_differ() {
    in_simulated_time(async |house| {
        let (begins, lives) = (60, ACCESS_TOKEN_LIFE.as_secs() as i64);
        let now = house.env.now().as_second();
        let claims = with(&house.claims(), "nbf", json!(now + begins));
        let token = signed(1, &header(1), &with(&claims, "exp", json!(now + begins + lives)));
        let leeway = LEEWAY.as_secs() as i64;
        let (first, last) = (begins - leeway, begins + lives + leeway - 1);
        for (at, is_good) in [(0, false), (first - 1, false), (first, true), (last, true), (last + 1, false)] {
            let wait = now + at - house.env.now().as_second();
            tokio::time::advance(Duration::from_secs(wait as u64)).await;
            // Twice: what was found out once is remembered, and holds no longer for that.
            assert_eq!((house.lets_in(&token).await, house.lets_in(&token).await), (is_good, is_good), "{at}");
        }
    });
}

#[test]
fn a_new_key_is_learnt_when_it_is_met_and_tokens_of_the_old_one_stay_good() {
    in_simulated_time(async |house| {
        let (old, new) = (signed(1, &header(1), &house.claims()), signed(2, &header(2), &house.claims()));
        // One that is not remembered: what lets it in is the key.
        let unseen = signed(1, &header(1), &with(&house.claims(), "jti", json!("y")));
        assert!(house.lets_in(&old).await);
        *house.publisher.keys.lock() = vec![2, 1];
        assert!(house.lets_in(&new).await);
        assert!(house.lets_in(&old).await && house.lets_in(&unseen).await);
        assert_eq!(house.asked(), 2, "at the beginning, and when it was met");
    });
}

#[test]
fn made_up_key_names_do_not_turn_into_calls_nor_keep_a_published_key_from_being_learnt_for_long() {
    in_simulated_time(async |house| {
        for n in 0..100 {
            assert!(!house.lets_in(&signed(9, &header(n + 100), &house.claims())).await);
        }
        assert_eq!(house.asked(), 2);
        house.publisher.keys.lock().push(2);
        tokio::time::advance(LOOK_AGAIN).await;
        assert!(house.lets_in(&signed(2, &header(2), &house.claims())).await);
    });
}

#[test]
fn a_token_of_a_session_that_has_ended_is_refused_though_it_is_remembered() {
    in_simulated_time(async |house| {
        let token = signed(1, &header(1), &house.claims());
        let other = signed(1, &header(1), &with(&house.claims(), "sid", json!(session(2))));
        assert!(house.lets_in(&token).await && house.lets_in(&other).await);
        house.verifier.forget(&EndedSessions { sessions: vec![session(1)] });
        assert!(!house.lets_in(&token).await && house.lets_in(&other).await);
        // Until after the last token of it is over.
        tokio::time::advance(ACCESS_TOKEN_LIFE + LEEWAY).await;
        house.verifier.forget(&EndedSessions { sessions: vec![session(3)] });
        assert!(house.verifier.has_ended(session(1)));
    });
}

#[test]
fn a_token_ends_when_its_time_is_over_or_its_session_ends_and_with_no_other() {
    in_simulated_time(async |house| {
        let (env, verifier) = (house.env.clone(), &house.verifier);
        let began = env.now();
        let user_id = UserId::from_uuid(Uuid::nil());
        let bearer = Bearer { user_id, session_id: session(1), role: Role::Customer, expires: began.as_second() + 60 };
        let others = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            verifier.forget(&EndedSessions { sessions: vec![session(2)] });
        };
        futures_util::future::join(verifier.end_of(&bearer), others).await;
        assert_eq!(since(env.now(), began), Duration::from_secs(60));

        let later = Bearer { expires: began.as_second() + 3600, ..bearer };
        let own = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            verifier.forget(&EndedSessions { sessions: vec![session(1)] });
        };
        futures_util::future::join(verifier.end_of(&later), own).await;
        assert_eq!(since(env.now(), began), Duration::from_secs(65));
        // What has ended before is not waited for.
        verifier.end_of(&later).await;
        assert_eq!(since(env.now(), began), Duration::from_secs(65));
    });
}
