//! Backups: written, restored, refused; checks.

use super::*;
use crate::storage::{KnownTable, backup, check, restore};

/// A folder with records in two trees, open markers and dangling entries, and its backup.
fn with_backup() -> (tempfile::TempDir, Storage, Vec<u8>) {
    let (folder, storage) = with_parcels(250);
    let outside: Table<Parcel> = storage.outside_tree("provider").unwrap().table();
    outside.create(&7, Parcel { text: "\"quoted\\ \u{1f4e6}\n".into(), ..Parcel::new(7) }).unwrap();
    storage.db.open_tree("shipping").unwrap().insert("by_shelf/left/99999", b"dangling").unwrap();
    let saved = save(&storage);
    (folder, storage, saved)
}

fn save(storage: &Storage) -> Vec<u8> {
    let mut bytes = Vec::new();
    backup(storage, &mut bytes).unwrap();
    bytes
}

/// The lines without the first, which has the time, and the last, which has the checksum.
fn body(backup: &[u8]) -> Vec<&[u8]> {
    let lines: Vec<_> = backup.split_inclusive(|byte| *byte == b'\n').collect();
    lines[1..lines.len() - 1].to_vec()
}

fn refused(folder: &Path, backup: &[u8]) -> StorageError {
    let error = restore(folder, backup, &Env::system()).unwrap_err();
    let left: Vec<_> = folder.parent().unwrap().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("restored")), "{left:?}");
    error
}

#[test]
fn a_backup_of_a_restored_folder_is_the_same_backup() {
    let (folder, storage, saved) = with_backup();
    let restored = folder.path().join("restored");
    // Each parcel has one entry, and each hundredth parcel has a marker.
    let keys = (250 + 1) * 2 + 3 + 1;
    assert_eq!(restore(&restored, &saved[..], &Env::system()), Ok(keys));
    let restored = open(&restored).unwrap();
    assert_eq!(body(&save(&restored)), body(&saved));
    assert_eq!(body(&save(&storage)).len() as u64, keys);
    // Entries whose values a restore made change as all others.
    let parcels = parcels(&restored);
    let moved = |parcel: Option<Parcel>| Parcel { shelf: "right".into(), ..parcel.unwrap() };
    parcels.update(&4, |parcel| Ok(Decision::Save(moved(parcel), ()))).unwrap();
    let on = |shelf: &str| parcels.under(&format!("by_shelf/{shelf}/"), None, false).count();
    assert_eq!((on("left"), on("right")), (124, 126));
    assert_eq!(parcels.open_keys().unwrap(), ["0", "100", "200"]);
}

#[test]
fn a_backup_has_the_documented_format() {
    let (_folder, _storage, saved) = with_backup();
    let lines: Vec<serde_json::Value> =
        saved.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!((&lines[0]["galleria_backup"], &lines[0]["format"]), (&1.into(), &3.into()));
    let parcel = lines.iter().find(|line| line["key"] == "parcel/8").unwrap();
    assert_eq!((&parcel["tree"], &parcel["version"]), (&"shipping".into(), &1.into()));
    assert_eq!(parcel["record"], serde_json::to_value(Parcel::new(8)).unwrap());
    assert_eq!(lines.last().unwrap()["lines"], lines.len() - 2);
}

#[test]
fn a_backup_that_is_cut_off_or_altered_is_refused_and_leaves_no_folder() {
    let (folder, _storage, saved) = with_backup();
    let restored = folder.path().join("restored");
    for length in [0, 10, 200, saved.len() / 2, saved.len() - 80, saved.len() - 2] {
        let error = refused(&restored, &saved[..length]);
        assert!(matches!(error, StorageError::BadBackup { .. }), "{length}: {error}");
    }
    let mut altered = saved.clone();
    let at = altered.windows(4).position(|bytes| bytes == "«8»".as_bytes()[..4].to_vec()).unwrap() + 2;
    altered[at] ^= 1;
    assert!(matches!(refused(&restored, &altered), StorageError::BadBackup { .. }));
    let more = [&saved[..], b"{}\n"].concat();
    assert!(matches!(refused(&restored, &more), StorageError::BadBackup { .. }));
    let of_version = |version: &str| {
        let saved = String::from_utf8(saved.clone()).unwrap();
        refused(&restored, saved.replacen("\"format\":3", &format!("\"format\":{version}"), 1).as_bytes())
    };
    assert!(matches!(of_version("4"), StorageError::Newer { found: 4, known: 3, .. }));
    assert!(matches!(of_version("2"), StorageError::Older { found: 2, known: 3, .. }));
    assert!(matches!(of_version("1"), StorageError::Older { found: 1, known: 3, .. }));
}

#[test]
fn a_backup_is_restored_only_into_an_empty_folder() {
    let (folder, storage, saved) = with_backup();
    let before = contents(storage.folder());
    let error = restore(storage.folder(), &saved[..], &Env::system()).unwrap_err();
    assert_eq!((error.exit_code(), contents(storage.folder()) == before), (7, true));
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    // What an interrupted restore left beside the folder is removed.
    copy(storage.folder(), &folder.path().join("empty.restoring"));
    restore(&empty, &saved[..], &Env::system()).unwrap();
    assert_eq!(parcels(&open(&empty).unwrap()).all(None).count(), 250);
    assert!(!folder.path().join("empty.restoring").exists());
    // A folder with foreign files stays.
    fs::create_dir(folder.path().join("other.restoring")).unwrap();
    fs::write(folder.path().join("other.restoring/holiday.jpg"), b"sun").unwrap();
    let error = restore(&folder.path().join("other"), &saved[..], &Env::system()).unwrap_err();
    assert!(
        matches!(error, StorageError::NotOurs { .. }) && folder.path().join("other.restoring/holiday.jpg").exists()
    );
}

#[test]
fn a_backup_of_damaged_data_fails_and_names_the_record() {
    let (_folder, storage, _) = with_backup();
    storage.db.open_tree("shipping").unwrap().insert("parcel/8", b"no record").unwrap();
    let error = backup(&storage, &mut Vec::new()).unwrap_err();
    assert_eq!(error, StorageError::damaged("parcel/8 fails its checksum"));
}

#[test]
fn a_check_counts_records_and_reports_each_fault() {
    let (_folder, storage, _) = with_backup();
    let known = [KnownTable::of::<Parcel>("shipping")];
    let look = || {
        let mut findings = Vec::new();
        let report = check(&storage, &known, |finding| findings.push((finding.key, finding.what)));
        assert_eq!(report.findings, findings.len() as u64);
        (report, findings)
    };
    let (report, findings) = look();
    assert_eq!(findings, []);
    let counts: Vec<_> = report
        .tables
        .iter()
        .map(|table| (table.tree.as_str(), table.name.as_str(), table.records, table.entries, table.dangling))
        .collect();
    #[rustfmt::skip]
    assert_eq!(counts, [
        ("provider", "by_shelf", 0,   1,   0),
        ("provider", "parcel",   1,   0,   0),
        ("shipping", "by_shelf", 0,   251, 1),
        ("shipping", "open",     0,   3,   0),
        ("shipping", "parcel",   250, 0,   0),
    ]);
    let tree = storage.db.open_tree("shipping").unwrap();
    let stored = crate::storage::record::stored;
    tree.remove("by_shelf/left/2").unwrap();
    tree.insert("parcel/3", b"no record").unwrap();
    tree.insert("parcel/4", stored(1, b"{\"number\":4}")).unwrap();
    tree.insert("parcel/5", stored(9, b"{}")).unwrap();
    tree.insert("other/6", stored(1, b"{")).unwrap();
    let keys: Vec<_> = look().1.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["other/6", "parcel/2", "parcel/3", "parcel/4", "parcel/5"]);
}
