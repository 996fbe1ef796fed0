//! Rejects calls of a route that an operator has disabled.

use super::filter::{Filter, RequestAction};
use crate::gateway::{context::RequestContext, respond::Problem};
use actix_web::dev::ServiceRequest;

/// Rejects calls of a disabled route: 503 `route_closed`, with the operator's message.
pub struct DisabledRoutes;

/// `Retry-After` in seconds. When the route will be enabled again is not known.
const RETRY_AFTER_SECONDS: u64 = 60;

impl Filter for DisabledRoutes {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, _: &'a mut ServiceRequest) -> RequestAction<'a> {
        if context.settings.enabled {
            return RequestAction::Continue;
        }
        let message = context.settings.message.as_str().trim();
        let end = if message.ends_with(['.', '!', '?']) { "" } else { "." };
        let detail = format!("{message}{end}");
        RequestAction::Reject(Problem::unavailable("route_closed", detail, RETRY_AFTER_SECONDS))
    }
}
