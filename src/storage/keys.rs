//! Keys of a tree: of records, of index entries, of open markers.
//!
//! | key | value |
//! |---|---|
//! | `TABLE/KEY` | a record, see [`record`](mod@super::record) |
//! | `by_user/usr_…/KEY` | an index entry: 8 bytes that differ each time it is written |
//! | `open/TABLE/KEY` | an open marker: the same |

use super::{Record, StorageError};

/// The keys of the index entries of a record, and of its open marker if it is open.
pub fn entries_of<R: Record>(key: &str, record: &R) -> Vec<String> {
    let mut entries = record.entries();
    if record.is_open() {
        entries.push(format!("{}{key}", open_markers::<R>()));
    }
    entries
}

/// What the keys of a table's open markers begin with.
pub fn open_markers<R: Record>() -> String {
    format!("open/{}/", R::TABLE)
}

/// The first key after all keys that start with `prefix`. The prefix must end with an ASCII
/// character.
pub fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// The key as text. Fails with [`StorageError::Damaged`] if it is not UTF-8.
pub fn text(key: &[u8]) -> Result<String, StorageError> {
    String::from_utf8(key.to_vec()).map_err(|_| StorageError::damaged(format!("{key:?} is not a key")))
}
