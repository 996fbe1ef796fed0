//! A data folder under damage, crashes, full disks; its backups.

mod backup;
mod crash;
mod damage;
mod folder;

use super::{Decision, Storage, StorageError, Table};
use crate::{env::Env, types::Service};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A record whose text depends on its key, so that a wrong text is detected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Parcel {
    number: u32,
    shelf: String,
    text: String,
    #[serde(default)]
    open: bool,
}

crate::storage::record! {
    Parcel {
        table: "parcel",
        key: u32,
        open_while: |parcel| parcel.open,
        entries: |parcel| vec![format!("by_shelf/{}/{}", parcel.shelf, parcel.number)],
    }
}

impl Parcel {
    fn new(number: u32) -> Self {
        let shelf = if number.is_multiple_of(2) { "left" } else { "right" };
        Self {
            number, shelf: shelf.into(), text: format!("«{number}» ").repeat(100), open: number.is_multiple_of(100)
        }
    }
}

fn open(folder: &Path) -> Result<Storage, StorageError> {
    Storage::open(folder, &Env::system())
}

fn parcels(storage: &Storage) -> Table<Parcel> {
    storage.tree(Service::Shipping).unwrap().table()
}

fn put(storage: &Storage, numbers: std::ops::Range<u32>) {
    let parcels = parcels(storage);
    for number in numbers {
        parcels.put(&number, &Parcel::new(number)).unwrap();
    }
}

fn commit(storage: &Storage) -> Result<(), StorageError> {
    let tree = storage.tree(Service::Shipping)?;
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(tree.commit())
}

/// A folder with `count` parcels, committed and still open.
fn with_parcels(count: u32) -> (tempfile::TempDir, Storage) {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(&folder.path().join("data")).unwrap();
    put(&storage, 0..count);
    commit(&storage).unwrap();
    (folder, storage)
}

/// All files of the folder except the lock, with their contents.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if !path.ends_with("lock") {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The number of rounds of a long test: `GALLERIA_TEST_ROUNDS` if it is set.
fn rounds(usual: u32) -> u32 {
    std::env::var("GALLERIA_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}
