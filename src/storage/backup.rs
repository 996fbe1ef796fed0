//! Backups: all data of a folder as lines of JSON (RFC 8259), in a format that does not depend on
//! sled.
//!
//! ```text
//! {"galleria_backup":1,"format":3,"created_at":"2026-01-01T00:00:00Z"}
//! {"tree":"orders","key":"by_user/usr_…/ord_…"}
//! {"tree":"orders","key":"order/ord_…","version":1,"record":{…}}
//! {"end":true,"lines":2,"crc32":3735928559}
//! ```
//!
//! Each key has one line, sorted by tree and key. Lines of index entries and open markers have a
//! key only; a restore makes new values for them. The last line counts the lines between the first
//! and itself, and holds the CRC-32 of all bytes before it. So a backup that was cut off is
//! refused.

use super::{
    Storage, StorageError,
    files::sync_folder,
    folder::{self, FORMAT},
    guard::guarded,
    keys::text,
    record::{ENTRY_LENGTH, stored, verified},
    scan::tree_names,
};
use crate::{env::Env, types::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    fs,
    io::{self, BufRead, BufWriter, Write},
    path::{Path, PathBuf},
};

/// The version of the backup's format.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    galleria_backup: u32,
    /// The version of the data folder's layout.
    format: u32,
    created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct KeyLine<'a> {
    #[serde(borrow)]
    tree: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u8>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    record: Option<&'a RawValue>,
}

#[derive(Serialize, Deserialize)]
struct End {
    end: bool,
    lines: u64,
    crc32: u32,
}

/// Writes a backup, and gives the number of keys in it.
///
/// Each record is as it was at some moment while the backup was written. For a backup of one
/// moment, no service may be running.
///
/// # Errors
///
/// [`StorageError::Damaged`] if a record fails its checksum, [`StorageError::Disk`] if `to` cannot
/// be written. What was written until then has no last line, so [`restore`] refuses it.
pub fn backup(storage: &Storage, to: impl Write) -> Result<u64, StorageError> {
    let mut out = Summed { to: BufWriter::new(to), sum: crc32fast::Hasher::new() };
    out.line(&Header { galleria_backup: VERSION, format: FORMAT, created_at: storage.env.now() })?;
    let lines = guarded(|| write_keys(&storage.db, &mut out))?;
    let crc32 = out.sum.clone().finalize();
    out.line(&End { end: true, lines, crc32 })?;
    out.to.flush()?;
    Ok(lines)
}

fn write_keys(db: &sled::Db, out: &mut Summed<impl Write>) -> Result<u64, StorageError> {
    let mut lines = 0;
    for name in tree_names(db) {
        for pair in &db.open_tree(&name)? {
            let (key, bytes) = pair?;
            let key = text(&key)?;
            let mut line = KeyLine { tree: (&name).into(), key: (&key).into(), version: None, record: None };
            if bytes.len() != ENTRY_LENGTH {
                let (version, json) = verified(&key, &bytes)?;
                let record = serde_json::from_slice(json);
                line.record = Some(record.map_err(|_| StorageError::damaged(format!("{key} is not JSON")))?);
                line.version = Some(version);
            }
            out.line(&line)?;
            lines += 1;
        }
    }
    Ok(lines)
}

/// A writer that computes the checksum of what it writes.
struct Summed<W: Write> {
    to: BufWriter<W>,
    sum: crc32fast::Hasher,
}

impl<W: Write> Summed<W> {
    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.sum.update(&bytes);
        self.to.write_all(&bytes)
    }
}

/// Creates a data folder from a backup, and gives the number of keys in it. The folder must be
/// empty or not exist.
///
/// The data is written into another folder first (`NAME.restoring`, beside it), which is then
/// renamed in one step. So an interrupted restore leaves no half-filled folder.
///
/// # Errors
///
/// [`StorageError::NotEmpty`] if the folder holds anything, [`StorageError::BadBackup`] if the
/// backup is cut off or altered, [`StorageError::Newer`] or [`StorageError::Older`] if another
/// version of this program wrote it.
pub fn restore(folder: &Path, from: impl BufRead, env: &Env) -> Result<u64, StorageError> {
    let folder = std::path::absolute(folder)?;
    if folder.exists() && (!folder.is_dir() || folder.read_dir()?.next().is_some()) {
        return Err(StorageError::NotEmpty { folder: folder.display().to_string() });
    }
    let beside = beside(&folder);
    discard(&beside)?;
    let storage = Storage::open(&beside, env)?;
    let restored = fill(storage, from).and_then(|lines| put_in_place(&beside, &folder).map(|()| lines));
    if restored.is_err() {
        // If this fails, too, the next restore discards what is left.
        let _ = fs::remove_dir_all(&beside);
    }
    restored
}

fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    folder.with_file_name(name)
}

/// Removes what an interrupted restore left. Fails if the folder is not a data folder, or if a
/// restore is still writing to it.
fn discard(beside: &Path) -> Result<(), StorageError> {
    if beside.exists() {
        folder::make(beside)?;
        let _lock = folder::lock(beside)?;
        fs::remove_dir_all(beside)?;
    }
    Ok(())
}

fn fill(storage: Storage, mut from: impl BufRead) -> Result<u64, StorageError> {
    let lines = storage.committer.writing(|| guarded(|| read_keys(&storage.db, &mut from)))?;
    storage.close()?;
    Ok(lines)
}

fn put_in_place(beside: &Path, folder: &Path) -> Result<(), StorageError> {
    if folder.exists() {
        fs::remove_dir(folder)?;
    }
    fs::rename(beside, folder)?;
    Ok(folder.parent().map_or(Ok(()), sync_folder)?)
}

fn read_keys(db: &sled::Db, from: &mut impl BufRead) -> Result<u64, StorageError> {
    let (mut line, mut sum, mut lines) = (Vec::new(), crc32fast::Hasher::new(), 0);
    from.read_until(b'\n', &mut line)?;
    check_header(&line)?;
    loop {
        sum.update(&line);
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Err(bad("it was cut off: its last line is missing"));
        }
        if let Ok(end) = serde_json::from_slice::<End>(&line) {
            let is_whole = end.lines == lines && end.crc32 == sum.finalize() && from.fill_buf()?.is_empty();
            return if is_whole { Ok(lines) } else { Err(bad("it has been altered: its checksum is wrong")) };
        }
        lines += 1;
        put(db, serde_json::from_slice(&line).map_err(|_| bad(format!("its line {} cannot be read", lines + 1)))?)?;
    }
}

fn check_header(line: &[u8]) -> Result<(), StorageError> {
    let header: Header = serde_json::from_slice(line).map_err(|_| bad("its first line is not that of a backup"))?;
    for (found, known) in [(header.galleria_backup, VERSION), (header.format, FORMAT)] {
        StorageError::check_version("the backup", found, known)?;
    }
    Ok(())
}

fn put(db: &sled::Db, line: KeyLine) -> Result<(), StorageError> {
    let bytes = match (line.version, line.record) {
        (Some(version), Some(record)) => stored(version, record.get().as_bytes()),
        (None, None) => db.generate_id()?.to_be_bytes().to_vec(),
        _ => return Err(bad(format!("{} has a version or a record, but not both", line.key))),
    };
    db.open_tree(&*line.tree)?.insert(&*line.key, bytes)?;
    Ok(())
}

fn bad(what: impl Into<String>) -> StorageError {
    StorageError::BadBackup { what: what.into() }
}
