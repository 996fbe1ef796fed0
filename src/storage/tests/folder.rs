//! Opening a folder: its lock, its format, its permissions.

use super::*;

#[test]
fn a_folder_that_was_closed_has_all_records_when_it_is_opened_again() {
    let (folder, storage) = with_parcels(300);
    let path = folder.path().join("data");
    storage.close().unwrap();
    assert!(path.join("shutdown_manifest").exists());
    let storage = open(&path).unwrap();
    assert!(!path.join("shutdown_manifest").exists());
    assert_eq!(parcels(&storage).all(None).filter(|found| found.is_ok()).count(), 300);
}

#[test]
fn a_folder_is_open_in_one_process_at_a_time() {
    let (_folder, storage) = with_parcels(1);
    let path = storage.folder().to_owned();
    let refused = open(&path).err().unwrap();
    assert_eq!((&refused, refused.exit_code()), (&StorageError::InUse { folder: path.display().to_string() }, 3));
    let parcels = parcels(&storage);
    drop(storage);
    // The folder stays locked while a tree exists.
    assert!(matches!(open(&path), Err(StorageError::InUse { .. })));
    drop(parcels);
    assert!(open(&path).is_ok());
}

#[test]
fn a_folder_with_foreign_files_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("holiday.jpg"), b"sun").unwrap();
    let refused = open(folder.path()).err().unwrap();
    assert_eq!((refused.exit_code(), folder.path().read_dir().unwrap().count()), (7, 1));
    assert!(matches!(refused, StorageError::NotOurs { .. }));
}

#[test]
fn a_folder_that_cannot_be_written_to_is_refused_with_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    for path in [file.clone(), file.join("data"), PathBuf::from("/proc/data")] {
        let refused = open(&path).err().unwrap();
        assert_eq!(refused.exit_code(), 4, "{refused}");
    }
}

#[test]
fn a_folder_of_another_version_and_a_damaged_folder_are_different_errors() {
    let (folder, storage) = with_parcels(1);
    let path = folder.path().join("data");
    storage.close().unwrap();
    let refused = |format: &str| {
        fs::write(path.join("format"), format).unwrap();
        open(&path).err().unwrap()
    };
    assert!(matches!(refused(r#"{"galleria_data":4}"#), StorageError::Newer { found: 4, known: 3, .. }));
    assert!(matches!(refused(r#"{"galleria_data":1}"#), StorageError::Older { found: 1, known: 3, .. }));
    assert!(matches!(refused(r#"{"galleria_data":2}"#), StorageError::Older { found: 2, known: 3, .. }));
    assert!(matches!(refused("{}"), StorageError::Damaged { .. }));
    fs::remove_file(path.join("format")).unwrap();
    assert_eq!(open(&path).err(), Some(StorageError::damaged("the file format is missing")));
    fs::write(path.join("format"), r#"{"galleria_data":3}"#).unwrap();
    assert!(open(&path).is_ok());
}

#[test]
#[cfg(unix)]
fn only_the_owner_may_read_a_folder() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, storage) = with_parcels(1);
    let path = folder.path().join("data");
    storage.close().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join("db"))), (0o700, 0o700));
    for file in contents(&path).keys() {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_folder_opens_after_a_crash_while_it_was_opened() {
    let (folder, storage) = with_parcels(10);
    let path = folder.path().join("data");
    drop(storage);
    fs::write(path.join("db/snap.00000000000FFFFF.generating"), b"half").unwrap();
    fs::write(path.join("format.new"), b"{").unwrap();
    fs::write(path.join("probe"), b"").unwrap();
    assert_eq!(parcels(&open(&path).unwrap()).all(None).count(), 10);
    // A crash before the file `format` was written.
    let young = folder.path().join("young");
    fs::create_dir(&young).unwrap();
    fs::write(young.join("lock"), b"").unwrap();
    assert!(open(&young).is_ok());
}
