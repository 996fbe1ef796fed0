//! Lets pages of allowed sites use the API (the CORS protocol of the Fetch standard).
//!
//! The allowed origins are exact, never a wildcard. Their pages get no cookies: such a page sends a
//! bearer token of its own. Without configured origins this filter does nothing, and browsers do
//! not let pages of other sites read responses.

use super::filter::{Filter, RequestAction, ResponseAction};
use crate::gateway::context::RequestContext;
use actix_web::{
    HttpRequest, HttpResponse,
    dev::ServiceRequest,
    http::{
        Method,
        header::{self, HeaderMap, HeaderValue},
    },
};

/// Answers preflight requests of allowed origins with 204, and adds the CORS fields to responses.
pub struct Cors;

/// Request fields that a page of an allowed origin may send, beside those that every page may.
const HEADERS: &str =
    "authorization, cache-control, content-type, idempotency-key, if-match, if-none-match, traceparent";
/// Response fields that such a page may read, beside those that every page may.
const EXPOSED: &str = "age, cache-status, etag, idempotency-replayed, location, ratelimit, ratelimit-policy, retry-after, traceparent, \
     x-completed, x-request-id, x-served-by";
/// How long a browser may reuse the response to a preflight: the longest time that Chromium
/// accepts.
const PREFLIGHT_SECONDS: &str = "7200";

impl Filter for Cors {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, request: &'a mut ServiceRequest) -> RequestAction<'a> {
        let is_preflight = *request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
            && allowed(context, request.headers()).is_some();
        if !is_preflight {
            return RequestAction::Continue;
        }
        let mut response = HttpResponse::NoContent();
        response.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, PATCH, DELETE"));
        response.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS));
        response.insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS));
        RequestAction::Respond(response.finish())
    }

    fn on_response<'a>(
        &'a mut self,
        context: &'a RequestContext,
        request: &'a HttpRequest,
        mut response: HttpResponse,
    ) -> ResponseAction<'a> {
        if context.gateway.trust.load().origins.is_empty() {
            return ResponseAction::Continue(response);
        }
        // The response differs by origin, also for a request without one.
        response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = allowed(context, request.headers()) {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
        ResponseAction::Continue(response)
    }
}

/// The origin of the page that sent the request, if it is allowed.
fn allowed<'a>(context: &RequestContext, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
    let trust = context.gateway.trust.load();
    headers.get(header::ORIGIN).filter(|origin| trust.origins.iter().any(|known| known.as_bytes() == origin.as_bytes()))
}
