//! A route that an operator has closed says so, to everybody.

use super::{Duty, Step};
use crate::gateway::{problem::Problem, visit::Visit};
use actix_web::dev::ServiceRequest;

pub struct Closed;

/// Nobody knows when it will be open again.
const LOOK_AGAIN_IN: u64 = 60;

impl Duty for Closed {
    fn name(&self) -> &'static str {
        "closed"
    }

    fn enter<'a>(&'a self, visit: &'a Visit, _: &'a mut ServiceRequest) -> Step<'a> {
        match visit.settings.enabled {
            true => Step::On,
            false => {
                let words = visit.settings.words.as_str().trim();
                let end = if words.ends_with(['.', '!', '?']) { "" } else { "." };
                Step::Stop(Problem::unavailable("route_closed", format!("{words}{end}"), LOOK_AGAIN_IN))
            }
        }
    }
}
