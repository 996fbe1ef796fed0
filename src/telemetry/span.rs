//! Spans: what was done, from when to when, and what became of it.

use crate::types::{OrderId, Service, SpanId, SpanRef, Timestamp, UserId};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::{cell::Cell, io, net::IpAddr, sync::Arc, time::Duration};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// Something that was done.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Span {
    #[serde(rename = "span_id", serialize_with = "span_only")]
    #[schema(value_type = SpanId)]
    pub at: SpanRef,
    /// The span in which it was done; `null` for one with which a trace begins here.
    pub parent_id: Option<SpanId>,
    /// What caused it, where nobody waits for it: the request in which an event was told or a saga begun.
    #[schema(value_type = Option<SpanRef>)]
    pub caused_by: Option<SpanRef>,
    pub started_at: Timestamp,
    #[serde(rename = "took_us", serialize_with = "micros")]
    #[schema(value_type = u64)]
    pub took: Duration,
    #[serde(flatten)]
    pub outcome: SpanStatus,
    #[serde(flatten)]
    pub what: SpanKind,
}

/// What a span is about, by its kind. The names are those of the field's conventions where it has any.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SpanKind {
    /// A request at the door, until its answer is ready.
    Request {
        method: &'static str,
        /// The route's template.
        route: &'static str,
        status: u16,
        #[schema(value_type = String)]
        client: IpAddr,
        user_id: Option<UserId>,
        /// `Cache-Status` (RFC 9211): whether the answer was an old one, and which fallback it was.
        cache: Option<Box<str>>,
        /// Whether parts of a composed answer are missing: the calls in it say which.
        degraded: bool,
    },
    /// A call of the mesh. One that is tried again is another span, with a higher number.
    Call {
        caller: &'static str,
        service: Service,
        /// Such as `products.reserve_stock`.
        request: &'static str,
        /// Who had it in hand; `null` where nobody was reached.
        #[serde(serialize_with = "shared_text")]
        #[schema(value_type = Option<String>)]
        instance: Option<Arc<str>>,
        attempt: u32,
        /// How much of it the request lay in the instance's mailbox.
        #[serde(rename = "queued_us", serialize_with = "maybe_micros")]
        #[schema(value_type = Option<u64>)]
        queued: Option<Duration>,
        sent: Payload,
        answer: Payload,
    },
    /// Waiting until what was written is on disk, in a flush that is shared with others who wait.
    Commit {
        #[schema(value_type = String)]
        tree: &'static str,
    },
    /// An event is handed to a subscriber.
    Delivery {
        /// Such as `orders.confirmed`.
        event: Box<str>,
        publisher: Service,
        /// The record that owes it.
        record: Box<str>,
        subscriber: Service,
        attempt: u32,
        sent: Payload,
    },
    /// A saga does one thing for an order, or undoes it.
    Step { order_id: OrderId, saga: u32, action: Box<str> },
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpanStatus {
    /// `ok`; `refused` where the service had something to say against it; else how it failed: `timed_out`, `no_instance`,
    /// `overloaded`, `circuit_open`, `crashed`, `not_allowed`, `failed`; `abandoned` where whoever waited for it went away.
    #[serde(rename = "outcome")]
    #[schema(value_type = String, example = "ok")]
    pub kind: &'static str,
    /// What was said.
    #[serde(rename = "error")]
    pub words: Option<Box<str>>,
}

impl SpanStatus {
    pub const OK: Self = Self { kind: "ok", words: None };
    pub const ABANDONED: Self = Self { kind: "abandoned", words: None };

    pub fn new(kind: &'static str, words: impl Into<Box<str>>) -> Self {
        Self { kind, words: Some(words.into()) }
    }

    /// Whether something went wrong: a service that says no has done its work.
    pub fn is_failure(&self) -> bool {
        !matches!(self.kind, "ok" | "refused" | "abandoned")
    }
}

impl Span {
    /// Such as `POST /api/v1/orders` or `products.reserve_stock`.
    pub fn name(&self) -> String {
        match &self.what {
            SpanKind::Request { method, route, .. } => format!("{method} {route}"),
            SpanKind::Call { request, .. } => (*request).to_owned(),
            SpanKind::Commit { tree } => format!("commit {tree}"),
            SpanKind::Delivery { event, .. } => event.to_string(),
            SpanKind::Step { action, .. } => action.to_string(),
        }
    }

    /// Bytes in memory, as the ring counts them.
    pub fn size(&self) -> usize {
        let more = match &self.what {
            SpanKind::Request { cache, .. } => cache.as_deref().map_or(0, str::len),
            SpanKind::Call { sent, answer, .. } => sent.0.len() + answer.0.len(),
            SpanKind::Commit { .. } => 0,
            SpanKind::Delivery { event, record, sent, .. } => event.len() + record.len() + sent.0.len(),
            SpanKind::Step { action, .. } => action.len(),
        };
        size_of::<Self>() + more + self.outcome.words.as_deref().map_or(0, str::len)
    }

    /// Whether it is about what has this id, as far as it says.
    pub fn mentions(&self, id: &str) -> bool {
        match &self.what {
            SpanKind::Call { sent, answer, .. } => sent.0.contains(id) || answer.0.contains(id),
            SpanKind::Delivery { record, sent, .. } => record.contains(id) || sent.0.contains(id),
            SpanKind::Step { order_id, .. } => order_id.to_string() == id,
            SpanKind::Request { .. } | SpanKind::Commit { .. } => false,
        }
    }
}

/// The beginning of what was sent or answered, as JSON. [`Secret`](crate::types::Secret)s are masked in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload(Box<str>);

impl Payload {
    /// What is longer is cut off: one page of a hundred products must not push everything else out.
    pub const LONGEST: usize = 2048;

    pub fn of(value: &impl Serialize) -> Self {
        let mut text = Bounded(SCRATCH.take());
        text.0.clear();
        // It fails when there is no more room, and has then written what there was room for.
        let _ = serde_json::to_writer(&mut text, value);
        let whole = str::from_utf8(&text.0).map_or_else(|cut| cut.valid_up_to(), str::len);
        let payload = Self(str::from_utf8(&text.0[..whole]).unwrap_or_default().into());
        SCRATCH.set(text.0);
        payload
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

/// JSON where it is whole, a string where it was cut off, `null` where there is none.
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
    /// Written here and then copied: one allocation of the right size, and not one after the other as the text grows.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

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
    fn what_is_short_is_kept_whole_and_without_its_secrets() {
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
        fn what_is_long_is_cut_off_between_two_characters(text in "[aé😀]{0,1500}") {
            let payload = Payload::of(&text);
            prop_assert!(payload.text().len() <= Payload::LONGEST);
            let whole = serde_json::to_string(&text).unwrap();
            prop_assert!(whole.starts_with(payload.text()));
            prop_assert!(payload.text().len() == whole.len() || payload.text().len() > Payload::LONGEST - 4);
        }
    }
}
