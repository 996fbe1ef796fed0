//! Processes that are killed, and disks that are full. The writer is this test program, started
//! once more.

use super::*;
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    time::Duration,
};

const FOLDER: &str = "GALLERIA_TEST_FOLDER";
const WRITERS: u32 = 4;

/// Writes parcels until it is killed or a write fails, and prints the number of each parcel that is
/// on disk.
#[test]
#[ignore = "the other tests start it"]
fn writer() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let storage = open(Path::new(&folder)).unwrap();
    let first = parcels(&storage).all(None).count() as u32;
    let on_disk: Vec<u32> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move_in(&storage, first + writer))).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    // No write is acknowledged any more.
    assert!(!storage.is_healthy());
    put_one_more(&storage).unwrap_err();
    // Records can be read, except on pages that sled was about to split. Such a read fails; it does
    // not report that the record is missing.
    for number in on_disk {
        match parcels(&storage).get(&number) {
            Ok(found) => assert_eq!(found, Some(Parcel::new(number))),
            Err(error) => assert!(matches!(error, StorageError::Disk(_)), "{error}"),
        }
    }
    assert!(storage.close().is_err());
    println!("stopped");
}

/// Every fourth parcel from `first`, until one cannot be written.
fn move_in(storage: &Storage, first: u32) -> impl FnOnce() -> Vec<u32> {
    move || {
        let (parcels, mut on_disk) = (parcels(storage), Vec::new());
        for number in (first..).step_by(WRITERS as usize) {
            if parcels.create(&number, Parcel::new(number)).is_err() || commit(storage).is_err() {
                break;
            }
            let _ = writeln!(std::io::stdout(), "on disk: {number}");
            on_disk.push(number);
        }
        on_disk
    }
}

fn put_one_more(storage: &Storage) -> Result<(), StorageError> {
    parcels(storage).create(&u32::MAX, Parcel::new(u32::MAX))?;
    commit(storage)
}

fn start(shell: &str, folder: &Path) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", shell, "sh"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "storage::tests::crash::writer", "--ignored", "--nocapture"]);
    command.env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// The numbers that the writer printed, and whether it stopped because a write failed.
fn printed(writer: &mut Child) -> (Vec<u32>, bool) {
    let (mut numbers, mut has_stopped) = (Vec::new(), false);
    for line in BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok) {
        numbers.extend(line.split("on disk: ").nth(1).and_then(|number| number.parse::<u32>().ok()));
        has_stopped |= line.contains("stopped");
    }
    (numbers, has_stopped)
}

fn assert_all_there(storage: &Storage, numbers: &[u32]) {
    let parcels = parcels(storage);
    for number in numbers {
        assert_eq!(parcels.get(number).unwrap(), Some(Parcel::new(*number)));
    }
}

#[test]
#[cfg(unix)]
fn acknowledged_writes_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let mut all = Vec::new();
    for round in 0..rounds(8) {
        let mut writer = start(r#"exec "$@""#, &path);
        std::thread::sleep(Duration::from_millis((20 + round * 37 % 200).into()));
        writer.kill().unwrap();
        all.extend(printed(&mut writer).0);
        // At once: opening waits for the locks of the dying process.
        assert_all_there(&open(&path).unwrap(), &all);
        writer.wait().unwrap();
    }
    assert!(!all.is_empty());
}

#[test]
#[cfg(unix)]
fn a_full_disk_stops_writes_and_loses_none_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    // A write that would make a file longer than this fails, as on a full disk.
    let mut writer = start(r#"ulimit -f 4096; trap "" XFSZ; exec "$@""#, &path);
    let (numbers, has_stopped) = printed(&mut writer);
    assert!(writer.wait().unwrap().success() && has_stopped);
    assert!(numbers.len() > 10);
    assert!(!path.join("shutdown_manifest").exists());
    assert_all_there(&open(&path).unwrap(), &numbers);
}
