//! Rejects a query or a body that the route does not read: the client expects it to have an effect.

use super::filter::{Filter, RequestAction};
use crate::gateway::{
    context::RequestContext,
    extract::{body::must_be_empty, query::must_be_absent},
};
use actix_web::dev::ServiceRequest;

/// Rejects a query with 400 `bad_query` and a body with 422 or 415, where the handler reads none.
/// An empty JSON object counts as no body.
pub struct UnexpectedInput;

impl Filter for UnexpectedInput {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, request: &'a mut ServiceRequest) -> RequestAction<'a> {
        let accepts = (context.route.handler.accepts)();
        let query = if accepts.query { Ok(()) } else { must_be_absent(request.uri()) };
        let body = || match accepts.body {
            true => Ok(()),
            false => must_be_empty(request.headers(), &context.body.borrow()),
        };
        match query.and_then(|()| body()) {
            Ok(()) => RequestAction::Continue,
            Err(problem) => RequestAction::Reject(problem),
        }
    }
}
