//! Text with bounds: a line that a person typed, and a name for URLs.

use super::parsed::parsed_string;
use serde::{Deserialize, Deserializer, Serialize};
use std::{borrow::Cow, fmt, ops::Deref, str::FromStr};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// One line of text that a person typed: trimmed, `MIN` to `MAX` characters (Unicode scalar
/// values), no control characters. `Debug` quotes it; all else shows it as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<const MIN: usize, const MAX: usize>(String);

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// Nothing but spaces.
    #[error("must not be empty")]
    Empty,
    /// Too short or too long.
    #[error("must have between {min} and {max} characters")]
    Length {
        /// The fewest characters.
        min: usize,
        /// The most characters.
        max: usize,
    },
    /// A character for which [`is_unprintable`] holds.
    #[error("must not contain control characters")]
    Control,
}

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// The text, without spaces around it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, without spaces around it.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<const MIN: usize, const MAX: usize> FromStr for Text<MIN, MAX> {
    type Err = BadText;
    fn from_str(text: &str) -> Result<Self, BadText> {
        let text = text.trim();
        let length = text.chars().take(MAX + 1).count();
        if MIN > 0 && length == 0 {
            Err(BadText::Empty)
        } else if length < MIN || length > MAX {
            Err(BadText::Length { min: MIN, max: MAX })
        } else if text.chars().any(is_unprintable) {
            Err(BadText::Control)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// Whether the character is a control character, a line or paragraph separator, a byte order mark,
/// or a bidirectional control, which can make a text look different from what it is (Unicode UAX
/// #9).
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A text that may be empty is empty by default.
impl<const MAX: usize> Default for Text<0, MAX> {
    fn default() -> Self {
        Self(String::new())
    }
}

impl<const MIN: usize, const MAX: usize> Deref for Text<MIN, MAX> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Display for Text<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Debug for Text<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de, const MIN: usize, const MAX: usize> Deserialize<'de> for Text<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<const MIN: usize, const MAX: usize> ToSchema for Text<MIN, MAX> {
    fn name() -> Cow<'static, str> {
        format!("Text{MIN}To{MAX}").into()
    }
}

impl<const MIN: usize, const MAX: usize> PartialSchema for Text<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX));
        if MIN > 0 { text.min_length(Some(MIN)).into() } else { text.into() }
    }
}

/// A name for URLs: lowercase letters, digits and single dashes, 1 to 80 characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 80, example = "steel-kettle")]
pub struct Slug(String);

/// The text is not a name for URLs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 80 lowercase letters, digits and single dashes between them")]
pub struct BadSlug;

impl Slug {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = BadSlug;
    fn from_str(text: &str) -> Result<Self, BadSlug> {
        let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if text.len() <= 80 && text.split('-').all(word) { Ok(Self(text.to_owned())) } else { Err(BadSlug) }
    }
}

parsed_string! { Slug: as_str; }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_trimmed_and_counted_in_characters() {
        assert_eq!(" Zoë ".parse::<Text<1, 3>>().unwrap().as_str(), "Zoë");
        assert_eq!("   ".parse::<Text<1, 3>>(), Err(BadText::Empty));
        assert_eq!("Zoës".parse::<Text<1, 3>>(), Err(BadText::Length { min: 1, max: 3 }));
    }

    #[test]
    fn text_that_could_forge_a_log_line_is_refused() {
        for bad in ["a\nb", "a\u{1b}[31mb", "a\0b", "a\u{202e}b"] {
            assert_eq!(bad.parse::<Text<1, 20>>(), Err(BadText::Control), "{bad:?}");
        }
    }

    #[test]
    fn slugs_have_single_dashes_inside() {
        assert!("moka-pot-3".parse::<Slug>().is_ok());
        for bad in ["", "-a", "a-", "a--b", "A", "a_b", "é"] {
            assert!(bad.parse::<Slug>().is_err(), "{bad:?}");
        }
    }
}
