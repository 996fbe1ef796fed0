//! An open data folder.

use super::{Disk, StorageError, Tree, commit::Committer, folder::Folder, guard::guarded};
use crate::{env::Env, telemetry::metrics::StorageReport, types::Service};
use std::{path::Path, sync::Arc};

/// An open data folder. One process at a time has it.
pub struct Storage {
    pub(super) env: Env,
    pub(super) db: sled::Db,
    pub(super) committer: Committer,
    folder: Arc<Folder>,
}

impl Storage {
    /// Opens the folder, and creates it if there is none. A folder that is refused stays as it is.
    ///
    /// # Errors
    ///
    /// [`StorageError`] says why the folder is refused: in use, not writable, damaged, of another
    /// version, or not Galleria's. This never panics.
    pub fn open(folder: &Path, env: &Env) -> Result<Self, StorageError> {
        let (folder, db) = Folder::open(folder)?;
        let committer = Committer::start(folder.path(), db.clone(), env.threads())?;
        Ok(Self { env: env.clone(), db, committer, folder: Arc::new(folder) })
    }

    /// Closes the folder in good order: writes what is not on disk yet, and a manifest of sled's
    /// files, by which the next start finds damage that was done in the meantime.
    ///
    /// # Errors
    ///
    /// [`StorageError::Disk`] if a tree still exists after ten seconds, or a write fails. No record
    /// is lost then; the folder only has no manifest, as after a crash.
    pub fn close(self) -> Result<(), StorageError> {
        let Self { db, committer, folder, .. } = self;
        let finished = committer.finish();
        guarded(|| {
            drop((committer, db));
            finished
        })?;
        folder.write_manifest()
    }

    /// The path of the folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether writes reach the disk: `false` from the first failure until the folder is opened
    /// again. What was written before can still be read, except pages that sled was about to split.
    pub fn is_healthy(&self) -> bool {
        self.committer.is_healthy()
    }

    /// How much was flushed, how long that took, and the bytes on disk, for the metrics.
    pub fn report(&self) -> StorageReport {
        StorageReport { bytes_on_disk: self.db.size_on_disk().unwrap_or_default(), ..self.committer.report() }
    }

    /// The tree of a service. [`crate::app`] hands each service only its own tree.
    pub fn tree(&self, service: Service) -> Result<Tree, StorageError> {
        self.named_tree(service.name())
    }

    /// The tree of an owner that is no service: the gateway's, and the payment provider's own
    /// books.
    pub fn outside_tree(&self, name: &'static str) -> Result<Tree, StorageError> {
        self.named_tree(name)
    }

    fn named_tree(&self, name: &'static str) -> Result<Tree, StorageError> {
        let sled = self.committer.writing(|| self.db.open_tree(name))?;
        Ok(Tree::new(name, sled, self.db.clone(), self.committer.clone(), self.folder.clone()))
    }
}

impl Disk {
    /// What a process finds that starts now. Call it in a world that has one thread, see
    /// [`Env::simulated`].
    pub fn open(&self, env: &Env) -> Result<Storage, StorageError> {
        let (db, folder) = self.contents();
        let committer = Committer::simulated(self.clone(), env.clone());
        Ok(Storage { env: env.clone(), db, committer, folder })
    }
}
