//! A value as the client sent it, and a strict reader for it.
//!
//! The readers that serde derives are too lax for an API: they accept a list in place of an object
//! (its items are the fields in their order), and `{"packed": null}` in place of `"packed"`. Their
//! errors name Rust's types. Therefore each value is first read into an [`Extracted`]. Its reader
//! accepts neither of the two, and its errors are written for a client.

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor},
    forward_to_deserialize_any,
};
use std::{borrow::Cow, collections::BTreeMap, fmt};

mod json;

/// A value as the client sent it.
#[derive(Debug)]
pub enum Extracted<'a> {
    /// JSON's `null`.
    Null,
    /// JSON's `true` and `false`.
    Bool(bool),
    /// A number without a fraction, within 64 bits.
    Whole(i128),
    /// Any other number.
    Fraction(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Extracted<'a>>),
    /// An object.
    Object(BTreeMap<Cow<'a, str>, Extracted<'a>>),
    /// A parameter of a query: text that may be a number or a truth value.
    Parameter(Cow<'a, str>),
}

/// Why a value is not valid, and where it is.
#[derive(Debug)]
pub struct ValidationError {
    /// What is wrong, as the end of a sentence that begins with the name: `must be a string`.
    pub reason: String,
    /// The names of the fields and items around it, the innermost first.
    path: Vec<String>,
}

impl ValidationError {
    fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), path: Vec::new() }
    }

    fn at(mut self, name: &str) -> Self {
        self.path.push(name.to_owned());
        self
    }

    /// The JSON pointer to the value (RFC 6901); empty for the whole body.
    pub fn pointer(&self) -> String {
        pointer(self.path.iter().rev().cloned())
    }

    /// The name of the outermost field.
    pub fn name(&self) -> Option<&str> {
        self.path.last().map(String::as_str)
    }
}

/// The JSON pointer (RFC 6901) of a path of names, the outermost first.
pub fn pointer(names: impl Iterator<Item = String>) -> String {
    names.map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect()
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for ValidationError {}

/// These messages replace those of serde, which name Rust's types.
impl de::Error for ValidationError {
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

    fn unknown_variant(_: &str, names: &'static [&'static str]) -> Self {
        Self::because(format!("must be one of {}", names.join(", ")))
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

impl Extracted<'_> {
    fn text(&self) -> Result<&str, ValidationError> {
        match self {
            Self::Text(text) | Self::Parameter(text) => Ok(text),
            _ => Err(ValidationError::because("must be a string")),
        }
    }

    fn whole(&self) -> Result<i128, ValidationError> {
        let digits = |text: &str| text.strip_prefix('-').unwrap_or(text).bytes().all(|digit| digit.is_ascii_digit());
        match self {
            Self::Whole(number) => Ok(*number),
            // The JSON reader gives whole numbers beyond 64 bits as fractions.
            Self::Fraction(number) if *number >= u64::MAX as f64 => Err(too_large()),
            Self::Fraction(number) if *number <= i64::MIN as f64 => Err(too_small()),
            Self::Parameter(text) if !text.is_empty() && text != "-" && digits(text) => {
                text.parse().map_err(|_| if text.starts_with('-') { too_small() } else { too_large() })
            }
            _ => Err(ValidationError::because("must be a whole number")),
        }
    }
}

fn too_large() -> ValidationError {
    ValidationError::because("is too large")
}

fn too_small() -> ValidationError {
    ValidationError::because("is too small")
}

macro_rules! whole_numbers {
    ($($method:ident: $number:ty => $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValidationError> {
            let number = self.whole()?;
            let outside = |_| match number < 0 {
                false => too_large(),
                true if <$number>::MIN == 0 => ValidationError::because("must not be negative"),
                true => too_small(),
            };
            visitor.$visit(<$number>::try_from(number).map_err(outside)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for &'de Extracted<'_> {
    type Error = ValidationError;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValidationError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValidationError> {
        match self {
            Extracted::Object(fields) => visitor.visit_map(Fields { rest: fields.iter(), value: None }),
            _ => Err(ValidationError::because("must be an object")),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValidationError> {
        match self {
            Extracted::List(items) => visitor.visit_seq(Items { rest: items.iter().enumerate() }),
            _ => Err(ValidationError::because("must be a list")),
        }
    }

    /// All enums in bodies and queries are written as the name of a variant.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValidationError> {
        let name = self.text().map_err(|_| <ValidationError as de::Error>::unknown_variant("", names))?;
        visitor.visit_enum(name.into_deserializer())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValidationError> {
        if matches!(self, Extracted::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValidationError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValidationError> {
        match self {
            Extracted::Bool(value) => visitor.visit_bool(*value),
            Extracted::Parameter(text) if text == "true" => visitor.visit_bool(true),
            Extracted::Parameter(text) if text == "false" => visitor.visit_bool(false),
            _ => Err(ValidationError::because("must be true or false")),
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

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValidationError> {
        match self {
            Extracted::Whole(number) => visitor.visit_f64(*number as f64),
            Extracted::Fraction(number) => visitor.visit_f64(*number),
            _ => Err(ValidationError::because("must be a number")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValidationError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValidationError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValidationError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValidationError> {
        visitor.visit_unit()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValidationError> {
        match self {
            Extracted::Null => visitor.visit_unit(),
            Extracted::Bool(value) => visitor.visit_bool(*value),
            Extracted::Whole(number) => match (u64::try_from(*number), i64::try_from(*number)) {
                (Ok(number), _) => visitor.visit_u64(number),
                (_, Ok(number)) => visitor.visit_i64(number),
                _ => visitor.visit_i128(*number),
            },
            Extracted::Fraction(number) => visitor.visit_f64(*number),
            Extracted::Text(text) | Extracted::Parameter(text) => visitor.visit_str(text),
            Extracted::List(_) => self.deserialize_seq(visitor),
            Extracted::Object(_) => self.deserialize_map(visitor),
        }
    }

    forward_to_deserialize_any! { f32 char bytes byte_buf unit unit_struct tuple tuple_struct }
}

struct Items<'de, 'a> {
    rest: std::iter::Enumerate<std::slice::Iter<'de, Extracted<'a>>>,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = ValidationError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ValidationError> {
        let Some((at, item)) = self.rest.next() else { return Ok(None) };
        seed.deserialize(item).map(Some).map_err(|error| error.at(&at.to_string()))
    }
}

struct Fields<'de, 'a> {
    rest: std::collections::btree_map::Iter<'de, Cow<'a, str>, Extracted<'a>>,
    /// The field whose name was read last.
    value: Option<(&'de str, &'de Extracted<'a>)>,
}

impl<'de> MapAccess<'de> for Fields<'de, '_> {
    type Error = ValidationError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ValidationError> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some((name, value));
        seed.deserialize((**name).into_deserializer()).map(Some).map_err(|error: ValidationError| error.at(name))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ValidationError> {
        let Some((name, value)) = self.value.take() else { return Err(ValidationError::because("is not there")) };
        seed.deserialize(value).map_err(|error| error.at(name))
    }
}
