//! Lists that a client reads page by page, with a cursor.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use std::{borrow::Cow, fmt};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, Type},
};

/// One page of a list, and the cursor of the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items of this page, in the order of the list.
    pub items: Vec<T>,
    /// The value of `?cursor=` for the next page; `null` on the last page.
    pub next_cursor: Option<Cursor>,
}

impl<T> Page<T> {
    /// The first `limit` items of `found`. The caller reads one item more than `limit`: if it is
    /// there, another page follows, and `cursor_after` makes the cursor from the last item of this
    /// page.
    pub fn cut(mut found: Vec<T>, limit: usize, cursor_after: impl FnOnce(&T) -> Cursor) -> Self {
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| has_more).map(cursor_after);
        Self { items: found, next_cursor }
    }

    /// The same page with other items.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(each).collect(), next_cursor: self.next_cursor }
    }
}

/// The schema of each kind of page has a name of its own, such as `PageOfOrder`.
impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("PageOf{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.extend([(T::name().into_owned(), T::schema()), (Cursor::name().into_owned(), Cursor::schema())]);
        T::schemas(schemas);
    }
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let cursor = OneOfBuilder::new()
            .item(ObjectBuilder::new().schema_type(Type::Null))
            .item(Ref::from_schema_name(Cursor::name()))
            .description(Some("The value of `?cursor=` for the next page; `null` on the last page."));
        ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .property("next_cursor", cursor)
            .required("items")
            .required("next_cursor")
            .into()
    }
}

/// The most items of a page: 1 to 100, 24 by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(minimum = 1, maximum = 100, default = 24, example = 24)]
pub struct Limit(u8);

/// The number is not from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to 100")]
pub struct BadLimit;

impl Limit {
    /// The largest limit.
    pub const MOST: Self = Self(100);

    /// The number of items.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(24)
    }
}

impl TryFrom<u64> for Limit {
    type Error = BadLimit;
    fn try_from(items: u64) -> Result<Self, BadLimit> {
        if (1..=100).contains(&items) { Ok(Self(items as u8)) } else { Err(BadLimit) }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u64::deserialize(from)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// A position in a list, opaque to clients: base64url (RFC 4648 §5, without padding) of a CRC-32
/// and of the position as JSON.
///
/// The position says *after which item*, not *how many items to skip*. So items that are added or
/// removed before it do not move the page. The checksum also covers the name of the list; see
/// [`Cursor::position`]. It detects mistakes; it is no protection against forged cursors.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(description = "A position in a list, opaque: send the value of `next_cursor`.")]
pub struct Cursor(String);

/// The cursor was not made for this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one that this list gave out")]
pub struct BadCursor;

impl Cursor {
    /// The cursor after the item at `position`. `list` names the list and its order, such as
    /// "orders of usr_1" or "products by price": only the same list accepts the cursor.
    pub fn after<P: Serialize>(list: &str, position: &P) -> Self {
        let body = serde_json::to_vec(position).unwrap_or_default();
        let mut bytes = checksum(list, &body).to_vec();
        bytes.extend(body);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The position that was passed to [`Cursor::after`] with the same `list`; [`BadCursor`] for
    /// any other text or list.
    pub fn position<P: DeserializeOwned>(&self, list: &str) -> Result<P, BadCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| BadCursor)?;
        let (sum, body) = bytes.split_first_chunk::<4>().ok_or(BadCursor)?;
        if *sum != checksum(list, body) {
            return Err(BadCursor);
        }
        serde_json::from_slice(body).map_err(|_| BadCursor)
    }
}

fn checksum(list: &str, body: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(list.as_bytes());
    hasher.update(b"\0");
    hasher.update(body);
    hasher.finalize().to_be_bytes()
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_page_has_a_cursor_only_where_another_page_follows() {
        let page = |found: Vec<u32>| Page::cut(found, 2, |last| Cursor::after("numbers", last));
        assert_eq!((page(vec![]).items, page(vec![]).next_cursor), (vec![], None));
        assert_eq!((page(vec![1, 2]).items, page(vec![1, 2]).next_cursor), (vec![1, 2], None));
        let cut = page(vec![1, 2, 3]);
        assert_eq!((cut.items, cut.next_cursor), (vec![1, 2], Some(Cursor::after("numbers", &2))));
    }

    proptest! {
        #[test]
        fn a_cursor_gives_its_position_for_its_own_list_only(price: i64, name: String) {
            let cursor = Cursor::after("by price", &(price, name.clone()));
            prop_assert_eq!(cursor.position::<(i64, String)>("by price"), Ok((price, name)));
            prop_assert_eq!(cursor.position::<(i64, String)>("by name"), Err(BadCursor));
        }

        #[test]
        fn a_cursor_that_was_made_up_is_refused(text: String) {
            prop_assert_eq!(Cursor(text).position::<(i64, String)>("by price"), Err(BadCursor));
        }

        #[test]
        fn a_cursor_with_a_changed_character_is_refused(at in 0usize..20, price: i64) {
            let Cursor(mut text) = Cursor::after("by price", &price);
            let at = at % text.len();
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            text.replace_range(at..=at, other);
            prop_assert_eq!(Cursor(text).position::<i64>("by price"), Err(BadCursor));
        }
    }
}
