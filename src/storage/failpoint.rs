//! Places at which the program can be made to die, for the tests that prove that it may: between any two writes.
//!
//! In debug builds alone, and only when asked by the environment; a release build has none of this.
//!
//! | variable | what it does |
//! |---|---|
//! | `FAILPOINT_DIE_AT=<place>#<n>` | the n-th time that the program comes to the place, it ends at once, as by `kill -9` |
//! | `FAILPOINT_LATE=1` | and what was written up to there is on disk, committed or not: the other thing that can happen |
//! | `FAILPOINT_PLACES=<file>` | each place that the program comes to is added to the file, a line each time |
//! | `FAILPOINT_NO_COMMIT=1` | commits do nothing: the control, with which the tests must find that orders are lost |

#[cfg(debug_assertions)]
pub(super) use on::{come_to, commits_do_nothing};

#[cfg(not(debug_assertions))]
pub(super) use off::{come_to, commits_do_nothing};

/// Where in a change of a record the program is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Nothing is written yet.
    Before,
    /// The new index entries are, the record is not.
    Entered,
    /// The record is; entries that it no longer has are still there.
    Swapped,
    /// All is written, and nothing committed.
    Written,
    /// Before and after a flush to disk.
    Committing,
    Committed,
}

#[cfg(debug_assertions)]
mod on {
    use super::Place;
    use std::{
        collections::HashMap,
        fs::File,
        io::Write,
        sync::{LazyLock, Mutex, PoisonError},
    };

    struct Orders {
        die_at: Option<(String, u32)>,
        late: bool,
        no_commit: bool,
        places: Option<File>,
        times: Mutex<HashMap<String, u32>>,
    }

    static ORDERS: LazyLock<Orders> = LazyLock::new(|| {
        let told = |name: &str| std::env::var(name).ok();
        Orders {
            die_at: told("FAILPOINT_DIE_AT").and_then(|text| {
                let (place, time) = text.rsplit_once('#')?;
                Some((place.to_owned(), time.parse().ok()?))
            }),
            late: told("FAILPOINT_LATE").is_some(),
            no_commit: told("FAILPOINT_NO_COMMIT").is_some(),
            places: told("FAILPOINT_PLACES").and_then(|path| File::options().create(true).append(true).open(path).ok()),
            times: Mutex::default(),
        }
    });

    pub fn commits_do_nothing() -> bool {
        ORDERS.no_commit
    }

    pub fn come_to(db: &sled::Db, tree: &str, table: &str, place: Place) {
        let orders = &*ORDERS;
        if orders.die_at.is_none() && orders.places.is_none() {
            return;
        }
        let name = format!("{tree}/{table} {place:?}").to_lowercase();
        if let Some(mut places) = orders.places.as_ref() {
            let _ = places.write_all(format!("{name}\n").as_bytes());
        }
        if let Some((at, time)) = &orders.die_at
            && *at == name
        {
            let mut times = orders.times.lock().unwrap_or_else(PoisonError::into_inner);
            let times = times.entry(name).or_default();
            *times += 1;
            if *times == *time {
                if orders.late {
                    let _ = db.flush();
                }
                eprintln!("died at {at}#{time}");
                std::process::abort();
            }
        }
    }
}

#[cfg(not(debug_assertions))]
mod off {
    use super::Place;

    pub const fn commits_do_nothing() -> bool {
        false
    }

    pub const fn come_to(_: &sled::Db, _: &str, _: &str, _: Place) {}
}
