//! Lists in pages.

use crate::{
    gateway::respond::{
        Problem,
        reply::{ReplyResult, ok},
    },
    types::{BadCursor, Cursor, Limit, Page},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

/// A list that is always short enough for one page.
pub fn whole_list<T: Serialize + ToSchema>(items: Vec<T>) -> ReplyResult<Page<T>> {
    ok(Page { items, next_cursor: None })
}

/// The parameters of every list.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// At most so many items: 1 to 100.
    #[schema(value_type = Option<Limit>)]
    pub limit: Option<u64>,
    /// Where the last page ended: its `next_cursor`.
    pub cursor: Option<Cursor>,
}

/// One page of a list that its service gives as a whole, in the order of `key`. The cursor holds the name `list`.
pub fn page_of<T: Serialize + ToSchema, K: Ord + Serialize + DeserializeOwned>(
    list: &str,
    items: Vec<T>,
    paging: Paging,
    key: impl Fn(&T) -> K,
) -> ReplyResult<Page<T>> {
    let limit = limit(paging.limit)?.get();
    let bad_cursor = |error: BadCursor| Problem::bad_request("bad_cursor", format!("{error}."));
    let last: Option<K> = paging.cursor.map(|cursor| cursor.position(list)).transpose().map_err(bad_cursor)?;
    let start = last.map_or(0, |last| {
        let found = items.iter().position(|item| key(item) == last).map(|at| at + 1);
        // The item is gone meanwhile: go on with those after it.
        found.or_else(|| items.iter().position(|item| key(item) > last)).unwrap_or(items.len())
    });
    let more = items.len() > start + limit;
    let items: Vec<T> = items.into_iter().skip(start).take(limit).collect();
    let next_cursor = items.last().filter(|_| more).map(|last| Cursor::after(list, &key(last)));
    ok(Page { items, next_cursor })
}

/// The parameter `limit`, or the default.
pub fn limit(given: Option<u64>) -> Result<Limit, Problem> {
    let parsed = given.map_or(Ok(Limit::default()), Limit::try_from);
    parsed.map_err(|error| Problem::bad_parameter("limit", &error.to_string()))
}
