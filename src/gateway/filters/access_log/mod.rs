//! Writes one log line and one span for each request.

mod line;

use super::filter::{Filter, RequestAction, ResponseAction};
use crate::{
    gateway::context::{Completeness, RequestContext},
    telemetry::{ActiveSpan, SpanKind, SpanStatus},
};
use actix_web::{HttpRequest, HttpResponse, dev::ServiceRequest};
use line::AccessLine;

/// Opens the request's span, and closes it with the response; then it writes the log line.
#[derive(Default)]
pub struct AccessLog(Option<PendingEntry>);

/// The entry of a request that has no response yet.
///
/// When a client disconnects, actix-web drops the request's future, and this entry with it. Its
/// `Drop` then writes the line, with status 499, which nginx uses for this case.
struct PendingEntry {
    context: RequestContext,
    span: ActiveSpan,
    is_written: bool,
}

impl Filter for AccessLog {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, _: &'a mut ServiceRequest) -> RequestAction<'a> {
        let span = open_span(context);
        context.span_id.set(span.id());
        self.0 = Some(PendingEntry { context: context.clone(), span, is_written: false });
        RequestAction::Continue
    }

    fn on_response<'a>(
        &'a mut self,
        _: &'a RequestContext,
        _: &'a HttpRequest,
        response: HttpResponse,
    ) -> ResponseAction<'a> {
        if let Some(entry) = self.0.take() {
            entry.finish(&response);
        }
        ResponseAction::Continue(response)
    }
}

fn open_span(context: &RequestContext) -> ActiveSpan {
    context.gateway.mesh.tracer().open(context.trace, context.parent, || SpanKind::Request {
        method: context.method,
        route: context.route.path,
        status: 0,
        client: context.client,
        user_id: None,
        cache: None,
        stopped_by: None,
        degraded: false,
    })
}

impl PendingEntry {
    fn finish(mut self, response: &HttpResponse) {
        let outcome = &self.context.outcome;
        let problem = outcome.problem.get();
        self.span.update(|kind| {
            if let SpanKind::Request { status, user_id, cache, stopped_by, degraded, .. } = kind {
                *status = response.status().as_u16();
                *user_id = self.context.principal.get().user_id();
                *cache = outcome.cache.get();
                *stopped_by = outcome.stopped_by.get();
                *degraded = outcome.completeness.get() == Some(Completeness::Degraded);
            }
        });
        std::mem::replace(&mut self.span, ActiveSpan::none()).end(|| match problem {
            None => SpanStatus::OK,
            Some(code) if response.status().is_server_error() => SpanStatus::new("failed", code),
            Some(code) => SpanStatus::new("refused", code),
        });
        self.write(response.status().as_u16(), problem.unwrap_or_default());
    }

    fn write(&mut self, status: u16, problem: &str) {
        self.is_written = true;
        if log::log_enabled!(target: "access", log::Level::Info) {
            let context = &self.context;
            AccessLine {
                method: context.method,
                route: context.route.path,
                status,
                duration: context.begun.elapsed(),
                trace: context.trace,
                client: context.client,
                user: context.principal.get().user_id(),
                cache: context.outcome.cache.get(),
                problem,
            }
            .write();
        }
    }
}

impl Drop for PendingEntry {
    fn drop(&mut self) {
        if !self.is_written {
            // 499 is nginx's status for a client that has closed the connection.
            self.write(499, "hung_up");
        }
    }
}
