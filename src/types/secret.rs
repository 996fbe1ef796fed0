//! Values that must not be shown: passwords, tokens, card numbers.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};
use zeroize::{Zeroize, Zeroizing};

/// What logs, traces and pages show instead of a secret.
pub const MASK: &str = "•••";

/// A value that is read from outside and not shown: `Debug` and `Serialize` give [`MASK`]. Its
/// memory is overwritten when it is dropped.
///
/// There is one exception: a binary format (`Serializer::is_human_readable` is false) gets the
/// value itself. This is the wire between two services, which need the value. Logs, traces, pages
/// and backups are JSON and get the mask.
#[derive(Clone)]
pub struct Secret<T: Zeroize = String>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Wraps the value.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself. A review of what happens to secrets looks at each call of this.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T: Zeroize + Serialize> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.serialize_str(MASK) } else { self.0.serialize(to) }
    }
}

impl ToSchema for Secret {}

impl PartialSchema for Secret {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
            .into()
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::deserialize(from).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_in_debug_output_and_readable_formats() {
        let secret: Secret = serde_json::from_str(r#""hunter2""#).unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{secret:?}"), MASK);
        assert_eq!(serde_json::to_string(&secret).unwrap(), format!("\"{MASK}\""));
        assert_eq!(serde_json::to_value(&secret).unwrap(), MASK);
        #[derive(Serialize)]
        struct Settings {
            password: Secret,
        }
        let settings = toml::to_string(&Settings { password: secret }).unwrap();
        assert_eq!(settings, format!("password = \"{MASK}\"\n"));
    }

    #[test]
    fn a_secret_is_sent_in_full_in_a_binary_format() {
        let secret = Secret::new("hunter2".to_owned());
        let bytes = minicbor_serde::to_vec(&secret).unwrap();
        assert_eq!(minicbor_serde::from_slice::<Secret>(&bytes).unwrap().expose(), "hunter2");
        let key = Secret::new([7u8; 16]);
        let bytes = minicbor_serde::to_vec(&key).unwrap();
        assert_eq!(minicbor_serde::from_slice::<Secret<[u8; 16]>>(&bytes).unwrap().expose(), &[7; 16]);
    }
}
