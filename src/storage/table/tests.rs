use super::*;
use crate::{
    env::Env,
    storage::{Outbox, OutboxTable, Storage},
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
    let within =
        |after, newest_first| jars.within("1", after, newest_first).map(|found| found.unwrap().0).collect::<Vec<u32>>();
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
    let first = jars.first_pending("1").unwrap().unwrap();
    assert_eq!((first.seq, first.name.as_str()), (0, "jars.filled"));
    assert_eq!(jars.settle("1", 0).unwrap().unwrap().seq, 1);
    assert_eq!(jars.settle("1", 0).unwrap().unwrap().seq, 1, "settled already");
    assert_eq!(jars.first_pending("1").unwrap().unwrap().seq, 1);
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
                if let Some(owed) = jars.first_pending("1").unwrap() {
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
