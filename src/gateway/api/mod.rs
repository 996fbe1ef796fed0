//! The handlers: what a request says, told to a service; what it answers, told to the client. No business here.

pub mod analytics;
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
pub mod traces;
pub mod users;

pub use super::answer::{Answer, Nothing};

use super::{answer::Told, problem::Problem};
use crate::types::{BadCursor, Cursor, Limit, Page};
use actix_web::HttpResponse;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

fn ok<T: Serialize + ToSchema>(body: T) -> Answer<T> {
    Ok(Told::json(body))
}

fn created<T: Serialize + ToSchema>(location: String, body: T) -> Answer<T, 201> {
    Ok(Told::json(body).with(("Location", location)))
}

fn no_content() -> Answer<Nothing, 204> {
    Ok(Told::of(HttpResponse::Ok().finish()))
}

/// A list that is never long enough to need pages, in the shape of one.
fn whole_list<T: Serialize + ToSchema>(items: Vec<T>) -> Answer<Page<T>> {
    ok(Page { items, next_cursor: None })
}

/// What every list can be asked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// At most so many items: 1 to 100.
    #[schema(value_type = Option<Limit>)]
    limit: Option<u64>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<Cursor>,
}

/// A page of a list that its service gives whole, in the order of `key`. `list` is its name, for the cursor.
fn page_of<T: Serialize + ToSchema, K: Ord + Serialize + DeserializeOwned>(
    list: &str,
    items: Vec<T>,
    paging: Paging,
    key: impl Fn(&T) -> K,
) -> Answer<Page<T>> {
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
