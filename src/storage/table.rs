//! Typed records over a tree, changed by compare-and-swap.

use super::{
    Record, StorageError, Tree,
    failpoint::Place,
    recent::Recent,
    record::{decode, encode},
};
use sled::IVec;
use std::{ops::Bound, sync::Arc};

/// The records of one type in a service's tree; cheap to clone.
pub struct Table<R> {
    tree: Tree,
    recent: Arc<Recent<R>>,
}

/// What is made of a record that was not seen lately.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Unseen {
    IsRead,
    /// It is taken to be none; who wants to write it finds out.
    IsNew,
}

/// What a change comes to.
pub enum Decision<R, T> {
    /// Write this record.
    Save(R, T),
    /// Leave everything as it is.
    Keep(T),
    Delete(T),
}

impl<R> Clone for Table<R> {
    fn clone(&self) -> Self {
        Self { tree: self.tree.clone(), recent: self.recent.clone() }
    }
}

impl<R: Record> Table<R> {
    pub(super) fn over(tree: Tree) -> Self {
        Self { tree, recent: Arc::default() }
    }

    /// See [`Tree::commit`].
    pub async fn commit(&self) -> Result<(), StorageError> {
        self.tree.commit().await
    }

    pub fn get(&self, key: &R::Key) -> Result<Option<R>, StorageError> {
        self.get_text(&key.to_string())
    }

    /// Load, decide, swap; and again if another instance was faster. `decide` sees the record as it is, or was a moment ago (`None` where
    /// there is none), and must not do anything but decide: it may be asked more than once, and only what it says of the record as it is
    /// counts.
    pub fn change<T, E: From<StorageError>>(
        &self,
        key: &R::Key,
        decide: impl FnMut(Option<R>) -> Result<Decision<R, T>, E>,
    ) -> Result<T, E> {
        self.change_text(&key.to_string(), Unseen::IsRead, decide)
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

    /// Writes the record unless there is one already; says whether it did. This is what makes a key unique.
    pub fn create(&self, key: &R::Key, record: R) -> Result<bool, StorageError> {
        self.change_text(&key.to_string(), Unseen::IsNew, |found| {
            Ok(match found {
                None => Decision::Save(record.clone(), true),
                Some(_) => Decision::Keep(false),
            })
        })
    }

    /// The record that is there, or else this one, which is written: whoever comes first decides for all.
    pub fn get_or_create(&self, key: &R::Key, record: &R) -> Result<R, StorageError> {
        self.change_text(&key.to_string(), Unseen::IsNew, |found| {
            Ok(match found {
                None => Decision::Save(record.clone(), record.clone()),
                Some(found) => Decision::Keep(found),
            })
        })
    }

    /// The records that the index entries under `prefix` lead to, in the entries' order, from after the entry `after`
    /// (exclusive; an entry, not a record's key), with their entries. Descending where `newest_first`.
    ///
    /// Entries that no longer hold are skipped. Reads no further than it is iterated.
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
                let record = table.get_text(key)?;
                Ok(record.filter(|record| record.entries().contains(&entry)).map(|record| (entry, record)))
            });
            found.transpose()
        })
    }

    /// The records whose keys begin with `prefix`, with their keys and in the keys' order, from after `after` (exclusive). Descending where
    /// `newest_first`. Reads no further than it is iterated.
    ///
    /// A key that begins with what the records are looked for by needs no entry for it.
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

    /// Every record with its key, in the order of the keys, from after `after` (exclusive).
    pub fn all(&self, after: Option<&R::Key>) -> impl Iterator<Item = Result<(R::Key, R), StorageError>> + use<R> {
        self.within("", after, false)
    }

    /// What the tree has under `prefix`, from after the key `after` on.
    fn range(&self, prefix: &str, after: Option<&str>, newest_first: bool) -> impl Iterator<Item = Pair> + use<R> {
        let first = Bound::Included(prefix.as_bytes().to_vec());
        let last = Bound::Excluded(end_of(prefix));
        let range = match (after.map(|key| Bound::Excluded(key.as_bytes().to_vec())), newest_first) {
            (None, _) => (first, last),
            (Some(after), false) => (after, last),
            (Some(after), true) => (first, after),
        };
        let mut found = self.tree.0.sled.range::<Vec<u8>, _>(range);
        std::iter::from_fn(move || if newest_first { found.next_back() } else { found.next() })
    }

    /// The keys of the records with unfinished business, and perhaps of some that have just come to rest.
    pub fn open_keys(&self) -> Result<Vec<String>, StorageError> {
        let prefix = format!("open/{}/", R::TABLE);
        self.tree.0.sled.scan_prefix(&prefix).keys().map(|key| Ok(text(&key?)?[prefix.len()..].to_owned())).collect()
    }

    pub(super) fn get_text(&self, key: &str) -> Result<Option<R>, StorageError> {
        Ok(self.look(&format!("{}/{key}", R::TABLE))?.map(|(_, record)| record))
    }

    fn look(&self, key: &str) -> Result<Option<(IVec, R)>, StorageError> {
        let Some(bytes) = self.tree.0.sled.get(key)? else { return Ok(None) };
        let record = self.read(key, &bytes)?;
        Ok(Some((bytes, record)))
    }

    fn read(&self, key: &str, bytes: &IVec) -> Result<R, StorageError> {
        if let Some(record) = self.recent.get(key, bytes) {
            return Ok(record);
        }
        let record: R = decode(key, bytes)?;
        self.recent.put(key, bytes.clone(), record.clone());
        Ok(record)
    }

    pub(super) fn change_text<T, E: From<StorageError>>(
        &self,
        key: &str,
        unseen: Unseen,
        mut decide: impl FnMut(Option<R>) -> Result<Decision<R, T>, E>,
    ) -> Result<T, E> {
        let mut answer = None;
        let decided = self.swap_as_decided(key, unseen, &mut |found| {
            let (decision, said) = match decide(found) {
                Ok(Decision::Save(record, said)) => (Decision::Save(record, ()), Ok(said)),
                Ok(Decision::Keep(said)) => (Decision::Keep(()), Ok(said)),
                Ok(Decision::Delete(said)) => (Decision::Delete(()), Ok(said)),
                Err(error) => (Decision::Keep(()), Err(error)),
            };
            answer = Some(said);
            decision
        });
        decided?;
        answer.unwrap_or_else(|| Err(StorageError::damaged("nothing was decided").into()))
    }

    /// What all changes of a record have in common, so that it is compiled for each type of record and not for each change.
    fn swap_as_decided(
        &self,
        key: &str,
        unseen: Unseen,
        decide: &mut dyn FnMut(Option<R>) -> Decision<R, ()>,
    ) -> Result<(), StorageError> {
        let full = format!("{}/{key}", R::TABLE);
        // Nearly always it is as it was seen last, and what is created was never there. The swap finds out if that is not so: to read it first
        // would be to look for it twice.
        let mut guess = self.recent.last(&full).map(Some).or((unseen == Unseen::IsNew).then_some(None));
        loop {
            let is_guessed = guess.is_some();
            let (found, old) = guess.take().map_or_else(|| self.look(&full), Ok)?.unzip();
            let before = old.as_ref().map(|record| keys_of(key, record)).unwrap_or_default();
            let new = match decide(old) {
                // Without a swap nothing would tell whether it is still so.
                Decision::Keep(()) if is_guessed => continue,
                Decision::Keep(()) => return Ok(()),
                Decision::Save(record, ()) => Some(record),
                Decision::Delete(()) => None,
            };
            let after = new.as_ref().map(|record| keys_of(key, record)).unwrap_or_default();
            // Entries come first, and those of a record that is none would stay.
            if is_guessed && found.is_none() && !after.is_empty() && self.tree.0.sled.contains_key(&full)? {
                continue;
            }
            let bytes = new.as_ref().map(encode).transpose()?.map(IVec::from);
            // Many are written once and never asked for again: what is new and owes nothing would only take up room among those seen last.
            let is_remembered = found.is_some() || new.as_ref().is_some_and(Record::is_open);
            self.tree.come_to(R::TABLE, Place::Before);
            let swap = || self.swap(&full, found, bytes.clone(), &before, &after);
            if self.tree.0.committer.writing(swap)? {
                self.tree.come_to(R::TABLE, Place::Written);
                let owes = new.as_ref().is_some_and(Record::has_pending_events);
                match (bytes, new) {
                    (Some(bytes), Some(record)) => {
                        debug_assert!(reads_back::<R>(&bytes), "{full} is not what its bytes say");
                        if is_remembered {
                            self.recent.put(&full, bytes, record);
                        }
                    }
                    _ => self.recent.forget(&full),
                }
                if owes {
                    self.tree.wake(full);
                }
                return Ok(());
            }
        }
    }

    /// One attempt, with the entries and the open marker kept true around it: `false` where somebody was faster.
    ///
    /// Each entry holds a number of its own. One that has gone is removed only if it still holds the number that
    /// was read *before* the swap: whoever needs it again after us has written a new number, and keeps it.
    fn swap(
        &self,
        key: &str,
        found: Option<IVec>,
        new: Option<IVec>,
        before: &[String],
        after: &[String],
    ) -> Result<bool, StorageError> {
        let sled = &self.tree.0.sled;
        let mut gone = Vec::new();
        for entry in before.iter().filter(|entry| !after.contains(entry)) {
            gone.push((entry, sled.get(entry)?));
        }
        for entry in after.iter().filter(|entry| !before.contains(entry)) {
            self.tree.insert(entry, &self.tree.nonce()?)?;
        }
        self.tree.come_to(R::TABLE, Place::Entered);
        if !self.tree.swap(key, found, new)? {
            return Ok(false);
        }
        self.tree.come_to(R::TABLE, Place::Swapped);
        for (entry, number) in gone {
            // Beaten: the entry holds again for somebody else.
            let _ = self.tree.swap(entry, number, None)?;
        }
        Ok(true)
    }
}

/// Whether the record that these bytes are read as is the one that they were written for: else it would matter who has it in hand.
fn reads_back<R: Record>(bytes: &IVec) -> bool {
    decode::<R>("", bytes).and_then(|record| encode(&record)).is_ok_and(|again| again == **bytes)
}

type Pair = sled::Result<(IVec, IVec)>;

fn read_pair<R: Record>(pair: Pair) -> Result<(R::Key, R), StorageError> {
    let (key, bytes) = pair?;
    let full = text(&key)?;
    let record = decode(&full, &bytes)?;
    let key = full[R::TABLE.len() + 1..].parse();
    let key = key.map_err(|_| StorageError::damaged(format!("{full} is no key")))?;
    Ok((key, record))
}

pub(super) fn keys_of<R: Record>(key: &str, record: &R) -> Vec<String> {
    let mut entries = record.entries();
    if record.is_open() {
        entries.push(format!("open/{}/{key}", R::TABLE));
    }
    entries
}

/// The first key after all that start with `prefix`, which ends in ASCII.
pub(super) fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

pub(super) fn text(key: &[u8]) -> Result<String, StorageError> {
    String::from_utf8(key.to_vec()).map_err(|_| StorageError::damaged(format!("{key:?} is no key")))
}

#[cfg(test)]
mod tests;
