//! A record: the value of one key of a tree, with what the storage must know of its type.

use super::{Outbox, StorageError};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{fmt::Display, str::FromStr};

/// One aggregate of a service, stored under the key `TABLE/key`: a checksum, a schema version,
/// JSON.
///
/// The format is JSON so that a person can read a record, and so that a backup holds the records as
/// they are. [`record!`](crate::storage::record!) writes the implementation.
pub trait Record: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// The first part of each of its keys: `order` in `order/ord_…`. It contains no slash.
    const TABLE: &'static str;
    /// The schema version. It grows when a stored field changes its meaning. A new field with
    /// `#[serde(default)]` needs no new version.
    const VERSION: u8 = 1;
    /// The type of the key. `Display` gives the second part of the stored key; `FromStr` reads it.
    type Key: Display + FromStr;

    /// The index entries of this record, such as `by_user/usr_…/ord_…`: keys of the same tree. The
    /// last part of each entry is this record's key.
    fn entries(&self) -> Vec<String> {
        Vec::new()
    }

    /// The outbox, if records of this type publish events.
    fn outbox(&self) -> Option<&Outbox> {
        None
    }

    /// The same outbox, to change it.
    fn outbox_mut(&mut self) -> Option<&mut Outbox> {
        None
    }

    /// Whether the outbox holds an event that is not delivered yet.
    fn has_pending_events(&self) -> bool {
        self.outbox().is_some_and(|outbox| !outbox.is_empty())
    }

    /// Whether work on this record is unfinished. An open record has a marker, `open/TABLE/key`, by
    /// which a start finds it without reading all records.
    fn is_open(&self) -> bool {
        self.has_pending_events()
    }
}

/// Implements [`Record`](crate::storage::Record) for one or more types, one block a type.
///
/// | line | what it sets | without it |
/// |---|---|---|
/// | `table: "order"` | `TABLE` | required |
/// | `key: OrderId` | `Key` | required |
/// | `version: 2` | `VERSION` | 1 |
/// | `outbox: outbox` | the field that is the record's outbox | no events |
/// | `open_while: \|order\| …` | when work other than pending events is unfinished | never |
/// | `entries: \|order\| …` | the index entries, a `Vec<String>` | none |
///
/// The lines stand in this order.
///
/// ```
/// use galleria::storage::{Outbox, Record};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Default, Serialize, Deserialize)]
/// struct Parcel {
///     number: u32,
///     shelf: String,
///     is_on_its_way: bool,
///     outbox: Outbox,
/// }
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Shelf;
///
/// galleria::storage::record! {
///     Parcel {
///         table: "parcel",
///         key: u32,
///         outbox: outbox,
///         open_while: |parcel| parcel.is_on_its_way,
///         entries: |parcel| vec![format!("by_shelf/{}/{}", parcel.shelf, parcel.number)],
///     }
///     Shelf { table: "shelf", key: String }
/// }
///
/// let parcel = Parcel { number: 7, shelf: "left".into(), ..Parcel::default() };
/// assert_eq!((Parcel::TABLE, parcel.entries()), ("parcel", vec!["by_shelf/left/7".to_owned()]));
/// assert!(!parcel.is_open() && Parcel { is_on_its_way: true, ..parcel }.is_open());
/// ```
#[macro_export]
macro_rules! record {
    ($($record:ty {
        table: $table:literal,
        key: $key:ty
        $(, version: $version:literal)?
        $(, outbox: $outbox:ident)?
        $(, open_while: |$open:ident| $is_open:expr)?
        $(, entries: |$indexed:ident| $entries:expr)?
        $(,)?
    })*) => {$(
        impl $crate::storage::Record for $record {
            const TABLE: &'static str = $table;
            $(const VERSION: u8 = $version;)?
            type Key = $key;

            $(
                fn outbox(&self) -> Option<&$crate::storage::Outbox> {
                    Some(&self.$outbox)
                }

                fn outbox_mut(&mut self) -> Option<&mut $crate::storage::Outbox> {
                    Some(&mut self.$outbox)
                }
            )?
            $(
                fn is_open(&self) -> bool {
                    let $open = self;
                    self.has_pending_events() || $is_open
                }
            )?
            $(
                fn entries(&self) -> Vec<String> {
                    let $indexed = self;
                    $entries
                }
            )?
        }
    )*};
}

/// SHA-256 of the parts, as 64 hexadecimal digits: a record's key for parts of any length and any
/// characters. Different lists of parts give different digests: `["a", "bc"]` and `["ab", "c"]`,
/// too.
pub fn digest(parts: &[&str]) -> String {
    // JSON keeps the parts apart.
    format!("{:x}", Sha256::digest(serde_json::json!(parts).to_string()))
}

/// The length of checksum and version, in bytes.
const HEADER_LENGTH: usize = 5;

/// The length of the value of an index entry or an open marker, in bytes (see `Tree::nonce`). No
/// record has this length, so the length tells the two apart.
pub(super) const ENTRY_LENGTH: usize = 8;

/// The bytes under which a record is stored, see [`stored`].
pub(super) fn encode<R: Record>(record: &R) -> Result<Vec<u8>, StorageError> {
    let json = serde_json::to_vec(record)
        .map_err(|error| StorageError::damaged(format!("a record of {} cannot be written: {error}", R::TABLE)))?;
    Ok(stored(R::VERSION, &json))
}

/// The stored form: CRC-32 of the rest (4 bytes, little endian), schema version (1 byte), JSON.
pub(super) fn stored(version: u8, json: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LENGTH + json.len() + 1);
    bytes.extend([0, 0, 0, 0, version]);
    bytes.extend(json);
    if bytes.len() == ENTRY_LENGTH {
        bytes.push(b' ');
    }
    let sum = crc32fast::hash(&bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// The record in these stored bytes. `key` is only for the text of an error.
pub(super) fn decode<R: Record>(key: &str, bytes: &[u8]) -> Result<R, StorageError> {
    let (version, json) = verified(key, bytes)?;
    if version > R::VERSION {
        return Err(StorageError::Newer { what: key.to_owned(), found: version.into(), known: R::VERSION.into() });
    }
    serde_json::from_slice(json)
        .map_err(|error| StorageError::damaged(format!("{key} is not a record of {}: {error}", R::TABLE)))
}

/// The schema version and the JSON of stored bytes, if their checksum is right.
pub(super) fn verified<'a>(key: &str, bytes: &'a [u8]) -> Result<(u8, &'a [u8]), StorageError> {
    let damaged = || StorageError::damaged(format!("{key} fails its checksum"));
    let (sum, rest) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
    if bytes.len() < HEADER_LENGTH || crc32fast::hash(rest) != u32::from_le_bytes(*sum) {
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
            assert_ne!(bytes.len(), ENTRY_LENGTH);
            let (version, read) = verified("key", &bytes).unwrap();
            assert_eq!((version, read.trim_ascii()), (7, json.as_bytes()));
        }
    }
}
