//! The outboxes of a table, without the type of its records: what the relay reads.

use super::{Decision, OutboxEntry, Record, StorageError, Table, table::Uncached};

/// A table whose records publish events. Keys are texts, so that the relay can hold tables of all
/// types in one list.
pub trait OutboxTable: Send + Sync {
    /// The table's name.
    fn table(&self) -> &'static str;
    /// The keys of the records that may have pending events.
    fn open_keys(&self) -> Result<Vec<String>, StorageError>;
    /// The record's pending event that is delivered next; `None` if it has none, or does not exist.
    fn first_pending(&self, key: &str) -> Result<Option<OutboxEntry>, StorageError>;
    /// Removes the event from the record's outbox, because every subscriber has handled it. It is
    /// no error if the event is not there. Gives the event that is delivered next.
    fn mark_delivered(&self, key: &str, seq: u64) -> Result<Option<OutboxEntry>, StorageError>;
}

impl<R: Record + Send + Sync> OutboxTable for Table<R> {
    fn table(&self) -> &'static str {
        R::TABLE
    }

    fn open_keys(&self) -> Result<Vec<String>, StorageError> {
        Table::open_keys(self)
    }

    fn first_pending(&self, key: &str) -> Result<Option<OutboxEntry>, StorageError> {
        Ok(self.get_by_text(key)?.and_then(|record| record.outbox()?.first().cloned()))
    }

    fn mark_delivered(&self, key: &str, seq: u64) -> Result<Option<OutboxEntry>, StorageError> {
        self.change_by_text(key, Uncached::IsRead, |record: Option<R>| {
            let Some(mut record) = record else { return Ok(Decision::Keep(None)) };
            let Some(outbox) = record.outbox_mut() else { return Ok(Decision::Keep(None)) };
            let was_pending = outbox.remove(seq);
            let next = outbox.first().cloned();
            Ok(if was_pending { Decision::Save(record, next) } else { Decision::Keep(next) })
        })
    }
}
