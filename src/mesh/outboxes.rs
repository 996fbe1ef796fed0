//! What a service has published and not delivered: its tables with outboxes, and its dead letters.

use super::dead_letters::DeadLetter;
use crate::storage::{OutboxTable, Table};
use std::sync::Arc;

/// The tables whose records have an outbox.
pub(super) type Tables = Arc<Vec<Box<dyn OutboxTable>>>;

/// The outboxes and the dead letters of one publisher, in its own tree.
pub(super) struct Outboxes {
    pub tables: Tables,
    pub dead_letters: Table<DeadLetter>,
}
