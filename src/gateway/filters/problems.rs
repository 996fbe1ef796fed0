//! Writes problem documents (RFC 9457), with the request's path and trace. The cause of a problem
//! goes to the log, and never to the client.

use super::filter::{Filter, ResponseAction};
use crate::gateway::{context::RequestContext, respond::Problem};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::CONTENT_TYPE},
};

/// Renders the [`Problem`] that a response carries as an extension.
pub struct Problems;

impl Filter for Problems {
    fn on_response<'a>(
        &'a mut self,
        context: &'a RequestContext,
        request: &'a HttpRequest,
        response: HttpResponse,
    ) -> ResponseAction<'a> {
        ResponseAction::Continue(render(context, request.path(), response))
    }
}

/// The response with its problem as the body, if it carries one; otherwise the response unchanged.
/// An error of actix-web, which has a status and no body, gets a problem made from its status.
pub fn render(context: &RequestContext, path: &str, mut response: HttpResponse) -> HttpResponse {
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    let problem = response.extensions_mut().remove::<Problem>();
    let problem = match problem {
        Some(problem) => problem,
        None if is_error && !response.headers().contains_key(CONTENT_TYPE) => of_status(response.status()),
        None => return response,
    };
    context.outcome.problem.set(Some(problem.code()));
    if let Some(cause) = problem.cause() {
        log::warn!(trace = context.trace.to_string().as_str(), route = context.route.path; "{}: {cause}", problem.code());
    }
    let mut rendered = problem.render(path, &context.trace.to_string());
    // Fields that later filters have set (rate limits, cookies) are kept.
    for (name, value) in response.headers() {
        rendered.headers_mut().append(name.clone(), value.clone());
    }
    rendered
}

/// The problem for an error of actix-web itself, which has only a status.
fn of_status(status: StatusCode) -> Problem {
    Problem::new(status, "refused", status.canonical_reason().unwrap_or("The request was refused"))
}
