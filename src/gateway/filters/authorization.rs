//! Checks whether the caller may call the route. Whether a record belongs to the caller is checked
//! by the service that owns the record.

use super::filter::{Filter, RequestAction};
use crate::{
    gateway::{context::RequestContext, respond::Problem, routing::Access},
    types::{Principal, Role},
};
use actix_web::dev::ServiceRequest;

/// Checks the route's [`Access`]: 401 `unauthorized` for a caller that is not signed in, 403
/// `forbidden` for a user without the role (RFC 9110 §15.5.2, §15.5.4).
pub struct RouteAuthorization;

impl Filter for RouteAuthorization {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, _: &'a mut ServiceRequest) -> RequestAction<'a> {
        match (context.route.access, context.principal.get()) {
            (Access::Public, _) => RequestAction::Continue,
            (_, Principal::User { role: Role::Operator, .. }) => RequestAction::Continue,
            (Access::SignedIn, Principal::User { .. }) => RequestAction::Continue,
            (Access::Operator, Principal::User { .. }) => {
                RequestAction::Reject(Problem::forbidden("forbidden", "Only operators of the shop may do this."))
            }
            _ => RequestAction::Reject(Problem::unauthorized("unauthorized", "Sign in first.")),
        }
    }
}
