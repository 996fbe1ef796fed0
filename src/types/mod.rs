//! The values that every room shares: ids, money, e-mail and postal addresses, networks, pages, secrets, principals, rates, traces.
//!
//! Pure data. A value that exists is valid: each type checks itself where it is parsed
//! (`FromStr`, `TryFrom`, `Deserialize`), so nobody who holds one checks it again.

pub mod address;
pub mod certificate;
pub mod email;
pub mod id;
pub mod money;
pub mod network;
pub mod page;
pub mod principal;
pub mod quantity;
pub mod secret;
pub mod service;
pub mod text;
pub mod throttling;
pub mod trace;

pub use address::{Address, Country};
pub use certificate::Certificate;
pub use email::Email;
pub use id::{
    AddressId, CartId, Id, NotificationId, OrderId, ParseIdError, PaymentId, PaymentMethodId, ProductId, RefundId,
    SessionId, ShipmentId, UserId,
};
pub use jiff::Timestamp;
pub use money::{Currency, Money, MoneyError};
pub use network::Network;
pub use page::{BadCursor, Cursor, Limit, Page};
pub use principal::{Principal, Role};
pub use quantity::Quantity;
pub use secret::Secret;
pub use service::Service;
pub use text::{Slug, Text};
pub use throttling::{Class, Rate, Throttling};
pub use trace::{SpanId, SpanRef, TraceId};
