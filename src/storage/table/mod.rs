//! Typed records over a tree: read by key, by index entry or in order; changed by compare-and-swap.

mod change;
#[cfg(test)]
mod tests;

use super::{
    Record, StorageError, Tree,
    failpoint::WriteStage,
    keys::{end_of, open_markers, text},
    record::decode,
    record_cache::RecordCache,
};
use sled::IVec;
use std::{ops::Bound, sync::Arc};

/// The records of one type in a service's tree. Cheap to clone; clones share one cache of records.
pub struct Table<R> {
    tree: Tree,
    cache: Arc<RecordCache<R>>,
}

/// The result of a decision about one record, with the answer `T` for the caller.
pub enum Decision<R, T> {
    /// Write this record.
    Save(R, T),
    /// Leave the record as it is.
    Keep(T),
    /// Delete the record.
    Delete(T),
}

/// What a change assumes about a record that is not in the cache.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Uncached {
    /// The record is read first.
    IsRead,
    /// There is no such record. The swap fails if there is one.
    IsNew,
}

impl Tree {
    /// The table of the records of type `R` in this tree.
    pub fn table<R: Record>(&self) -> Table<R> {
        Table { tree: self.clone(), cache: Arc::default() }
    }
}

impl<R> Clone for Table<R> {
    fn clone(&self) -> Self {
        Self { tree: self.tree.clone(), cache: self.cache.clone() }
    }
}

impl<R: Record> Table<R> {
    /// See [`Tree::commit`].
    pub async fn commit(&self) -> Result<(), StorageError> {
        self.tree.commit().await
    }

    /// The record of this key; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`StorageError::Damaged`] if its checksum or its JSON is wrong, [`StorageError::Newer`] if a
    /// later version of this program wrote it.
    pub fn get(&self, key: &R::Key) -> Result<Option<R>, StorageError> {
        self.get_by_text(&key.to_string())
    }

    /// Loads the record, asks `decide` for a decision, and writes it by compare-and-swap. If
    /// another instance wrote the record in the meantime, the three steps are repeated.
    ///
    /// `decide` gets the record (`None` if there is none) as it is now or was a moment ago. It must
    /// have no side effects, because it may be called more than once; only its last decision
    /// counts.
    ///
    /// # Errors
    ///
    /// The error of `decide`, which changes nothing, or a [`StorageError`].
    pub fn change<T, E: From<StorageError>>(
        &self,
        key: &R::Key,
        decide: impl FnMut(Option<R>) -> Result<Decision<R, T>, E>,
    ) -> Result<T, E> {
        self.change_by_text(&key.to_string(), Uncached::IsRead, decide)
    }

    /// [`change`](Self::change) for a decision that fails with a [`StorageError`] or not at all.
    pub fn update<T>(
        &self,
        key: &R::Key,
        decide: impl FnMut(Option<R>) -> Result<Decision<R, T>, StorageError>,
    ) -> Result<T, StorageError> {
        self.change(key, decide)
    }

    /// Writes the record, whether there was one or not.
    pub fn put(&self, key: &R::Key, record: &R) -> Result<(), StorageError> {
        self.update(key, |_| Ok(Decision::Save(record.clone(), ())))
    }

    /// Deletes the record. It is no error if there is none.
    pub fn delete(&self, key: &R::Key) -> Result<(), StorageError> {
        self.update(key, |_| Ok(Decision::Delete(())))
    }

    /// Writes the record if there is none with this key; gives `true` if it wrote. Of several calls
    /// at the same time one writes, so a key can be claimed with it.
    pub fn create(&self, key: &R::Key, record: R) -> Result<bool, StorageError> {
        self.change_by_text(&key.to_string(), Uncached::IsNew, |found| {
            Ok(match found {
                None => Decision::Save(record.clone(), true),
                Some(_) => Decision::Keep(false),
            })
        })
    }

    /// The record of this key, or, if there is none, `record`, which is then written. Of several
    /// calls at the same time one writes, and all get what it wrote.
    pub fn get_or_create(&self, key: &R::Key, record: &R) -> Result<R, StorageError> {
        self.change_by_text(&key.to_string(), Uncached::IsNew, |found| {
            Ok(match found {
                None => Decision::Save(record.clone(), record.clone()),
                Some(found) => Decision::Keep(found),
            })
        })
    }

    /// The records whose index entries begin with `prefix`, each with its entry, in the order of
    /// the entries; descending if `newest_first`. Begins after the entry `after` (an entry, not a
    /// record's key).
    ///
    /// An entry that its record no longer has is skipped: a crash may have left it. Reads only as
    /// far as the caller iterates.
    pub fn under(
        &self,
        prefix: &str,
        after: Option<&str>,
        newest_first: bool,
    ) -> impl Iterator<Item = Result<(String, R), StorageError>> + use<R> {
        let table = self.clone();
        self.range(prefix, after, newest_first).filter_map(move |entry| {
            let found = entry.map_err(StorageError::from).and_then(|(entry, _)| {
                let entry = text(&entry)?;
                let key = entry.rsplit('/').next().unwrap_or_default();
                let record = table.get_by_text(key)?;
                Ok(record.filter(|record| record.entries().contains(&entry)).map(|record| (entry, record)))
            });
            found.transpose()
        })
    }

    /// The records whose keys begin with `prefix`, each with its key, in the order of the keys;
    /// descending if `newest_first`. Begins after the key `after`. Reads only as far as the caller
    /// iterates.
    ///
    /// If the first part of a key is what the records are looked up by, they need no index entry.
    pub fn within(
        &self,
        prefix: &str,
        after: Option<&R::Key>,
        newest_first: bool,
    ) -> impl Iterator<Item = Result<(R::Key, R), StorageError>> + use<R> {
        let prefix = format!("{}/{prefix}", R::TABLE);
        let after = after.map(|key| format!("{}/{key}", R::TABLE));
        self.range(&prefix, after.as_deref(), newest_first).map(read_pair)
    }

    /// Every record with its key, in the order of the keys, from after the key `after`.
    pub fn all(&self, after: Option<&R::Key>) -> impl Iterator<Item = Result<(R::Key, R), StorageError>> + use<R> {
        self.within("", after, false)
    }

    /// The keys of the records with unfinished work, see [`Record::is_open`]. A record that was
    /// finished a moment ago may still be among them.
    pub fn open_keys(&self) -> Result<Vec<String>, StorageError> {
        let prefix = open_markers::<R>();
        self.tree.sled().scan_prefix(&prefix).keys().map(|key| Ok(text(&key?)?[prefix.len()..].to_owned())).collect()
    }

    /// The keys of the tree that begin with `prefix`, with their values, from after the key
    /// `after`.
    fn range(&self, prefix: &str, after: Option<&str>, newest_first: bool) -> impl Iterator<Item = Pair> + use<R> {
        let first = Bound::Included(prefix.as_bytes().to_vec());
        let last = Bound::Excluded(end_of(prefix));
        let range = match (after.map(|key| Bound::Excluded(key.as_bytes().to_vec())), newest_first) {
            (None, _) => (first, last),
            (Some(after), false) => (after, last),
            (Some(after), true) => (first, after),
        };
        let mut found = self.tree.sled().range::<Vec<u8>, _>(range);
        std::iter::from_fn(move || if newest_first { found.next_back() } else { found.next() })
    }

    pub(super) fn get_by_text(&self, key: &str) -> Result<Option<R>, StorageError> {
        self.tree.reach(R::TABLE, WriteStage::Reading)?;
        Ok(self.load(&stored_key::<R>(key))?.map(|(_, record)| record))
    }

    /// The bytes under a stored key, and the record that they are.
    fn load(&self, stored_key: &str) -> Result<Option<(IVec, R)>, StorageError> {
        let Some(bytes) = self.tree.sled().get(stored_key)? else { return Ok(None) };
        if let Some(record) = self.cache.get(stored_key, &bytes) {
            return Ok(Some((bytes, record)));
        }
        let record: R = decode(stored_key, &bytes)?;
        self.cache.put(stored_key, bytes.clone(), record.clone());
        Ok(Some((bytes, record)))
    }
}

fn stored_key<R: Record>(key: &str) -> String {
    format!("{}/{key}", R::TABLE)
}

type Pair = sled::Result<(IVec, IVec)>;

fn read_pair<R: Record>(pair: Pair) -> Result<(R::Key, R), StorageError> {
    let (key, bytes) = pair?;
    let stored_key = text(&key)?;
    let record = decode(&stored_key, &bytes)?;
    let key = stored_key[R::TABLE.len() + 1..].parse();
    let key = key.map_err(|_| StorageError::damaged(format!("{stored_key} is not a key of its table")))?;
    Ok((key, record))
}
