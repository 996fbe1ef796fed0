//! Bounds the requests that are in the gateway at one time, and refuses new ones while it drains.
//!
//! This filter counts every request, also one whose body has not arrived. The requests that are
//! worked on at one time are bounded later, by `admission`.

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

/// Counts the request until its end. Rejects with 503 `overloaded` or `shutting_down`, and a URL
/// that is too long with 414 `uri_too_long`. Probes are not counted.
pub struct InFlight {
    requests: Arc<RequestsInFlight>,
    counted: Option<CountedRequest>,
}

/// How many requests can be in the gateway at one time. Further requests get 503 with
/// `Retry-After`.
const MOST_IN_FLIGHT: usize = 2048;
/// The longest URL, in bytes.
const MOST_URL: usize = 4 * 1024;

/// The number of requests in the gateway.
#[derive(Default)]
pub struct RequestsInFlight(AtomicUsize);

/// One request in the count, until this is dropped.
struct CountedRequest(Arc<RequestsInFlight>);

impl RequestsInFlight {
    /// How many requests are in the gateway now.
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
    /// `requests` is the count of all workers.
    pub fn new(requests: &Arc<RequestsInFlight>) -> Self {
        Self { requests: requests.clone(), counted: None }
    }

    fn count(&mut self, context: &RequestContext) -> Result<(), Problem> {
        // Probes always get an answer: an operator needs them most when something is wrong.
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
    let detail = "The URL is too long.";
    let too_long = || Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long", detail);
    if length(uri) <= MOST_URL { Ok(()) } else { Err(too_long()) }
}

/// The length of the request target as the client sent it, in bytes.
fn length(uri: &Uri) -> usize {
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    authority + uri.path_and_query().map_or(0, |rest| rest.as_str().len())
}
