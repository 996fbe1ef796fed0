//! The filter chain: the list of the filters, and how a request runs through it.
//!
//! ## Decisions
//!
//! - **Filters are values that are made for each request.** Some filters must remember something
//!   between a request and its response: a permit, a claim, a rate decision. As a field of the
//!   filter it has a type, no other filter can read it, and it is dropped when the client
//!   disconnects. Consequence: one small allocation for each filter that has fields, and shared
//!   state is passed in as an `Arc` ([`FilterState`]).
//! - **One list instead of actix-web's middleware.** Each `wrap` is a generic type around the next,
//!   and the last one that is registered runs first. A list is read from top to bottom, a test can
//!   check its order, and the access log can name the filter that responded. Consequence: the chain
//!   is one `wrap`, and only it knows actix-web's `Next`.
//! - **A request that may change something outlives its client.** See [`run`].
#![deny(missing_docs, clippy::missing_docs_in_private_items)]

use super::{
    access_log::AccessLog,
    admission::{Admission, body_reads::BodyReads, concurrency_limit::ConcurrencyLimit},
    allowed_hosts::AllowedHosts,
    authentication::{Authentication, token_verifier::TokenVerifier},
    authorization::RouteAuthorization,
    body::BodyReader,
    cache::{Cache, store::ResponseCache},
    conditional::Conditional,
    cors::Cors,
    cross_site::CrossSite,
    disabled_routes::DisabledRoutes,
    filter::{Filter, RequestAction, ResponseAction},
    headers::Headers,
    idempotency::{Idempotency, fingerprint::FingerprintKey, store::IdempotencyStore},
    in_flight::{InFlight, RequestsInFlight},
    problems::Problems,
    rate_limit::{RateLimit, limiter::RateLimiter},
    unexpected_input::UnexpectedInput,
};
use crate::{
    gateway::{
        client_address,
        context::{RequestContext, RequestHead},
        respond::Problem,
        routing::{Route, RouteSettings},
        state::Gateway,
    },
    telemetry::traceparent,
};
use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{HeaderMap, HeaderValue},
    },
    middleware::Next,
    web::Bytes,
};
use futures_util::FutureExt;
use std::{
    net::IpAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// The filters: the name of each, and the function that makes one for a request.
///
/// A request meets the filters in this order, its response in the reverse order. A response that a
/// filter gives (a rejection, a cached response) still passes through that filter and the filters
/// before it: it is logged, it gets its headers, and a problem is written as a document.
///
/// The order has three reasons. Cheap checks stand before those that cost more. No stored response
/// is read before the caller is authorized. `admission` stands after `body`, so that a client that
/// sends slowly holds no permit.
#[rustfmt::skip]
pub const FILTERS: &[(&str, MakeFilter)] = &[
    ("access_log",       |_| Box::new(AccessLog::default())),                         // one log line and one span
    ("headers",          |s| Box::new(Headers { uses_hsts: s.uses_hsts })),           // the trace, and fields for browsers
    ("problems",         |_| Box::new(Problems)),                                     // writes problem documents
    ("cors",             |_| Box::new(Cors)),                                         // pages of allowed sites
    ("in_flight",        |s| Box::new(InFlight::new(&s.in_flight))),                  // not while draining, and a bound on all requests
    ("allowed_hosts",    |_| Box::new(AllowedHosts)),                                 // the `Host` header names this shop
    ("cross_site",       |_| Box::new(CrossSite)),                                    // no changes by pages of other sites
    ("body",             |s| Box::new(BodyReader::new(&s.body_reads))),               // not too large, and not too slow
    ("admission",        |s| Box::new(Admission::new(&s.concurrency))),               // as many at one time as are answered in time
    ("disabled_routes",  |_| Box::new(DisabledRoutes)),                               // not if an operator disabled the route
    ("authentication",   |s| Box::new(Authentication::new(&s.verifier, &s.limiter))), // which user is the caller
    ("authorization",    |_| Box::new(RouteAuthorization)),                           // may the caller call this route
    ("rate_limit",       |s| Box::new(RateLimit::new(&s.limiter))),                   // not too often
    ("unexpected_input", |_| Box::new(UnexpectedInput)),                              // no query or body that the route does not read
    ("idempotency",      |s| Box::new(Idempotency::new(&s.fingerprint_key, &s.idempotency))), // the same key, the same response
    ("conditional",      |_| Box::new(Conditional)),                                  // entity tags and preconditions
    ("cache",            |s| Box::new(Cache::new(&s.cache))),                         // stored responses
];

/// Makes a filter for one request.
type MakeFilter = fn(&FilterState) -> Box<dyn Filter>;

/// What the filters keep from one request to the next. All workers share it. Each field belongs to
/// the filter that is named first. Handlers, events and operators reach it by its methods only.
pub struct FilterState {
    /// `headers`: whether responses tell browsers to use TLS only (HSTS, RFC 6797).
    pub uses_hsts: bool,
    /// `in_flight`: the number of requests in the gateway.
    pub in_flight: Arc<RequestsInFlight>,
    /// `body`: the bodies that have not arrived yet.
    pub body_reads: BodyReads,
    /// `admission`: the limits on concurrency, and the permits that are taken.
    pub concurrency: Arc<ConcurrencyLimit>,
    /// `authentication`: the public keys, and the tokens that were verified.
    pub verifier: Arc<TokenVerifier>,
    /// `rate_limit`: the rates, and a bucket for each client. `authentication` counts invalid
    /// tokens in it.
    pub limiter: Arc<RateLimiter>,
    /// `idempotency`: the key of the fingerprints.
    pub fingerprint_key: Arc<FingerprintKey>,
    /// `idempotency`: the claims of running requests, and the responses on disk.
    pub idempotency: Arc<IdempotencyStore>,
    /// `cache`: the stored responses.
    pub cache: Arc<ResponseCache>,
}

/// Runs a request through the filters to its handler, and the response back.
///
/// `route` and `settings` are those of the request's path and method, `next` is the handler. A
/// problem is a response here; an `Err` comes from actix-web alone, and never for a route of the
/// table.
///
/// When a client disconnects, actix-web drops this future at the point that it has reached. That is
/// right for a request that only reads. A request that may change something runs to its end in a
/// task of its own, so that no write is left half awaited and a retry with the same
/// `Idempotency-Key` finds the response of this one.
pub async fn run(
    gateway: Arc<Gateway>,
    state: Arc<FilterState>,
    route: &'static Route,
    settings: Arc<RouteSettings>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let head = head(&gateway, route, settings, &request);
    if request.method().is_safe() {
        return run_filters(gateway, state, head, request, next).await;
    }
    let task = actix_web::rt::spawn(run_filters(gateway, state, head, request, next));
    task.await.map_err(actix_web::error::ErrorInternalServerError)?
}

/// Reads the parts of a request that its context begins with: trace, method, client address.
fn head(
    gateway: &Gateway,
    route: &'static Route,
    settings: Arc<RouteSettings>,
    request: &ServiceRequest,
) -> RequestHead {
    let traceparent = request.headers().get("traceparent").and_then(|value: &HeaderValue| value.to_str().ok());
    let (trace, parent) = traceparent::read(traceparent, &gateway.env);
    let client = client(gateway, request.peer_addr().map(|peer| peer.ip()), request.headers());
    RequestHead { method: known_method(request.method()), route, settings, trace, parent, client }
}

/// The address of the client, behind the trusted proxies; 0.0.0.0 if the socket has none.
fn client(gateway: &Gateway, peer: Option<IpAddr>, headers: &HeaderMap) -> IpAddr {
    let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    client_address::address(peer, headers, &gateway.trust.load().proxies)
}

/// Metrics and logs count by method. A client can send any text as a method, so an unknown one
/// becomes `_OTHER`.
fn known_method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| method == *known).unwrap_or("_OTHER")
}

/// The chain itself: the filters in order, the handler, the filters in reverse order.
async fn run_filters(
    gateway: Arc<Gateway>,
    state: Arc<FilterState>,
    head: RequestHead,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let context = RequestContext::new(gateway, head);
    request.extensions_mut().insert(context.clone());
    let mut filters: Vec<Box<dyn Filter>> = FILTERS.iter().map(|(_, make)| make(&state)).collect();

    let outcome = on_request(&mut filters, &context, &mut request).await;
    let Answered { request, unread, response } = answer(outcome, request, next).await?;
    let response = on_response(&mut filters, &context, &request, response).await;
    let response = match unread {
        Some(unread) => response.map_body(|_, body| WithUnreadRequest { body, _unread: unread }.boxed()),
        None => response,
    };
    Ok(ServiceResponse::new(request, response))
}

/// How a request came through the filters.
enum ChainOutcome {
    /// Every filter has let it continue.
    Passed,
    /// A filter has responded instead of the handler.
    Stopped(HttpResponse),
    /// A filter has responded, and the handler's response goes to the function.
    Revalidating(HttpResponse, Box<dyn FnOnce(HttpResponse)>),
}

/// Runs the filters until one responds. Filters after that one have not seen the request, and are
/// removed.
async fn on_request(
    filters: &mut Vec<Box<dyn Filter>>,
    context: &RequestContext,
    request: &mut ServiceRequest,
) -> ChainOutcome {
    for at in 0..filters.len() {
        let outcome = match filters[at].on_request(context, request) {
            RequestAction::Continue => continue,
            RequestAction::Reject(problem) => ChainOutcome::Stopped(problem.error_response()),
            RequestAction::Respond(response) => ChainOutcome::Stopped(response),
            RequestAction::RespondAndRevalidate(response, then) => ChainOutcome::Revalidating(response, then),
            RequestAction::Await(result) => match result.await {
                Ok(None) => continue,
                Ok(Some(response)) => ChainOutcome::Stopped(response),
                Err(problem) => ChainOutcome::Stopped(problem.error_response()),
            },
        };
        context.outcome.stopped_by.set(Some(FILTERS[at].0));
        filters.truncate(at + 1);
        return outcome;
    }
    ChainOutcome::Passed
}

/// A request with its response, before the filters see the response.
struct Answered {
    /// The head of the request.
    request: HttpRequest,
    /// What was not read of the body of a request that a filter stopped.
    unread: Option<Payload>,
    /// The response of the handler or of the filter that stopped the request.
    response: HttpResponse,
}

/// Calls the handler, unless a filter has responded.
async fn answer(outcome: ChainOutcome, request: ServiceRequest, next: Next<BoxBody>) -> Result<Answered, Error> {
    let http_request = request.request().clone();
    let response = match outcome {
        ChainOutcome::Stopped(response) => {
            let (request, payload) = request.into_parts();
            return Ok(Answered { request, unread: Some(payload), response });
        }
        ChainOutcome::Revalidating(response, revalidated) => {
            actix_web::rt::spawn(async move {
                if let Ok(fresh) = handle(next.call(request)).await {
                    revalidated(fresh);
                }
            });
            response
        }
        ChainOutcome::Passed => handle(next.call(request)).await?,
    };
    Ok(Answered { request: http_request, unread: None, response })
}

/// Runs the response back through the filters that have seen the request.
async fn on_response(
    filters: &mut [Box<dyn Filter>],
    context: &RequestContext,
    request: &HttpRequest,
    mut response: HttpResponse,
) -> HttpResponse {
    for filter in filters.iter_mut().rev() {
        response = match filter.on_response(context, request, response) {
            ResponseAction::Continue(response) => response,
            ResponseAction::Await(response) => response.await,
        };
    }
    response
}

/// The handler's response. A panic of a handler is a bug: it fails this request alone, and the
/// filters still see the response.
async fn handle(handler: impl Future<Output = Result<ServiceResponse<BoxBody>, Error>>) -> Result<HttpResponse, Error> {
    match AssertUnwindSafe(handler).catch_unwind().await {
        // Only actix-web itself fails here, and never for a route of the table.
        Ok(response) => response.map(|response| response.into_parts().1),
        Err(_) => Ok(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong here that should not have. It is in the log.",
        )
        .error_response()),
    }
}

/// The body of a response to a request that was not read to its end.
///
/// While the request's payload is held, actix-web closes the connection after the response. If the
/// payload were dropped first, actix-web would wait for the rest of a chunked body, without a time
/// limit.
struct WithUnreadRequest {
    /// The body of the response.
    body: BoxBody,
    /// The unread rest of the request.
    _unread: Payload,
}

impl MessageBody for WithUnreadRequest {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[actix_web::test]
    async fn a_panic_of_a_handler_is_a_500_for_that_request_alone() {
        let panics = async { panic!("a planted bug") };
        let response = handle(panics).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let works = async { Ok(TestRequest::default().to_srv_response(HttpResponse::Created().finish())) };
        assert_eq!(handle(works).await.unwrap().status(), StatusCode::CREATED);
    }

    /// The order is part of what the gateway promises: a rejection costs no more than it must, and
    /// a response goes only to a caller that is authorized.
    #[test]
    fn the_filters_stand_in_this_order() {
        let names: Vec<_> = FILTERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            [
                "access_log",
                "headers",
                "problems",
                "cors",
                "in_flight",
                "allowed_hosts",
                "cross_site",
                "body",
                "admission",
                "disabled_routes",
                "authentication",
                "authorization",
                "rate_limit",
                "unexpected_input",
                "idempotency",
                "conditional",
                "cache"
            ]
        );
    }
}
