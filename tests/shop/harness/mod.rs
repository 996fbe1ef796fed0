//! The tools of the tests: the running shop, its clients, and their answers.

mod answer;
mod client;
mod connection;
mod contract;
mod program;
mod shop;
mod table;

pub use answer::Answer;
pub use client::{Card, Client, Customer, GOOD_PASSWORD, fresh, home_address};
pub use connection::RawConnection;
pub use contract::DOCUMENT;
pub use program::{Program, Ran};
pub use shop::{OPERATOR_EMAIL, OPERATOR_PASSWORD, Options, Shop};
pub use table::routes;

use std::time::{Duration, Instant};

/// A test waits this long for an event before the test fails. This bound is for a hanging program
/// on a busy machine. It is many times longer than any of these events takes; no test measures with
/// it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Repeats `look` until it gives a value.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

#[track_caller]
pub fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A moment in a body (RFC 3339, in UTC).
#[track_caller]
pub fn instant(value: &serde_json::Value) -> jiff::Timestamp {
    let text = value.as_str().unwrap_or_default();
    assert!(text.ends_with('Z'), "no moment in UTC: {value}");
    text.parse().expect("a moment")
}

/// A number from an environment variable of the tester. `GALLERIA_TEST_…` would be a setting of the
/// shop, so the names begin with `TEST_`.
pub fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().map_or(default, |value| value.parse().expect("a whole number"))
}

/// The number of repetitions of a long test. The variable sets it. Without the variable,
/// `TEST_FULL=1` takes the full count, and otherwise the short count is taken. Both counts cover
/// the same cases.
pub fn repeats(variable: &str, short: usize, full: usize) -> usize {
    number(variable, if is_full() { full } else { short })
}

/// Whether long tests use their full counts.
pub fn is_full() -> bool {
    std::env::var("TEST_FULL").is_ok_and(|value| value == "1")
}
