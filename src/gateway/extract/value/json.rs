//! Reads a value from JSON. An object with the same field twice is an error.

use super::Extracted;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

impl<'de> Deserialize<'de> for Extracted<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Extracted<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Extracted<'de>, E> {
        Ok(Extracted::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Extracted<'de>, E> {
        Ok(Extracted::Bool(value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Extracted<'de>, E> {
        Ok(Extracted::Whole(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Extracted<'de>, E> {
        Ok(Extracted::Whole(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Extracted<'de>, E> {
        Ok(Extracted::Fraction(number))
    }

    /// Borrows the text instead of copying it: it may be a secret.
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Extracted<'de>, E> {
        Ok(Extracted::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Extracted<'de>, E> {
        Ok(Extracted::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Extracted<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Extracted::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Extracted<'de>, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((name, value)) = object.next_entry::<String, Extracted>()? {
            match fields.entry(Cow::from(name)) {
                Entry::Vacant(entry) => _ = entry.insert(value),
                Entry::Occupied(entry) => {
                    return Err(de::Error::custom(format!("has the field `{}` twice", entry.key())));
                }
            }
        }
        Ok(Extracted::Object(fields))
    }
}
