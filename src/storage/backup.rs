//! Backups: everything in a data folder as lines of JSON, in a format that does not depend on sled.
//!
//! ```text
//! {"galleria_backup":1,"format":3,"created_at":"2026-01-01T00:00:00Z"}
//! {"tree":"orders","key":"by_user/usr_…/ord_…"}
//! {"tree":"orders","key":"order/ord_…","version":1,"record":{…}}
//! {"end":true,"lines":2,"crc32":3735928559}
//! ```
//!
//! One line a key, in the order of trees and keys; index entries and markers have a key only (what they hold is made anew). The last
//! line counts those between and holds the CRC-32 of all bytes before it: a backup that was cut off is refused.

use super::{
    Storage, StorageError,
    check::tree_names,
    folder::{self, FORMAT, guarded},
    record::{ENTRY, open, stored},
    table::text,
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

/// The version of the lines.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    galleria_backup: u32,
    /// The version of the data folder that it was made from.
    format: u32,
    created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
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

/// Writes a backup, and says how many keys are in it.
///
/// Each record is as it was at some moment while the backup was written. To have all of them as they were at one moment, no service
/// may be running. What was written before an error is no backup, and is not taken for one.
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
            let mut line = Line { tree: (&name).into(), key: (&key).into(), version: None, record: None };
            if bytes.len() != ENTRY {
                let (version, json) = open(&key, &bytes)?;
                let record = serde_json::from_slice(json);
                line.record = Some(record.map_err(|_| StorageError::damaged(format!("{key} is no JSON")))?);
                line.version = Some(version);
            }
            out.line(&line)?;
            lines += 1;
        }
    }
    Ok(lines)
}

/// What was written, and its checksum.
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

/// Makes the folder from a backup, and says how many keys it has. The folder must not exist, or be empty.
///
/// All is written beside it first (`NAME.restoring`) and takes its place in one step: what is interrupted leaves nothing half done.
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
        // What stays is discarded by the next one.
        let _ = fs::remove_dir_all(&beside);
    }
    restored
}

fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    folder.with_file_name(name)
}

/// Removes what an interrupted restore left, unless it is somebody else's or still under way.
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
    Ok(folder.parent().map_or(Ok(()), folder::sync_folder)?)
}

fn read_keys(db: &sled::Db, from: &mut impl BufRead) -> Result<u64, StorageError> {
    let (mut line, mut sum, mut lines) = (Vec::new(), crc32fast::Hasher::new(), 0);
    from.read_until(b'\n', &mut line)?;
    check_header(&line)?;
    loop {
        sum.update(&line);
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Err(bad("it is cut off: its last line is missing"));
        }
        if let Ok(end) = serde_json::from_slice::<End>(&line) {
            let is_whole = end.lines == lines && end.crc32 == sum.finalize() && from.fill_buf()?.is_empty();
            return if is_whole { Ok(lines) } else { Err(bad("it has been altered: its checksum is another")) };
        }
        lines += 1;
        put(db, serde_json::from_slice(&line).map_err(|_| bad(format!("its line {} cannot be read", lines + 1)))?)?;
    }
}

fn check_header(line: &[u8]) -> Result<(), StorageError> {
    let header: Header = serde_json::from_slice(line).map_err(|_| bad("it does not begin as a backup does"))?;
    for (found, known) in [(header.galleria_backup, VERSION), (header.format, FORMAT)] {
        StorageError::check_version("the backup", found, known)?;
    }
    Ok(())
}

fn put(db: &sled::Db, line: Line) -> Result<(), StorageError> {
    let bytes = match (line.version, line.record) {
        (Some(version), Some(record)) => stored(version, record.get().as_bytes()),
        (None, None) => db.generate_id()?.to_be_bytes().to_vec(),
        _ => return Err(bad(format!("{} is half a record", line.key))),
    };
    db.open_tree(&*line.tree)?.insert(&*line.key, bytes)?;
    Ok(())
}

fn bad(what: impl Into<String>) -> StorageError {
    StorageError::BadBackup { what: what.into() }
}
