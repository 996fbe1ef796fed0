//! Group commit: one thread flushes for all callers that wait, so that throughput grows with
//! concurrency.
//!
//! One flusher thread was faster than two, four and eight: while it flushes, the next group
//! gathers. If the last group was large, the thread waits a little ([`GATHER`]) before it flushes,
//! because a flush costs the same for twenty callers as for six.

use super::{
    Disk, StorageError, commit_number, failpoint,
    files::{log, private_file},
    guard::guarded,
};
use crate::{
    env::{Env, Threads},
    telemetry::metrics::StorageReport,
};
use parking_lot::Mutex;
use std::{
    fs::File,
    io,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// A caller that waits for its commit.
type Waiter = oneshot::Sender<Result<(), StorageError>>;

/// Makes what was written durable. Cheap to clone.
#[derive(Clone)]
pub enum Committer {
    /// A folder on disk.
    Real {
        log: Arc<Log>,
        /// To the flusher thread, which ends when the last sender is dropped. `None` where the
        /// world has one thread: the caller's thread then flushes.
        flusher: Option<mpsc::Sender<Waiter>>,
    },
    /// A disk of a simulation.
    Simulated(Disk, Env),
}

/// sled's log, and how far it is written and flushed.
pub struct Log {
    db: sled::Db,
    /// The file of the log, to sync it: what sled flushes (`sync_file_range`) survives the end of
    /// the process, but not a power cut. `None` in a simulated world, which has no power cuts.
    file: Option<File>,
    /// The file of [`commit_number`].
    acknowledged: File,
    /// The number of the last commit. Locked while the next commit is made.
    number: Mutex<u64>,
    /// Changes that were begun, changes of those that are written, changes of those that are on
    /// disk.
    begun: AtomicU64,
    written: AtomicU64,
    flushed: AtomicU64,
    /// How many callers have waited for flushes, and how many nanoseconds the flushes took.
    waiters: AtomicU64,
    flush_nanos: AtomicU64,
    flushes: AtomicU64,
    /// The first failed write or sync; nothing is written after it. sled accepts no write after a
    /// failed one, and a sync that failed may report success the next time without having written
    /// anything. Only opening the folder again helps.
    failed: OnceLock<StorageError>,
}

impl Committer {
    /// For a folder on disk. Starts the flusher thread, unless the world has one thread only.
    pub fn start(folder: &Path, db: sled::Db, threads: Threads) -> Result<Self, StorageError> {
        let number = commit_number::stored(&db)?;
        let acknowledged = private_file(&folder.join(commit_number::FILE))?;
        commit_number::acknowledge(&acknowledged, number)?;
        let file = if threads == Threads::Many { Some(File::open(log(folder))?) } else { None };
        let log = Arc::new(Log {
            db,
            file,
            acknowledged,
            number: number.into(),
            begun: 0.into(),
            written: 0.into(),
            flushed: 0.into(),
            waiters: 0.into(),
            flush_nanos: 0.into(),
            flushes: 0.into(),
            failed: OnceLock::new(),
        });
        let flusher = if threads == Threads::Many { Some(start_flusher(log.clone())?) } else { None };
        Ok(Self::Real { log, flusher })
    }

    /// For a simulated disk.
    pub fn simulated(disk: Disk, env: Env) -> Self {
        Self::Simulated(disk, env)
    }

    /// Returns when everything that was written before is on disk. On a real disk this covers all
    /// trees; on a [`Disk`], only this tree.
    pub async fn commit(&self, tree: &sled::Tree) -> Result<(), StorageError> {
        let (log, flusher) = match self {
            Self::Real { log, flusher } => (log, flusher),
            Self::Simulated(disk, env) => return disk.commit(tree, env).await,
        };
        if log.is_clean() || failpoint::commits_do_nothing() {
            return Ok(());
        }
        let Some(flusher) = flusher else { return log.flush() };
        let (done, wait) = oneshot::channel();
        let stopped = || StorageError::Disk("the flusher has stopped".into());
        flusher.send(done).map_err(|_| stopped())?;
        wait.await.map_err(|_| stopped())?
    }

    /// Whether nothing was written since the last commit.
    pub fn is_clean(&self) -> bool {
        match self {
            Self::Real { log, .. } => log.is_clean(),
            Self::Simulated(..) => false,
        }
    }

    /// The counts of flushes and waiters. The caller adds the bytes on disk.
    pub fn report(&self) -> StorageReport {
        let Self::Real { log, .. } = self else { return StorageReport::default() };
        StorageReport {
            flushes: log.flushes.load(SeqCst),
            waiters: log.waiters.load(SeqCst),
            flush_time: Duration::from_nanos(log.flush_nanos.load(SeqCst)),
            bytes_on_disk: 0,
        }
    }

    /// Commits what no caller has waited for, at an orderly close.
    pub fn finish(&self) -> Result<(), StorageError> {
        match self {
            Self::Real { log, .. } => log.flush(),
            Self::Simulated(disk, _) => {
                disk.finish();
                Ok(())
            }
        }
    }

    /// Tells a simulated disk that the key is about to be written.
    pub fn note(&self, tree: &sled::Tree, key: &str) -> Result<(), StorageError> {
        match self {
            Self::Real { .. } => Ok(()),
            Self::Simulated(disk, _) => disk.note(tree, key.as_bytes()),
        }
    }

    /// Runs a write and counts it, before and after. A commit does nothing if nothing was written
    /// since the last one. A write that is under way may already be readable, so it counts as
    /// something to flush.
    pub fn writing<T>(&self, write: impl FnOnce() -> T) -> T {
        let Self::Real { log, .. } = self else { return write() };
        log.begun.fetch_add(1, SeqCst);
        let written = write();
        log.written.fetch_add(1, SeqCst);
        written
    }

    /// `false` after the first failed write, until the folder is opened again.
    pub fn is_healthy(&self) -> bool {
        match self {
            Self::Real { log, .. } => log.failed.get().is_none(),
            Self::Simulated(disk, _) => disk.is_healthy(),
        }
    }
}

/// How long the flusher waits for a large group, as PostgreSQL's `commit_delay`. With 32 clients
/// this nearly halves the number of flushes per order, and each flush also takes processor time.
const GATHER: Duration = Duration::from_micros(300);
/// The size from which a group is large, as PostgreSQL's `commit_siblings`. With five instead of
/// eight, eight clients had to wait, too, and gained nothing.
const LARGE_GROUP: usize = 8;

fn start_flusher(log: Arc<Log>) -> io::Result<mpsc::Sender<Waiter>> {
    let (send, receive) = mpsc::channel::<Waiter>();
    let work = move || {
        let mut was_large = false;
        while let Ok(first) = receive.recv() {
            if was_large {
                std::thread::sleep(GATHER);
            }
            let group: Vec<Waiter> = std::iter::once(first).chain(receive.try_iter()).collect();
            was_large = group.len() >= LARGE_GROUP;
            log.waiters.fetch_add(group.len() as u64, SeqCst);
            let flushed = log.flush();
            for waiter in group {
                // A caller whose deadline has passed no longer listens. Its write is on disk all
                // the same.
                let _ = waiter.send(flushed.clone());
            }
        }
    };
    std::thread::Builder::new().name("group-commit".into()).spawn(work)?;
    Ok(send)
}

impl Log {
    fn is_clean(&self) -> bool {
        self.flushed.load(SeqCst) >= self.begun.load(SeqCst)
    }

    fn flush(&self) -> Result<(), StorageError> {
        if let Some(error) = self.failed.get() {
            return Err(error.clone());
        }
        if self.is_clean() {
            return Ok(());
        }
        let (written, begun) = (self.written.load(SeqCst), Instant::now());
        match guarded(|| self.flush_all()) {
            Ok(()) => {
                self.flushes.fetch_add(1, SeqCst);
                self.flush_nanos.fetch_add(begun.elapsed().as_nanos() as u64, SeqCst);
                self.flushed.fetch_max(written, SeqCst)
            }
            Err(error) => {
                log::error!("a write failed; nothing is written any more until the folder is opened again: {error}");
                return Err(self.failed.get_or_init(|| error).clone());
            }
        };
        Ok(())
    }

    fn flush_all(&self) -> Result<(), StorageError> {
        let mut last = self.number.lock();
        let number = *last + 1;
        commit_number::store(&self.db, number)?;
        self.db.flush()?;
        if let Some(file) = &self.file {
            file.sync_data()?;
        }
        *last = number;
        Ok(commit_number::acknowledge(&self.acknowledged, number)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_is_under_way_is_not_taken_for_committed() {
        let folder = tempfile::tempdir().unwrap();
        let db = sled::Config::new().temporary(true).open().unwrap();
        let committer = Committer::start(folder.path(), db.clone(), Threads::One).unwrap();
        let Committer::Real { log, .. } = &committer else { panic!("a real one") };
        committer.finish().unwrap();
        committer.writing(|| {
            db.insert("key", "value").unwrap();
            assert!(!log.is_clean());
            committer.finish().unwrap();
            assert!(!log.is_clean(), "the write may go on");
        });
        committer.finish().unwrap();
        assert!(log.is_clean());
    }
}
