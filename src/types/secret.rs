//! What must never be seen: passwords, tokens, card numbers.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};
use zeroize::{Zeroize, Zeroizing};

/// What every log, trace and screen shows instead.
pub const MASK: &str = "•••";

/// A value that is read from the outside but shows itself to nobody: `Debug` and `Serialize` give [`MASK`],
/// and its memory is wiped when it is dropped.
///
/// One exception: a format that is not for people to read (`Serializer::is_human_readable`) gets the value itself. That is the wire
/// between two services, who could not do their work on a mask; logs, traces, screens and backups are JSON, and are.
#[derive(Clone)]
pub struct Secret<T: Zeroize = String>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself. Each call of this is a place to look at when reviewing what happens to secrets.
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
    fn a_secret_shows_itself_to_nobody() {
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
    fn a_secret_arrives_where_no_people_read() {
        let secret = Secret::new("hunter2".to_owned());
        let bytes = minicbor_serde::to_vec(&secret).unwrap();
        assert_eq!(minicbor_serde::from_slice::<Secret>(&bytes).unwrap().expose(), "hunter2");
        let key = Secret::new([7u8; 16]);
        let bytes = minicbor_serde::to_vec(&key).unwrap();
        assert_eq!(minicbor_serde::from_slice::<Secret<[u8; 16]>>(&bytes).unwrap().expose(), &[7; 16]);
    }
}
