//! Lists in pages: the parameters of lists, and pages of lists that a service gives as a whole.

use crate::{
    gateway::respond::{
        Problem,
        reply::{ReplyResult, ok},
    },
    types::{BadCursor, Cursor, Limit, Page},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

/// The one page of a list that is always short.
pub fn whole_list<T: Serialize + ToSchema>(items: Vec<T>) -> ReplyResult<Page<T>> {
    ok(Page { items, next_cursor: None })
}

/// The parameters of every list.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// The most items on a page: 1 to 100. The default is 24.
    #[schema(value_type = Option<Limit>)]
    pub limit: Option<u64>,
    /// The `next_cursor` of the previous page.
    pub cursor: Option<Cursor>,
}

/// One page of a list that its service gives as a whole, in the order of `key`. A cursor is valid
/// only for the list with this name.
pub fn page_of<T: Serialize + ToSchema, K: Ord + Serialize + DeserializeOwned>(
    list: &str,
    items: Vec<T>,
    paging: Paging,
    key: impl Fn(&T) -> K,
) -> ReplyResult<Page<T>> {
    let limit = limit(paging.limit)?.get();
    let last: Option<K> = position(list, paging.cursor.as_ref())?;
    let start = last.map_or(0, |last| {
        let found = items.iter().position(|item| key(item) == last).map(|at| at + 1);
        // The item has been removed since: the page starts with the next item.
        found.or_else(|| items.iter().position(|item| key(item) > last)).unwrap_or(items.len())
    });
    let found = items.into_iter().skip(start).take(limit + 1).collect();
    ok(Page::cut(found, limit, |last| Cursor::after(list, &key(last))))
}

/// The position in the list of this name that the parameter `cursor` stands for. 400 `bad_cursor`
/// if the cursor is from another list, or no cursor at all.
pub fn position<K: DeserializeOwned>(list: &str, cursor: Option<&Cursor>) -> Result<Option<K>, Problem> {
    let bad_cursor = |error: BadCursor| Problem::bad_request("bad_cursor", format!("{error}."));
    cursor.map(|cursor| cursor.position(list)).transpose().map_err(bad_cursor)
}

/// The parameter `limit`, or the default. 400 `bad_query` if it is not from 1 to 100.
pub fn limit(given: Option<u64>) -> Result<Limit, Problem> {
    let parsed = given.map_or(Ok(Limit::default()), Limit::try_from);
    parsed.map_err(|error| Problem::bad_parameter("limit", &error.to_string()))
}
