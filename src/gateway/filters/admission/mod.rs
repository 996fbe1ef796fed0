//! Admits as many requests of a class at one time as the shop answers in time. Further requests get 503 with `Retry-After`.
//!
//! Three bounds on concurrency lie here: [`concurrency_limit`] bounds the requests that are worked on,
//! [`body_reads`] the bodies that are awaited, [`open_streams`] the streams that stay open.

pub mod body_reads;
pub mod concurrency_limit;
pub mod open_streams;

use super::{
    filter::{Filter, RequestAction, ResponseAction},
    rate_limit::policy::Class,
};
use crate::gateway::{context::RequestContext, respond::Problem};
use actix_web::{HttpRequest, HttpResponse, dev::ServiceRequest, http::StatusCode};
use concurrency_limit::{ConcurrencyLimit, Permit};
use std::sync::Arc;

pub struct Admission {
    limit: Arc<ConcurrencyLimit>,
    permit: Option<Permit>,
}

impl Admission {
    pub fn new(limit: &Arc<ConcurrencyLimit>) -> Self {
        Self { limit: limit.clone(), permit: None }
    }
}

impl Filter for Admission {
    /// The chain runs this after the body has been read, so that a client that sends slowly holds no permit meanwhile.
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, _: &'a mut ServiceRequest) -> RequestAction<'a> {
        let class = context.route.class;
        self.permit = self.limit.acquire(class);
        match self.permit.is_some() || class == Class::Free {
            true => RequestAction::Continue,
            false => RequestAction::Reject(overloaded(context)),
        }
    }

    fn on_response<'a>(
        &'a mut self,
        _: &'a RequestContext,
        _: &'a HttpRequest,
        response: HttpResponse,
    ) -> ResponseAction<'a> {
        if let Some(permit) = self.permit.take() {
            let code = response.extensions().get::<Problem>().map_or("", Problem::code);
            if let Some(in_time) = in_time(response.status(), code) {
                permit.release(in_time);
            }
        }
        ResponseAction::Continue(response)
    }
}

/// Whether the shop had the capacity for this request; `None` if the response does not tell. A rejection
/// is quick, also the one of a disabled route or of a service that is down: it says nothing about how
/// long the work takes.
fn in_time(status: StatusCode, code: &str) -> Option<bool> {
    match (status, code) {
        (StatusCode::GATEWAY_TIMEOUT, _) | (_, "overloaded") => Some(false),
        _ => (status.is_success() || status.is_redirection()).then_some(true),
    }
}

/// The problem of a request that a bound rejects.
pub fn overloaded(context: &RequestContext) -> Problem {
    // A random time, so that the rejected clients do not all come back together.
    let seconds = context.gateway.env.below(1..4);
    Problem::unavailable("overloaded", "There are too many requests at the moment. Try again shortly.", seconds)
        .of_type("https://iana.org/assignments/http-problem-types#temporary-reduced-capacity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_rejections_only_those_for_lack_of_capacity_count_as_late() {
        let saw = |status: u16, code| in_time(StatusCode::from_u16(status).unwrap(), code);
        assert_eq!((saw(200, ""), saw(201, ""), saw(304, "")), (Some(true), Some(true), Some(true)));
        assert_eq!((saw(503, "overloaded"), saw(504, "timed_out")), (Some(false), Some(false)));
        for (status, code) in
            [(503, "closed"), (503, "unavailable"), (503, "busy"), (429, "too_many_requests"), (404, "")]
        {
            assert_eq!(saw(status, code), None, "{status} {code}");
        }
    }
}
