//! Idempotent consumer (Richardson, *Microservices Patterns*, ch. 3): a subscriber remembers the
//! events that it has processed, because the relay delivers at least once.

use super::{EventId, MeshError};
use crate::storage::{Decision, Record, StorageError, Tree};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The events that a subscriber has handled, stored in its own tree (an idempotent consumer:
/// Richardson, "Microservices Patterns", 2018, ch. 3).
///
/// The entry is written after the handler's own write. After a crash between the two, the event is
/// handled again, so a handler takes the keys of its records from the event.
#[derive(Clone)]
pub struct ProcessedEvents {
    tree: Tree,
    /// Whether handled events are stored beside the handlers' own records.
    is_stored: bool,
}

/// The handled events of one record of a publisher. All of them are kept, because a dead letter can
/// be delivered after later events. They are few: a service that needs every change of a record
/// reads the record instead.
#[derive(Clone, Default, Serialize, Deserialize)]
struct ProcessedEventsOf {
    seqs: BTreeSet<u64>,
}

impl Record for ProcessedEventsOf {
    const TABLE: &'static str = "heard";
    /// `publisher/table/key` with the slashes turned into colons.
    type Key = String;
}

impl ProcessedEvents {
    /// Stores handled events in the subscriber's tree.
    pub fn in_tree(tree: &Tree) -> Self {
        Self { tree: tree.clone(), is_stored: true }
    }

    /// For services whose handler writes exactly one record, with a key taken from the event, and
    /// never overwrites it. The record itself is the proof that the event was handled.
    pub fn proved_by_records(tree: &Tree) -> Self {
        Self { tree: tree.clone(), is_stored: false }
    }

    /// Whether the event was handled before. If it was, its changes are on disk.
    #[doc(hidden)]
    pub async fn already(&self, id: &EventId) -> Result<bool, MeshError> {
        if !self.is_stored {
            return Ok(false);
        }
        let processed = self.tree.table::<ProcessedEventsOf>().get(&key(id))?;
        let is_known = processed.is_some_and(|processed| processed.seqs.contains(&id.seq));
        if is_known {
            // A handler of the same event that runs beside this one may not have committed yet. The
            // publisher deletes the event after our answer, so the commit comes first.
            self.tree.commit().await?;
        }
        Ok(is_known)
    }

    /// Stores that the event was handled. Returns when that and the handler's changes are on disk.
    #[doc(hidden)]
    pub async fn remember(&self, id: &EventId) -> Result<(), MeshError> {
        if !self.is_stored {
            return Ok(self.tree.commit().await?);
        }
        let remembered: Result<(), StorageError> =
            self.tree.table().change(&key(id), |processed: Option<ProcessedEventsOf>| {
                let mut processed = processed.unwrap_or_default();
                Ok(if processed.seqs.insert(id.seq) { Decision::Save(processed, ()) } else { Decision::Keep(()) })
            });
        remembered?;
        Ok(self.tree.commit().await?)
    }
}

fn key(id: &EventId) -> String {
    format!("{}:{}", id.publisher, id.record.replace('/', ":"))
}
