//! What a client sends, taken at its word or refused in plain ones.
//!
//! The readers that serde derives take a list for an object, its items for the fields in their order, and `{"packed": null}` for
//! `"packed"`; and where they refuse, they speak of Rust's types. So all is read into a [`Given`] first, which is strict about both.

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor},
    forward_to_deserialize_any,
};
use std::{borrow::Cow, collections::BTreeMap, fmt};

mod json;

/// A value as it came.
#[derive(Debug)]
pub enum Given<'a> {
    Null,
    Bool(bool),
    Whole(i128),
    Fraction(f64),
    Text(Cow<'a, str>),
    List(Vec<Given<'a>>),
    Object(BTreeMap<Cow<'a, str>, Given<'a>>),
    /// Of a query: text that may say a number, or yes or no.
    Parameter(Cow<'a, str>),
}

/// What is wrong, and where.
#[derive(Debug)]
pub struct Refusal {
    pub reason: String,
    /// From the inside out.
    place: Vec<String>,
}

impl Refusal {
    fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), place: Vec::new() }
    }

    fn at(mut self, name: &str) -> Self {
        self.place.push(name.to_owned());
        self
    }

    /// RFC 6901.
    pub fn pointer(&self) -> String {
        pointer(self.place.iter().rev().cloned())
    }

    /// The name in the outermost object.
    pub fn name(&self) -> Option<&str> {
        self.place.last().map(String::as_str)
    }
}

pub fn pointer(names: impl Iterator<Item = String>) -> String {
    names.map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refusal {}

/// serde's own words name Rust's types: these take their place.
impl de::Error for Refusal {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::because(reason.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self::because("is of the wrong kind")
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self::because("is not a value that can stand here")
    }

    fn invalid_length(_: usize, _: &dyn de::Expected) -> Self {
        Self::because("has the wrong number of items")
    }

    fn unknown_variant(_: &str, words: &'static [&'static str]) -> Self {
        Self::because(format!("must be one of {}", words.join(", ")))
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::because("is not known here")
    }

    fn missing_field(field: &'static str) -> Self {
        Self::because(format!("`{field}` is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::because(format!("`{field}` is there twice"))
    }
}

impl Given<'_> {
    fn text(&self) -> Result<&str, Refusal> {
        match self {
            Self::Text(text) | Self::Parameter(text) => Ok(text),
            _ => Err(Refusal::because("must be a string")),
        }
    }

    fn whole(&self) -> Result<i128, Refusal> {
        let digits = |text: &str| text.strip_prefix('-').unwrap_or(text).bytes().all(|digit| digit.is_ascii_digit());
        match self {
            Self::Whole(number) => Ok(*number),
            // Farther out, JSON's reader gives whole numbers as this.
            Self::Fraction(number) if *number >= u64::MAX as f64 => Err(too_large()),
            Self::Fraction(number) if *number <= i64::MIN as f64 => Err(too_small()),
            Self::Parameter(text) if !text.is_empty() && text != "-" && digits(text) => {
                text.parse().map_err(|_| if text.starts_with('-') { too_small() } else { too_large() })
            }
            _ => Err(Refusal::because("must be a whole number")),
        }
    }
}

fn too_large() -> Refusal {
    Refusal::because("is too large")
}

fn too_small() -> Refusal {
    Refusal::because("is too small")
}

macro_rules! whole_numbers {
    ($($method:ident: $number:ty => $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            let number = self.whole()?;
            let outside = |_| match number < 0 {
                false => too_large(),
                true if <$number>::MIN == 0 => Refusal::because("must not be negative"),
                true => too_small(),
            };
            visitor.$visit(<$number>::try_from(number).map_err(outside)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for &'de Given<'_> {
    type Error = Refusal;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self {
            Given::Object(fields) => visitor.visit_map(Fields { rest: fields.iter(), value: None }),
            _ => Err(Refusal::because("must be an object")),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self {
            Given::List(items) => visitor.visit_seq(Items { rest: items.iter().enumerate() }),
            _ => Err(Refusal::because("must be a list")),
        }
    }

    /// Of all enums in bodies and queries each variant is a word, and nothing but the word says it.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let word = self.text().map_err(|_| <Refusal as de::Error>::unknown_variant("", words))?;
        visitor.visit_enum(word.into_deserializer())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if matches!(self, Given::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self {
            Given::Bool(is_so) => visitor.visit_bool(*is_so),
            Given::Parameter(text) if text == "true" => visitor.visit_bool(true),
            Given::Parameter(text) if text == "false" => visitor.visit_bool(false),
            _ => Err(Refusal::because("must be true or false")),
        }
    }

    whole_numbers! {
        deserialize_u8: u8 => visit_u8;
        deserialize_u16: u16 => visit_u16;
        deserialize_u32: u32 => visit_u32;
        deserialize_u64: u64 => visit_u64;
        deserialize_u128: u128 => visit_u128;
        deserialize_i8: i8 => visit_i8;
        deserialize_i16: i16 => visit_i16;
        deserialize_i32: i32 => visit_i32;
        deserialize_i64: i64 => visit_i64;
        deserialize_i128: i128 => visit_i128;
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self {
            Given::Whole(number) => visitor.visit_f64(*number as f64),
            Given::Fraction(number) => visitor.visit_f64(*number),
            _ => Err(Refusal::because("must be a number")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self {
            Given::Null => visitor.visit_unit(),
            Given::Bool(is_so) => visitor.visit_bool(*is_so),
            Given::Whole(number) => match (u64::try_from(*number), i64::try_from(*number)) {
                (Ok(number), _) => visitor.visit_u64(number),
                (_, Ok(number)) => visitor.visit_i64(number),
                _ => visitor.visit_i128(*number),
            },
            Given::Fraction(number) => visitor.visit_f64(*number),
            Given::Text(text) | Given::Parameter(text) => visitor.visit_str(text),
            Given::List(_) => self.deserialize_seq(visitor),
            Given::Object(_) => self.deserialize_map(visitor),
        }
    }

    forward_to_deserialize_any! { f32 char bytes byte_buf unit unit_struct tuple tuple_struct }
}

struct Items<'de, 'a> {
    rest: std::iter::Enumerate<std::slice::Iter<'de, Given<'a>>>,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refusal> {
        let Some((at, item)) = self.rest.next() else { return Ok(None) };
        seed.deserialize(item).map(Some).map_err(|refusal| refusal.at(&at.to_string()))
    }
}

struct Fields<'de, 'a> {
    rest: std::collections::btree_map::Iter<'de, Cow<'a, str>, Given<'a>>,
    /// Of the field whose name was read last.
    value: Option<(&'de str, &'de Given<'a>)>,
}

impl<'de> MapAccess<'de> for Fields<'de, '_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some((name, value));
        seed.deserialize((**name).into_deserializer()).map(Some).map_err(|refusal: Refusal| refusal.at(name))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refusal> {
        let Some((name, value)) = self.value.take() else { return Err(Refusal::because("is not there")) };
        seed.deserialize(value).map_err(|refusal| refusal.at(name))
    }
}
