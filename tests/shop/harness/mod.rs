//! What the tests are written with: the running shop, its callers, and their answers.

mod answer;
mod client;
mod contract;
mod program;
mod shop;
mod table;
mod wire;

pub use answer::Answer;
pub use client::{Card, Client, Customer, GOOD_PASSWORD, fresh, home_address};
pub use contract::DOCUMENT;
pub use program::{Program, Ran};
pub use shop::{OPERATOR_EMAIL, OPERATOR_PASSWORD, Options, Shop};
pub use table::routes;
pub use wire::Wire;

use std::time::{Duration, Instant};

/// What is done in the background has this long to come about.
const PATIENCE: Duration = Duration::from_secs(15);

/// Looks until there is something to see.
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

/// How many of something a heavy test takes: `GALLERIA_TEST_…` would be a setting of the shop's, so it is `TEST_…`.
pub fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().map_or(default, |value| value.parse().expect("a whole number"))
}
