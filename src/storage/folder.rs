//! The data folder: one process may have it; what is in it; how it is opened without harm.
//!
//! | file | what it is for |
//! |---|---|
//! | `lock` | locked by the one process that has the folder |
//! | `format` | `{"galleria_data":3}`: the folder is Galleria's, and the version of its layout |
//! | `commits` | the number of the last acknowledged commit ([`commit_number`]) |
//! | `shutdown_manifest` | lengths and checksums after an orderly close ([`shutdown_manifest`]) |
//! | `db/` | sled's files: `conf`, `db` (the log), `snap.*` (where each page is in it), `blobs/` |
//!
//! Opening refuses before it changes anything. A folder that is in use, foreign, of another
//! version, or different from its manifest stays as it is.
//!
//! If there is no manifest, the last process crashed. sled then recovers its log, and `commits`
//! tells whether the recovered log reaches the last acknowledged commit. One case cannot be
//! detected: damage in the middle of what was written since the last start, together with a crash.
//! sled then skips to the next part of the log that it can read.

use super::{
    StorageError, commit_number,
    files::{READ_WHOLE, log, not_writable, private_file, restrict, write_whole},
    guard::guarded,
    scan, shutdown_manifest,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// The version of the folder's layout that this program writes.
pub const FORMAT: u32 = 3;
/// A killed process keeps its locks for some milliseconds. So opening tries this often.
const LOCK_ATTEMPTS: u32 = 200;
const RELEASE_ATTEMPTS: u32 = 2000;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(5);
/// The size of sled's page cache, in bytes. With four times as much, a shop under load takes 25 MB
/// more and is at most a twentieth faster: a record that is changed was read a moment before
/// (`record_cache.rs`), and the operating system caches the rest.
const PAGE_CACHE: u64 = 8 * 1024 * 1024;
/// Two segments of sled's log, in bytes.
const ROOM: usize = 1024 * 1024;

/// A folder that this process has locked. The lock ends when the last tree is dropped.
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

#[derive(Serialize, Deserialize)]
struct Format {
    galleria_data: u32,
}

impl Folder {
    /// Opens the folder, and creates it if there is none.
    pub fn open(path: &Path) -> Result<(Self, sled::Db), StorageError> {
        make(path)?;
        let folder = Self { path: path.to_owned(), _lock: lock(path)? };
        let is_new = !is_ours(path)?;
        let was_closed = shutdown_manifest::verify(path)?;
        prove_writable(path)?;
        if is_new {
            let json = serde_json::to_vec(&Format { galleria_data: FORMAT }).map_err(io::Error::other)?;
            write_whole(path, "format", &json)?;
        }
        if was_closed {
            shutdown_manifest::remove(path)?;
        }
        let db = guarded(|| open_sled(path))?;
        commit_number::verify(path, &db)?;
        if !was_closed && log(path).metadata()?.len() <= READ_WHOLE {
            guarded(|| scan::read_all(&db))?;
        }
        Ok((folder, db))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the shutdown manifest, as soon as sled has closed its files.
    pub fn write_manifest(&self) -> Result<(), StorageError> {
        self.wait_for_sled()?;
        // sled writes down where each page is when it opens. Done now, the next start need not read
        // the whole log for it.
        guarded(|| open_sled(&self.path))?;
        self.wait_for_sled()?;
        shutdown_manifest::write(&self.path)
    }

    fn wait_for_sled(&self) -> Result<(), StorageError> {
        let log = File::open(log(&self.path))?;
        for _ in 0..RELEASE_ATTEMPTS {
            if log.try_lock().is_ok() {
                return Ok(());
            }
            std::thread::sleep(BETWEEN_ATTEMPTS);
        }
        Err(StorageError::Disk("the data is still in use, so the shutdown manifest was not written".into()))
    }
}

/// Creates the folder if there is none. A folder that holds something else stays as it is.
pub fn make(path: &Path) -> Result<(), StorageError> {
    let not_writable = |error: io::Error| not_writable(path, &error);
    fs::create_dir_all(path).map_err(not_writable)?;
    // The files that exist before `format` does, if the first start was interrupted.
    let known = ["lock", "probe", "format.new"];
    let mut is_foreign = false;
    for entry in path.read_dir().map_err(not_writable)? {
        let name = entry.map_err(not_writable)?.file_name();
        if name == "format" {
            return restrict(path, 0o700).map_err(not_writable);
        }
        is_foreign |= !known.iter().any(|known| name == **known);
    }
    if log(path).exists() {
        return Err(StorageError::damaged("the file format is missing"));
    }
    if is_foreign {
        return Err(StorageError::NotOurs { folder: path.display().to_string() });
    }
    restrict(path, 0o700).map_err(not_writable)
}

/// Locks the folder for as long as the file is open.
pub fn lock(path: &Path) -> Result<File, StorageError> {
    let file = private_file(&path.join("lock")).map_err(|error| not_writable(path, &error))?;
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_ATTEMPTS),
            Err(TryLockError::Error(error)) => return Err(not_writable(path, &error)),
        }
    }
    Err(in_use(path))
}

/// `false` for a new folder.
fn is_ours(path: &Path) -> Result<bool, StorageError> {
    let json = match fs::read(path.join("format")) {
        Ok(json) => json,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(not_writable(path, &error)),
    };
    match serde_json::from_slice::<Format>(&json) {
        Ok(Format { galleria_data: 0 }) | Err(_) => Err(StorageError::damaged("the file format has been altered")),
        Ok(Format { galleria_data: found }) => {
            StorageError::check_version(path.display(), found, FORMAT).map(|()| true)
        }
    }
}

/// Writes and syncs a file. Permissions and free space alone do not prove that this works.
fn prove_writable(path: &Path) -> Result<(), StorageError> {
    let probe = path.join("probe");
    let proved = private_file(&probe).and_then(|mut file| file.write_all(&[0; 4096]).and_then(|()| file.sync_all()));
    let removed = fs::remove_file(&probe);
    proved.and(removed).map_err(|error| not_writable(path, &error))
}

/// Whether the disk has room for more data: whether sled's log could grow by 1 MiB. This is tried
/// with another file, of the same length.
pub fn has_room(path: &Path) -> bool {
    let probe = path.join("probe");
    let tried = log(path).metadata().and_then(|log| {
        let mut file = private_file(&probe)?;
        file.seek(SeekFrom::Start(log.len()))?;
        file.write_all(&vec![1; ROOM])?;
        file.sync_all()
    });
    let removed = fs::remove_file(&probe);
    tried.and(removed).is_ok()
}

fn open_sled(path: &Path) -> Result<sled::Db, StorageError> {
    let inside = path.join("db");
    fs::create_dir_all(&inside)?;
    restrict(&inside, 0o700)?;
    remove_unfinished_snapshots(&inside)?;
    let config = sled::Config::new()
        .path(&inside)
        .cache_capacity(PAGE_CACHE)
        // Commits flush. A flush by the clock would only hide a commit that was forgotten. (It
        // would also clean up the log, but so does each write.)
        .flush_every_ms(None);
    let mut attempts = 0..LOCK_ATTEMPTS;
    let db = loop {
        match config.open() {
            // The threads of a database that was just dropped still hold its lock.
            Err(sled::Error::Io(error)) if error.to_string().starts_with("could not acquire lock") => {
                attempts.next().ok_or_else(|| in_use(path))?;
                std::thread::sleep(BETWEEN_ATTEMPTS);
            }
            opened => break opened?,
        }
    };
    for entry in inside.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            restrict(&entry.path(), 0o600)?;
        }
    }
    Ok(db)
}

/// Removes snapshots that a crash interrupted. sled would take such a file for its newest snapshot,
/// and refuse to open (sled issue 1527). The previous snapshot is still there.
fn remove_unfinished_snapshots(inside: &Path) -> io::Result<()> {
    for entry in inside.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn in_use(path: &Path) -> StorageError {
    StorageError::InUse { folder: path.display().to_string() }
}
