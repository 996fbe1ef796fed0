//! Group commit: one thread flushes for everybody who waits, so that throughput grows with concurrency.
//!
//! One flusher beat two, four and eight: while it flushes, the next group gathers. Where the last group was a crowd, a little longer
//! ([`GATHER`]): a flush costs the same for twenty as for six.

use super::{
    Disk, StorageError, failpoint,
    folder::{self, guarded},
};
use crate::{
    env::{Env, Threads},
    telemetry::metrics::StorageReport,
};
use parking_lot::Mutex;
use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

pub(super) type Waiter = oneshot::Sender<Result<(), StorageError>>;

/// Each commit has a number, which is written twice: into sled with the commit, and into the file `commits` when it is acknowledged.
/// A folder whose sled knows a lower one has lost what somebody was promised.
#[derive(Clone)]
pub(super) enum Committer {
    Real {
        log: Arc<Log>,
        /// To the flusher thread, which ends when the last sender is gone. Without one, commits are made on the spot: for a world
        /// with one thread.
        flusher: Option<mpsc::Sender<Waiter>>,
    },
    Simulated(Disk, Env),
}

pub(super) struct Log {
    db: sled::Db,
    /// sled's file, to sync it: a flush of sled's (`sync_file_range`) outlives the process, but not a power cut.
    /// `None` in a simulated world, where there are none.
    file: Option<File>,
    acknowledged: File,
    /// The number of the last commit. Held while the next one is made.
    number: Mutex<u64>,
    /// How many changes were begun, how many of them are written, and how many of those are on disk.
    begun: AtomicU64,
    written: AtomicU64,
    flushed: AtomicU64,
    /// How many waited for flushes, and how many nanoseconds those took.
    waiters: AtomicU64,
    flush_nanos: AtomicU64,
    flushes: AtomicU64,
    /// Why nothing can be written any more. sled takes no write after one that failed, and a sync that failed once may say
    /// "done" the next time without having done it: only opening the folder again helps.
    failed: OnceLock<StorageError>,
}

const FILE: &str = "commits";
const KEY: &str = "commits";

/// Whether everything that was acknowledged is there.
pub(super) fn verify(folder: &Path, db: &sled::Db) -> Result<(), StorageError> {
    let acknowledged = match std::fs::read(folder.join(FILE)) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    match (acknowledged, stored(db)?) {
        (Some(acknowledged), stored) if stored < acknowledged => {
            let what = format!("its log ends with commit {stored}, but commit {acknowledged} was acknowledged");
            Err(StorageError::damaged(what))
        }
        _ => Ok(()),
    }
}

impl Committer {
    pub fn start(folder: &Path, db: sled::Db, threads: Threads) -> Result<Self, StorageError> {
        let number = stored(&db)?;
        let acknowledged = folder::private_file(&folder.join(FILE))?;
        let file = if threads == Threads::Many { Some(File::open(folder::log(folder))?) } else { None };
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
        log.acknowledge(number)?;
        let flusher = if threads == Threads::Many { Some(start_flusher(log.clone())?) } else { None };
        Ok(Self::Real { log, flusher })
    }

    pub fn on_disk(disk: Disk, env: Env) -> Self {
        Self::Simulated(disk, env)
    }

    /// Of everything in the folder, whatever tree it is in; but see [`Disk`].
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

    /// All but the bytes on disk.
    pub fn report(&self) -> StorageReport {
        let Self::Real { log, .. } = self else { return StorageReport::default() };
        StorageReport {
            flushes: log.flushes.load(SeqCst),
            waiters: log.waiters.load(SeqCst),
            flush_time: Duration::from_nanos(log.flush_nanos.load(SeqCst)),
            bytes_on_disk: 0,
        }
    }

    /// Commits what nobody waits for.
    pub fn finish(&self) -> Result<(), StorageError> {
        match self {
            Self::Real { log, .. } => log.flush(),
            Self::Simulated(disk, _) => {
                disk.finish();
                Ok(())
            }
        }
    }

    /// The key is about to be written.
    pub fn note(&self, tree: &sled::Tree, key: &str) -> Result<(), StorageError> {
        match self {
            Self::Real { .. } => Ok(()),
            Self::Simulated(disk, _) => disk.note(tree, key.as_bytes()),
        }
    }

    /// Writes something. A commit with nothing written since the last one costs nothing; with something that may already be
    /// read but is not yet counted as written, it must.
    pub fn writing<T>(&self, write: impl FnOnce() -> T) -> T {
        let Self::Real { log, .. } = self else { return write() };
        log.begun.fetch_add(1, SeqCst);
        let written = write();
        log.written.fetch_add(1, SeqCst);
        written
    }

    pub fn is_healthy(&self) -> bool {
        match self {
            Self::Real { log, .. } => log.failed.get().is_none(),
            Self::Simulated(disk, _) => disk.is_healthy(),
        }
    }
}

/// So long a crowd is waited for, as PostgreSQL's `commit_delay` has it. With 32 clients it nearly halves the flushes of an order, of which
/// each takes its share of the processors, too.
const GATHER: Duration = Duration::from_micros(300);
/// The fewest that are a crowd (its `commit_siblings`). With five, eight clients were held up, too, and had nothing of it.
const CROWD: usize = 8;

fn start_flusher(log: Arc<Log>) -> io::Result<mpsc::Sender<Waiter>> {
    let (send, receive) = mpsc::channel::<Waiter>();
    let work = move || {
        let mut is_crowd = false;
        while let Ok(first) = receive.recv() {
            if is_crowd {
                std::thread::sleep(GATHER);
            }
            let group: Vec<Waiter> = std::iter::once(first).chain(receive.try_iter()).collect();
            is_crowd = group.len() >= CROWD;
            log.waiters.fetch_add(group.len() as u64, SeqCst);
            let flushed = log.flush();
            for waiter in group {
                // A caller that timed out no longer listens; its write is on disk all the same.
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
                log::error!("nothing can be written any more, until the folder is opened anew: {error}");
                return Err(self.failed.get_or_init(|| error).clone());
            }
        };
        Ok(())
    }

    fn flush_all(&self) -> Result<(), StorageError> {
        let mut last = self.number.lock();
        let number = *last + 1;
        self.db.insert(KEY, &number.to_be_bytes())?;
        self.db.flush()?;
        if let Some(file) = &self.file {
            file.sync_data()?;
        }
        *last = number;
        Ok(self.acknowledge(number)?)
    }

    /// Not synced: after a power cut a lower number may be found, and promises less than was kept.
    fn acknowledge(&self, number: u64) -> io::Result<()> {
        let mut file = &self.acknowledged;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(line(number).as_bytes())
    }
}

fn stored(db: &sled::Db) -> Result<u64, StorageError> {
    let bytes = guarded(|| Ok(db.get(KEY)?))?;
    Ok(bytes.and_then(|bytes| bytes.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes))
}

/// The number and its checksum, always of the same length, so that one write replaces it.
fn line(number: u64) -> String {
    format!("{number:020} {:08x}\n", crc32fast::hash(&number.to_be_bytes()))
}

fn parse(text: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(text).ok()?.get(..20)?.parse().ok()?;
    (line(number).as_bytes() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_read_before_it_is_counted_is_not_taken_for_committed() {
        let folder = tempfile::tempdir().unwrap();
        let db = sled::Config::new().temporary(true).open().unwrap();
        let committer = Committer::start(folder.path(), db.clone(), Threads::One).unwrap();
        let Committer::Real { log, .. } = &committer else { panic!("a real one") };
        committer.finish().unwrap();
        committer.writing(|| {
            db.insert("key", "value").unwrap();
            assert!(!log.is_clean());
            committer.finish().unwrap();
            assert!(!log.is_clean(), "more may come");
        });
        committer.finish().unwrap();
        assert!(log.is_clean());
    }

    #[test]
    fn a_number_reads_back_and_a_flipped_bit_is_seen() {
        let text = line(1234).into_bytes();
        assert_eq!(parse(&text), Some(1234));
        for at in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert_eq!(parse(&flipped), None, "bit {at}");
        }
    }
}
