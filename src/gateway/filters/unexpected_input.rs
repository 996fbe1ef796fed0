//! What a route does not take is refused: a query, a body, of which nobody would ever look at a word.

use super::{Duty, Step};
use crate::gateway::{body, visit::Visit};
use actix_web::dev::ServiceRequest;

pub struct Unasked;

impl Duty for Unasked {
    fn name(&self) -> &'static str {
        "unasked"
    }

    fn enter<'a>(&'a self, visit: &'a Visit, request: &'a mut ServiceRequest) -> Step<'a> {
        let takes = (visit.route.handler.takes)();
        let asks = if takes.query { Ok(()) } else { body::asks_nothing(request.uri()) };
        let says = || match takes.body {
            true => Ok(()),
            false => body::says_nothing(request.headers(), &visit.body.borrow()),
        };
        match asks.and_then(|()| says()) {
            Ok(()) => Step::On,
            Err(problem) => Step::Stop(problem),
        }
    }
}
