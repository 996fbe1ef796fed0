//! The handlers: what a request says, told to a service; what it answers, told to the client. No business here.

pub mod carts;
pub mod composed;
pub mod controls;
pub mod events;
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
use crate::types::{BadCursor, Cursor, Page};
use actix_web::HttpResponse;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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
fn whole_list<T: Serialize>(items: Vec<T>) -> Answer {
    ok(Page { items, next_cursor: None })
}

/// What every list can be asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    limit: Option<u64>,
    cursor: Option<Cursor>,
}

/// A page of a list that its service gives whole, in the order of `key`. `list` is its name, for the cursor.
fn page_of<T: Serialize, K: Ord + Serialize + DeserializeOwned>(
    list: &str,
    items: Vec<T>,
    paging: Paging,
    key: impl Fn(&T) -> K,
) -> Answer {
    let limit = products::limit(paging.limit)?.get();
    let bad_cursor = |error: BadCursor| Problem::bad_request("bad_cursor", format!("{error}."));
    let last: Option<K> = paging.cursor.map(|cursor| cursor.position(list)).transpose().map_err(bad_cursor)?;
    let start = last.map_or(0, |last| {
        let found = items.iter().position(|item| key(item) == last).map(|at| at + 1);
        // It has gone meanwhile: on with what came after it.
        found.or_else(|| items.iter().position(|item| key(item) > last)).unwrap_or(items.len())
    });
    let more = items.len() > start + limit;
    let items: Vec<T> = items.into_iter().skip(start).take(limit).collect();
    let next_cursor = items.last().filter(|_| more).map(|last| Cursor::after(list, &key(last)));
    ok(Page { items, next_cursor })
}
