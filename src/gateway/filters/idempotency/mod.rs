//! The same `Idempotency-Key` with the same request gives the same answer, once it was given, for 24 hours.
//!
//! Keys and answers are kept by orders, on disk. A claim whose holder died is free again after its lease; the services
//! themselves make sure that doing the work again does it once.

use super::{
    filter::{Filter, RequestAction, ResponseAction},
    problems,
};
use crate::{
    gateway::{
        context::{Completeness, RequestContext, ScopedKey},
        respond::Problem,
        routing::KeyUse,
    },
    mesh::Context,
    services::orders::messages::{Claim, ClaimKey, DropClaim, KeepAnswer, KeptAnswer},
    types::Principal,
};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::ServiceRequest,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION},
    },
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

pub struct Idempotency {
    fingerprint_key: Arc<FingerprintKey>,
    held: Option<Held>,
}

impl Idempotency {
    pub fn new(fingerprint_key: &Arc<FingerprintKey>) -> Self {
        Self { fingerprint_key: fingerprint_key.clone(), held: None }
    }
}

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST: usize = 255;
/// More than the route's deadline and the time to settle: whoever holds the claim has answered by then, or is gone.
const LEASE_BEYOND_DEADLINE: u64 = 5;
/// The answer is kept in time of its own: a route's may be used up when its answer is there.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);

/// A claim that this request holds.
#[derive(Clone)]
struct Held {
    scope: String,
    key: String,
    fingerprint: String,
}

impl Filter for Idempotency {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, request: &'a mut ServiceRequest) -> RequestAction<'a> {
        if context.route.key == KeyUse::Ignored {
            return RequestAction::Continue;
        }
        let key = match key(request.headers().get(KEY)) {
            Err(problem) => return RequestAction::Reject(problem),
            Ok(Some(key)) => ScopedKey { scope: scope(context), key },
            Ok(None) if context.route.key == KeyUse::Required => {
                return RequestAction::Reject(Problem::bad_request(
                    "idempotency_key_required",
                    "Send an `Idempotency-Key` header: a name of your own for this request, so that sending it again cannot do it twice.",
                ));
            }
            Ok(None) => return RequestAction::Continue,
        };
        *context.idempotency_key.borrow_mut() = Some(key.clone());
        if context.route.key == KeyUse::Own {
            return RequestAction::Continue;
        }
        let fingerprint = self.fingerprint_key.of(request.method().as_str(), request.path(), &context.body.borrow());
        let ScopedKey { scope, key } = key;
        RequestAction::Await(Box::pin(self.claim(context, Held { scope, key, fingerprint })))
    }

    fn on_response<'a>(
        &'a mut self,
        context: &'a RequestContext,
        request: &'a HttpRequest,
        response: HttpResponse,
    ) -> ResponseAction<'a> {
        match self.held.take() {
            Some(held) => ResponseAction::Await(Box::pin(settle(context, request.path(), held, response))),
            None => ResponseAction::Continue(response),
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

/// Keys of different clients do not meet.
fn scope(context: &RequestContext) -> String {
    match context.principal.get() {
        Principal::User { id, .. } => id.to_string(),
        _ => "anonymous".to_owned(),
    }
}

/// What a request is known by again. The body may hold the number of a card, of which there are few enough to try them all:
/// so a bare hash of it must not lie on disk (PCI DSS 3.5.1.1).
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

impl Idempotency {
    async fn claim(&mut self, context: &RequestContext, held: Held) -> Result<Option<HttpResponse>, Problem> {
        let lease_seconds = context.deadline().as_secs() + LEASE_BEYOND_DEADLINE;
        let Held { scope, key, fingerprint } = held.clone();
        match context.call(ClaimKey { scope, key, fingerprint, lease_seconds }).await? {
            Claim::Granted => {
                self.held = Some(held);
                Ok(None)
            }
            Claim::Answered(answer) => Ok(Some(replay(answer))),
            Claim::InFlight => Err(Problem::conflict(
                "idempotency_in_flight",
                "A request with this key is being worked on. Ask again in a moment.",
            )
            .with_header("Retry-After", "1".into())),
            Claim::Reused => Err(Problem::unprocessable(
                "idempotency_key_reused",
                "This key was used with another request. Use a new key for a new request.",
            )),
        }
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

/// Says that this was done before.
pub fn mark_replayed(answer: &mut HttpResponse) {
    answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
}

/// Keeps what was decided; gives the key back where nothing was.
async fn settle(context: &RequestContext, path: &str, held: Held, answer: HttpResponse) -> HttpResponse {
    let (answer, body) = problems::render(context, path, answer).into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        Err(stream) => return answer.set_body(stream),
    };
    let Held { scope, key, fingerprint } = held;
    let code = context.outcome.problem.get();
    let call_context = Context { deadline: Instant::now() + SETTLE_WITHIN, ..context.call_context() };
    let settled = if is_decided(answer.status(), code) && is_whole(context.outcome.completeness.get()) {
        let text =
            |name| answer.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
        let kept = KeptAnswer {
            status: answer.status().as_u16(),
            location: text(LOCATION),
            etag: text(ETAG),
            content_type: text(CONTENT_TYPE).unwrap_or_default(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        context.gateway.mesh.call(&call_context, KeepAnswer { scope, key, fingerprint, answer: kept }).await
    } else {
        context.gateway.mesh.call(&call_context, DropClaim { scope, key, fingerprint }).await
    };
    if let Err(problem) = settled {
        log::warn!(trace = context.trace.to_string().as_str(); "an answer could not be kept for its idempotency key: {problem}");
    }
    answer.set_body(BoxBody::new(body))
}

/// Whether asking again must give this very answer. Not so where nothing was done (a body that cannot be, an order that
/// was busy), nor where nobody knows yet (a time-out, an order still being placed): then the same key finds out. What was decided
/// once stays so, also where the world has changed since: who wants to try anew takes a new key.
fn is_decided(status: StatusCode, problem: Option<&str>) -> bool {
    match status {
        StatusCode::ACCEPTED => false,
        _ if problem == Some("busy") => false,
        StatusCode::PAYMENT_REQUIRED | StatusCode::CONFLICT => true,
        status => status.is_success(),
    }
}

/// An answer of which a part was missing is not the one to give for a day: what was done is done, and its service will say so again.
fn is_whole(completeness: Option<Completeness>) -> bool {
    completeness != Some(Completeness::Degraded)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_answer_with_a_missing_part_is_not_kept() {
        assert!(is_whole(None) && is_whole(Some(Completeness::Complete)));
        assert!(!is_whole(Some(Completeness::Degraded)));
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
