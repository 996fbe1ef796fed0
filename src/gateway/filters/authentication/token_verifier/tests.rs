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

/// Publishes keys, and counts the calls for them.
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
struct Setup {
    env: Env,
    mesh: Mesh,
    verifier: TokenVerifier,
    publisher: Publisher,
}

impl Setup {
    async fn open() -> Self {
        let env = Env::simulated(7, Timestamp::from_second(1_800_000_000).unwrap());
        let (mesh, publisher) = (Mesh::new(env.clone(), ALLOWED_CALLS, SUBSCRIPTIONS), Publisher::default());
        publisher.keys.lock().push(1);
        mesh.register(Service::Users, start(&publisher, &actix::Arbiter::current()));
        let setup = Self { verifier: TokenVerifier::new(env.clone()), env, mesh, publisher };
        setup.verifier.learn(&setup.mesh, &setup.context()).await;
        setup
    }

    fn context(&self) -> Context {
        Context::new(Principal::System, Duration::from_secs(10), TraceId([7; 16]))
    }

    /// The claims of a token that was issued this moment.
    fn claims(&self) -> Value {
        let now = self.env.now().as_second();
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": UserId::from_uuid(Uuid::from_u128(5)), "sid": session(1),
            "role": "customer", "iat": now, "nbf": now, "exp": now + ACCESS_TOKEN_LIFE.as_secs() as i64, "jti": "x",
        })
    }

    async fn accepts(&self, token: &str) -> bool {
        self.verifier.verify(token, &self.mesh, &self.context()).await.is_some()
    }

    fn asked(&self) -> u32 {
        *self.publisher.asked.lock()
    }
}

/// A token with a valid signature and any content.
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

fn in_simulated_time(test: impl AsyncFnOnce(Setup)) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(runtime).block_on(async { test(Setup::open().await).await });
}

#[test]
fn a_token_with_a_valid_signature_and_one_wrong_claim_is_refused() {
    in_simulated_time(async |setup| {
        let (header, claims) = (header(1), setup.claims());
        assert!(setup.accepts(&signed(1, &header, &claims)).await);
        for (what, header, claims) in [
            ("another algorithm", with(&header, "alg", json!("HS256")), claims.clone()),
            ("another type", with(&header, "typ", json!("JWT")), claims.clone()),
            ("no type", without(&header, "typ"), claims.clone()),
            ("no key id", without(&header, "kid"), claims.clone()),
            ("another issuer", header.clone(), with(&claims, "iss", json!("another"))),
            ("no issuer", header.clone(), without(&claims, "iss")),
            ("another audience", header.clone(), with(&claims, "aud", json!("another"))),
            ("no audience", header.clone(), without(&claims, "aud")),
            ("several audiences", header.clone(), with(&claims, "aud", json!([AUDIENCE, "another"]))),
            ("no `exp`", header.clone(), without(&claims, "exp")),
            ("no `nbf`", header.clone(), without(&claims, "nbf")),
            ("no subject", header.clone(), without(&claims, "sub")),
            ("no session", header.clone(), without(&claims, "sid")),
            ("an `exp` that is no number", header.clone(), with(&claims, "exp", json!("never"))),
            ("an `exp` in the past", header.clone(), with(&claims, "exp", json!(1_799_999_000))),
            ("an `nbf` in the future", header.clone(), with(&claims, "nbf", json!(1_800_000_060))),
            ("the largest `nbf`", header.clone(), with(&claims, "nbf", json!(i64::MAX))),
        ] {
            assert!(!setup.accepts(&signed(1, &header, &claims)).await, "{what}");
        }
    });
}

#[test]
fn a_token_is_valid_from_its_nbf_to_its_exp_with_the_leeway_on_both_sides() {
    in_simulated_time(async |setup| {
        let (begins, lives) = (60, ACCESS_TOKEN_LIFE.as_secs() as i64);
        let now = setup.env.now().as_second();
        let claims = with(&setup.claims(), "nbf", json!(now + begins));
        let token = signed(1, &header(1), &with(&claims, "exp", json!(now + begins + lives)));
        let leeway = LEEWAY.as_secs() as i64;
        let (first, last) = (begins - leeway, begins + lives + leeway - 1);
        for (at, is_good) in [(0, false), (first - 1, false), (first, true), (last, true), (last + 1, false)] {
            let wait = now + at - setup.env.now().as_second();
            tokio::time::advance(Duration::from_secs(wait as u64)).await;
            // Twice: a token is remembered after the first time, and must not be valid longer for
            // that.
            assert_eq!((setup.accepts(&token).await, setup.accepts(&token).await), (is_good, is_good), "{at}");
        }
    });
}

#[test]
fn a_new_key_is_read_at_its_first_token_and_tokens_of_the_old_key_stay_valid() {
    in_simulated_time(async |setup| {
        let (old, new) = (signed(1, &header(1), &setup.claims()), signed(2, &header(2), &setup.claims()));
        // A token that is not remembered: it is accepted because its key is known.
        let unseen = signed(1, &header(1), &with(&setup.claims(), "jti", json!("y")));
        assert!(setup.accepts(&old).await);
        *setup.publisher.keys.lock() = vec![2, 1];
        assert!(setup.accepts(&new).await);
        assert!(setup.accepts(&old).await && setup.accepts(&unseen).await);
        assert_eq!(setup.asked(), 2, "at the start, and at the first token of the new key");
    });
}

#[test]
fn made_up_key_ids_cause_one_call_in_five_seconds_and_a_published_key_is_read_after_them() {
    in_simulated_time(async |setup| {
        for n in 0..100 {
            assert!(!setup.accepts(&signed(9, &header(n + 100), &setup.claims())).await);
        }
        assert_eq!(setup.asked(), 2);
        setup.publisher.keys.lock().push(2);
        tokio::time::advance(LOOK_AGAIN).await;
        assert!(setup.accepts(&signed(2, &header(2), &setup.claims())).await);
    });
}

#[test]
fn a_remembered_token_is_refused_when_its_session_has_ended() {
    in_simulated_time(async |setup| {
        let token = signed(1, &header(1), &setup.claims());
        let other = signed(1, &header(1), &with(&setup.claims(), "sid", json!(session(2))));
        assert!(setup.accepts(&token).await && setup.accepts(&other).await);
        setup.verifier.forget(&EndedSessions { sessions: vec![session(1)] });
        assert!(!setup.accepts(&token).await && setup.accepts(&other).await);
        // The end is remembered until the last token of the session has expired.
        tokio::time::advance(ACCESS_TOKEN_LIFE + LEEWAY).await;
        setup.verifier.forget(&EndedSessions { sessions: vec![session(3)] });
        assert!(setup.verifier.has_ended(session(1)));
    });
}

#[test]
fn a_stream_ends_when_its_token_expires_or_its_session_ends_and_not_with_another_session() {
    in_simulated_time(async |setup| {
        let (env, verifier) = (setup.env.clone(), &setup.verifier);
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
        // A session that has ended before is not awaited.
        verifier.end_of(&later).await;
        assert_eq!(since(env.now(), began), Duration::from_secs(65));
    });
}

#[test]
fn a_token_is_remembered_until_it_expires_and_the_memory_is_bounded() {
    in_simulated_time(async |setup| {
        let bearer = |seconds| Bearer {
            user_id: UserId::from_uuid(Uuid::nil()),
            session_id: session(1),
            role: Role::Customer,
            expires: setup.env.now().as_second() + seconds,
        };
        let remembered_for =
            |seconds| TokenExpiry(setup.env.clone()).expire_after_create(&[0; 32], &bearer(seconds), Instant::now());
        assert_eq!(remembered_for(60), Some(Duration::from_secs(60)));
        assert_eq!(remembered_for(-60), Some(Duration::ZERO));
        assert_eq!(remembered_for(1_000_000), Some(REMEMBER_END));
        for n in 0..REMEMBERED + 1_000 {
            let mut fingerprint = [0; 32];
            fingerprint[..8].copy_from_slice(&n.to_be_bytes());
            setup.verifier.verified.insert(fingerprint, bearer(60));
        }
        setup.verifier.verified.run_pending_tasks();
        let count = setup.verifier.verified.entry_count();
        assert!((REMEMBERED / 2..=REMEMBERED).contains(&count), "{count}");
    });
}
