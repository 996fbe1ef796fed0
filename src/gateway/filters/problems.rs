//! Every refusal becomes a problem document that names the request and its trace; its cause goes to the log.

use super::{Duty, Leave};
use crate::gateway::{problem::Problem, visit::Visit};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::CONTENT_TYPE},
};

pub struct Problems;

/// The code of the problem that the answer is.
#[derive(Clone, Copy)]
pub struct ProblemCode(pub &'static str);

impl Duty for Problems {
    fn name(&self) -> &'static str {
        "problems"
    }

    fn leave<'a>(&'a self, visit: &'a Visit, request: &'a HttpRequest, answer: HttpResponse) -> Leave<'a> {
        Leave::With(render(visit, request.path(), answer))
    }
}

/// The answer with its problem written out, if it carries one; as it is otherwise.
pub fn render(visit: &Visit, path: &str, mut answer: HttpResponse) -> HttpResponse {
    let refused = answer.status().is_client_error() || answer.status().is_server_error();
    let problem = answer.extensions_mut().remove::<Problem>();
    let problem = match problem {
        Some(problem) => problem,
        None if refused && !answer.headers().contains_key(CONTENT_TYPE) => of_status(answer.status()),
        None => return answer,
    };
    visit.note(ProblemCode(problem.code()));
    if let Some(cause) = problem.cause() {
        log::warn!(trace = visit.trace.to_string().as_str(), route = visit.route.path; "{}: {cause}", problem.code());
    }
    let mut rendered = problem.render(path, &visit.trace.to_string());
    // What the duties within have said about it (rate limits, cookies) still holds.
    for (name, value) in answer.headers() {
        rendered.headers_mut().append(name.clone(), value.clone());
    }
    rendered
}

/// An answer of actix-web's own that says no more than its status.
fn of_status(status: StatusCode) -> Problem {
    Problem::new(status, "refused", status.canonical_reason().unwrap_or("The request was refused"))
}
