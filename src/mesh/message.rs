//! Messages: requests with their context, and events.

use super::{Failure, MeshError, permit::Permit};
use crate::{
    storage::Outbox,
    telemetry::SpanContext,
    types::{Principal, Service, SpanId, Timestamp, TraceId},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, time::Duration};
use tokio::time::Instant;

/// A request to a service. Its type binds the service, the name, the reply and the error.
/// Implemented by the macro `requests!`.
pub trait Request: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// The service that handles the request.
    const SERVICE: Service;
    /// The name in spans, metrics and logs, such as `products.reserve_stock`.
    const NAME: &'static str;
    /// Whether the request may be sent again.
    const KIND: RequestKind;
    /// What the service answers.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// Why the service may refuse the request.
    type Error: std::error::Error + Serialize + DeserializeOwned + Send + 'static;

    /// The principals that may send it.
    const AUDIENCE: Audience;

    /// Checks the principal before the handler runs.
    ///
    /// # Errors
    /// The service's own error, if the principal is not in the audience.
    fn authorize(_: &Principal) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A hash of the thing that the request is about; `None` if it names no single thing. Requests
    /// about the same thing can go to the same instance ([`Strategy::ConsistentHash`]).
    ///
    /// [`Strategy::ConsistentHash`]: super::Strategy::ConsistentHash
    fn affinity(&self) -> Option<u64> {
        None
    }
}

/// Whether a request may be sent again if its result is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// Changes nothing. It may be sent again.
    Query,
    /// A query that waits until there is news. Long polls have slots of their own, so they take
    /// none from other calls.
    LongPoll,
    /// Changes something each time. It is never sent again.
    Command,
    /// A command with a key (an order and a step, an id). If it is sent twice, it is carried out
    /// once, and both get the same answer.
    Keyed,
}

/// Which principals may send a request: a column of every service's message table. Whether the
/// *calling service* may call at all is decided before, by the list of allowed calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Every principal, also an anonymous one.
    Anyone,
    /// The owner of the record, and staff. Only the handler knows the record, so the handler checks
    /// it with [`Principal::may_see`].
    Owner,
    /// Operators, services and the program: [`Principal::is_staff`]. Checked before the handler.
    Staff,
    /// The program itself: the command line. Checked before the handler.
    Program,
}

/// Something that happened in a service. The service publishes it. Implemented by the macro
/// `events!`.
pub trait Event: Serialize + DeserializeOwned + Send + 'static {
    /// The service that publishes the event.
    const PUBLISHER: Service;
    /// The name in outboxes, spans and logs, such as `orders.confirmed`.
    const NAME: &'static str;

    /// Adds the event to the outbox of the record that changes. The relay delivers it when the
    /// change is on disk. `at` is the time at which it happened.
    fn add_to(&self, outbox: &mut Outbox, at: Timestamp) {
        let payload = serde_json::to_value(self).unwrap_or_default();
        outbox.push(Self::NAME, payload, at);
    }
}

/// What travels with a request through all services that it reaches.
#[derive(Debug, Clone)]
pub struct Context {
    /// The user or service on whose behalf the request is sent.
    pub principal: Principal,
    /// When the first caller stops waiting. All calls that the request causes share this deadline
    /// (Google's SRE book, ch. 22: deadline propagation).
    pub deadline: Instant,
    /// The trace to which the request and all that it causes belongs.
    pub trace: TraceId,
    /// The span in which the request is sent.
    pub span: Option<SpanId>,
}

impl Context {
    /// A context whose deadline is `timeout` from now.
    pub fn new(principal: Principal, timeout: Duration, trace: TraceId) -> Self {
        Self { principal, deadline: Instant::now() + timeout, trace, span: None }
    }

    /// The context of a request that a service sends for itself, for example from a background
    /// task.
    pub fn of_service(service: Service, timeout: Duration, trace: TraceId) -> Self {
        Self::new(Principal::Service { name: service }, timeout, trace)
    }

    /// The same context with a deadline at most `timeout` from now, and never a later one.
    pub fn within(&self, timeout: Duration) -> Self {
        Self { deadline: self.deadline.min(Instant::now() + timeout), ..self.clone() }
    }

    /// The same context inside that span; unchanged for `None`.
    pub fn in_span(&self, span: Option<SpanId>) -> Self {
        Self { span: span.or(self.span), ..self.clone() }
    }

    /// The time until the deadline; zero after it.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// The owner of a handle on the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A service. It may call the services that the list of allowed calls names for it.
    Service(Service),
    /// The gateway, the Lab, the audit, or the program itself. They may call every service.
    Outside(&'static str),
}

impl Caller {
    /// The gateway.
    pub const GATEWAY: Self = Self::Outside("gateway");

    /// The name in spans, metrics and logs.
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
    /// The context of the request.
    pub context: Context,
    /// The request.
    pub request: R,
    /// The span of the call.
    pub(super) span: SpanContext,
    pub(super) permit: Permit,
}

impl<R: Request> Envelope<R> {
    /// Marks the call as running and gives the context, the request, the span in which the handler
    /// runs, and the slot, which must be held until the handler has ended. `None` if the caller has
    /// cancelled the call: the handler must not run.
    pub fn open(self) -> Option<(Context, R, SpanContext, impl Sized)> {
        self.permit.start().then_some((self.context, self.request, self.span, self.permit))
    }
}

impl<R: Request> actix::Message for Envelope<R> {
    type Result = Result<R::Reply, Failure<R::Error>>;
}

/// The identity of an event. It is the same at every delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventId {
    /// The service that published the event.
    pub publisher: Service,
    /// `table/key` of the record in whose outbox the event was.
    pub record: String,
    /// The number of the event within its record, from 0.
    pub seq: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.publisher, self.record, self.seq)
    }
}

/// An event on its way to a subscriber.
pub struct Delivery<E: Event> {
    /// The publisher's context.
    pub context: Context,
    /// The identity of the event.
    pub id: EventId,
    /// The time at which the event happened.
    pub at: Timestamp,
    /// The event.
    pub event: E,
    /// The span in which the event is handled.
    pub span: SpanContext,
}

impl<E: Event> actix::Message for Delivery<E> {
    type Result = Result<(), MeshError>;
}
