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
        // Nearly always it is as it was seen last, and the swap finds out if it is not: to read it first would be to look for it twice.
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
                let owes = new.as_ref().and_then(Record::outbox).is_some_and(|outbox| !outbox.is_empty());
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
mod tests {
    use super::*;
    use crate::{
        env::Env,
        storage::{Outbox, Owing, Storage},
        types::{Service, Timestamp},
    };
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Default, Serialize, Deserialize)]
    struct Jar {
        key: u32,
        sweets: u64,
        shelf: String,
        outbox: Outbox,
    }

    impl Record for Jar {
        const TABLE: &'static str = "jar";
        type Key = u32;
        fn entries(&self) -> Vec<String> {
            vec![format!("by_shelf/{}/{}", self.shelf, self.key)]
        }
        fn outbox(&self) -> Option<&Outbox> {
            Some(&self.outbox)
        }
        fn outbox_mut(&mut self) -> Option<&mut Outbox> {
            Some(&mut self.outbox)
        }
    }

    fn jar(key: u32, shelf: &str) -> Jar {
        Jar { key, shelf: shelf.into(), ..Jar::default() }
    }

    fn jars() -> (tempfile::TempDir, Table<Jar>) {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path(), &Env::system()).unwrap();
        (folder, storage.tree(Service::Products).unwrap().table())
    }

    fn edit(jars: &Table<Jar>, key: u32, edit: impl Fn(&mut Jar)) {
        let changed: Result<(), StorageError> = jars.change(&key, |jar| {
            let mut jar = jar.unwrap();
            edit(&mut jar);
            Ok(Decision::Save(jar, ()))
        });
        changed.unwrap();
    }

    fn on_shelf(jars: &Table<Jar>, shelf: &str) -> Vec<u32> {
        jars.under(&format!("by_shelf/{shelf}/"), None, false).map(|found| found.unwrap().1.key).collect()
    }

    #[test]
    fn changes_by_many_hands_lose_nothing() {
        let (_folder, jars) = jars();
        jars.create(&1, jar(1, "top")).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..250).for_each(|_| edit(&jars, 1, |jar| jar.sweets += 1)));
            }
        });
        assert_eq!(jars.get(&1).unwrap().unwrap().sweets, 1000);
    }

    #[test]
    fn a_key_is_taken_once() {
        let (_folder, jars) = jars();
        assert!(jars.create(&1, jar(1, "top")).unwrap());
        assert!(!jars.create(&1, jar(1, "low")).unwrap());
        assert_eq!(jars.get(&1).unwrap().unwrap().shelf, "top");
    }

    /// Two tables over one tree do not know what the other has written: as good as one whose memory is always a moment old.
    #[test]
    fn what_was_seen_last_is_no_ground_to_decide_on_where_it_has_changed_since() {
        let (_folder, jars) = jars();
        let others: Table<Jar> = jars.tree.table();
        jars.create(&1, jar(1, "top")).unwrap();
        edit(&others, 1, |jar| jar.sweets = 5);
        let is_empty = |jars: &Table<Jar>| {
            jars.change(&1, |jar| match jar.unwrap().sweets {
                0 => Ok::<_, StorageError>(Decision::Keep(true)),
                _ => Ok(Decision::Keep(false)),
            })
        };
        assert!(!is_empty(&jars).unwrap(), "what is kept");
        edit(&others, 1, |jar| jar.sweets = 0);
        let eaten = jars.change(&1, |jar| match jar.unwrap().sweets {
            0 => Err(StorageError::Disk("none left".into())),
            _ => Ok(Decision::Keep(())),
        });
        assert!(eaten.is_err(), "what is refused");
        edit(&others, 1, |jar| jar.sweets = 7);
        edit(&jars, 1, |jar| jar.sweets += 1);
        assert_eq!(jars.get(&1).unwrap().unwrap().sweets, 8, "what is saved");
        let gone: Result<(), StorageError> = others.change(&1, |_| Ok(Decision::Delete(())));
        gone.unwrap();
        assert!(jars.create(&1, jar(1, "low")).unwrap(), "what is gone");
        assert!(!others.create(&1, jar(1, "top")).unwrap(), "what is there again");
    }

    #[test]
    fn an_entry_leads_to_its_record_only_while_it_holds() {
        let (_folder, jars) = jars();
        jars.create(&1, jar(1, "top")).unwrap();
        jars.create(&2, jar(2, "top")).unwrap();
        edit(&jars, 1, |jar| jar.shelf = "low".into());
        assert_eq!((on_shelf(&jars, "top"), on_shelf(&jars, "low")), (vec![2], vec![1]));
        // One that was left behind by a crash is skipped.
        jars.tree.0.sled.insert("by_shelf/top/1", b"stale").unwrap();
        assert_eq!(on_shelf(&jars, "top"), [2]);
    }

    #[test]
    fn pages_go_on_after_an_entry_in_both_directions() {
        let (_folder, jars) = jars();
        (1..=5).for_each(|key| assert!(jars.create(&key, jar(key, "top")).unwrap()));
        let from = |after, newest_first| {
            let found = jars.under("by_shelf/top/", after, newest_first);
            found.map(|found| found.unwrap().1.key).collect::<Vec<_>>()
        };
        assert_eq!(from(Some("by_shelf/top/2"), false), [3, 4, 5]);
        assert_eq!(from(Some("by_shelf/top/4"), true), [3, 2, 1]);
        let all: Vec<u32> = jars.all(Some(&3)).map(|found| found.unwrap().0).collect();
        assert_eq!(all, [4, 5]);
        let backwards = |before| jars.within("", before, true).map(|found| found.unwrap().0).collect::<Vec<u32>>();
        assert_eq!((backwards(None), backwards(Some(&3))), (vec![5, 4, 3, 2, 1], vec![2, 1]));
    }

    #[test]
    fn records_are_found_by_what_their_keys_begin_with() {
        let (_folder, jars) = jars();
        [1, 2, 10, 11, 12].iter().for_each(|key| assert!(jars.create(key, jar(*key, "top")).unwrap()));
        let within = |after, newest_first| {
            jars.within("1", after, newest_first).map(|found| found.unwrap().0).collect::<Vec<u32>>()
        };
        assert_eq!((within(None, false), within(None, true)), (vec![1, 10, 11, 12], vec![12, 11, 10, 1]));
        assert_eq!((within(Some(&10), false), within(Some(&11), true)), (vec![11, 12], vec![10, 1]));
    }

    #[test]
    fn what_is_taken_to_be_new_and_is_not_leaves_no_entry_of_what_it_would_have_been() {
        let (_folder, jars) = jars();
        jars.create(&1, jar(1, "top")).unwrap();
        assert!(jars.recent.last("jar/1").is_none(), "nobody remembers it");
        assert!(!jars.create(&1, jar(1, "low")).unwrap());
        assert!(jars.tree.0.sled.get("by_shelf/low/1").unwrap().is_none());
    }

    #[test]
    fn a_record_that_owes_events_is_open_until_all_are_settled() {
        let (_folder, jars) = jars();
        let mut woken = jars.tree.listen();
        jars.create(&1, jar(1, "top")).unwrap();
        assert!(jars.open_keys().unwrap().is_empty());
        edit(&jars, 1, |jar| {
            jar.outbox.push("jars.filled", 1.into(), Timestamp::UNIX_EPOCH);
            jar.outbox.push("jars.closed", 2.into(), Timestamp::UNIX_EPOCH);
        });
        assert_eq!(woken.try_recv().unwrap(), "jar/1");
        assert_eq!(jars.open_keys().unwrap(), ["1"]);
        let first = jars.first_owed("1").unwrap().unwrap();
        assert_eq!((first.seq, first.name.as_str()), (0, "jars.filled"));
        assert_eq!(jars.settle("1", 0).unwrap().unwrap().seq, 1);
        assert_eq!(jars.settle("1", 0).unwrap().unwrap().seq, 1, "settled already");
        assert_eq!(jars.first_owed("1").unwrap().unwrap().seq, 1);
        assert!(jars.settle("1", 1).unwrap().is_none());
        assert!(jars.open_keys().unwrap().is_empty());
    }

    #[test]
    fn a_marker_survives_whoever_closes_while_another_opens() {
        let (_folder, jars) = jars();
        jars.create(&1, jar(1, "top")).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..500 {
                    edit(&jars, 1, |jar| jar.outbox.push("jars.filled", 1.into(), Timestamp::UNIX_EPOCH));
                }
            });
            scope.spawn(|| {
                for _ in 0..500 {
                    if let Some(owed) = jars.first_owed("1").unwrap() {
                        jars.settle("1", owed.seq).unwrap();
                    }
                    let open = !jars.get(&1).unwrap().unwrap().outbox.is_empty();
                    let marked = !jars.open_keys().unwrap().is_empty();
                    assert!(marked || !open, "an open record without its marker");
                }
            });
        });
    }

    #[test]
    fn a_flipped_bit_and_a_newer_schema_are_told_apart() {
        let (_folder, jars) = jars();
        jars.create(&1, jar(1, "top")).unwrap();
        let good = jars.tree.0.sled.get("jar/1").unwrap().unwrap();
        let mut flipped = good.to_vec();
        flipped[9] ^= 4;
        jars.tree.0.sled.insert("jar/1", flipped).unwrap();
        assert!(matches!(jars.get(&1), Err(StorageError::Damaged { .. })));
        let mut newer = good.to_vec();
        newer[4] = 2;
        let sum = crc32fast::hash(&newer[4..]);
        newer[..4].copy_from_slice(&sum.to_le_bytes());
        jars.tree.0.sled.insert("jar/1", newer).unwrap();
        assert!(matches!(jars.get(&1), Err(StorageError::Newer { found: 2, known: 1, .. })));
    }
}
