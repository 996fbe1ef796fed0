//! Sums and differences of timestamps that never overflow.

use crate::types::Timestamp;
use jiff::SignedDuration;
use std::time::Duration;

/// `at` plus a span of time; [`Timestamp::MAX`] if that is later than a timestamp can be.
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// `at` minus a span of time; [`Timestamp::MIN`] if that is earlier than a timestamp can be.
pub fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_sub(by).ok()).unwrap_or(Timestamp::MIN)
}

/// The time from `earlier` to `at`; zero if `earlier` is later.
pub fn since(at: Timestamp, earlier: Timestamp) -> Duration {
    at.duration_since(earlier).try_into().unwrap_or_default()
}
