//! A cache of records: those that were read or written lately, as values.
//!
//! The cache stores the value together with the bytes that it was read from. A lookup with the
//! current bytes ([`RecordCache::get`]) can never return a stale value. A lookup without them
//! ([`RecordCache::last`]) may be stale; the compare-and-swap that follows detects it.
//!
//! While an order is placed, its record is read a dozen times, each time for one more swap. Cloning
//! a value costs a fifth of parsing its JSON and verifying its checksum again.

use parking_lot::Mutex;
use sled::IVec;
use std::collections::HashMap;

/// The cache of one table, shared by all clones of the table.
pub(super) struct RecordCache<R>(Mutex<Generations<R>>);

/// Two generations. When the young one is full, it becomes the old one, and the old one is dropped.
/// A record that is looked up moves into the young generation, so a record that nothing looks up is
/// dropped after two such turns.
struct Generations<R> {
    young: Generation<R>,
    old: Generation<R>,
}

struct Generation<R> {
    /// By stored key, with the bytes that each value was read from.
    records: HashMap<String, Cached<R>>,
    /// The sum of the lengths of these bytes.
    bytes: usize,
}

type Cached<R> = (IVec, R);

/// The most bytes of a generation, as they are stored. As values they take about three times as
/// much.
const MOST_BYTES: usize = 256 * 1024;
/// A record of more bytes is not cached: it would take the room of many.
const LARGEST: usize = 16 * 1024;

impl<R> Default for RecordCache<R> {
    fn default() -> Self {
        Self(Mutex::new(Generations { young: Generation::default(), old: Generation::default() }))
    }
}

impl<R: Clone> RecordCache<R> {
    /// The value of these bytes, if the cache has exactly them under this key.
    pub fn get(&self, key: &str, bytes: &IVec) -> Option<R> {
        self.look_up(key, |(cached, record)| (cached == bytes).then(|| record.clone()))
    }

    /// What was read or written last under this key through this cache. The tree may hold a newer
    /// value.
    pub fn last(&self, key: &str) -> Option<(IVec, R)> {
        self.look_up(key, |cached| Some(cached.clone()))
    }

    fn look_up<T>(&self, key: &str, take: impl FnOnce(&Cached<R>) -> Option<T>) -> Option<T> {
        let mut all = self.0.lock();
        if let Some(cached) = all.young.records.get(key) {
            return take(cached);
        }
        let (key, cached) = all.old.remove(key)?;
        let taken = take(&cached);
        let dropped = all.add(key, cached);
        // The dropped records are freed after the lock is released.
        drop(all);
        drop(dropped);
        taken
    }

    /// Removes the value of this key.
    pub fn forget(&self, key: &str) {
        let mut all = self.0.lock();
        let dropped = (all.young.remove(key), all.old.remove(key));
        drop(all);
        drop(dropped);
    }

    /// Stores a value with the bytes that it is read from.
    pub fn put(&self, key: &str, bytes: IVec, record: R) {
        if bytes.len() > LARGEST {
            return self.forget(key);
        }
        let mut all = self.0.lock();
        let dropped = all.add(key.to_owned(), (bytes, record));
        drop(all);
        drop(dropped);
    }
}

impl<R> Generations<R> {
    /// Adds a value to the young generation. If there is no room, the young generation becomes the
    /// old one first, and the previous old one is returned.
    fn add(&mut self, key: String, cached: Cached<R>) -> Generation<R> {
        let mut dropped = Generation::default();
        if self.young.bytes + cached.0.len() > MOST_BYTES {
            dropped = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
        }
        self.young.insert(key, cached);
        dropped
    }
}

impl<R> Generation<R> {
    fn insert(&mut self, key: String, cached: Cached<R>) {
        self.bytes += cached.0.len();
        if let Some((before, _)) = self.records.insert(key, cached) {
            self.bytes -= before.len();
        }
    }

    fn remove(&mut self, key: &str) -> Option<(String, Cached<R>)> {
        let (key, cached) = self.records.remove_entry(key)?;
        self.bytes -= cached.0.len();
        Some((key, cached))
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
    fn a_lookup_with_bytes_finds_the_record_of_these_bytes_only() {
        let cache = RecordCache::default();
        let (first, second) = (IVec::from("first"), IVec::from("second"));
        cache.put("a", first.clone(), 1);
        assert_eq!((cache.get("a", &first), cache.get("a", &second), cache.get("b", &first)), (Some(1), None, None));
        cache.put("a", second.clone(), 2);
        assert_eq!((cache.get("a", &first), cache.get("a", &second)), (None, Some(2)));
        assert_eq!((cache.last("a"), cache.last("b")), (Some((second, 2)), None));
        cache.forget("a");
        assert_eq!(cache.last("a"), None);
    }

    #[test]
    fn a_record_that_is_looked_up_stays_and_the_cache_never_exceeds_its_size() {
        const EACH: usize = 1024;
        const MOST: usize = MOST_BYTES / EACH;
        let (cache, bytes) = (RecordCache::default(), IVec::from(vec![0; EACH]));
        let is_within_bounds = |cache: &RecordCache<usize>| {
            let all = cache.0.lock();
            [&all.young, &all.old]
                .iter()
                .all(|half| half.bytes <= MOST_BYTES && half.bytes == half.records.len() * EACH)
        };
        cache.put("kept", bytes.clone(), 0);
        for number in 1..10 * MOST {
            cache.put(&number.to_string(), bytes.clone(), number);
            cache.put(&number.to_string(), bytes.clone(), number);
            assert_eq!(cache.get("kept", &bytes), Some(0));
            assert!(is_within_bounds(&cache));
        }
        for turn in 0..20 * MOST {
            // New records now and then, and lookups of all others in between.
            cache.put(&format!("new {turn}"), bytes.clone(), turn);
            if turn % (MOST - 1) == 0 {
                (0..=turn).for_each(|other| _ = cache.get(&format!("new {other}"), &bytes));
            }
        }
        cache.forget("kept");
        assert!(is_within_bounds(&cache));
        let large = IVec::from(vec![0; LARGEST + 1]);
        cache.put("large", bytes.clone(), 0);
        cache.put("large", large.clone(), 0);
        assert_eq!(cache.last("large"), None);
    }
}
