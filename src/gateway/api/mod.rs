//! The handlers: what a request says, told to a service; what it answers, told to the client. No business here.

pub mod carts;
pub mod composed;
pub mod lab;
pub mod notifications;
pub mod operation;
pub mod order_events;
pub mod orders;
pub mod payments;
pub mod products;
pub mod shipping;
pub mod users;

use super::problem::Problem;
use actix_web::HttpResponse;

/// What a handler gives.
type Answer = Result<HttpResponse, Problem>;

fn ok(body: impl serde::Serialize) -> Answer {
    Ok(HttpResponse::Ok().json(body))
}

fn created(location: String, body: impl serde::Serialize) -> Answer {
    Ok(HttpResponse::Created().insert_header(("Location", location)).json(body))
}

fn no_content() -> Answer {
    Ok(HttpResponse::NoContent().finish())
}

/// A list that is never long enough to need pages, in the shape of one.
fn whole_list<T: serde::Serialize>(items: Vec<T>) -> Answer {
    ok(crate::types::Page { items, next_cursor: None })
}
