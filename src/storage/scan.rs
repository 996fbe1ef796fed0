//! Walks all trees of a folder.

use super::{
    StorageError,
    keys::text,
    record::{ENTRY_LENGTH, verified},
};

/// The names of the trees that were handed out, sorted.
pub fn tree_names(db: &sled::Db) -> Vec<String> {
    // sled has a default tree; it holds the number of the last commit and nothing else.
    let default = db.name();
    let names = db.tree_names().into_iter().filter(|name| *name != default);
    let mut names: Vec<_> = names.map(|name| String::from_utf8_lossy(&name).into_owned()).collect();
    names.sort();
    names
}

/// Reads every key of every tree, and stops with an error at the first damage.
pub fn read_all(db: &sled::Db) -> Result<(), StorageError> {
    for name in tree_names(db) {
        for pair in &db.open_tree(name)? {
            let (key, bytes) = pair?;
            if bytes.len() != ENTRY_LENGTH {
                verified(&text(&key)?, &bytes)?;
            }
        }
    }
    Ok(())
}
