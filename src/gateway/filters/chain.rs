//! The duties of the door, each in one file, in one order.

pub mod access_log;
pub mod authentication;
pub mod authorization;
pub mod cache;
pub mod closed;
pub mod conditional;
pub mod cors;
pub mod headers;
pub mod idempotency;
pub mod limits;
pub mod problems;
pub mod throttling;
pub mod unasked;

use super::{Gateway, Route, client, controls::RouteSettings, problem::Problem, visit::Visit};
use crate::telemetry::traceparent;
use actix_web::{
    Error, HttpMessage, HttpResponse, ResponseError,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{StatusCode, header::HeaderValue},
    middleware::Next,
    web::Bytes,
};
use futures_util::{FutureExt, future::LocalBoxFuture};
use std::{
    net::IpAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// From the outside in. A request meets them in this order, its answer in the reverse: so an answer that a duty gives
/// (a refusal, a kept answer) is still logged, rendered and headed by those before it.
#[rustfmt::skip]
pub const DUTIES: &[&dyn Duty] = &[
    &access_log::AccessLog,         // around everything: one line a request
    &headers::Headers,              // every answer names its trace and is locked down
    &problems::Problems,            // every refusal becomes a problem document
    &cors::Cors,                    // pages of other sites, where they may
    &limits::Limits,                // not too many, too large, too slow; the right host and site
    &closed::Closed,                // unless an operator has closed the route
    &authentication::Authentication,// who is it
    &authorization::Authorization,  // may they call this
    &throttling::Throttling,        // not too often
    &unasked::Unasked,              // no query and no body that nobody looks at
    &idempotency::Idempotency,      // the same key, the same answer
    &conditional::Conditional,      // what the client has already is not sent again
    &cache::Cache,                  // what was answered before is answered again
];

/// One thing that the door does for every request.
pub trait Duty: Sync {
    fn name(&self) -> &'static str;

    /// On the way in. What it answers in the handler's stead goes out through the duties before it.
    fn enter<'a>(&'a self, _visit: &'a Visit, _request: &'a mut ServiceRequest) -> Step<'a> {
        Step::On
    }

    /// On the way out.
    fn leave<'a>(&'a self, _visit: &'a Visit, _request: &'a actix_web::HttpRequest, answer: HttpResponse) -> Leave<'a> {
        Leave::With(answer)
    }
}

/// Most duties need not wait for anybody, and then cost no allocation.
pub enum Step<'a> {
    On,
    Stop(Problem),
    Answer(HttpResponse),
    /// The answer for now, while the handler is asked for a new one that goes to the cache.
    AnswerAndGoOn(HttpResponse),
    Wait(LocalBoxFuture<'a, Result<Option<HttpResponse>, Problem>>),
}

pub enum Leave<'a> {
    With(HttpResponse),
    Wait(LocalBoxFuture<'a, HttpResponse>),
}

/// Takes a request through the duties to its handler, and the answer back.
///
/// Of a client that hangs up actix-web drops the future, wherever it stands. For who only reads that is right: nobody wants the
/// answer. What may change something goes through to its end in a task of its own, so that no write is left half awaited and
/// the next who sends the same `Idempotency-Key` finds the answer of this one.
pub async fn pass(
    gateway: Arc<Gateway>,
    route: &'static Route,
    settings: Arc<RouteSettings>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method().is_safe() {
        return go_through(gateway, route, settings, request, next).await;
    }
    let task = actix_web::rt::spawn(go_through(gateway, route, settings, request, next));
    task.await.map_err(actix_web::error::ErrorInternalServerError)?
}

async fn go_through(
    gateway: Arc<Gateway>,
    route: &'static Route,
    settings: Arc<RouteSettings>,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let traceparent = request.headers().get("traceparent").and_then(|value: &HeaderValue| value.to_str().ok());
    let (trace, parent) = traceparent::read(traceparent, &gateway.env);
    let peer = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
    let client = client::address(peer, request.headers(), &gateway.trust.load().proxies);
    let method = access_log::known_method(request.method());
    let span = access_log::span(&gateway, trace, parent, method, route, client);
    let visit = Visit::new(gateway, method, route, settings, trace, span, client);
    request.extensions_mut().insert(visit.clone());

    let (entered, outcome) = enter(&visit, &mut request).await;
    let (http_request, unread, mut answer) = match outcome {
        Outcome::Stopped(answer) => {
            let (http_request, payload) = request.into_parts();
            (http_request, Some(payload), answer)
        }
        Outcome::Meanwhile(answer) => {
            let (http_request, visit, fill) = (request.request().clone(), visit.clone(), visit.take_note());
            actix_web::rt::spawn(async move {
                if let Ok(fresh) = handled(next.call(request)).await {
                    cache::keep(&visit, fill, fresh);
                }
            });
            (http_request, None, answer)
        }
        Outcome::Through => {
            let http_request = request.request().clone();
            (http_request, None, handled(next.call(request)).await?)
        }
    };
    for duty in DUTIES[..entered].iter().rev() {
        answer = match duty.leave(&visit, &http_request, answer) {
            Leave::With(answer) => answer,
            Leave::Wait(answer) => answer.await,
        };
    }
    if let Some(unread) = unread {
        answer = answer.map_body(|_, body| LastWord { body, _unread: unread }.boxed());
    }
    Ok(ServiceResponse::new(http_request, answer))
}

/// The handler's answer. If it panics, that is a bug, and this request alone pays for it: what it claimed is still given back.
async fn handled(
    handler: impl Future<Output = Result<ServiceResponse<BoxBody>, Error>>,
) -> Result<HttpResponse, Error> {
    match AssertUnwindSafe(handler).catch_unwind().await {
        // Only actix-web itself fails here, and never for a route of ours.
        Ok(answered) => answered.map(|response| response.into_parts().1),
        Err(_) => Ok(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong here that should not have. It is in the log.",
        )
        .error_response()),
    }
}

/// The body of a refusal, with what was not read of the request. While that is held, actix-web knows that it was not read and hangs
/// up after the answer; once it is let go, actix-web waits for the rest of a chunked body, as long as the client likes.
struct LastWord {
    body: BoxBody,
    _unread: Payload,
}

impl MessageBody for LastWord {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

/// How a request came through the duties.
enum Outcome {
    /// To its handler.
    Through,
    /// One of them has answered in the handler's stead,
    Stopped(HttpResponse),
    /// and has the handler asked all the same.
    Meanwhile(HttpResponse),
}

/// How many duties were entered, and how it ended.
async fn enter(visit: &Visit, request: &mut ServiceRequest) -> (usize, Outcome) {
    for (at, duty) in DUTIES.iter().enumerate() {
        let outcome = match duty.enter(visit, request) {
            Step::On => continue,
            Step::Stop(problem) => Outcome::Stopped(problem.error_response()),
            Step::Answer(answer) => Outcome::Stopped(answer),
            Step::AnswerAndGoOn(answer) => Outcome::Meanwhile(answer),
            Step::Wait(step) => match step.await {
                Ok(None) => continue,
                Ok(Some(answer)) => Outcome::Stopped(answer),
                Err(problem) => Outcome::Stopped(problem.error_response()),
            },
        };
        return (at + 1, outcome);
    }
    (DUTIES.len(), Outcome::Through)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[actix_web::test]
    async fn a_handler_that_panics_is_a_plain_500_for_its_caller_alone() {
        let panics = async { panic!("a planted bug") };
        let answer = handled(panics).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let works = async { Ok(TestRequest::default().to_srv_response(HttpResponse::Created().finish())) };
        assert_eq!(handled(works).await.unwrap().status(), StatusCode::CREATED);
    }

    /// The order is part of what the door promises: a refusal costs no more than it must, and nothing is answered to
    /// somebody who may not have it.
    #[test]
    fn the_duties_stand_in_this_order() {
        let names: Vec<_> = DUTIES.iter().map(|duty| duty.name()).collect();
        assert_eq!(
            names,
            [
                "access log",
                "headers",
                "problems",
                "cors",
                "limits",
                "closed",
                "authentication",
                "authorization",
                "throttling",
                "unasked",
                "idempotency",
                "conditional",
                "cache"
            ]
        );
    }
}
