//! Pages of other sites, where the shop lets them (the Fetch standard's CORS protocol): exact origins, never a wildcard, and no
//! cookies: such a page signs in with a token of its own. Without configured origins this says nothing, and browsers keep them out.

use super::{Duty, Leave, Step};
use crate::gateway::visit::Visit;
use actix_web::{
    HttpRequest, HttpResponse,
    dev::ServiceRequest,
    http::{
        Method,
        header::{self, HeaderMap, HeaderValue},
    },
};

pub struct Cors;

/// What a page may send and read beside what every page may.
const HEADERS: &str =
    "authorization, cache-control, content-type, idempotency-key, if-match, if-none-match, traceparent";
const EXPOSED: &str = "age, cache-status, etag, idempotency-replayed, location, ratelimit, ratelimit-policy, retry-after, traceparent, \
     x-completed, x-request-id, x-served-by";
/// How long a browser may go by the answer to a preflight: Chromium's own bound.
const PREFLIGHT_SECONDS: &str = "7200";

impl Duty for Cors {
    fn name(&self) -> &'static str {
        "cors"
    }

    fn enter<'a>(&'a self, visit: &'a Visit, request: &'a mut ServiceRequest) -> Step<'a> {
        let is_preflight = *request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
            && allowed(visit, request.headers()).is_some();
        if !is_preflight {
            return Step::On;
        }
        let mut answer = HttpResponse::NoContent();
        answer.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, PATCH, DELETE"));
        answer.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS));
        answer.insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS));
        Step::Answer(answer.finish())
    }

    fn leave<'a>(&'a self, visit: &'a Visit, request: &'a HttpRequest, mut answer: HttpResponse) -> Leave<'a> {
        if visit.gateway.trust.load().origins.is_empty() {
            return Leave::With(answer);
        }
        // The answer is another for another origin, also where there was none.
        answer.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = allowed(visit, request.headers()) {
            answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
        Leave::With(answer)
    }
}

/// The origin of the page that asks, if it is one of those that may.
fn allowed<'a>(visit: &Visit, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
    let trust = visit.gateway.trust.load();
    headers.get(header::ORIGIN).filter(|origin| trust.origins.iter().any(|known| known.as_bytes() == origin.as_bytes()))
}
