//! Ids: a prefix and a UUIDv7 (RFC 9562) without dashes, such as `ord_0190…`. Each kind of id is a
//! Rust type of its own, so one kind cannot be passed for another.

use super::parsed::parsed_string;
use std::{fmt, hash::Hash, str::FromStr};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};
use uuid::Uuid;

/// What all kinds of ids have in common. [`crate::env::Env::id`] makes a new id; ids sort by the
/// millisecond in which they were made.
pub trait Id: Copy + Ord + Hash + fmt::Display + FromStr<Err = ParseIdError> + Send + Sync + 'static {
    /// The letters before the underscore.
    const PREFIX: &'static str;
    /// The id with this UUID.
    fn from_uuid(uuid: Uuid) -> Self;
    /// The UUID of the id.
    fn uuid(self) -> Uuid;
}

/// The text is not an id of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an id of the form {prefix}_ and 32 lowercase hexadecimal digits")]
pub struct ParseIdError {
    prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl Id for $name {
            const PREFIX: &'static str = $prefix;
            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
            fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = Uuid::encode_buffer();
                write!(f, concat!($prefix, "_{}"), self.0.simple().encode_lower(&mut digits))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse(text, $prefix).map(Self)
            }
        }

        impl ToSchema for $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                schema($prefix)
            }
        }

        parsed_string! { $name; }
    )*};
}

#[rustfmt::skip]
ids! {
    /// A user account.
    UserId          "usr";
    /// One sign-in, with all tokens that were issued for it.
    SessionId       "ses";
    /// An entry of a user's address book.
    AddressId       "adr";
    /// A product.
    ProductId       "prd";
    /// A cart.
    CartId          "crt";
    /// An order. Its payment, reservation and shipment have the order's id as their key.
    OrderId         "ord";
    /// The payment of an order.
    PaymentId       "pay";
    /// A card that a user has saved.
    PaymentMethodId "pm";
    /// One refund. The return of items that it pays for has the same id.
    RefundId        "rfd";
    /// The shipment of an order.
    ShipmentId      "shp";
    /// A message to a user.
    NotificationId  "ntf";
}

fn schema(prefix: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!("`{prefix}_` and a UUIDv7 in hexadecimal digits: newer ids sort after older ones.")))
        .pattern(Some(format!("^{prefix}_[0-9a-f]{{32}}$")))
        .examples([format!("{prefix}_019a52b46b7a7d0c8f3e5a1b2c3d4e5f")])
        .into()
}

/// Accepts only the spelling that `Display` writes, so that an id has one text.
fn parse(text: &str, prefix: &'static str) -> Result<Uuid, ParseIdError> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|digits| digits.len() == 32)
        .filter(|digits| digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        .and_then(|digits| Uuid::try_parse(digits).ok())
        .ok_or(ParseIdError { prefix })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let order = OrderId::from_uuid(Uuid::from_u128(7)).to_string();
        assert!(order.parse::<OrderId>().is_ok());
        assert!(order.parse::<PaymentId>().is_err());
        assert!(order.to_uppercase().parse::<OrderId>().is_err());
        assert!("ord_".parse::<OrderId>().is_err());
        assert!("ord_0000000000000000000000000000000é".parse::<OrderId>().is_err());
    }

    proptest! {
        #[test]
        fn an_id_reads_back_as_itself(bits: u128) {
            let id = OrderId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse::<OrderId>().unwrap(), id);
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<OrderId>(&json).unwrap(), id);
        }

        #[test]
        fn parsing_any_text_does_not_panic(text: String) {
            let _ = text.parse::<OrderId>();
        }
    }
}
