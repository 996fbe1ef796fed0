//! The same `Idempotency-Key` with the same request gives the same response for 24 hours
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! Responses are in the gateway's own tree ([`store`]). A response is on disk before the client
//! gets it. If the program ends between the work and the response, the client sends the request
//! again and the handler runs again; the services make sure that the work is done once.
//!
//! A response that carries tokens is not kept ([`KeyUse::Own`]). The store keeps only for which
//! request the key was used. The same request runs its handler again; the service knows the key and
//! answers with fresh tokens.
//!
//! ## Decisions
//!
//! - **The gateway keeps the responses, no service does.** Status, header fields and body are HTTP,
//!   and services know no HTTP. Consequence: the gateway has a tree of its own, and a key works the
//!   same on every route.
//! - **Claims are in memory, responses are on disk.** A restart ends every request, so it may
//!   forget every claim. Consequence: no write before the handler, one commit after it.

pub mod fingerprint;
pub mod store;

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
    mesh::MeshError,
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
use fingerprint::{FingerprintKey, without_secrets};
use std::{borrow::Cow, sync::Arc, time::Duration};
use store::{Claim, IdempotencyStore, KeptAnswer, KeyedRequest};
use tokio::time::{timeout, timeout_at};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The greatest length of a key, in bytes.
const LONGEST: usize = 255;
/// A lease is this much longer than the route's deadline. It covers [`SETTLE_WITHIN`]: a request
/// that holds a claim ends before its lease.
const LEASE_BEYOND_DEADLINE: Duration = Duration::from_secs(5);
/// The time limit for keeping a response. The route's deadline may be over when the response
/// arrives.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);

/// Claims the request's key, or answers with the response that was kept for it. 400 for a key that
/// is missing or not valid, 409 `idempotency_in_flight` while the same request runs, and 422
/// `idempotency_key_reused` for another request with the key (§2.6, §2.7 of the draft).
pub struct Idempotency {
    fingerprint_key: Arc<FingerprintKey>,
    store: Arc<IdempotencyStore>,
    /// The claim that this request holds.
    claimed: Option<KeyedRequest>,
}

impl Idempotency {
    /// Both are shared by all workers.
    pub fn new(fingerprint_key: &Arc<FingerprintKey>, store: &Arc<IdempotencyStore>) -> Self {
        Self { fingerprint_key: fingerprint_key.clone(), store: store.clone(), claimed: None }
    }
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
                    "Send an `Idempotency-Key` header: a name of your own for this request. If you send the request \
                     again with the same key, it is carried out once.",
                ));
            }
            Ok(None) => return RequestAction::Continue,
        };
        let keyed = KeyedRequest::new(&key.scope, &key.key, self.fingerprint(context, request));
        *context.idempotency_key.borrow_mut() = Some(key);
        RequestAction::Await(Box::pin(self.claim(context, keyed)))
    }

    fn on_response<'a>(
        &'a mut self,
        context: &'a RequestContext,
        request: &'a HttpRequest,
        response: HttpResponse,
    ) -> ResponseAction<'a> {
        match self.claimed.take() {
            Some(keyed) => ResponseAction::Await(Box::pin(self.settle(context, request.path(), keyed, response))),
            None => ResponseAction::Continue(response),
        }
    }
}

impl Idempotency {
    fn fingerprint(&self, context: &RequestContext, request: &ServiceRequest) -> String {
        let body = context.body.borrow();
        let is_own = context.route.key == KeyUse::Own;
        let body = if is_own { without_secrets(&body) } else { Cow::Borrowed(&body[..]) };
        self.fingerprint_key.fingerprint(request.method().as_str(), request.path(), &body)
    }

    async fn claim(&mut self, context: &RequestContext, keyed: KeyedRequest) -> Result<Option<HttpResponse>, Problem> {
        let lease = context.deadline() + LEASE_BEYOND_DEADLINE;
        let claiming = context.span_context().run(self.store.claim(&keyed, lease, context.gateway.env.now()));
        let claimed = timeout_at(context.call_context().deadline, claiming).await.map_err(|_| MeshError::TimedOut)?;
        match claimed.map_err(MeshError::from)? {
            Claim::Granted => {
                self.claimed = Some(keyed);
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

    /// Keeps the response if it is decided; releases the claim if it is not.
    async fn settle(
        &self,
        context: &RequestContext,
        path: &str,
        keyed: KeyedRequest,
        response: HttpResponse,
    ) -> HttpResponse {
        let (response, body) = problems::render(context, path, response).into_parts();
        let body = match body.try_into_bytes() {
            Ok(body) => body,
            Err(stream) => return response.set_body(stream),
        };
        let code = context.outcome.problem.get();
        if !is_decided(response.status(), code) || !is_whole(context.outcome.completeness.get()) {
            self.store.release(&keyed);
            return response.set_body(BoxBody::new(body));
        }
        let kept = (context.route.key != KeyUse::Own).then(|| kept_of(&response, &body));
        let keeping = context.span_context().run(self.store.keep(&keyed, kept, context.gateway.env.now()));
        let settled = match timeout(SETTLE_WITHIN, keeping).await {
            Ok(kept) => kept.map_err(MeshError::from),
            Err(_) => Err(MeshError::TimedOut),
        };
        if let Err(error) = settled {
            log::warn!(trace = context.trace.to_string().as_str(); "the response to an idempotency key could not be kept: {error}");
        }
        response.set_body(BoxBody::new(body))
    }
}

/// Reads the key: 1 to 255 visible ASCII characters, with or without the quotes of the draft's
/// structured field (RFC 8941).
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

/// The owner of a key: equal keys of different callers are different keys. A caller that is not
/// signed in is identified by its network, as it is for the rate limits.
fn scope(context: &RequestContext) -> String {
    match context.principal.get() {
        Principal::User { id, .. } => id.to_string(),
        _ => format!("anonymous {}", context.network()),
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

/// Says in the response that the request was carried out before.
pub fn mark_replayed(response: &mut HttpResponse) {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
}

fn kept_of(response: &HttpResponse<()>, body: &[u8]) -> KeptAnswer {
    let text =
        |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    KeptAnswer {
        status: response.status().as_u16(),
        location: text(LOCATION),
        etag: text(ETAG),
        content_type: text(CONTENT_TYPE).unwrap_or_default(),
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

/// Whether the same request must get this response again. No if nothing was done (an invalid body,
/// an order that is busy). No if the outcome is unknown (a time-out, an order that is still being
/// placed): then a request with the same key finds it out. A decided response stays, even if the
/// handler would now give another one; a client that wants to try anew takes a new key.
fn is_decided(status: StatusCode, problem: Option<&str>) -> bool {
    match status {
        StatusCode::ACCEPTED => false,
        _ if problem == Some("busy") => false,
        StatusCode::PAYMENT_REQUIRED | StatusCode::CONFLICT => true,
        status => status.is_success(),
    }
}

/// Whether no part of the response is missing. An incomplete response is not kept: the work is
/// done, and its service gives the same result again.
fn is_whole(completeness: Option<Completeness>) -> bool {
    completeness != Some(Completeness::Degraded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_with_a_missing_part_is_not_kept() {
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
    fn only_a_decided_response_is_kept() {
        let decided = |code| is_decided(StatusCode::from_u16(code).unwrap(), None);
        assert!([200, 201, 204, 402, 409].into_iter().all(decided));
        assert!(![202, 400, 404, 422, 500, 503, 504].into_iter().any(decided));
        assert!(
            is_decided(StatusCode::CONFLICT, Some("out_of_stock")) && !is_decided(StatusCode::CONFLICT, Some("busy"))
        );
    }
}
