//! The macros that declare the requests and events of a service, one row for each.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Implements [`Request`](crate::mesh::Request) for the requests of a service: one row binds kind,
/// audience, request, name and reply.
///
/// - Kind: `query`, `poll`, `command` or `keyed` ([`RequestKind`](crate::mesh::RequestKind)).
/// - [`Audience`](crate::mesh::Audience): `anyone`, `owner`, `staff(Error)` or `program(Error)`.
///   The error is what all other principals get: `Forbidden`, or `NotFound` where the existence of
///   a record is hidden.
/// - `by` names the field that the request is about
///   ([`Request::affinity`](crate::mesh::Request::affinity)).
///
/// ```
/// use galleria::{
///     mesh::{Audience, Request, RequestKind, requests},
///     types::{Principal, Service},
/// };
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct GetPrice { isbn: String }
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct SetPrice { isbn: String, cents: u32 }
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
/// enum PriceError {
///     #[error("only staff may do this")]
///     Forbidden,
/// }
///
/// requests! { Service::Products, PriceError,
///     query anyone           GetPrice "prices.get" by isbn -> u32,
///     keyed staff(Forbidden) SetPrice "prices.set" by isbn -> (),
/// }
///
/// assert_eq!((GetPrice::NAME, GetPrice::KIND), ("prices.get", RequestKind::Query));
/// assert_eq!(SetPrice::AUDIENCE, Audience::Staff);
/// assert_eq!(SetPrice::authorize(&Principal::Anonymous), Err(PriceError::Forbidden));
/// ```
#[macro_export]
macro_rules! requests {
    (
        $service:expr, $error:ty,
        $($kind:ident $audience:ident $(($denied:ident))? $request:ident $name:literal $(by $key:ident)? -> $reply:ty,)*
    ) => {$(
        impl $crate::mesh::Request for $request {
            const SERVICE: $crate::types::Service = $service;
            const NAME: &'static str = $name;
            const KIND: $crate::mesh::RequestKind = $crate::mesh::requests!(@kind $kind);
            const AUDIENCE: $crate::mesh::Audience = $crate::mesh::requests!(@audience $audience);
            type Reply = $reply;
            type Error = $error;
            $(fn authorize(principal: &$crate::types::Principal) -> Result<(), $error> {
                if $crate::mesh::requests!(@permits $audience principal) { Ok(()) } else { Err(<$error>::$denied) }
            })?
            $(fn affinity(&self) -> Option<u64> {
                Some($crate::mesh::affinity_to(&self.$key))
            })?
        }
    )*
        impl From<$error> for $crate::mesh::Failure<$error> {
            fn from(error: $error) -> Self {
                Self::Domain(error)
            }
        }
    };
    (@audience anyone) => { $crate::mesh::Audience::Anyone };
    (@audience owner) => { $crate::mesh::Audience::Owner };
    (@audience staff) => { $crate::mesh::Audience::Staff };
    (@audience program) => { $crate::mesh::Audience::Program };
    (@permits staff $principal:ident) => { $principal.is_staff() };
    (@permits program $principal:ident) => { *$principal == $crate::types::Principal::System };
    (@kind query) => { $crate::mesh::RequestKind::Query };
    (@kind poll) => { $crate::mesh::RequestKind::LongPoll };
    (@kind command) => { $crate::mesh::RequestKind::Command };
    (@kind keyed) => { $crate::mesh::RequestKind::Keyed };
}
pub use requests;

/// Implements [`Event`](crate::mesh::Event) for the events of a service: one row binds event and
/// name.
///
/// ```
/// use galleria::{
///     mesh::{Event, events},
///     types::Service,
/// };
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct PriceChanged { isbn: String }
///
/// events! { Service::Products,
///     PriceChanged "prices.changed",
/// }
///
/// assert_eq!((PriceChanged::PUBLISHER, PriceChanged::NAME), (Service::Products, "prices.changed"));
/// ```
#[macro_export]
macro_rules! events {
    ($service:expr, $($event:ident $name:literal,)*) => {$(
        impl $crate::mesh::Event for $event {
            const PUBLISHER: $crate::types::Service = $service;
            const NAME: &'static str = $name;
        }
    )*};
}
pub use events;

/// A hash of the thing that a request is about. It is the same in every run. Used by `requests!`.
#[doc(hidden)]
pub fn affinity_to(key: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
