//! A service's own tree: typed records, changed by compare-and-swap, with the outbox of their
//! events; group commit; backup and check.
//!
//! This is the only room that knows `sled`. [`Storage`] opens a data folder and hands each service
//! a [`Tree`] of its own. A service lays [`Table`]s of typed [`Record`]s over its tree. The rules
//! that make a crash harmless are kept here, for all services:
//!
//! - **One aggregate, one record.** A change is a compare-and-swap of one record
//!   ([`Table::change`]): load, decide, swap; and again if another instance was faster. What must
//!   change together is in one record, its [`Outbox`] too.
//! - **Index entries before records.** An index entry is written before the record that it leads
//!   to. A crash can therefore leave an entry without its record, which is harmless: a reader looks
//!   at the record and skips the entry. It cannot leave a record without its entry.
//! - **Open markers.** A record with unfinished work (pending events, a running saga) has a marker
//!   under `open/`. The marker is written before the record says that work is unfinished, and
//!   removed after the record no longer says so. So a start finds all unfinished work without a
//!   scan.
//! - **Group commit.** A service replies to a command after [`Tree::commit`] has returned: the
//!   change is on disk then.
//!
//! The files of the folder, and how it is opened without harm, are described in `folder.rs`.
//!
//! | file | what is in it |
//! |---|---|
//! | `database.rs`, `tree.rs`, `table/` | an open folder, a service's tree in it, a table in that |
//! | `record.rs`, `keys.rs`, `record_cache.rs` | a record as it is stored, its keys, a cache |
//! | `outbox.rs`, `outbox_table.rs` | the pending events of a record, and of a table |
//! | `commit.rs`, `commit_number.rs` | group commit; no acknowledged commit is lost unseen |
//! | `folder.rs`, `files.rs`, `shutdown_manifest.rs` | the data folder and its files |
//! | `backup.rs`, `check.rs`, `scan.rs` | reading everything |
//! | `guard.rs`, `failpoint.rs`, `simulated.rs` | panics of sled; fail points; a simulated disk |
//!
//! ## Decisions
//!
//! **sled 0.34.** *Context:* the shop is one binary that a student starts without a database
//! server. *Decision:* an embedded store in pure Rust with ordered keys, compare-and-swap and a
//! log: sled 0.34. Its format and its known faults are stable, because it has had no stable release
//! since 2021. *Consequence:* no fixes arrive. So sled is behind this room alone, its panics are
//! caught (`guard.rs`), its silent repair of a damaged log is detected (`shutdown_manifest.rs`,
//! `commit_number.rs`), and a backup does not depend on it (`backup.rs`).
//!
//! **Compare-and-swap on one record.** *Context:* several instances of a service change the same
//! tree; `get` and `insert` without a check lose updates. *Decision:* each change is one swap of
//! one record, and no transaction spans records. *Consequence:* an aggregate with its outbox is one
//! record; index entries may be stale, so readers check them; what spans aggregates is a saga. A
//! swap was measured several times faster than sled's transactions.
//!
//! **One log for all trees.** *Context:* seven services share one disk. *Decision:* all trees are
//! in one sled database with one log. *Consequence:* a flush covers all services, so the commits of
//! a saga's participants share flushes; a damaged log concerns all services. No service may rely on
//! it: the simulated disk commits each tree on its own.
//!
//! **Group commit.** *Context:* a flush takes about as long for one change as for twenty.
//! *Decision:* one thread flushes for all callers that wait. *Consequence:* throughput grows with
//! the number of callers; a single caller waits for one flush.
//!
//! **A cache of our own.** *Context:* while an order is placed, its record is read a dozen times;
//! parsing costs five times as much as cloning. *Decision:* a small cache of values for each table,
//! keyed by the stored bytes (`record_cache.rs`). *Consequence:* a swap is attempted on the cached
//! value first, and its failure shows that the value was stale; no general cache offers that check.

#![deny(missing_docs)]

mod backup;
mod check;
mod commit;
mod commit_number;
mod database;
mod error;
mod failpoint;
mod files;
mod folder;
mod guard;
mod keys;
mod outbox;
mod outbox_table;
mod record;
mod record_cache;
mod scan;
mod shutdown_manifest;
mod simulated;
mod table;
#[cfg(test)]
mod tests;
mod tree;

pub use crate::record;
pub use backup::{backup, restore};
pub use check::{Finding, KnownTable, Report, TableReport, check};
pub use database::Storage;
pub use error::StorageError;
#[cfg(test)]
pub use failpoint::{WriteStage, on_each_stage};
pub use folder::has_room;
pub use outbox::{Outbox, OutboxEntry};
pub use outbox_table::OutboxTable;
pub use record::{Record, digest};
pub use simulated::Disk;
pub use table::{Decision, Table};
pub use tree::Tree;
