//! Files that were truncated or altered while the shop was closed, after an orderly close and after
//! a crash.

use super::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// A folder with some history: it has several segments of sled's log, changed records, and was
/// opened more than once.
fn with_history() -> (tempfile::TempDir, Storage) {
    let (folder, storage) = with_parcels(1500);
    storage.close().unwrap();
    let storage = open(&folder.path().join("data")).unwrap();
    put(&storage, 1000..2500);
    commit(&storage).unwrap();
    put(&storage, 0..200);
    commit(&storage).unwrap();
    (folder, storage)
}

/// Damages one file of the folder, and says how.
fn damage(folder: &Path, random: &mut StdRng) -> String {
    let files: Vec<PathBuf> = contents(folder).into_keys().collect();
    let file =
        if random.random_bool(0.6) { folder.join("db/db") } else { files[random.random_range(0..files.len())].clone() };
    let mut bytes = fs::read(&file).unwrap();
    let at = random.random_range(0..bytes.len());
    let how = match random.random_range(0..4) {
        0 => {
            bytes.truncate(at);
            "truncated"
        }
        1 => {
            let end = bytes.len().min(at + 4096);
            bytes[at..end].fill(0);
            "zeroed"
        }
        _ => {
            bytes[at] ^= 1 << random.random_range(0..8);
            "flipped"
        }
    };
    fs::write(&file, bytes).unwrap();
    format!("{how} {} at {at}", file.strip_prefix(folder).unwrap().display())
}

#[test]
fn a_closed_folder_that_was_damaged_is_refused_and_stays_as_it_is() {
    let (folder, storage) = with_history();
    storage.close().unwrap();
    let (good, bad) = (folder.path().join("data"), folder.path().join("copy"));
    let was = contents(&good).into_values().collect::<Vec<_>>();
    for round in 0..rounds(60) {
        copy(&good, &bad);
        let how = damage(&bad, &mut StdRng::seed_from_u64(round.into()));
        let before = contents(&bad);
        if before.values().eq(was.iter()) {
            continue; // Zeroes over zeroes.
        }
        match open(&bad) {
            Err(StorageError::Damaged { .. } | StorageError::Newer { .. }) => {
                assert_eq!(contents(&bad), before, "{how}")
            }
            Err(other) => panic!("{how}: {other}"),
            // The manifest does not cover the file `commits`, and without a readable number nothing
            // contradicts sled.
            Ok(_) => assert!(how.contains("commits"), "{how}"),
        }
        fs::remove_dir_all(&bad).unwrap();
    }
}

#[test]
fn a_closed_folder_with_a_new_or_a_missing_file_is_refused() {
    let (folder, storage) = with_history();
    storage.close().unwrap();
    let path = folder.path().join("data");
    fs::write(path.join("db/snap.FFFFFFFFFFFFFFFF"), b"").unwrap();
    let refused = open(&path).err().unwrap().to_string();
    assert!(refused.contains("db/snap.FFFFFFFFFFFFFFFF does not belong there"), "{refused}");
    fs::remove_file(path.join("db/snap.FFFFFFFFFFFFFFFF")).unwrap();
    fs::rename(path.join("db/conf"), path.join("conf")).unwrap();
    let refused = open(&path).err().unwrap().to_string();
    assert!(refused.contains("db/conf is missing"), "{refused}");
    fs::rename(path.join("conf"), path.join("db/conf")).unwrap();
    assert!(open(&path).is_ok());
    // Without sled's files it is not taken for a new folder, with a manifest or without.
    for manifest in [path.join("shutdown_manifest"), path.join("moved")] {
        open(&path).unwrap().close().unwrap();
        fs::rename(path.join("db"), path.join("away")).unwrap();
        fs::rename(path.join("shutdown_manifest"), &manifest).unwrap();
        assert!(matches!(open(&path), Err(StorageError::Damaged { .. })));
        let _ = fs::remove_dir_all(path.join("db"));
        fs::rename(path.join("away"), path.join("db")).unwrap();
        fs::rename(manifest, path.join("shutdown_manifest")).unwrap();
    }
}

#[test]
fn after_a_crash_and_damage_a_folder_is_refused_or_each_record_is_right() {
    let (folder, storage) = with_history();
    let (crashed, bad) = (folder.path().join("crashed"), folder.path().join("copy"));
    copy(storage.folder(), &crashed);
    for round in 0..rounds(60) {
        copy(&crashed, &bad);
        let how = damage(&bad, &mut StdRng::seed_from_u64(round.into()));
        match open(&bad) {
            Err(StorageError::Damaged { .. } | StorageError::Newer { .. }) => {}
            Err(other) => panic!("{how}: {other}"),
            // Some may be missing: damage in what was written since the last start can look like a
            // write that the crash cut short.
            Ok(storage) => assert!(right_parcels(&storage) <= 2500),
        }
        fs::remove_dir_all(&bad).unwrap();
    }
}

#[test]
fn after_a_crash_a_log_that_lost_its_end_is_refused() {
    let (folder, storage) = with_history();
    let (crashed, bad) = (folder.path().join("crashed"), folder.path().join("copy"));
    copy(storage.folder(), &crashed);
    let length = crashed.join("db/db").metadata().unwrap().len();
    let (mut random, mut refused) = (StdRng::seed_from_u64(1), 0);
    for round in 0..rounds(30) {
        copy(&crashed, &bad);
        let left = if round < 10 { length - 1 - u64::from(round) } else { random.random_range(0..length) };
        fs::File::options().write(true).open(bad.join("db/db")).unwrap().set_len(left).unwrap();
        for _ in 0..2 {
            match open(&bad) {
                Err(StorageError::Damaged { .. }) => refused += 1,
                Err(other) => panic!("{left} of {length}: {other}"),
                // What was cut off was no longer needed.
                Ok(storage) => assert_eq!(right_parcels(&storage), 2500, "{left} of {length}"),
            }
        }
        fs::remove_dir_all(&bad).unwrap();
    }
    assert!(refused > rounds(30), "{refused}");
}

/// The number of parcels. Each must have the text that belongs to its key.
fn right_parcels(storage: &Storage) -> usize {
    let found = parcels(storage).all(None).map(|found| found.unwrap());
    found.inspect(|(number, parcel)| assert_eq!(*parcel, Parcel::new(*number))).count()
}
