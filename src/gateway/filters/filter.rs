//! What a filter is: one thing that the gateway does for every request.

use crate::gateway::{context::RequestContext, respond::Problem};
use actix_web::{HttpRequest, HttpResponse, dev::ServiceRequest};
use futures_util::future::LocalBoxFuture;

/// One concern of the gateway, as a stage of the filter chain.
///
/// The chain makes a new filter of each kind for every request. So the fields of a filter are what it
/// remembers between the request and its response, and they are dropped with the request. What a filter
/// keeps from one request to the next, it holds as an `Arc` that the chain gives to it.
pub trait Filter {
    /// Called before the handler. A response that it gives passes only through the filters before this one.
    fn on_request<'a>(
        &'a mut self,
        _context: &'a RequestContext,
        _request: &'a mut ServiceRequest,
    ) -> RequestAction<'a> {
        RequestAction::Continue
    }

    /// Called after the handler, or after a later filter has responded instead of it.
    fn on_response<'a>(
        &'a mut self,
        _context: &'a RequestContext,
        _request: &'a HttpRequest,
        response: HttpResponse,
    ) -> ResponseAction<'a> {
        ResponseAction::Continue(response)
    }
}

/// How a request goes on. Most filters need not await anything, and then cost no allocation.
pub enum RequestAction<'a> {
    /// To the next filter.
    Continue,
    /// Not at all: the response is this problem.
    Reject(Problem),
    /// Not at all: this is the response.
    Respond(HttpResponse),
    /// This is the response, and the handler runs all the same. Its response goes to the function alone.
    RespondAndRevalidate(HttpResponse, Box<dyn FnOnce(HttpResponse)>),
    /// As the future says: `None` to the next filter, else with that response or problem.
    Await(LocalBoxFuture<'a, Result<Option<HttpResponse>, Problem>>),
}

/// How a response goes on: to the filter before this one.
pub enum ResponseAction<'a> {
    Continue(HttpResponse),
    Await(LocalBoxFuture<'a, HttpResponse>),
}
