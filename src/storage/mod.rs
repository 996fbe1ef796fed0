//! A service's own tree: typed records changed by compare-and-swap, the events that they owe, group commit, backup.
//!
//! The only room that knows `sled`. [`Storage`] opens a data folder and hands each service a [`Tree`] of its own;
//! a service lays [`Table`]s of typed [`Record`]s over it. The rules that make a crash harmless live here, once:
//!
//! - **One aggregate, one record.** A change is a compare-and-swap of one record ([`Table::change`]): load, decide,
//!   swap, and again if somebody was faster. What must change together lives in one record, its [`Outbox`] too.
//! - **Entries before records.** An index entry is written before the record that it leads to. One that leads nowhere is
//!   harmless: whoever reads it looks at the record and skips it.
//! - **Open markers.** A record with unfinished business (events owed, a saga under way) has a key under `open/`, written
//!   before the record says so and removed after it no longer does: start-up finds all unfinished work without a scan.
//! - **Group commit.** Nobody answers a command before [`Tree::commit`] returned: it is on disk then.
//!
//! What is in the folder, and how it is opened without harm, stands in `folder.rs`.

mod backup;
mod check;
mod commit;
mod error;
mod failpoint;
mod folder;
mod outbox;
mod recent;
mod record;
mod seal;
mod simulated;
mod table;
#[cfg(test)]
mod tests;

pub use backup::{backup, restore};
pub use check::{Finding, KnownTable, Report, TableReport, check};
pub use error::StorageError;
pub use folder::has_room;
pub use outbox::{Outbox, OutboxEntry, OutboxTable};
pub use record::{Record, digest};
pub use simulated::Disk;
pub use table::{Decision, Table};

use crate::{
    env::Env,
    telemetry::{self, ActiveSpan, SpanKind, SpanStatus, metrics::StorageReport},
    types::Service,
};
use commit::Committer;
use failpoint::Place;
use folder::Folder;
use parking_lot::Mutex;
use sled::IVec;
use std::{path::Path, sync::Arc};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// An open data folder. One process at a time has it.
pub struct Storage {
    env: Env,
    db: sled::Db,
    committer: Committer,
    folder: Arc<Folder>,
}

impl Storage {
    /// Opens the folder, and makes it where there is none. Never panics, and leaves a folder that it refuses as it is.
    pub fn open(folder: &Path, env: &Env) -> Result<Self, StorageError> {
        let (folder, db) = Folder::open(folder)?;
        let committer = Committer::start(folder.path(), db.clone(), env.threads())?;
        Ok(Self { env: env.clone(), db, committer, folder: Arc::new(folder) })
    }

    /// Closes the folder in good order: what is in it is sealed, so that damage done to it while nobody looks is found when it is
    /// opened again. All trees must be gone; while one is left, this fails after ten seconds, and nothing is lost but the seal.
    pub fn close(self) -> Result<(), StorageError> {
        let Self { db, committer, folder, .. } = self;
        let finished = committer.finish();
        folder::guarded(|| {
            drop((committer, db));
            finished
        })?;
        folder.seal()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether what is written reaches the disk. `false` from the first failure on, until the folder is opened again. What was
    /// written before can still be read, but for pages that sled was about to split: those fail.
    pub fn is_healthy(&self) -> bool {
        self.committer.is_healthy()
    }

    /// How much was written, and how long that took.
    pub fn report(&self) -> StorageReport {
        StorageReport { bytes_on_disk: self.db.size_on_disk().unwrap_or_default(), ..self.committer.report() }
    }

    /// The tree of a service. It is for [`crate::app`] to see that nobody gets another's.
    pub fn tree(&self, service: Service) -> Result<Tree, StorageError> {
        self.named_tree(service.name())
    }

    /// The tree of an owner that is no service: the gateway's, and the payment provider's own books.
    pub fn outside_tree(&self, name: &'static str) -> Result<Tree, StorageError> {
        self.named_tree(name)
    }

    fn named_tree(&self, name: &'static str) -> Result<Tree, StorageError> {
        let sled = self.committer.writing(|| self.db.open_tree(name))?;
        Ok(Tree(Arc::new(Inner {
            name,
            sled,
            db: self.db.clone(),
            committer: self.committer.clone(),
            wake: Mutex::new(None),
            _folder: self.folder.clone(),
        })))
    }
}

/// One service's part of the folder; cheap to clone.
#[derive(Clone)]
pub struct Tree(Arc<Inner>);

struct Inner {
    name: &'static str,
    sled: sled::Tree,
    db: sled::Db,
    committer: Committer,
    /// Where keys of records that came to owe an event are sent.
    wake: Mutex<Option<UnboundedSender<String>>>,
    /// Nobody else may have the folder while a tree is left. Let go of last.
    _folder: Arc<Folder>,
}

impl Tree {
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    pub fn table<R: Record>(&self) -> Table<R> {
        Table::over(self.clone())
    }

    /// Returns when everything written before is on disk, power cut or not. Many who wait share one flush; where nothing was
    /// written since the last one, it returns at once.
    pub async fn commit(&self) -> Result<(), StorageError> {
        self.come_to("", Place::Committing);
        let span = match self.0.committer.is_clean() {
            true => ActiveSpan::nothing(),
            false => telemetry::current_span().open(|| SpanKind::Commit { tree: self.0.name }),
        };
        let committed = self.0.committer.commit(&self.0.sled).await;
        span.end(|| match &committed {
            Ok(()) => SpanStatus::OK,
            Err(error) => SpanStatus::new("failed", error.to_string()),
        });
        self.come_to("", Place::Committed);
        committed
    }

    /// The keys (`table/key`) of records as they come to owe an event. One listener a tree, the relay: whoever begins to listen takes
    /// the place of who did before.
    pub fn listen(&self) -> UnboundedReceiver<String> {
        let (send, receive) = unbounded_channel();
        *self.0.wake.lock() = Some(send);
        receive
    }

    /// A place at which a test can end the program.
    fn come_to(&self, table: &str, place: Place) {
        failpoint::come_to(&self.0.db, self.0.name, table, place);
    }

    fn wake(&self, key: String) {
        if let Some(listener) = &*self.0.wake.lock() {
            // A relay that is gone is begun anew, and then reads the open markers.
            let _ = listener.send(key);
        }
    }

    /// One key, as sled does it; noted first where a simulated disk wants to be able to take it back.
    fn insert(&self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        self.0.committer.note(&self.0.sled, key)?;
        self.0.sled.insert(key, value)?;
        Ok(())
    }

    /// As [`Tree::insert`]; `false` where the key held something else than `old`.
    fn swap(&self, key: &str, old: Option<IVec>, new: Option<IVec>) -> Result<bool, StorageError> {
        self.0.committer.note(&self.0.sled, key)?;
        Ok(self.0.sled.compare_and_swap(key, old, new)?.is_ok())
    }

    /// A number that no other caller gets, also after a restart.
    fn nonce(&self) -> Result<[u8; 8], StorageError> {
        Ok(self.0.db.generate_id()?.to_be_bytes())
    }
}
