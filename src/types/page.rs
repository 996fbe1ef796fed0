//! Lists that are read a page at a time.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use std::{borrow::Cow, fmt};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, Type},
};

/// One page of a list, and where the next one starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// What `?cursor=` is to be for the next page; `null` on the last.
    pub next_cursor: Option<Cursor>,
}

impl<T> Page<T> {
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(each).collect(), next_cursor: self.next_cursor }
    }
}

/// Each list has pages of its own name: `PageOfOrder`.
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
            .description(Some("What `?cursor=` is to be for the next page; `null` on the last."));
        ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .property("next_cursor", cursor)
            .required("items")
            .required("next_cursor")
            .into()
    }
}

/// How many items a page has at most: 1 to 100, 24 unless told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(minimum = 1, maximum = 100, default = 24, example = 24)]
pub struct Limit(u8);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to 100")]
pub struct BadLimit;

impl Limit {
    pub const MOST: Self = Self(100);

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

impl<T> Page<T> {
    /// A page of at most `limit` items from `found`, which holds up to one more: the extra item only shows that another page follows.
    /// `cursor_after` makes the cursor from the last item of this page; it is called only where another page follows.
    pub fn cut(mut found: Vec<T>, limit: usize, cursor_after: impl FnOnce(&T) -> Cursor) -> Self {
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| has_more).map(cursor_after);
        Self { items: found, next_cursor }
    }
}

/// A place in a list, opaque to clients: base64url of a checksum and the position as JSON.
///
/// The position says *after which item*, never *how many to skip*, so that a page stays the same while items come
/// and go before it. It also names what list it was made for; see [`Cursor::position`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(description = "A place in a list, opaque: give back what `next_cursor` said.")]
pub struct Cursor(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one that this list gave out")]
pub struct BadCursor;

impl Cursor {
    /// `list` names the list and its order ("orders of usr_1", "products by price"), so that a cursor of another is refused.
    pub fn after<P: Serialize>(list: &str, position: &P) -> Self {
        let body = serde_json::to_vec(position).unwrap_or_default();
        let mut bytes = checksum(list, &body).to_vec();
        bytes.extend(body);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The position that was given to [`Cursor::after`] with the same `list`.
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
        fn a_cursor_leads_back_to_its_place_in_its_own_list(price: i64, name: String) {
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
