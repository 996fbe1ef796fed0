//! The trait implementations that all types with one text form share.

/// Implements how a type is shown, written and read as one text, for types that implement
/// `FromStr`: `Debug`, `Serialize`, `Deserialize`, and, where a method is named that gives the text
/// as `&str`, `Display`.
///
/// `Debug` shows the same text as `Display`. Reading goes through `FromStr`, so a value that was
/// read is as valid as one that was parsed.
///
/// ```text
/// parsed_string! {
///     Email: as_str;   // Display writes `self.as_str()`
///     OrderId;         // has a Display of its own
/// }
/// ```
macro_rules! parsed_string {
    ($($name:ident $(: $text:ident)?;)*) => {$(
        $crate::types::parsed::parsed_string!(@write $name $($text)?);

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
    (@write $name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
    };
    (@write $name:ident $text:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.$text())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.$text())
            }
        }
    };
}

pub(crate) use parsed_string;
