//! The whole shop in a simulated world: one thread, a clock that jumps, and all faults drawn from a
//! seed.
//!
//! Customers order, cancel and return; an operator packs, ships, refunds and restocks. Meanwhile
//! messages are lost, delayed, duplicated and reordered, instances crash, the payment provider
//! fails, the disk fails, and the process ends and restarts with the committed data. Then the
//! faults end, each customer repeats the requests that got no answer, all work must end, and the
//! state must match a small model. The method is that of the simulators of FoundationDB and
//! TigerBeetle.
//!
//! A seed that fails fails every time: `TEST_SEED=17 TEST_SEEDS=1 cargo test --test simulation`. A
//! long run: `TEST_SEEDS=100000 cargo test --release --test simulation`.

mod journal;
mod message_graph;
mod model;
mod people;
mod world;

use galleria::storage::Disk;
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Instant,
};
use world::World;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |value| value.parse().expect("a whole number"))
}

/// A folder in memory where the machine has one: the simulation does not test the disk below it.
fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder that goes away")
}

#[test]
fn after_any_faults_the_shop_reaches_the_state_of_the_model() {
    journal::install();
    let (first, count) = (number("TEST_SEED", 1), number("TEST_SEEDS", 200));
    let (next, begun) = (AtomicU64::new(first), Instant::now());
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let folder = folder();
                let disk = Disk::new(folder.path()).expect("a disk");
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || failed.load(Ordering::Relaxed) {
                        return;
                    }
                    let run = World::run(seed, &disk);
                    if number("TEST_JOURNAL", 0) > 0 {
                        println!("{}", run.journal.join("\n"));
                    }
                    if let Err(fault) = run.outcome {
                        failed.store(true, Ordering::Relaxed);
                        panic!("TEST_SEED={seed}: {fault}");
                    }
                    if (seed + 1 - first) % 1000 == 0 {
                        println!("{} seeds in {:?}", seed + 1 - first, begun.elapsed());
                    }
                }
            });
        }
    });
    println!("{count} seeds from {first} in {:?}", begun.elapsed());
}

#[test]
fn two_runs_of_one_seed_have_the_same_journal() {
    journal::install();
    let folder = folder();
    let disk = Disk::new(folder.path()).expect("a disk");
    for seed in 1..=5 {
        let (one, other) = (World::run(seed, &disk), World::run(seed, &disk));
        assert!(one.journal.len() > 20, "hardly anything happened: {:#?}", one.journal);
        for (line, (a, b)) in one.journal.iter().zip(&other.journal).enumerate() {
            assert_eq!(a, b, "seed {seed}, line {line}");
        }
        assert_eq!(one.journal.len(), other.journal.len(), "seed {seed}");
    }
    assert_ne!(World::run(1, &disk).journal, World::run(2, &disk).journal);
}
