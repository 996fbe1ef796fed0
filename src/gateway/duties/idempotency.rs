//! The same `Idempotency-Key` with the same request gives the same answer for 24 hours
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! The answers are in the gateway's own tree: see [`IdempotencyStore`]. An answer is on disk before
//! the client gets it. Where the program ends between the work and the answer, the client sends the
//! request again and the handler runs again; the services make sure that the work is done once.
//!
//! An answer that carries tokens is not kept ([`KeyUse::Own`]). For it the store keeps only for
//! which request the key was used; the same request runs its handler again, whose service knows the
//! key and answers with fresh tokens.
//!
//! [`IdempotencyStore`]: crate::gateway::idempotency_store::IdempotencyStore

use super::{
    Duty, Leave, Step,
    problems::{self, ProblemCode},
};
use crate::{
    gateway::{
        KeyUse,
        api::composed::COMPLETED,
        idempotency_store::{Claim, KeptAnswer, KeyedRequest},
        problem::Problem,
        visit::Visit,
    },
    mesh::MeshError,
    telemetry::SpanContext,
    types::Principal,
};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::ServiceRequest,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION},
    },
};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::{borrow::Cow, time::Duration};
use tokio::time::{timeout, timeout_at};

pub struct Idempotency;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST: usize = 255;
/// A lease is so much longer than the route's deadline. It covers [`SETTLE_WITHIN`]: a request that
/// holds a claim ends before its lease.
const LEASE_BEYOND_DEADLINE: Duration = Duration::from_secs(5);
/// The time for keeping an answer. The route's deadline may be over when the answer is there.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);
/// The members of a body that are left out of a fingerprint where the answer carries tokens: the
/// passwords. A keyed hash is fast, and its key is in the same data folder. Who has the folder
/// could guess a password by it, which the password's slow hash prevents.
const SECRET_MEMBERS: [&str; 1] = ["password"];

/// A claim that this request holds.
#[derive(Clone)]
pub struct Held {
    pub scope: String,
    pub key: String,
    request: KeyedRequest,
}

impl Duty for Idempotency {
    fn name(&self) -> &'static str {
        "idempotency"
    }

    fn enter<'a>(&'a self, visit: &'a Visit, request: &'a mut ServiceRequest) -> Step<'a> {
        if visit.route.key == KeyUse::Ignored {
            return Step::On;
        }
        let held = match key(request.headers().get(KEY)) {
            Err(problem) => return Step::Stop(problem),
            Ok(Some(key)) => {
                let scope = scope(visit);
                Held { request: KeyedRequest::new(&scope, &key, fingerprint(visit, request)), scope, key }
            }
            Ok(None) if visit.route.key == KeyUse::Required => {
                return Step::Stop(Problem::bad_request(
                    "idempotency_key_required",
                    "Send an `Idempotency-Key` header: a name of your own for this request, so that sending it again cannot do it twice.",
                ));
            }
            Ok(None) => return Step::On,
        };
        Step::Wait(Box::pin(claim(visit, held)))
    }

    fn leave<'a>(&'a self, visit: &'a Visit, request: &'a HttpRequest, answer: HttpResponse) -> Leave<'a> {
        match visit.take_note::<Held>() {
            Some(held) => Leave::Wait(Box::pin(settle(visit, request.path(), held, answer))),
            None => Leave::With(answer),
        }
    }
}

/// 1 to 255 visible ASCII characters; with or without the quotes of the draft's structured field.
fn key(header: Option<&HeaderValue>) -> Result<Option<String>, Problem> {
    let Some(header) = header else { return Ok(None) };
    let text = header.to_str().unwrap_or_default().trim();
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    if (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(Some(text.to_owned()))
    } else {
        Err(Problem::bad_request("bad_idempotency_key", "An `Idempotency-Key` has 1 to 255 visible ASCII characters."))
    }
}

/// Whose key it is. Equal keys of different clients are different keys. A client that is not signed
/// in is known by its network, as it is for the rate limits.
fn scope(visit: &Visit) -> String {
    match visit.principal.get() {
        Principal::User { id, .. } => id.to_string(),
        _ => format!("anonymous {}", visit.network()),
    }
}

/// The key of fingerprints: two requests with one `Idempotency-Key` are the same request where
/// their fingerprints are equal. A fingerprint is a keyed hash (HMAC-SHA-256). The body may hold a
/// card number, and all card numbers can be tried: so a plain hash of it must not be on disk (PCI
/// DSS 3.5.1.1).
pub struct FingerprintKey(Hmac<Sha256>);

impl FingerprintKey {
    pub fn derived_from(secret: &[u8; 32]) -> Self {
        let key = |bytes: &[u8]| <Hmac<Sha256> as Mac>::new_from_slice(bytes).expect("HMAC takes a key of any length");
        Self(key(&key(secret).chain_update("fingerprints of requests").finalize().into_bytes()))
    }

    fn of(&self, method: &str, path: &str, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        for part in [method.as_bytes(), path.as_bytes(), body] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn fingerprint(visit: &Visit, request: &ServiceRequest) -> String {
    let body = visit.body.borrow();
    let body = if visit.route.key == KeyUse::Own { without_secrets(&body) } else { Cow::Borrowed(&body[..]) };
    visit.gateway.fingerprint_key.of(request.method().as_str(), request.path(), &body)
}

/// The body without its [`SECRET_MEMBERS`]. A body that is no JSON object is left as it is: its
/// request is refused, and nothing is kept.
fn without_secrets(body: &[u8]) -> Cow<'_, [u8]> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut members)) => {
            members.retain(|name, _| !SECRET_MEMBERS.contains(&name.as_str()));
            Value::Object(members).to_string().into_bytes().into()
        }
        _ => body.into(),
    }
}

/// The span of the request, in which a commit of the store belongs.
fn here(visit: &Visit) -> SpanContext {
    let span = visit.span.take();
    let here = span.as_ref().map(|span| span.here()).unwrap_or_default();
    visit.span.set(span);
    here
}

async fn claim(visit: &Visit, held: Held) -> Result<Option<HttpResponse>, Problem> {
    let (store, now) = (&visit.gateway.idempotency, visit.gateway.env.now());
    let claiming = here(visit).run(store.claim(&held.request, visit.deadline() + LEASE_BEYOND_DEADLINE, now));
    let claimed = timeout_at(visit.context().deadline, claiming).await.map_err(|_| MeshError::TimedOut)?;
    match claimed.map_err(MeshError::from)? {
        Claim::Granted => {
            visit.note(held);
            Ok(None)
        }
        Claim::Answered(answer) => Ok(Some(replay(answer))),
        Claim::InFlight => Err(Problem::conflict(
            "idempotency_in_flight",
            "A request with this key is running. Send it again in a moment.",
        )
        .with_header("Retry-After", "1".into())),
        Claim::Reused => Err(Problem::unprocessable(
            "idempotency_key_reused",
            "This key was used with another request. Use a new key for a new request.",
        )),
    }
}

fn replay(answer: KeptAnswer) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK));
    response.insert_header((CONTENT_TYPE, answer.content_type));
    for (name, value) in [(LOCATION, answer.location), (ETAG, answer.etag)] {
        if let Some(value) = value {
            response.insert_header((name, value));
        }
    }
    let mut response = response.body(answer.body);
    mark_replayed(&mut response);
    response
}

/// Says in the answer that the request was carried out before.
pub fn mark_replayed(answer: &mut HttpResponse) {
    answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
}

/// Keeps the answer where it is decided; releases the claim where it is not.
async fn settle(visit: &Visit, path: &str, held: Held, answer: HttpResponse) -> HttpResponse {
    let (answer, body) = problems::render(visit, path, answer).into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        Err(stream) => return answer.set_body(stream),
    };
    let store = &visit.gateway.idempotency;
    let code = visit.noted().map(|ProblemCode(code)| code);
    if !is_decided(answer.status(), code) || !is_whole(answer.headers()) {
        store.release(&held.request);
        return answer.set_body(BoxBody::new(body));
    }
    let kept = (visit.route.key != KeyUse::Own).then(|| kept_of(&answer, &body));
    let keeping = here(visit).run(store.keep(&held.request, kept, visit.gateway.env.now()));
    let settled = match timeout(SETTLE_WITHIN, keeping).await {
        Ok(kept) => kept.map_err(MeshError::from),
        Err(_) => Err(MeshError::TimedOut),
    };
    if let Err(error) = settled {
        log::warn!(trace = visit.trace.to_string().as_str(); "an answer could not be kept for its idempotency key: {error}");
    }
    answer.set_body(BoxBody::new(body))
}

fn kept_of(answer: &HttpResponse<()>, body: &[u8]) -> KeptAnswer {
    let text = |name| answer.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    KeptAnswer {
        status: answer.status().as_u16(),
        location: text(LOCATION),
        etag: text(ETAG),
        content_type: text(CONTENT_TYPE).unwrap_or_default(),
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

/// Whether the same request must get this very answer again. Not where nothing was done (an invalid
/// body, an order that is busy), and not where the outcome is unknown (a time-out, an order that is
/// still being placed): then the same key finds it out. A decided answer stays also where it would
/// be another one today; a client that wants to try anew takes a new key.
fn is_decided(status: StatusCode, problem: Option<&str>) -> bool {
    match status {
        StatusCode::ACCEPTED => false,
        _ if problem == Some("busy") => false,
        StatusCode::PAYMENT_REQUIRED | StatusCode::CONFLICT => true,
        status => status.is_success(),
    }
}

/// Whether no part of the answer is missing. An incomplete answer is not kept: the work is done,
/// and its service says so again.
fn is_whole(headers: &HeaderMap) -> bool {
    headers.get(COMPLETED).is_none_or(|completed| completed == "true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::routes::ROUTES;

    #[test]
    fn a_fingerprint_tells_requests_apart_and_nothing_to_who_has_not_the_key() {
        let (key, other) = (FingerprintKey::derived_from(&[1; 32]), FingerprintKey::derived_from(&[2; 32]));
        let known = key.of("POST", "/a", b"bc");
        assert_eq!(known, key.of("POST", "/a", b"bc"));
        for unlike in [key.of("PUT", "/a", b"bc"), key.of("POST", "/ab", b"c"), other.of("POST", "/a", b"bc")] {
            assert_ne!(known, unlike);
        }
    }

    #[test]
    fn a_fingerprint_of_a_request_whose_answer_carries_tokens_leaves_the_password_out() {
        let text = |body: &str| String::from_utf8(without_secrets(body.as_bytes()).into_owned()).unwrap();
        assert_eq!(text(r#"{"email":"a@b.c","password":"a long walk"}"#), r#"{"email":"a@b.c"}"#);
        assert_eq!(text(r#"{"email":"a@b.c","passw\u006frd":"a long walk"}"#), r#"{"email":"a@b.c"}"#);
        for no_object in ["", "[1]", "{"] {
            assert_eq!(text(no_object), no_object);
        }
    }

    #[test]
    fn a_route_that_takes_a_key_and_a_secret_keeps_no_answer_and_leaves_the_secret_out_of_the_fingerprint() {
        let mut with_secrets = 0;
        for route in ROUTES.iter().filter(|route| route.key != KeyUse::Ignored) {
            let Some(body) = (route.handler.signature)().body else { continue };
            let schema = serde_json::to_value(&body.schema).unwrap();
            let members = schema["properties"].as_object().cloned().unwrap_or_default();
            for (name, _) in members.iter().filter(|(_, member)| member.to_string().contains("/Secret\"")) {
                assert!(route.key == KeyUse::Own && SECRET_MEMBERS.contains(&name.as_str()), "{}: {name}", route.path);
                with_secrets += 1;
            }
        }
        assert_eq!(with_secrets, 1);
    }

    #[test]
    fn an_answer_with_a_missing_part_is_not_kept() {
        let with = |completed| HttpResponse::Created().insert_header((COMPLETED, completed)).finish();
        assert!(is_whole(HttpResponse::Created().finish().headers()) && is_whole(with("true").headers()));
        assert!(!is_whole(with("false").headers()));
    }

    #[test]
    fn a_key_is_a_short_visible_name_with_or_without_quotes() {
        let read = |text: &str| key(Some(&HeaderValue::from_str(text).unwrap()));
        assert_eq!(read("order-1").unwrap().as_deref(), Some("order-1"));
        assert_eq!(read("\"order-1\"").unwrap().as_deref(), Some("order-1"));
        assert_eq!(key(None).unwrap(), None);
        for bad in ["", "a b", "\"\"", &"x".repeat(256)] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert!(key(Some(&HeaderValue::from_bytes(b"\xff").unwrap())).is_err());
    }

    #[test]
    fn only_what_was_decided_is_kept() {
        let decided = |code| is_decided(StatusCode::from_u16(code).unwrap(), None);
        assert!([200, 201, 204, 402, 409].into_iter().all(decided));
        assert!(![202, 400, 404, 422, 500, 503, 504].into_iter().any(decided));
        assert!(
            is_decided(StatusCode::CONFLICT, Some("out_of_stock")) && !is_decided(StatusCode::CONFLICT, Some("busy"))
        );
    }
}
