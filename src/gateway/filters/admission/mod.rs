//! Admits as many requests of a class at one time as the shop answers in time. Further requests get
//! 503 with `Retry-After`.
//!
//! Three bounds on concurrency are here: [`concurrency_limit`] bounds the requests that are worked
//! on, [`body_reads`] the bodies that are awaited, [`open_streams`] the streams that stay open.
//!
//! ## Decisions
//!
//! - **The limit is measured, not configured.** A fixed limit is wrong on every machine but one.
//!   Consequence: the limit follows the time that responses take, and an operator sets that time,
//!   not a number of requests.
//! - **Each class has its own limit** (bulkhead). Consequence: a burst of page views leaves permits
//!   for checkout.
//! - **Reject early, do not queue.** A queue makes every response late, and clients give up while
//!   their request still waits. Consequence: 503 with a random `Retry-After`, at little cost.
//! - **The permit is taken after the body.** Consequence: a slow sender never holds a permit; the
//!   bodies that are awaited have a bound of their own.

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

/// Takes a permit of the route's class, and releases it with the response; 503 `overloaded` if
/// there is none. Probes need no permit.
pub struct Admission {
    limit: Arc<ConcurrencyLimit>,
    permit: Option<Permit>,
}

impl Admission {
    /// `limit` is shared by all workers.
    pub fn new(limit: &Arc<ConcurrencyLimit>) -> Self {
        Self { limit: limit.clone(), permit: None }
    }
}

impl Filter for Admission {
    /// The chain runs this after the whole body has arrived. A slow sender therefore never holds a
    /// permit.
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

/// Whether the shop had the capacity for this request. `None` if the response does not say: a
/// rejection is quick, also if a route is disabled or a service is down, and does not show how long
/// the work takes.
fn in_time(status: StatusCode, code: &str) -> Option<bool> {
    match (status, code) {
        (StatusCode::GATEWAY_TIMEOUT, _) | (_, "overloaded") => Some(false),
        _ => (status.is_success() || status.is_redirection()).then_some(true),
    }
}

/// The problem of a request that a bound on concurrency rejects: 503 `overloaded`, `Retry-After` 1
/// to 3 seconds.
pub fn overloaded(context: &RequestContext) -> Problem {
    // A random time, so that the rejected clients do not all try again together.
    let seconds = context.gateway.env.below(1..4);
    Problem::unavailable("overloaded", "There are too many requests at the moment. Try again shortly.", seconds)
        .of_type("https://iana.org/assignments/http-problem-types#temporary-reduced-capacity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rejections_for_lack_of_capacity_count_as_late() {
        let counted = |status: u16, code| in_time(StatusCode::from_u16(status).unwrap(), code);
        assert_eq!((counted(200, ""), counted(201, ""), counted(304, "")), (Some(true), Some(true), Some(true)));
        assert_eq!((counted(503, "overloaded"), counted(504, "timed_out")), (Some(false), Some(false)));
        for (status, code) in
            [(503, "closed"), (503, "unavailable"), (503, "busy"), (429, "too_many_requests"), (404, "")]
        {
            assert_eq!(counted(status, code), None, "{status} {code}");
        }
    }
}
