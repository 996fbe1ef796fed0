//! The shutdown manifest: length and checksum of each file of sled's after an orderly close.
//!
//! sled takes what it cannot read at the end of its log for a write that a crash cut short: it
//! drops that part and writes over it. This is right after a crash, and a silent loss of data after
//! anything else. The manifest tells the two cases apart *before* sled opens the folder.
//!
//! ```text
//! {"files":[{"name":"db/conf","length":61,"crc32":3735928559},…]}
//! ```

use super::{
    StorageError,
    files::{READ_WHOLE, sync_folder, write_whole},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

const FILE: &str = "shutdown_manifest";
/// A file is read by at most this many threads, each of which reads at least [`SHARE_LEAST`] bytes.
const READERS_MOST: u64 = 4;
const SHARE_LEAST: u64 = 8 * 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    files: Vec<FileState>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileState {
    /// The path from the data folder, with slashes.
    name: String,
    /// In bytes.
    length: u64,
    /// CRC-32 of the content; `None` for a file that is longer than [`READ_WHOLE`].
    crc32: Option<u32>,
}

/// Whether there is a manifest. If there is one, and a file differs from it, is missing or is new,
/// this fails with [`StorageError::Damaged`].
pub fn verify(folder: &Path) -> Result<bool, StorageError> {
    let manifest = match std::fs::read(folder.join(FILE)) {
        Ok(json) => serde_json::from_slice::<Manifest>(&json),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let manifest = manifest.map_err(|_| StorageError::damaged(format!("the file {FILE} has been altered")))?;
    let mut found: BTreeSet<String> = names(folder)?.into_iter().collect();
    for file in &manifest.files {
        if !found.remove(&file.name) {
            return Err(StorageError::damaged(format!("the file {} is missing", file.name)));
        }
        let length = folder.join(&file.name).metadata()?.len();
        if length < file.length {
            let what = format!("the file {} has been truncated to {length} of {} bytes", file.name, file.length);
            return Err(StorageError::damaged(what));
        }
        if length > file.length || checksum(&folder.join(&file.name), length)? != file.crc32 {
            return Err(StorageError::damaged(format!("the file {} has been altered", file.name)));
        }
    }
    match found.first() {
        Some(name) => Err(StorageError::damaged(format!("the file {name} does not belong there"))),
        None => Ok(true),
    }
}

/// Removes the manifest, and makes that durable. This must come before sled's first write: a
/// manifest of files that have changed since would refuse good data.
pub fn remove(folder: &Path) -> Result<(), StorageError> {
    std::fs::remove_file(folder.join(FILE))?;
    Ok(sync_folder(folder)?)
}

/// Writes the manifest. No process may write to sled's files any more.
pub fn write(folder: &Path) -> Result<(), StorageError> {
    let mut files = Vec::new();
    for name in names(folder)? {
        let path = folder.join(&name);
        // sled does not sync all that it writes (its `conf`, its blobs).
        File::open(&path)?.sync_all()?;
        let length = path.metadata()?.len();
        files.push(FileState { name, length, crc32: checksum(&path, length)? });
    }
    let json = serde_json::to_vec(&Manifest { files }).map_err(|error| StorageError::Disk(error.to_string()))?;
    Ok(write_whole(folder, FILE, &json)?)
}

/// The paths of sled's files from the data folder, sorted.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for inside in ["db", "db/blobs"] {
        let entries = match folder.join(inside).read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                names.push(format!("{inside}/{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    names.sort();
    Ok(names)
}

/// The CRC-32 of a file of that length, in bytes; `None` if it is too long to be read whole.
fn checksum(path: &Path, length: u64) -> io::Result<Option<u32>> {
    if length > READ_WHOLE {
        return Ok(None);
    }
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let shares = (length / SHARE_LEAST).clamp(1, READERS_MOST.min(cores));
    let share = length.div_ceil(shares);
    let sums = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..shares)
            .map(|n| scope.spawn(move || checksum_share(path, n * share, share.min(length - n * share))))
            .collect();
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap_or_else(|_| Err(io::Error::other("a reader stopped"))))
            .collect()
    });
    let sums: io::Result<Vec<crc32fast::Hasher>> = sums;
    let mut whole = crc32fast::Hasher::new();
    sums?.iter().for_each(|sum| whole.combine(sum));
    Ok(Some(whole.finalize()))
}

fn checksum_share(path: &Path, from: u64, length: u64) -> io::Result<crc32fast::Hasher> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut share = file.take(length);
    let (mut sum, mut buffer) = (crc32fast::Hasher::new(), vec![0; 256 * 1024]);
    loop {
        match share.read(&mut buffer)? {
            0 => return Ok(sum),
            read => sum.update(&buffer[..read]),
        }
    }
}
