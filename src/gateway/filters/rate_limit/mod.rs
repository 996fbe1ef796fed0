//! Rejects requests of a client above the rate of their class.
//!
//! Responses say how many requests are left, in the fields of draft-ietf-httpapi-ratelimit-headers.
//!
//! ## Decisions
//!
//! - **GCRA instead of a fixed window.** A fixed window admits twice the rate around its boundary.
//!   GCRA (the generic cell rate algorithm, a token bucket kept as one time) admits a burst and
//!   then an even rate. Consequence: one number for each client, and an exact `Retry-After`.
//! - **`governor` for the algorithm, buckets of our own for the state.** The stores of `governor`
//!   grow with each new client until they are swept. Consequence: [`buckets`] is bounded, and an
//!   attacker with many addresses cannot use up the memory.
//! - **A signed-in user is counted by account, any other client by network.** Consequence: users
//!   behind one address do not share a bucket. Sign-ins are counted by network, because one client
//!   can try many accounts.
//! - **Counts are in memory.** Consequence: a restart gives each client a full bucket.

pub mod buckets;
pub mod limiter;
pub mod policy;

use super::filter::{Filter, RequestAction, ResponseAction};
use crate::gateway::{context::RequestContext, respond::Problem, routing::Access};
use actix_web::{
    HttpRequest, HttpResponse,
    dev::ServiceRequest,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
};
use buckets::Client;
use limiter::{RateDecision, RateLimiter};
use policy::Class;
use std::sync::Arc;

/// Takes one request out of the caller's bucket: 429 `too_many_requests` with `Retry-After` if it
/// is empty (RFC 6585 §4).
pub struct RateLimit {
    limiter: Arc<RateLimiter>,
    decision: Option<RateDecision>,
}

impl RateLimit {
    /// `limiter` is shared by all workers.
    pub fn new(limiter: &Arc<RateLimiter>) -> Self {
        Self { limiter: limiter.clone(), decision: None }
    }
}

impl Filter for RateLimit {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, _: &'a mut ServiceRequest) -> RequestAction<'a> {
        self.decision = decide(&self.limiter, context, context.route.class);
        match self.decision.map_or(Ok(()), admitted) {
            Ok(()) => RequestAction::Continue,
            Err(problem) => RequestAction::Reject(problem),
        }
    }

    fn on_response<'a>(
        &'a mut self,
        _: &'a RequestContext,
        _: &'a HttpRequest,
        mut response: HttpResponse,
    ) -> ResponseAction<'a> {
        if let Some(decision) = self.decision {
            add_fields(decision, &mut response);
        }
        ResponseAction::Continue(response)
    }
}

/// Counts a request whose token is not valid. `Err` is 429, for a client that has sent too many of
/// them.
pub fn count_bad_token(limiter: &RateLimiter, context: &RequestContext) -> Result<(), Problem> {
    decide(limiter, context, Class::BadToken).map_or(Ok(()), admitted)
}

/// Takes one request out of the caller's bucket.
fn decide(limiter: &RateLimiter, context: &RequestContext, class: Class) -> Option<RateDecision> {
    let client = match context.principal.get().user_id() {
        // One client can try a thousand accounts to sign in: its network counts, not the account.
        Some(user) if class != Class::SignIn || context.route.access != Access::Public => Client::User(user),
        _ => Client::Address(context.network()),
    };
    limiter.take(class, client)
}

fn admitted(decision: RateDecision) -> Result<(), Problem> {
    let RateDecision { is_admitted, class, more_in, .. } = decision;
    if is_admitted {
        return Ok(());
    }
    Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", class.message())
        .of_type("https://iana.org/assignments/http-problem-types#quota-exceeded")
        .with("violated-policies", [class.name()])
        .with_header("Retry-After", more_in.to_string()))
}

/// Adds `RateLimit-Policy` (`q`: burst, `w`: window in seconds) and `RateLimit` (`r`: requests
/// left, `t`: seconds until there is one more).
fn add_fields(decision: RateDecision, response: &mut HttpResponse) {
    let RateDecision { class, rate, remaining, more_in, .. } = decision;
    let name = class.name();
    let fields = [
        ("ratelimit-policy", format!("\"{name}\";q={};w={}", rate.burst(), rate.window_seconds())),
        ("ratelimit", format!("\"{name}\";r={remaining};t={more_in}")),
    ];
    for (field, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(field), value);
        }
    }
}
