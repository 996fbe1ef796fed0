//! The data folder: who may have it, what is in it, and how it is opened without harm.
//!
//! | file | what it is for |
//! |---|---|
//! | `lock` | held by the one process that has the folder |
//! | `format` | `{"galleria_data":3}`: that it is ours, and which version wrote it |
//! | `commits` | how many commits were acknowledged: see [`Committer`](super::commit::Committer) |
//! | `seal` | after an orderly close: lengths and checksums of sled's files, see [`seal`] |
//! | `db/` | sled's: `conf`, `db` (the log), `snap.*` (where each page is in it), `blobs/` |
//!
//! An open refuses before it changes: a folder that is in use, foreign, newer, or not as its seal says stays as it is. Without a
//! seal (a crash) sled recovers its log; whether it came back to its acknowledged end, `commits` tells. What nobody can tell is
//! a crash from a crash with damage in the middle of what was written since the last start: sled skips to where it can read on.

use super::{StorageError, check, commit, seal};
use serde::{Deserialize, Serialize};
use std::{
    cell::Cell,
    fs::{self, File, TryLockError},
    io::{self, Seek, SeekFrom, Write},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::Once,
    time::Duration,
};

/// The version of the folder's layout that this program writes.
pub const FORMAT: u32 = 3;
/// A process that was killed keeps its locks for some milliseconds.
const LOCK_LOOKS: u32 = 200;
const RELEASE_LOOKS: u32 = 2000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// Of sled's pages. With four times as many, a shop under load takes 25 MB more and is a twentieth faster at most: what is changed has
/// been seen last (`recent.rs`), and the rest is in the system's own cache.
const CACHE: u64 = 8 * 1024 * 1024;
/// Files up to this length are read whole to see that nothing is wrong with them (a quarter of a second). In a longer one, damage is
/// found when the page that it hit is read, by sled's own checksums, or by `galleria check`: a start must not take minutes.
pub const READ_WHOLE: u64 = 512 * 1024 * 1024;

/// A folder that this process has. It is let go when the last tree is gone.
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

#[derive(Serialize, Deserialize)]
struct Format {
    galleria_data: u32,
}

impl Folder {
    /// Opens the folder, and makes it where there is none.
    pub fn open(path: &Path) -> Result<(Self, sled::Db), StorageError> {
        make(path)?;
        let folder = Self { path: path.to_owned(), _lock: lock(path)? };
        let is_new = !is_ours(path)?;
        let sealed = seal::verify(path)?;
        prove_writable(path)?;
        if is_new {
            let json = serde_json::to_vec(&Format { galleria_data: FORMAT }).map_err(io::Error::other)?;
            write_whole(path, "format", &json)?;
        }
        if sealed {
            seal::remove(path)?;
        }
        let db = guarded(|| open_sled(path))?;
        commit::verify(path, &db)?;
        if !sealed && log(path).metadata()?.len() <= READ_WHOLE {
            guarded(|| check::read_all(&db))?;
        }
        Ok((folder, db))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Seals sled's files, when sled has let go of them.
    pub fn seal(&self) -> Result<(), StorageError> {
        self.wait_for_sled()?;
        // sled notes where each page is when it opens: done now, the next start need not read the log for it.
        guarded(|| open_sled(&self.path))?;
        self.wait_for_sled()?;
        seal::write(&self.path)
    }

    fn wait_for_sled(&self) -> Result<(), StorageError> {
        let log = File::open(log(&self.path))?;
        for _ in 0..RELEASE_LOOKS {
            if log.try_lock().is_ok() {
                return Ok(());
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        Err(StorageError::Disk("the data is still in use, so it was not sealed".into()))
    }
}

/// sled's file.
pub fn log(folder: &Path) -> PathBuf {
    folder.join("db").join("db")
}

/// Makes the folder where there is none. One that holds something else is left as it is.
pub fn make(path: &Path) -> Result<(), StorageError> {
    let not_writable = |error: io::Error| not_writable(path, &error);
    fs::create_dir_all(path).map_err(not_writable)?;
    // What is there before `format` is, should the first start be cut short.
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

/// Held as long as the file is open.
pub fn lock(path: &Path) -> Result<File, StorageError> {
    let file = private_file(&path.join("lock")).map_err(|error| not_writable(path, &error))?;
    for _ in 0..LOCK_LOOKS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_LOOKS),
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

/// Writes and syncs: neither permissions nor free space tell as much.
fn prove_writable(path: &Path) -> Result<(), StorageError> {
    let probe = path.join("probe");
    let proved = private_file(&probe).and_then(|mut file| file.write_all(&[0; 4096]).and_then(|()| file.sync_all()));
    let removed = fs::remove_file(&probe);
    proved.and(removed).map_err(|error| not_writable(path, &error))
}

/// Whether sled's file could grow: tried on another, at the same length.
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

/// Two of sled's segments.
const ROOM: usize = 1024 * 1024;

fn open_sled(path: &Path) -> Result<sled::Db, StorageError> {
    let inside = path.join("db");
    fs::create_dir_all(&inside)?;
    restrict(&inside, 0o700)?;
    // Left by a crash while sled opened. sled would take it for its newest snapshot, and refuse (sled issue 1527);
    // the one that it was to replace is still there.
    for entry in inside.read_dir()? {
        let half = entry?.path();
        if half.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(half)?;
        }
    }
    let config = sled::Config::new()
        .path(&inside)
        .cache_capacity(CACHE)
        // Commits flush; a flush by the clock would only hide a forgotten one. (It would clean up too, but so does each write.)
        .flush_every_ms(None);
    let mut looks = 0..LOCK_LOOKS;
    let db = loop {
        match config.open() {
            // The threads of a database that was just dropped still hold it.
            Err(sled::Error::Io(error)) if error.to_string().starts_with("could not acquire lock") => {
                looks.next().ok_or_else(|| in_use(path))?;
                std::thread::sleep(BETWEEN_LOOKS);
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

/// Runs sled's code where it may panic on damaged data: a panic is damage, in its own words, and is not printed.
///
/// The hook that keeps it from being printed goes before the one that is there, and hands on all other panics.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, StorageError>) -> Result<T, StorageError> {
    thread_local! { static IS_GUARDED: Cell<bool> = const { Cell::new(false) } }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let is_sleds = std::thread::current().name().is_some_and(|name| name.starts_with("sled-io-"));
            match IS_GUARDED.try_with(Cell::get) {
                Ok(true) => {}
                _ if is_sleds => log::error!("a thread of sled's panicked: {panic}"),
                _ => next(panic),
            }
        }));
    });
    let outer = IS_GUARDED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(outer);
    outcome.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let line = words.and_then(|words| words.lines().next()).unwrap_or("sled gave up");
        Err(StorageError::damaged(line.chars().take(200).collect::<String>()))
    })
}

/// Writes a file so that it is there whole or not at all.
pub fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    let mut file = private_file(&new)?;
    file.set_len(0)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, folder.join(name))?;
    sync_folder(folder)
}

/// Makes renames and removals in the folder last. (Windows has no such thing, and needs none.)
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Opens or makes a file that only its owner may read: what is in the folder is other people's addresses.
pub fn private_file(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    restrict(path, 0o600)?;
    Ok(file)
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

fn in_use(path: &Path) -> StorageError {
    StorageError::InUse { folder: path.display().to_string() }
}

fn not_writable(path: &Path, cause: &io::Error) -> StorageError {
    StorageError::NotWritable { folder: path.display().to_string(), cause: cause.to_string() }
}
