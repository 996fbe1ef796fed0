//! The events that a record owes: written in the same swap as the change that they tell of.

use super::{Decision, Record, StorageError, Table};
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
    owed: Vec<Owed>,
}

/// An event on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Owed {
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
        self.owed.is_empty()
    }

    /// Called by `mesh::Event::owe`, which knows the name that belongs to the payload.
    pub fn push(&mut self, name: &str, payload: Value, at: Timestamp) {
        let cause = telemetry::here().at();
        self.owed.push(Owed { seq: self.next, name: name.to_owned(), payload, at, cause });
        self.next += 1;
    }

    pub fn first(&self) -> Option<&Owed> {
        self.owed.first()
    }

    /// The events whose delivery has not begun: all but the first, of which nobody here knows how far it is.
    pub fn waiting(&self) -> &[Owed] {
        self.owed.get(1..).unwrap_or_default()
    }

    fn settle(&mut self, seq: u64) {
        self.owed.retain(|owed| owed.seq != seq);
    }
}

/// A table whose records owe events, whatever their type: what the relay works on.
pub trait Owing: Send + Sync {
    /// The table's name.
    fn table(&self) -> &'static str;
    /// The keys of the records that may owe something.
    fn open_keys(&self) -> Result<Vec<String>, StorageError>;
    /// The first event that the record owes.
    fn first_owed(&self, key: &str) -> Result<Option<Owed>, StorageError>;
    /// Every subscriber has it: the record owes it no longer.
    fn settle(&self, key: &str, seq: u64) -> Result<(), StorageError>;
}

impl<R: Record + Send + Sync> Owing for Table<R> {
    fn table(&self) -> &'static str {
        R::TABLE
    }

    fn open_keys(&self) -> Result<Vec<String>, StorageError> {
        Table::open_keys(self)
    }

    fn first_owed(&self, key: &str) -> Result<Option<Owed>, StorageError> {
        Ok(self.get_text(key)?.and_then(|record| record.outbox()?.first().cloned()))
    }

    fn settle(&self, key: &str, seq: u64) -> Result<(), StorageError> {
        self.change_text(key, |record: Option<R>| {
            Ok(match record {
                Some(mut record)
                    if record.outbox().is_some_and(|outbox| outbox.owed.iter().any(|owed| owed.seq == seq)) =>
                {
                    if let Some(outbox) = record.outbox_mut() {
                        outbox.settle(seq);
                    }
                    Decision::Save(record, ())
                }
                _ => Decision::Keep(()),
            })
        })
    }
}
