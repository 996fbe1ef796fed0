//! A record: what a key in a tree leads to.

use super::{Outbox, StorageError};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{fmt::Display, str::FromStr};

/// One aggregate of a service, kept under `TABLE/key` as a checksum, a schema version and JSON.
///
/// JSON, because whoever learns from this shop can read it, and because a backup is then the records as they are.
pub trait Record: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// The first part of its keys: `order` in `order/ord_…`. No slash in it.
    const TABLE: &'static str;
    /// Goes up when a stored field changes its meaning. New fields with `#[serde(default)]` need no new version.
    const VERSION: u8 = 1;
    /// Its `Display` form is the second part of the key, and what comes out of a backup is read by `FromStr`.
    type Key: Display + FromStr;

    /// The index entries that lead here, such as `by_user/usr_…/ord_…`: keys of the tree whose last part is this record's key.
    fn entries(&self) -> Vec<String> {
        Vec::new()
    }

    /// The events that this record owes to subscribers.
    fn outbox(&self) -> Option<&Outbox> {
        None
    }

    fn outbox_mut(&mut self) -> Option<&mut Outbox> {
        None
    }

    /// Whether there is unfinished business, so that a start-up must find it.
    fn is_open(&self) -> bool {
        self.outbox().is_some_and(|outbox| !outbox.is_empty())
    }
}

/// SHA-256 of the parts, as 64 hexadecimal digits: a record's key for parts of any length and any
/// characters. Different lists of parts give different digests: `["a", "bc"]` and `["ab", "c"]`, too.
pub fn digest(parts: &[&str]) -> String {
    // JSON keeps the parts apart.
    format!("{:x}", Sha256::digest(serde_json::json!(parts).to_string()))
}

const HEADER: usize = 5;

/// The length of what an index entry or an open marker holds (see `Tree::nonce`), by which they are told from records.
pub(super) const ENTRY: usize = 8;

pub(super) fn encode<R: Record>(record: &R) -> Result<Vec<u8>, StorageError> {
    let json = serde_json::to_vec(record)
        .map_err(|error| StorageError::damaged(format!("a {} record cannot be written: {error}", R::TABLE)))?;
    Ok(stored(R::VERSION, &json))
}

/// CRC-32 of the rest (4 bytes, little endian), schema version (1 byte), JSON.
pub(super) fn stored(version: u8, json: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + json.len() + 1);
    bytes.extend([0, 0, 0, 0, version]);
    bytes.extend(json);
    if bytes.len() == ENTRY {
        bytes.push(b' ');
    }
    let sum = crc32fast::hash(&bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    bytes
}

pub(super) fn decode<R: Record>(key: &str, bytes: &[u8]) -> Result<R, StorageError> {
    let (version, json) = open(key, bytes)?;
    if version > R::VERSION {
        return Err(StorageError::Newer { what: key.to_owned(), found: version.into(), known: R::VERSION.into() });
    }
    serde_json::from_slice(json)
        .map_err(|error| StorageError::damaged(format!("{key} is no {} record: {error}", R::TABLE)))
}

/// The schema version and the JSON of stored bytes whose checksum holds.
pub(super) fn open<'a>(key: &str, bytes: &'a [u8]) -> Result<(u8, &'a [u8]), StorageError> {
    let damaged = || StorageError::damaged(format!("{key} fails its checksum"));
    let (sum, rest) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
    if bytes.len() < HEADER || crc32fast::hash(rest) != u32::from_le_bytes(*sum) {
        return Err(damaged());
    }
    Ok((rest[0], &rest[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_keeps_its_parts_apart() {
        assert_eq!(digest(&["a", "bc"]), digest(&["a", "bc"]));
        assert_ne!(digest(&["a", "bc"]), digest(&["ab", "c"]));
        assert_ne!(digest(&["a", "bc"]), digest(&["a\",\"bc"]));
        assert_eq!(digest(&[]).len(), 64);
    }

    #[test]
    fn no_record_is_as_long_as_an_entry() {
        for json in ["1", "{}", "123", "1234"] {
            let bytes = stored(7, json.as_bytes());
            assert_ne!(bytes.len(), ENTRY);
            let (version, read) = open("key", &bytes).unwrap();
            assert_eq!((version, read.trim_ascii()), (7, json.as_bytes()));
        }
    }
}
