//! The values that every room shares: ids, money, e-mail and postal addresses, networks, pages,
//! secrets, principals, trace ids.
//!
//! These types are data without behaviour of their own. A value that exists is valid: each type
//! checks the input where it is parsed (`FromStr`, `TryFrom`, `Deserialize`). Code that has a value
//! does not check it again.
//!
//! ## Decisions
//!
//! **Parse, don't validate.** *Context:* the same input passes the gateway, a service and the
//! storage; a check that is repeated is forgotten somewhere. *Decision:* each kind of value is a
//! type with a private field, made only by parsing. *Consequence:* messages and records carry these
//! types; reading a record checks it again, so damaged data is found; error texts stand beside the
//! type.
//!
//! **An id has a prefix and is a UUIDv7.** *Context:* an id appears in URLs, logs and keys of the
//! store, where its kind is not visible. *Decision:* `ord_` and 32 hexadecimal digits, one Rust
//! type for each kind. *Consequence:* a mixed-up id is refused when it is parsed, or does not
//! compile; ids sort by time, so a list in the order of ids is a list in the order of creation.
//!
//! **Money is a whole number of minor units.** *Context:* floats cannot hold cents exactly.
//! *Decision:* `i64` minor units with an ISO 4217 currency, checked arithmetic, never negative.
//! *Consequence:* every sum can fail, and the caller says what happens then.
//!
//! **A cursor names a position, not an offset.** *Context:* items are added while a client reads a
//! list. *Decision:* a page continues after an item ([`Cursor`]). *Consequence:* no item is shown
//! twice or skipped; a client cannot jump to a page.

#![deny(missing_docs)]

pub mod address;
pub mod boolean;
pub mod email;
pub mod id;
pub mod money;
pub mod network;
pub mod page;
pub(crate) mod parsed;
pub mod principal;
pub mod quantity;
pub mod secret;
pub mod service;
pub mod text;
pub mod trace;

pub use address::{Address, Country};
pub use boolean::parse_bool;
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
pub use trace::{SpanId, SpanRef, TraceId};
