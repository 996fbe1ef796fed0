//! Files of the data folder: written whole, synced, readable by their owner only.

use super::StorageError;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Files up to this many bytes are read whole to verify them, which takes a quarter of a second. In
/// a longer file, damage is found when the damaged page is read, by sled's own checksums, or by
/// `galleria check`: a start must not take minutes.
pub const READ_WHOLE: u64 = 512 * 1024 * 1024;

/// The path of sled's log, which holds all data.
pub fn log(folder: &Path) -> PathBuf {
    folder.join("db").join("db")
}

/// Writes the file `name` in the folder and syncs it. After a crash the old content is there or the
/// new content, never a part of it.
pub fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    let mut file = private_file(&new)?;
    file.set_len(0)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, folder.join(name))?;
    sync_folder(folder)
}

/// Makes renames and removals in the folder durable. Windows cannot sync a folder and does not need
/// to.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Opens a file for reading and writing, and creates it if there is none. Only its owner may read
/// it, because the folder holds customers' addresses.
pub fn private_file(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    restrict(path, 0o600)?;
    Ok(file)
}

/// Sets the permission bits of a file or a folder.
#[cfg(unix)]
pub fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Does nothing: this system has no permission bits.
#[cfg(not(unix))]
pub fn restrict(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

/// The error for a folder in which a file cannot be created, written or read.
pub fn not_writable(path: &Path, cause: &io::Error) -> StorageError {
    StorageError::NotWritable { folder: path.display().to_string(), cause: cause.to_string() }
}
