//! Spans: a piece of work, when it began, how long it took, and how it ended.
//!
//! The attributes are typed, so this room knows order ids and user ids. Pages and metrics read them
//! without parsing text.

use super::cache_status::CacheStatus;
use crate::types::{OrderId, Service, SpanId, SpanRef, Timestamp, UserId};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::{cell::Cell, io, net::IpAddr, sync::Arc, time::Duration};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// A piece of work that has ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Span {
    #[serde(rename = "span_id", serialize_with = "span_only")]
    #[schema(value_type = SpanId)]
    /// The trace and the id of the span.
    pub at: SpanRef,
    /// The span inside which it ran; `null` for the first span of a trace in this program.
    pub parent_id: Option<SpanId>,
    /// The span that caused this one, if no caller waits for it: the request that published an
    /// event or began a saga.
    #[schema(value_type = Option<SpanRef>)]
    pub caused_by: Option<SpanRef>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    #[serde(rename = "took_us", serialize_with = "micros")]
    #[schema(value_type = u64)]
    pub took: Duration,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: SpanStatus,
    /// What it was, with its attributes.
    #[serde(flatten)]
    pub what: SpanKind,
}

/// The kind of a span, with its attributes.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SpanKind {
    /// A request at the gateway, until its response is ready.
    Request {
        method: &'static str,
        /// The template of the route.
        route: &'static str,
        status: u16,
        #[schema(value_type = String)]
        client: IpAddr,
        user_id: Option<UserId>,
        /// What the response cache did, as in the `Cache-Status` field (RFC 9211).
        #[schema(value_type = Option<String>)]
        cache: Option<CacheStatus>,
        /// The gateway's filter that responded instead of the handler.
        stopped_by: Option<&'static str>,
        /// Whether parts of a composed response are missing. The spans of its calls say which.
        degraded: bool,
    },
    /// One attempt of a call of the mesh. Each retry is a span of its own, with a higher number.
    Call {
        caller: &'static str,
        service: Service,
        /// Such as `products.reserve_stock`.
        request: &'static str,
        /// The instance that had the request; `null` if none was reached.
        #[serde(serialize_with = "shared_text")]
        #[schema(value_type = Option<String>)]
        instance: Option<Arc<str>>,
        attempt: u32,
        /// How long the request was in the instance's mailbox.
        #[serde(rename = "queued_us", serialize_with = "maybe_micros")]
        #[schema(value_type = Option<u64>)]
        queued: Option<Duration>,
        sent: Payload,
        answer: Payload,
    },
    /// The wait until a write is on disk. Writes that wait at the same time share one flush.
    Commit {
        #[schema(value_type = String)]
        tree: &'static str,
    },
    /// One attempt to deliver an event to a subscriber.
    Delivery {
        /// Such as `orders.confirmed`.
        event: Box<str>,
        publisher: Service,
        /// The record in whose outbox the event was.
        record: Box<str>,
        subscriber: Service,
        attempt: u32,
        sent: Payload,
    },
    /// A step of an order's saga, or a compensation.
    Step { order_id: OrderId, saga: u32, action: Box<str> },
}

/// How a span ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpanStatus {
    /// `ok`; `refused` if the service refused the request; `abandoned` if the caller stopped
    /// waiting; otherwise the failure: `timed_out`, `no_instance`, `overloaded`, `circuit_open`,
    /// `crashed`, `not_allowed`, `failed`.
    #[serde(rename = "outcome")]
    #[schema(value_type = String, example = "ok")]
    pub kind: &'static str,
    /// The error's text, or the problem's code; `null` if there is none.
    #[serde(rename = "error")]
    pub message: Option<Box<str>>,
}

impl SpanStatus {
    /// Success.
    pub const OK: Self = Self { kind: "ok", message: None };
    /// The caller stopped waiting.
    pub const ABANDONED: Self = Self { kind: "abandoned", message: None };

    /// A refusal or a failure of that kind.
    pub fn new(kind: &'static str, message: impl Into<Box<str>>) -> Self {
        Self { kind, message: Some(message.into()) }
    }

    /// Whether the work failed. A refusal is not a failure.
    pub fn is_failure(&self) -> bool {
        !matches!(self.kind, "ok" | "refused" | "abandoned")
    }
}

impl Span {
    /// The span's name, such as `POST /api/v1/orders` or `products.reserve_stock`.
    pub fn name(&self) -> String {
        match &self.what {
            SpanKind::Request { method, route, .. } => format!("{method} {route}"),
            SpanKind::Call { request, .. } => (*request).to_owned(),
            SpanKind::Commit { tree } => format!("commit {tree}"),
            SpanKind::Delivery { event, .. } => event.to_string(),
            SpanKind::Step { action, .. } => action.to_string(),
        }
    }

    /// The bytes that the span takes in memory.
    pub fn size(&self) -> usize {
        let more = match &self.what {
            SpanKind::Call { sent, answer, .. } => sent.0.len() + answer.0.len(),
            SpanKind::Request { .. } | SpanKind::Commit { .. } => 0,
            SpanKind::Delivery { event, record, sent, .. } => event.len() + record.len() + sent.0.len(),
            SpanKind::Step { action, .. } => action.len(),
        };
        size_of::<Self>() + more + self.outcome.message.as_deref().map_or(0, str::len)
    }

    /// Whether the id occurs in the span's attributes or payloads.
    pub fn mentions(&self, id: &str) -> bool {
        match &self.what {
            SpanKind::Call { sent, answer, .. } => sent.0.contains(id) || answer.0.contains(id),
            SpanKind::Delivery { record, sent, .. } => record.contains(id) || sent.0.contains(id),
            SpanKind::Step { order_id, .. } => order_id.to_string() == id,
            SpanKind::Request { .. } | SpanKind::Commit { .. } => false,
        }
    }
}

/// The beginning of a request or reply as JSON, in which [`Secret`](crate::types::Secret)s are
/// masked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload(Box<str>);

impl Payload {
    /// The most bytes of a payload. The rest is cut off, so that a page of a hundred products does
    /// not push all other spans out of the ring.
    pub const LONGEST: usize = 2048;

    /// The payload of a value.
    pub fn of(value: &impl Serialize) -> Self {
        let mut text = Bounded(SCRATCH.take());
        text.0.clear();
        // It fails if there is no more room. The part that had room is written then.
        let _ = serde_json::to_writer(&mut text, value);
        let whole = str::from_utf8(&text.0).map_or_else(|cut| cut.valid_up_to(), str::len);
        let payload = Self(str::from_utf8(&text.0[..whole]).unwrap_or_default().into());
        SCRATCH.set(text.0);
        payload
    }

    /// The JSON text, which may be cut off.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// JSON if the payload is whole, a string if it was cut off, `null` if it is empty.
impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() {
            return to.serialize_none();
        }
        match serde_json::from_str::<&RawValue>(&self.0) {
            Ok(json) => json.serialize(to),
            Err(_) => to.collect_str(&format_args!("{}…", self.0)),
        }
    }
}

impl ToSchema for Payload {}

impl PartialSchema for Payload {
    fn schema() -> RefOr<Schema> {
        serde_json::Value::schema()
    }
}

thread_local! {
    /// The text is written here and then copied: one allocation of the right size instead of
    /// several as the text grows.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A writer that fails after [`Payload::LONGEST`] bytes.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = Payload::LONGEST - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len().min(room))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn span_only<S: Serializer>(at: &SpanRef, to: S) -> Result<S::Ok, S::Error> {
    at.span.serialize(to)
}

fn micros<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(span.as_micros() as u64)
}

fn maybe_micros<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    span.map(|span| span.as_micros() as u64).serialize(to)
}

fn shared_text<S: Serializer>(text: &Option<Arc<str>>, to: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_short_payload_is_kept_whole_and_without_its_secrets() {
        #[derive(Serialize)]
        struct SignIn {
            email: &'static str,
            password: Secret,
        }
        let sent = Payload::of(&SignIn { email: "ada@example.com", password: Secret::new("hunter2".to_owned()) });
        assert_eq!(serde_json::to_value(&sent).unwrap(), json!({"email": "ada@example.com", "password": "•••"}));
        assert_eq!(serde_json::to_value(Payload::default()).unwrap(), json!(null));
    }

    proptest! {
        #[test]
        fn a_long_payload_is_cut_off_between_two_characters(text in "[aé😀]{0,1500}") {
            let payload = Payload::of(&text);
            prop_assert!(payload.text().len() <= Payload::LONGEST);
            let whole = serde_json::to_string(&text).unwrap();
            prop_assert!(whole.starts_with(payload.text()));
            prop_assert!(payload.text().len() == whole.len() || payload.text().len() > Payload::LONGEST - 4);
        }
    }
}
