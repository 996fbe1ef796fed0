//! The transactional outbox of a record: its events that are not delivered yet, written in the same
//! swap as the change that they tell of (Richardson, *Microservices Patterns*, ch. 3).

use crate::{
    telemetry,
    types::{SpanRef, Timestamp},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The outbox: a field of each record that publishes events. Its entries are removed in their
/// order, each when every subscriber has handled it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    /// The number of the next event: how many events this record has published so far.
    next: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pending: Vec<OutboxEntry>,
}

/// An event that is not delivered yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Counts from 0 within its record. A subscriber remembers the numbers that it has handled.
    pub seq: u64,
    /// The name of the event, such as `orders.confirmed`.
    pub name: String,
    /// The event as JSON.
    pub payload: Value,
    /// When it happened.
    pub at: Timestamp,
    /// The span in which it happened, by which a trace shows the delivery with its cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<SpanRef>,
}

impl Outbox {
    /// Whether every event is delivered.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Adds an event. Call `mesh::Event::add_to` instead, which knows the name that belongs to the
    /// payload.
    pub fn push(&mut self, name: &str, payload: Value, at: Timestamp) {
        let cause = telemetry::current_span().at();
        self.pending.push(OutboxEntry { seq: self.next, name: name.to_owned(), payload, at, cause });
        self.next += 1;
    }

    /// The event that is delivered next.
    pub fn first(&self) -> Option<&OutboxEntry> {
        self.pending.first()
    }

    /// Removes the event with this number, and says whether it was there.
    pub(super) fn remove(&mut self, seq: u64) -> bool {
        let before = self.pending.len();
        self.pending.retain(|pending| pending.seq != seq);
        self.pending.len() < before
    }
}
