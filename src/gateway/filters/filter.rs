//! What a filter is: one thing that the gateway does for every request.
#![deny(missing_docs, clippy::missing_docs_in_private_items)]

use crate::gateway::{context::RequestContext, respond::Problem};
use actix_web::{HttpRequest, HttpResponse, dev::ServiceRequest};
use futures_util::future::LocalBoxFuture;

/// One concern of the gateway, as a stage of the filter chain (Envoy: HTTP filter, Pingora: the
/// phases of `ProxyHttp`).
///
/// The chain makes a new filter of each kind for every request. The fields of a filter are
/// therefore what it remembers between the request and its response, and they are dropped with the
/// request: also when the client disconnects before the response. What a filter keeps from one
/// request to the next is an `Arc` that the chain gives to it ([`super::chain::FilterState`]).
///
/// Both methods have a default that does nothing. A filter overrides one of them, or both.
pub trait Filter {
    /// Runs once for each request, before the handler.
    ///
    /// Before: every earlier filter of the list has returned [`RequestAction::Continue`] (or an
    /// `Await` that ended with `None`). The route is known, and `context` holds what those filters
    /// have set. Not yet: no later filter has seen the request, and no service was called by the
    /// handler.
    ///
    /// The returned action decides how the request goes on. If it holds a response, no later filter
    /// and no handler runs, and the response passes through [`Self::on_response`] of this filter
    /// and of the earlier ones.
    fn on_request<'a>(
        &'a mut self,
        _context: &'a RequestContext,
        _request: &'a mut ServiceRequest,
    ) -> RequestAction<'a> {
        RequestAction::Continue
    }

    /// Runs at most once, after [`Self::on_request`] of the same filter.
    ///
    /// Before: the handler or a filter has given the response, and every later filter that had seen
    /// the request has changed it or left it as it is. Not yet: no earlier filter has seen the
    /// response, and nothing was sent to the client. A problem is not yet written as a document: it
    /// is an extension of the response until the filter `problems` renders it.
    ///
    /// Does not run if the client disconnects first. A filter that must notice this does so in the
    /// `Drop` of one of its fields.
    fn on_response<'a>(
        &'a mut self,
        _context: &'a RequestContext,
        _request: &'a HttpRequest,
        response: HttpResponse,
    ) -> ResponseAction<'a> {
        ResponseAction::Continue(response)
    }
}

/// How a request goes on. A filter that awaits nothing needs no allocation.
pub enum RequestAction<'a> {
    /// The next filter gets the request; after the last filter, the handler.
    Continue,
    /// The response is this problem (RFC 9457). Later filters and the handler do not run.
    Reject(Problem),
    /// The response is this one. Later filters and the handler do not run.
    Respond(HttpResponse),
    /// The client gets this response now. The handler runs in a task of its own, and its response
    /// goes to the function alone (`stale-while-revalidate`, RFC 5861 §3).
    RespondAndRevalidate(HttpResponse, Box<dyn FnOnce(HttpResponse)>),
    /// The future decides: `Ok(None)` is `Continue`, `Ok(Some(response))` is `Respond`, and `Err`
    /// is `Reject`. The chain sets no time limit; the filter does.
    Await(LocalBoxFuture<'a, Result<Option<HttpResponse>, Problem>>),
}

/// How a response goes on. A response always goes on: to the filter before this one, and after the
/// first filter to the client.
pub enum ResponseAction<'a> {
    /// With this response.
    Continue(HttpResponse),
    /// With the response that the future gives. The chain sets no time limit; the filter does.
    Await(LocalBoxFuture<'a, HttpResponse>),
}
