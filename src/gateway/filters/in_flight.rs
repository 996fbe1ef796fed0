//! Bounds the requests that are in the gateway at one time, and refuses new ones while it drains.
//!
//! This counts every request, also one that waits for its body. How many are worked on at one time is
//! bounded later, by `admission`.

use super::filter::{Filter, RequestAction};
use crate::gateway::{
    context::RequestContext,
    filters::{admission::overloaded, rate_limit::policy::Class},
    respond::Problem,
};
use actix_web::{
    dev::ServiceRequest,
    http::{StatusCode, Uri},
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

pub struct InFlight {
    requests: Arc<RequestsInFlight>,
    counted: Option<CountedRequest>,
}

/// How many requests can be in the gateway at one time. A further one gets 503 with `Retry-After`.
const MOST_IN_FLIGHT: usize = 2048;
/// The longest URL, in bytes.
const MOST_URL: usize = 4 * 1024;

/// The number of requests in the gateway.
#[derive(Default)]
pub struct RequestsInFlight(AtomicUsize);

/// One request in the count, until this is dropped.
struct CountedRequest(Arc<RequestsInFlight>);

impl RequestsInFlight {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// `None` if there are too many.
    fn add(self: &Arc<Self>) -> Option<CountedRequest> {
        let counted = CountedRequest(self.clone());
        (self.0.fetch_add(1, Ordering::AcqRel) < MOST_IN_FLIGHT).then_some(counted)
    }
}

impl Drop for CountedRequest {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl InFlight {
    pub fn new(requests: &Arc<RequestsInFlight>) -> Self {
        Self { requests: requests.clone(), counted: None }
    }

    fn count(&mut self, context: &RequestContext) -> Result<(), Problem> {
        // Probes always get an answer: they are sent when something is wrong.
        if context.route.class == Class::Free {
            return Ok(());
        }
        if context.gateway.is_draining() {
            let detail = "The shop is closing. Try again in a moment.";
            return Err(Problem::unavailable("shutting_down", detail, 5).and_hang_up());
        }
        self.counted = Some(self.requests.add().ok_or_else(|| overloaded(context))?);
        Ok(())
    }
}

impl Filter for InFlight {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, request: &'a mut ServiceRequest) -> RequestAction<'a> {
        match self.count(context).and_then(|()| short_enough(request.uri())) {
            Ok(()) => RequestAction::Continue,
            Err(problem) => RequestAction::Reject(problem),
        }
    }
}

fn short_enough(uri: &Uri) -> Result<(), Problem> {
    let detail = "The address is longer than any that this shop has.";
    let too_long = || Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long", detail);
    if length(uri) <= MOST_URL { Ok(()) } else { Err(too_long()) }
}

/// The length of the request target as the client sent it, in bytes.
fn length(uri: &Uri) -> usize {
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    authority + uri.path_and_query().map_or(0, |rest| rest.as_str().len())
}
