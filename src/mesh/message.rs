//! What travels: requests with their context, and events.

use super::{Failure, MeshError, permit::Permit};
use crate::{
    storage::Outbox,
    telemetry::SpanContext,
    types::{Principal, Service, SpanId, Timestamp, TraceId},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};
use tokio::time::Instant;

/// A question or an order to a service. Its type says everything a caller must know. Made by [`requests!`].
pub trait Request: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// Who answers.
    const SERVICE: Service;
    /// Such as `products.reserve_stock`.
    const NAME: &'static str;
    const KIND: Kind;
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// What the service may have to say against it.
    type Error: std::error::Error + Serialize + DeserializeOwned + Send + 'static;

    /// The principals that may send it.
    const AUDIENCE: Audience;

    /// Checked by the service before its handler runs: `Err` with the service's own error for a principal outside the audience.
    fn authorize(_: &Principal) -> Result<(), Self::Error> {
        Ok(())
    }

    /// What the request is about, where it names one thing: requests about the same thing can go to the same instance.
    fn affinity(&self) -> Option<u64> {
        None
    }
}

/// A number for what a request is about: the same in every run.
pub(crate) fn affinity_to(key: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// What may be done again when nobody knows how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Changes nothing: may be asked again freely.
    Query,
    /// A query whose answer is waited for until there is news. It has a compartment of its own in its instance: however many wait,
    /// those that work keep their places.
    LongPoll,
    /// Changes something, each time: is never sent again.
    Command,
    /// A command that names what it is for (an order and a step, an id), so that the second time gives the first answer.
    Keyed,
}

/// Which principals may send a request: a column of every service's message table. Whether the *caller* (another service) may call at
/// all is decided before, by the list of allowed calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Every principal, also an anonymous one.
    Anyone,
    /// The owner of the record, and staff. Only the handler knows the record, so the handler checks with [`Principal::may_see`].
    Owner,
    /// Operators, services and the program: [`Principal::is_staff`]. Checked before the handler.
    Staff,
    /// The program itself: the command line. Checked before the handler.
    Program,
}

/// Something that happened, told by the service that it happened to. Made by [`events!`].
pub trait Event: Serialize + DeserializeOwned + Send + 'static {
    const PUBLISHER: Service;
    /// Such as `orders.confirmed`.
    const NAME: &'static str;

    /// Puts the event into the outbox of the record that changes, to be told when the change is on disk.
    fn add_to(&self, outbox: &mut Outbox, at: Timestamp) {
        let payload = serde_json::to_value(self).unwrap_or_default();
        outbox.push(Self::NAME, payload, at);
    }
}

/// What goes along with a request.
#[derive(Debug, Clone)]
pub struct Context {
    /// On whose behalf.
    pub principal: Principal,
    /// When nobody waits for the answer any longer. It covers everything that is called on the way.
    pub deadline: Instant,
    /// The trace that all of it belongs to,
    pub trace: TraceId,
    /// and the span of it in which it is asked.
    pub span: Option<SpanId>,
}

impl Context {
    pub fn new(principal: Principal, patience: Duration, trace: TraceId) -> Self {
        Self { principal, deadline: Instant::now() + patience, trace, span: None }
    }

    /// For what a service does on its own account, in the trace that caused it.
    pub fn of_service(service: Service, patience: Duration, trace: TraceId) -> Self {
        Self::new(Principal::Service { name: service }, patience, trace)
    }

    /// The same caller and trace with less time: never more than is left.
    pub fn within(&self, patience: Duration) -> Self {
        Self { deadline: self.deadline.min(Instant::now() + patience), ..self.clone() }
    }

    /// The same, asked in that span.
    pub fn in_span(&self, span: Option<SpanId>) -> Self {
        Self { span: span.or(self.span), ..self.clone() }
    }

    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Whose handle on the mesh is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    Service(Service),
    /// The gateway, the Lab, the audit, the program itself: they may call every service.
    Outside(&'static str),
}

impl Caller {
    pub const GATEWAY: Self = Self::Outside("gateway");

    pub fn name(self) -> &'static str {
        match self {
            Self::Service(service) => service.name(),
            Self::Outside(name) => name,
        }
    }
}

impl Serialize for Caller {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A request on its way to an actor.
pub struct Envelope<R: Request> {
    pub context: Context,
    pub request: R,
    /// The span of the call.
    pub(super) here: SpanContext,
    pub(super) permit: Permit,
}

impl<R: Request> Envelope<R> {
    /// Takes the request in hand; `None` where its caller has taken it back. It is carried out in the span that comes with it; the last
    /// part is to be held until the answer is there.
    pub fn open(self) -> Option<(Context, R, SpanContext, impl Sized)> {
        self.permit.begin().then_some((self.context, self.request, self.here, self.permit))
    }
}

impl<R: Request> actix::Message for Envelope<R> {
    type Result = Result<R::Reply, Failure<R::Error>>;
}

/// Which event of which record: the same at every delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventId {
    pub publisher: Service,
    /// `table/key` of the record that owes it.
    pub record: String,
    /// Counts from 0 within the record.
    pub seq: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.publisher, self.record, self.seq)
    }
}

/// An event on its way to a subscriber.
pub struct Delivery<E: Event> {
    pub context: Context,
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    pub event: E,
    /// The span in which it is handled.
    pub here: SpanContext,
}

impl<E: Event> actix::Message for Delivery<E> {
    type Result = Result<(), MeshError>;
}

/// Binds each request of a service to its name, its kind and its reply: the service at a glance. `by` names the field that says what
/// the request is about ([`Request::affinity`]). The second column is the [`Audience`]; `staff` and `program` name the error that all
/// other principals get: `Forbidden`, or `NotFound` where the record's existence is hidden from them.
///
/// ```text
/// requests! { Service::Products, ProductsError,
///     query   anyone           GetProduct   "products.get" by id                 -> Product,
///     poll    anyone           AwaitRefill  "products.await_refill" by id        -> Product,
///     keyed   staff(Forbidden) ReserveStock "products.reserve_stock" by order_id -> Reservation,
/// }
/// ```
macro_rules! requests {
    (
        $service:expr, $error:ty,
        $($kind:ident $audience:ident $(($denied:ident))? $request:ident $name:literal $(by $key:ident)? -> $reply:ty,)*
    ) => {$(
        impl $crate::mesh::Request for $request {
            const SERVICE: $crate::types::Service = $service;
            const NAME: &'static str = $name;
            const KIND: $crate::mesh::Kind = $crate::mesh::requests!(@kind $kind);
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
    (@kind query) => { $crate::mesh::Kind::Query };
    (@kind poll) => { $crate::mesh::Kind::LongPoll };
    (@kind command) => { $crate::mesh::Kind::Command };
    (@kind keyed) => { $crate::mesh::Kind::Keyed };
}
pub(crate) use requests;

/// Binds each event of a service to its name.
macro_rules! events {
    ($service:expr, $($event:ident $name:literal,)*) => {$(
        impl $crate::mesh::Event for $event {
            const PUBLISHER: $crate::types::Service = $service;
            const NAME: &'static str = $name;
        }
    )*};
}
pub(crate) use events;
