//! The seal: what sled's files were when the folder was closed in good order.
//!
//! sled takes what it cannot read at the end of its log for a write that a crash cut short, drops it and overwrites the rest: right
//! after a crash, and a silent loss after anything else. A seal tells the two apart *before* sled may touch the folder.

use super::{
    StorageError,
    folder::{READ_WHOLE, sync_folder, write_whole},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

const SEAL: &str = "seal";
/// Reading is cut into so many threads at most, each with no less than [`PART_LEAST`] bytes.
const PARTS_MOST: u64 = 4;
const PART_LEAST: u64 = 8 * 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    files: Vec<SealedFile>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedFile {
    /// From the data folder, with slashes.
    name: String,
    length: u64,
    /// `None` for a file that is longer than [`READ_WHOLE`].
    crc32: Option<u32>,
}

/// Whether there is a seal. Where there is one, every file must be as it says, and none may have come.
pub fn verify(folder: &Path) -> Result<bool, StorageError> {
    let seal = match std::fs::read(folder.join(SEAL)) {
        Ok(json) => serde_json::from_slice::<Seal>(&json),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let seal = seal.map_err(|_| StorageError::damaged(format!("the file {SEAL} has been altered")))?;
    let mut found: BTreeSet<String> = names(folder)?.into_iter().collect();
    for file in &seal.files {
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

/// To be on disk before sled's first write: a seal over files that have changed since would condemn good data.
pub fn remove(folder: &Path) -> Result<(), StorageError> {
    std::fs::remove_file(folder.join(SEAL))?;
    Ok(sync_folder(folder)?)
}

/// Seals the folder. Nobody writes to it any more.
pub fn write(folder: &Path) -> Result<(), StorageError> {
    let mut files = Vec::new();
    for name in names(folder)? {
        let path = folder.join(&name);
        // sled does not sync all that it writes (its `conf`, its blobs).
        File::open(&path)?.sync_all()?;
        let length = path.metadata()?.len();
        files.push(SealedFile { name, length, crc32: checksum(&path, length)? });
    }
    let json = serde_json::to_vec(&Seal { files }).map_err(|error| StorageError::Disk(error.to_string()))?;
    Ok(write_whole(folder, SEAL, &json)?)
}

/// The names of sled's files, from the data folder.
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

/// The CRC-32 of a file of that length, unless it is too long.
fn checksum(path: &Path, length: u64) -> io::Result<Option<u32>> {
    if length > READ_WHOLE {
        return Ok(None);
    }
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let parts = (length / PART_LEAST).clamp(1, PARTS_MOST.min(cores));
    let part = length.div_ceil(parts);
    let sums = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..parts)
            .map(|n| scope.spawn(move || checksum_part(path, n * part, part.min(length - n * part))))
            .collect();
        parts
            .into_iter()
            .map(|part| part.join().unwrap_or_else(|_| Err(io::Error::other("a reader stopped"))))
            .collect()
    });
    let sums: io::Result<Vec<crc32fast::Hasher>> = sums;
    let mut whole = crc32fast::Hasher::new();
    sums?.iter().for_each(|sum| whole.combine(sum));
    Ok(Some(whole.finalize()))
}

fn checksum_part(path: &Path, from: u64, length: u64) -> io::Result<crc32fast::Hasher> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut part = file.take(length);
    let (mut sum, mut buffer) = (crc32fast::Hasher::new(), vec![0; 256 * 1024]);
    loop {
        match part.read(&mut buffer)? {
            0 => return Ok(sum),
            read => sum.update(&buffer[..read]),
        }
    }
}
