//! One log line and one span for each request.

use super::{Duty, Leave, cache::CACHE_STATUS, problems::ProblemCode};
use crate::{
    gateway::{
        Gateway, Route,
        api::composed::COMPLETED,
        visit::{Parts, Visit},
    },
    telemetry::{ActiveSpan, SpanKind, SpanStatus, logs::Access},
    types::{SpanId, TraceId},
};
use actix_web::{HttpRequest, HttpResponse, http::Method};
use std::net::IpAddr;

pub struct AccessLog;

/// Begins the request's span, as soon as there is a trace that it belongs to.
pub fn span(
    gateway: &Gateway,
    trace: TraceId,
    parent: Option<SpanId>,
    method: &'static str,
    route: &'static Route,
    client: IpAddr,
) -> ActiveSpan {
    gateway.mesh.tracer().open(trace, parent, || SpanKind::Request {
        method,
        route: route.path,
        status: 0,
        client,
        user_id: None,
        cache: None,
        degraded: false,
    })
}

/// A method that no route has could be anything, and as long.
pub fn known_method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| method == *known).unwrap_or("_OTHER")
}

impl Duty for AccessLog {
    fn name(&self) -> &'static str {
        "access log"
    }

    fn leave<'a>(&'a self, visit: &'a Visit, _: &'a HttpRequest, answer: HttpResponse) -> Leave<'a> {
        let problem = visit.noted::<ProblemCode>().map(|ProblemCode(code)| code);
        end_span(visit, &answer, problem);
        let cache = cache_status(&answer).unwrap_or_default();
        write(visit, answer.status().as_u16(), cache, problem.unwrap_or_default());
        Leave::With(answer)
    }
}

/// The line of a request whose client did not wait for its answer, with nginx' status for that.
pub fn hung_up(visit: &Parts) {
    if !visit.is_logged.get() {
        write(visit, 499, "", "hung_up");
    }
}

fn write(visit: &Parts, status: u16, cache: &str, problem: &str) {
    visit.is_logged.set(true);
    if log::log_enabled!(target: "access", log::Level::Info) {
        Access {
            method: visit.method,
            route: visit.route.path,
            status,
            duration: visit.begun.elapsed(),
            trace: visit.trace,
            client: visit.client,
            user: visit.principal.get().user_id(),
            cache,
            problem,
        }
        .write();
    }
}

fn end_span(visit: &Visit, answer: &HttpResponse, problem: Option<&'static str>) {
    let Some(mut span) = visit.span.take() else { return };
    span.tell(|what| {
        if let SpanKind::Request { status, user_id, cache, degraded, .. } = what {
            *status = answer.status().as_u16();
            *user_id = visit.principal.get().user_id();
            *cache = cache_status(answer).map(Into::into);
            *degraded = answer.headers().get(COMPLETED).is_some_and(|it| it == "false");
        }
    });
    span.end(|| match problem {
        None => SpanStatus::OK,
        Some(code) if answer.status().is_server_error() => SpanStatus::new("failed", code),
        Some(code) => SpanStatus::new("refused", code),
    });
}

fn cache_status(answer: &HttpResponse) -> Option<&str> {
    answer.headers().get(CACHE_STATUS)?.to_str().ok()
}
