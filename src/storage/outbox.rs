//! The events that a record owes: written in the same swap as the change that they tell of.

use super::{Decision, Record, StorageError, Table, table::Unseen};
use crate::{
    telemetry,
    types::{SpanRef, Timestamp},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Part of a record that publishes events. Events leave it in order, when every subscriber has taken them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    /// How many events this record has ever owed: the next one's number.
    next: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pending: Vec<OutboxEntry>,
}

/// An event on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Counts from 0 within its record: subscribers remember the last one that they handled.
    pub seq: u64,
    /// Such as `orders.confirmed`.
    pub name: String,
    pub payload: Value,
    pub at: Timestamp,
    /// What was being done when it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<SpanRef>,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Called by `mesh::Event::add_to`, which knows the name that belongs to the payload.
    pub fn push(&mut self, name: &str, payload: Value, at: Timestamp) {
        let cause = telemetry::current_span().at();
        self.pending.push(OutboxEntry { seq: self.next, name: name.to_owned(), payload, at, cause });
        self.next += 1;
    }

    pub fn first(&self) -> Option<&OutboxEntry> {
        self.pending.first()
    }

    /// The events whose delivery has not begun: all but the first, of which nobody here knows how far it is.
    pub fn waiting(&self) -> &[OutboxEntry] {
        self.pending.get(1..).unwrap_or_default()
    }

    /// Says whether that event was owed.
    fn settle(&mut self, seq: u64) -> bool {
        let before = self.pending.len();
        self.pending.retain(|pending| pending.seq != seq);
        self.pending.len() < before
    }
}

/// A table whose records owe events, whatever their type: what the relay works on.
pub trait OutboxTable: Send + Sync {
    /// The table's name.
    fn table(&self) -> &'static str;
    /// The keys of the records that may owe something.
    fn open_keys(&self) -> Result<Vec<String>, StorageError>;
    /// The first event that the record owes.
    fn first_pending(&self, key: &str) -> Result<Option<OutboxEntry>, StorageError>;
    /// Every subscriber has it: the record owes it no longer. Gives the event that it owes then.
    fn settle(&self, key: &str, seq: u64) -> Result<Option<OutboxEntry>, StorageError>;
}

impl<R: Record + Send + Sync> OutboxTable for Table<R> {
    fn table(&self) -> &'static str {
        R::TABLE
    }

    fn open_keys(&self) -> Result<Vec<String>, StorageError> {
        Table::open_keys(self)
    }

    fn first_pending(&self, key: &str) -> Result<Option<OutboxEntry>, StorageError> {
        Ok(self.get_text(key)?.and_then(|record| record.outbox()?.first().cloned()))
    }

    fn settle(&self, key: &str, seq: u64) -> Result<Option<OutboxEntry>, StorageError> {
        self.change_text(key, Unseen::IsRead, |record: Option<R>| {
            let Some(mut record) = record else { return Ok(Decision::Keep(None)) };
            let Some(outbox) = record.outbox_mut() else { return Ok(Decision::Keep(None)) };
            let was_owed = outbox.settle(seq);
            let next = outbox.first().cloned();
            Ok(if was_owed { Decision::Save(record, next) } else { Decision::Keep(next) })
        })
    }
}
