//! Fail points: stages of a change at which a test can end the program, or hold up one thread.
//!
//! Tests prove with them that the program may die between any two writes, and that handlers may
//! overtake each other at any stage. A release build has none of this: [`reach`] does nothing
//! there.
//!
//! In a debug build the environment can ask for the end of the program:
//!
//! | variable | what it does |
//! |---|---|
//! | `FAILPOINT_DIE_AT=<place>#<n>` | the program ends as by `kill -9`, the n-th time at the place |
//! | `FAILPOINT_LATE=1` | all that was written before is on disk then, committed or not |
//! | `FAILPOINT_PLACES=<file>` | each place reached is appended to the file, one line each time |
//! | `FAILPOINT_NO_COMMIT=1` | commits do nothing; with it, the tests must find lost orders |
//!
//! A place is `TREE/TABLE STAGE`, such as `orders/order swapped`. [`WriteStage::Reading`],
//! [`WriteStage::Loaded`] and [`WriteStage::Decided`] write nothing and are no places; there a unit
//! test can hold up its thread, see `on_each_stage`.

use super::StorageError;

/// A stage of reading or changing a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteStage {
    /// A record is about to be read.
    Reading,
    /// A record that may be changed was found, and nothing is decided.
    Loaded,
    /// It is decided what becomes of the record.
    Decided,
    /// The record will be written; nothing is written yet.
    Before,
    /// The new index entries are written; the record is not.
    Entered,
    /// The record is written; entries that it no longer has are still there.
    Swapped,
    /// All is written; nothing is committed.
    Written,
    /// Before a flush to disk.
    Committing,
    /// After a flush to disk.
    Committed,
}

#[cfg(any(debug_assertions, test))]
pub use on::{commits_do_nothing, reach};

#[cfg(not(any(debug_assertions, test)))]
pub use off::{commits_do_nothing, reach};

#[cfg(test)]
pub use hook::on_each_stage;

#[cfg(any(debug_assertions, test))]
mod on {
    use super::{StorageError, WriteStage};
    use parking_lot::Mutex;
    use std::{collections::HashMap, fs::File, io::Write, sync::LazyLock};

    /// What the environment asks for.
    struct Settings {
        die_at: Option<(String, u32)>,
        late: bool,
        no_commit: bool,
        places: Option<File>,
        times: Mutex<HashMap<String, u32>>,
    }

    static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
        let variable = |name: &str| std::env::var(name).ok();
        let append = |path| File::options().create(true).append(true).open(path).ok();
        Settings {
            die_at: variable("FAILPOINT_DIE_AT").and_then(|text| {
                let (place, time) = text.rsplit_once('#')?;
                Some((place.to_owned(), time.parse().ok()?))
            }),
            late: variable("FAILPOINT_LATE").is_some(),
            no_commit: variable("FAILPOINT_NO_COMMIT").is_some(),
            places: variable("FAILPOINT_PLACES").and_then(append),
            times: Mutex::default(),
        }
    });

    /// Whether a test has switched commits off.
    pub fn commits_do_nothing() -> bool {
        SETTINGS.no_commit
    }

    /// To be called at each stage. Ends the program if the environment asks for it. The error is
    /// that of a unit test's hook.
    pub fn reach(db: &sled::Db, tree: &str, table: &str, stage: WriteStage) -> Result<(), StorageError> {
        #[cfg(test)]
        super::hook::call(table, stage)?;
        let settings = &*SETTINGS;
        let is_place = !matches!(stage, WriteStage::Reading | WriteStage::Loaded | WriteStage::Decided);
        if !is_place || (settings.die_at.is_none() && settings.places.is_none()) {
            return Ok(());
        }
        let name = format!("{tree}/{table} {stage:?}").to_lowercase();
        if let Some(mut places) = settings.places.as_ref() {
            let _ = places.write_all(format!("{name}\n").as_bytes());
        }
        if let Some((at, time)) = &settings.die_at
            && *at == name
        {
            let mut times = settings.times.lock();
            let reached = times.entry(name).or_default();
            *reached += 1;
            if *reached == *time {
                if settings.late {
                    let _ = db.flush();
                }
                eprintln!("died at {at}#{time}");
                std::process::abort();
            }
        }
        Ok(())
    }
}

#[cfg(not(any(debug_assertions, test)))]
mod off {
    use super::{StorageError, WriteStage};

    pub const fn commits_do_nothing() -> bool {
        false
    }

    pub const fn reach(_: &sled::Db, _: &str, _: &str, _: WriteStage) -> Result<(), StorageError> {
        Ok(())
    }
}

#[cfg(test)]
mod hook {
    use super::{StorageError, WriteStage};
    use std::cell::RefCell;

    type Hook = Box<dyn Fn(&str, WriteStage) -> Result<(), StorageError>>;

    thread_local! { static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) } }

    /// Runs the work on this thread. At each stage that it reaches, `hook` is called first, with
    /// the table and the stage. The hook may block, and its error is the result of the read or the
    /// change.
    pub fn on_each_stage<T>(
        hook: impl Fn(&str, WriteStage) -> Result<(), StorageError> + 'static,
        work: impl FnOnce() -> T,
    ) -> T {
        HOOK.set(Some(Box::new(hook)));
        let done = work();
        HOOK.set(None);
        done
    }

    pub(super) fn call(table: &str, stage: WriteStage) -> Result<(), StorageError> {
        HOOK.with_borrow(|hook| hook.as_ref().map_or(Ok(()), |hook| hook(table, stage)))
    }
}
