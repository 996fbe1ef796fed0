//! Records that were read or written lately, as values: asked for by the very bytes that are stored, so nothing here is ever out of date.
//!
//! An order is read a dozen times while it is placed, each time for one more swap. To clone it costs a fifth of what it costs to read
//! it from JSON and to test its checksum once more.

use sled::IVec;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Of one table, shared by all who have it in hand.
pub(super) struct Recent<R>(Mutex<Generations<R>>);

/// By their keys, with the bytes that they were read from. What nobody asks for is gone after two turns.
struct Generations<R> {
    young: HashMap<String, (IVec, R)>,
    old: HashMap<String, (IVec, R)>,
}

/// Of each generation.
const MOST: usize = 512;
/// A record that is larger would take up the room of many.
const MOST_BYTES: usize = 16 * 1024;

impl<R> Default for Recent<R> {
    fn default() -> Self {
        Self(Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() }))
    }
}

impl<R: Clone> Recent<R> {
    /// The record that these bytes are, if they are those that were seen last under that key.
    pub fn get(&self, key: &str, bytes: &IVec) -> Option<R> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, record) = match all.young.get(key) {
            Some(found) => found,
            None => {
                let found = all.old.remove_entry(key)?;
                all.young.entry(found.0).insert_entry(found.1).into_mut()
            }
        };
        (seen == bytes).then(|| record.clone())
    }

    pub fn put(&self, key: &str, bytes: IVec, record: R) {
        if bytes.len() > MOST_BYTES {
            return;
        }
        let (fresh, mut gone) = ((bytes, record), HashMap::new());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.young.get_mut(key) {
            Some(known) => *known = fresh,
            None => {
                if all.young.len() >= MOST {
                    gone = std::mem::take(&mut all.old);
                    all.old = std::mem::take(&mut all.young);
                }
                all.young.insert(key.to_owned(), fresh);
            }
        }
        // Let go of when nobody waits for the lock.
        drop(all);
        drop(gone);
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
    }

    #[test]
    fn what_is_asked_for_stays_and_there_are_never_more_than_there_is_room_for() {
        let (recent, bytes) = (Recent::default(), IVec::from("bytes"));
        recent.put("kept", bytes.clone(), 0);
        for number in 1..10 * MOST {
            recent.put(&number.to_string(), bytes.clone(), number);
            assert_eq!(recent.get("kept", &bytes), Some(0));
        }
        let all = recent.0.lock().unwrap();
        assert!(all.young.len() + all.old.len() <= 2 * (MOST + 1));
        drop(all);
        let large = IVec::from(vec![0; MOST_BYTES + 1]);
        recent.put("large", large.clone(), 0);
        assert_eq!(recent.get("large", &large), None);
    }
}
