//! One log line for each request.

use super::{Duty, Leave, problems::ProblemCode};
use crate::{gateway::visit::Visit, telemetry::logs::Access};
use actix_web::{HttpRequest, HttpResponse};

pub struct AccessLog;

impl Duty for AccessLog {
    fn name(&self) -> &'static str {
        "access log"
    }

    fn leave<'a>(&'a self, visit: &'a Visit, request: &'a HttpRequest, answer: HttpResponse) -> Leave<'a> {
        if log::log_enabled!(target: "access", log::Level::Info) {
            Access {
                method: request.method().as_str(),
                route: visit.route.path,
                status: answer.status().as_u16(),
                duration: visit.begun.elapsed(),
                trace: &visit.trace.to_string(),
                client: &visit.client.to_string(),
                user: &visit.principal.get().user_id().map(|id| id.to_string()).unwrap_or_default(),
                problem: visit.noted::<ProblemCode>().map_or("", |ProblemCode(code)| code),
            }
            .write();
        }
        Leave::With(answer)
    }
}
