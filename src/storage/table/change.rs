//! A change of a record: guess or read what is there, decide, write.

use super::{Decision, Table, Uncached, stored_key};
use crate::storage::{
    Record, StorageError,
    failpoint::WriteStage,
    keys::entries_of,
    record::{decode, encode},
};
use sled::IVec;

/// A decision without the caller's answer.
type Decide<'a, R> = &'a mut dyn FnMut(Option<R>) -> Decision<R, ()>;

/// What an attempt to change a record starts from.
#[derive(Clone, Copy, PartialEq)]
enum Basis {
    /// What the cache holds. The swap finds out whether it is still true.
    Guess,
    /// What was read from the tree.
    Read,
}

impl<R: Record> Table<R> {
    pub(in crate::storage) fn change_by_text<T, E: From<StorageError>>(
        &self,
        key: &str,
        uncached: Uncached,
        mut decide: impl FnMut(Option<R>) -> Result<Decision<R, T>, E>,
    ) -> Result<T, E> {
        let mut answer = None;
        self.swap_as_decided(key, uncached, &mut |found| {
            let (decision, given) = match decide(found) {
                Ok(Decision::Save(record, given)) => (Decision::Save(record, ()), Ok(given)),
                Ok(Decision::Keep(given)) => (Decision::Keep(()), Ok(given)),
                Ok(Decision::Delete(given)) => (Decision::Delete(()), Ok(given)),
                Err(error) => (Decision::Keep(()), Err(error)),
            };
            answer = Some(given);
            decision
        })?;
        answer.unwrap_or_else(|| Err(StorageError::damaged("nothing was decided").into()))
    }

    /// What all changes have in common. It is compiled once for each type of record, not once for
    /// each change.
    fn swap_as_decided(&self, key: &str, uncached: Uncached, decide: Decide<R>) -> Result<(), StorageError> {
        let stored_key = stored_key::<R>(key);
        if let Some(guess) = self.guess(&stored_key, uncached)
            && self.attempt(key, guess, Basis::Guess, decide)?
        {
            return Ok(());
        }
        while !self.attempt(key, self.load(&stored_key)?, Basis::Read, decide)? {}
        Ok(())
    }

    /// What is probably under the key; `None` if it must be read.
    ///
    /// Nearly always a record is as the cache has it, and a record that is created did not exist.
    /// The swap finds out if this is not so. To read the record first would be to look it up twice.
    fn guess(&self, stored_key: &str, uncached: Uncached) -> Option<Option<(IVec, R)>> {
        self.cache.last(stored_key).map(Some).or((uncached == Uncached::IsNew).then_some(None))
    }

    /// Decides about what was found and writes the decision. Gives `false` if it has to be repeated
    /// with what is in the tree then.
    fn attempt(
        &self,
        key: &str,
        found: Option<(IVec, R)>,
        basis: Basis,
        decide: Decide<R>,
    ) -> Result<bool, StorageError> {
        let (found, old) = found.unzip();
        let before = old.as_ref().map(|record| entries_of(key, record)).unwrap_or_default();
        self.tree.reach(R::TABLE, WriteStage::Loaded)?;
        let decision = decide(old);
        self.tree.reach(R::TABLE, WriteStage::Decided)?;
        let new = match decision {
            // Without a swap nothing shows whether a guess is still true.
            Decision::Keep(()) => return Ok(basis == Basis::Read),
            Decision::Save(record, ()) => Some(record),
            Decision::Delete(()) => None,
        };
        let after = new.as_ref().map(|record| entries_of(key, record)).unwrap_or_default();
        let stored_key = stored_key::<R>(key);
        // Index entries are written before the record. If the guess "there is no record" is wrong,
        // they would stay behind without a record that has them.
        let is_new = basis == Basis::Guess && found.is_none();
        if is_new && !after.is_empty() && self.tree.sled().contains_key(&stored_key)? {
            return Ok(false);
        }
        self.write(stored_key, found, new, &before, &after)
    }

    /// Writes the new record, or deletes the old one. Gives `false` if the key no longer holds
    /// `found`.
    fn write(
        &self,
        stored_key: String,
        found: Option<IVec>,
        new: Option<R>,
        before: &[String],
        after: &[String],
    ) -> Result<bool, StorageError> {
        let bytes = new.as_ref().map(encode).transpose()?.map(IVec::from);
        // New records without pending events are not cached: most are never read again.
        let is_cached = found.is_some() || new.as_ref().is_some_and(Record::is_open);
        self.tree.reach(R::TABLE, WriteStage::Before)?;
        let swap = || self.swap(&stored_key, found, bytes.clone(), before, after);
        if !self.tree.writing(swap)? {
            return Ok(false);
        }
        self.tree.reach(R::TABLE, WriteStage::Written)?;
        let has_pending_events = new.as_ref().is_some_and(Record::has_pending_events);
        match (bytes, new) {
            (Some(bytes), Some(record)) => {
                debug_assert!(reads_back::<R>(&bytes), "{stored_key} does not read back as it was written");
                if is_cached {
                    self.cache.put(&stored_key, bytes, record);
                }
            }
            _ => self.cache.forget(&stored_key),
        }
        if has_pending_events {
            self.tree.wake(stored_key);
        }
        Ok(true)
    }

    /// One compare-and-swap of the record, with its index entries and its open marker kept true
    /// around it. Gives `false` if another instance was faster.
    ///
    /// Each entry holds a number of its own. An entry that the record no longer has is removed only
    /// if it still holds the number that was read *before* the swap. If another instance needs the
    /// entry again after this swap, it has written a new number, and the entry stays.
    fn swap(
        &self,
        stored_key: &str,
        found: Option<IVec>,
        new: Option<IVec>,
        before: &[String],
        after: &[String],
    ) -> Result<bool, StorageError> {
        let mut removed = Vec::new();
        for entry in before.iter().filter(|entry| !after.contains(entry)) {
            removed.push((entry, self.tree.sled().get(entry)?));
        }
        for entry in after.iter().filter(|entry| !before.contains(entry)) {
            self.tree.insert(entry, &self.tree.nonce()?)?;
        }
        self.tree.reach(R::TABLE, WriteStage::Entered)?;
        if !self.tree.swap(stored_key, found, new)? {
            return Ok(false);
        }
        self.tree.reach(R::TABLE, WriteStage::Swapped)?;
        for (entry, number) in removed {
            // `false` means that another instance has written the entry again.
            let _ = self.tree.swap(entry, number, None)?;
        }
        Ok(true)
    }
}

/// Whether these bytes read as the record that they were written for. If not, a record from the
/// cache would differ from the same record read from the tree.
fn reads_back<R: Record>(bytes: &IVec) -> bool {
    decode::<R>("", bytes).and_then(|record| encode(&record)).is_ok_and(|again| again == **bytes)
}
