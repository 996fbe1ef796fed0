//! One service's part of the data folder.

use super::{
    StorageError,
    commit::Committer,
    failpoint::{self, WriteStage},
    folder::Folder,
};
use crate::telemetry::{self, ActiveSpan, SpanKind, SpanStatus};
use parking_lot::Mutex;
use sled::IVec;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One service's part of the data folder. Cheap to clone.
#[derive(Clone)]
pub struct Tree(Arc<Inner>);

struct Inner {
    name: &'static str,
    sled: sled::Tree,
    db: sled::Db,
    committer: Committer,
    /// Where the keys of records with new pending events are sent.
    listener: Mutex<Option<UnboundedSender<String>>>,
    /// Keeps the folder locked while a tree exists. Dropped last.
    _folder: Arc<Folder>,
}

impl Tree {
    pub(super) fn new(
        name: &'static str,
        sled: sled::Tree,
        db: sled::Db,
        committer: Committer,
        folder: Arc<Folder>,
    ) -> Self {
        Self(Arc::new(Inner { name, sled, db, committer, listener: Mutex::new(None), _folder: folder }))
    }

    /// The name: a service's, or that of another owner.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Returns when everything that was written before is on disk and would survive a power cut.
    /// All callers that wait share one flush. If nothing was written since the last flush, this
    /// returns at once.
    ///
    /// # Errors
    ///
    /// [`StorageError::Disk`] if a write failed, this one or one before it.
    pub async fn commit(&self) -> Result<(), StorageError> {
        self.reach("", WriteStage::Committing)?;
        let span = match self.0.committer.is_clean() {
            true => ActiveSpan::none(),
            false => telemetry::current_span().open(|| SpanKind::Commit { tree: self.0.name }),
        };
        let committed = self.0.committer.commit(&self.0.sled).await;
        span.end(|| match &committed {
            Ok(()) => SpanStatus::OK,
            Err(error) => SpanStatus::new("failed", error.to_string()),
        });
        self.reach("", WriteStage::Committed)?;
        committed
    }

    /// The keys (`TABLE/KEY`) of records that get a pending event, from now on. A tree has one
    /// listener, the relay: a new listener replaces the one before.
    pub fn listen(&self) -> UnboundedReceiver<String> {
        let (send, receive) = unbounded_channel();
        *self.0.listener.lock() = Some(send);
        receive
    }

    /// Tells the listener that this record has a pending event.
    pub(super) fn wake(&self, key: String) {
        if let Some(listener) = &*self.0.listener.lock() {
            // If the relay has ended, a new one is started, which reads the open markers first.
            let _ = listener.send(key);
        }
    }

    /// sled's tree, to read from it.
    pub(super) fn sled(&self) -> &sled::Tree {
        &self.0.sled
    }

    /// A fail point: see [`failpoint`].
    pub(super) fn reach(&self, table: &str, stage: WriteStage) -> Result<(), StorageError> {
        failpoint::reach(&self.0.db, self.0.name, table, stage)
    }

    /// See [`Committer::writing`].
    pub(super) fn writing<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.committer.writing(write)
    }

    /// Writes one key.
    pub(super) fn insert(&self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        self.0.committer.note(&self.0.sled, key)?;
        self.0.sled.insert(key, value)?;
        Ok(())
    }

    /// Writes one key if it holds `old`; `false` if it holds something else. `None` stands for no
    /// value.
    pub(super) fn swap(&self, key: &str, old: Option<IVec>, new: Option<IVec>) -> Result<bool, StorageError> {
        self.0.committer.note(&self.0.sled, key)?;
        Ok(self.0.sled.compare_and_swap(key, old, new)?.is_ok())
    }

    /// A number that no other call gives, also after a restart.
    pub(super) fn nonce(&self) -> Result<[u8; 8], StorageError> {
        Ok(self.0.db.generate_id()?.to_be_bytes())
    }
}
