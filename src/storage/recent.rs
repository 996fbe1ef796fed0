//! Records that were read or written lately, as values, with the very bytes that are stored: who asks by those is told nothing that is
//! out of date, and who asks without them ([`Recent::last`]) swaps them and so finds out.
//!
//! An order is read a dozen times while it is placed, each time for one more swap. To clone it costs a fifth of what it costs to read
//! it from JSON and to test its checksum once more.

use parking_lot::Mutex;
use sled::IVec;
use std::collections::HashMap;

/// Of one table, shared by all who have it in hand.
pub(super) struct Recent<R>(Mutex<Generations<R>>);

/// What nobody asks for is gone after two turns.
struct Generations<R> {
    young: Generation<R>,
    old: Generation<R>,
}

struct Generation<R> {
    /// By their keys, with the bytes that they were read from.
    records: HashMap<String, Seen<R>>,
    /// How many bytes of these there are.
    bytes: usize,
}

type Seen<R> = (IVec, R);

/// Of each generation, as they are stored; as values they take up some three times as much.
const MOST_BYTES: usize = 256 * 1024;
/// A record that is larger would take up the room of many.
const LARGEST: usize = 16 * 1024;

impl<R> Default for Recent<R> {
    fn default() -> Self {
        Self(Mutex::new(Generations { young: Generation::default(), old: Generation::default() }))
    }
}

impl<R: Clone> Recent<R> {
    /// The record that these bytes are, if they are those that were seen last under that key.
    pub fn get(&self, key: &str, bytes: &IVec) -> Option<R> {
        self.look(key, |(seen, record)| (seen == bytes).then(|| record.clone()))
    }

    /// What was seen last under that key. Somebody may have written something else since.
    pub fn last(&self, key: &str) -> Option<(IVec, R)> {
        self.look(key, |seen| Some(seen.clone()))
    }

    fn look<T>(&self, key: &str, take: impl FnOnce(&Seen<R>) -> Option<T>) -> Option<T> {
        let mut all = self.0.lock();
        if let Some(seen) = all.young.records.get(key) {
            return take(seen);
        }
        let (key, seen) = all.old.remove(key)?;
        let taken = take(&seen);
        let gone = all.add(key, seen);
        // Let go of when nobody waits for the lock.
        drop(all);
        drop(gone);
        taken
    }

    pub fn forget(&self, key: &str) {
        let mut all = self.0.lock();
        let gone = (all.young.remove(key), all.old.remove(key));
        drop(all);
        drop(gone);
    }

    pub fn put(&self, key: &str, bytes: IVec, record: R) {
        if bytes.len() > LARGEST {
            return self.forget(key);
        }
        let mut all = self.0.lock();
        let gone = all.add(key.to_owned(), (bytes, record));
        drop(all);
        drop(gone);
    }
}

impl<R> Generations<R> {
    /// Adds one to the young; where there is no room they are the old from now on, and those that were are given back.
    fn add(&mut self, key: String, seen: Seen<R>) -> Generation<R> {
        let mut gone = Generation::default();
        if self.young.bytes + seen.0.len() > MOST_BYTES {
            gone = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
        }
        self.young.insert(key, seen);
        gone
    }
}

impl<R> Generation<R> {
    fn insert(&mut self, key: String, seen: Seen<R>) {
        self.bytes += seen.0.len();
        if let Some((before, _)) = self.records.insert(key, seen) {
            self.bytes -= before.len();
        }
    }

    fn remove(&mut self, key: &str) -> Option<(String, Seen<R>)> {
        let (key, seen) = self.records.remove_entry(key)?;
        self.bytes -= seen.0.len();
        Some((key, seen))
    }
}

impl<R> Default for Generation<R> {
    fn default() -> Self {
        Self { records: HashMap::new(), bytes: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_given_for_its_own_bytes_and_no_others() {
        let recent = Recent::default();
        let (first, second) = (IVec::from("first"), IVec::from("second"));
        recent.put("a", first.clone(), 1);
        assert_eq!((recent.get("a", &first), recent.get("a", &second), recent.get("b", &first)), (Some(1), None, None));
        recent.put("a", second.clone(), 2);
        assert_eq!((recent.get("a", &first), recent.get("a", &second)), (None, Some(2)));
        assert_eq!((recent.last("a"), recent.last("b")), (Some((second, 2)), None));
        recent.forget("a");
        assert_eq!(recent.last("a"), None);
    }

    #[test]
    fn what_is_asked_for_stays_and_there_is_never_more_than_there_is_room_for() {
        const EACH: usize = 1024;
        const MOST: usize = MOST_BYTES / EACH;
        let (recent, bytes) = (Recent::default(), IVec::from(vec![0; EACH]));
        let is_within_bounds = |recent: &Recent<usize>| {
            let all = recent.0.lock();
            [&all.young, &all.old]
                .iter()
                .all(|part| part.bytes <= MOST_BYTES && part.bytes == part.records.len() * EACH)
        };
        recent.put("kept", bytes.clone(), 0);
        for number in 1..10 * MOST {
            recent.put(&number.to_string(), bytes.clone(), number);
            recent.put(&number.to_string(), bytes.clone(), number);
            assert_eq!(recent.get("kept", &bytes), Some(0));
            assert!(is_within_bounds(&recent));
        }
        for turn in 0..20 * MOST {
            // A new one now and then, and all others asked for in between.
            recent.put(&format!("new {turn}"), bytes.clone(), turn);
            if turn % (MOST - 1) == 0 {
                (0..=turn).for_each(|other| _ = recent.get(&format!("new {other}"), &bytes));
            }
        }
        recent.forget("kept");
        assert!(is_within_bounds(&recent));
        let large = IVec::from(vec![0; LARGEST + 1]);
        recent.put("large", bytes.clone(), 0);
        recent.put("large", large.clone(), 0);
        assert_eq!(recent.last("large"), None);
    }
}
