//! May they call this route. Whose record it is, the service decides that owns it.

use super::{Duty, Step};
use crate::{
    gateway::{Access, problem::Problem, visit::Visit},
    types::{Principal, Role},
};
use actix_web::dev::ServiceRequest;

pub struct Authorization;

impl Duty for Authorization {
    fn name(&self) -> &'static str {
        "authorization"
    }

    fn enter<'a>(&'a self, visit: &'a Visit, _: &'a mut ServiceRequest) -> Step<'a> {
        match (visit.route.access, visit.principal.get()) {
            (Access::Public, _) => Step::On,
            (_, Principal::User { role: Role::Operator, .. }) => Step::On,
            (Access::SignedIn, Principal::User { .. }) => Step::On,
            (Access::Operator, Principal::User { .. }) => {
                Step::Stop(Problem::forbidden("forbidden", "Only operators of the shop may do this."))
            }
            _ => Step::Stop(Problem::unauthorized("unauthorized", "Sign in first.")),
        }
    }
}
