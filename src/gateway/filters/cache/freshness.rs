//! How long a stored response may be given (RFC 9111 §4.2, RFC 5861).

use crate::gateway::routing::CachePolicy;
use std::time::Duration;

/// An expired response is given while the handler makes a new one: for as long as it was fresh, at most for this time.
const STALE_WHILE_REVALIDATE: Duration = Duration::from_secs(30);
/// An expired response is given in place of a failure for this time.
pub const STALE_IF_ERROR: Duration = Duration::from_secs(300);
/// The longest time to live that can be set.
pub const MOST_TTL: Duration = Duration::from_secs(3600);

/// Whether a stored response may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Fresh for so many more seconds.
    Fresh(u64),
    /// Expired so many seconds ago. It may be given while the handler makes a new one.
    Stale(u64),
    /// Expired so many seconds ago, and not to be given.
    Old(u64),
}

impl Freshness {
    pub fn of(age: Duration, ttl: Duration) -> Self {
        match age.checked_sub(ttl) {
            None => Self::Fresh((ttl - age).as_secs()),
            Some(past) if past < STALE_WHILE_REVALIDATE.min(ttl) => Self::Stale(past.as_secs()),
            Some(past) => Self::Old(past.as_secs()),
        }
    }
}

/// The time to live of a route's responses, where an operator may have set another in milliseconds; `None` if they are not stored.
pub fn ttl(policy: CachePolicy, set: Option<u64>) -> Option<Duration> {
    let ttl = match policy {
        CachePolicy::Never => return None,
        CachePolicy::Shared(seconds) | CachePolicy::Private(seconds) => Duration::from_secs(seconds.into()),
    };
    Some(set.map_or(ttl, Duration::from_millis)).filter(|ttl| !ttl.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_fresh_then_stale_then_old() {
        let (ttl, second) = (Duration::from_secs(60), Duration::from_secs(1));
        assert_eq!(Freshness::of(Duration::ZERO, ttl), Freshness::Fresh(60));
        assert_eq!(Freshness::of(ttl - second / 2, ttl), Freshness::Fresh(0));
        assert_eq!(Freshness::of(ttl, ttl), Freshness::Stale(0));
        assert_eq!(Freshness::of(ttl + 29 * second, ttl), Freshness::Stale(29));
        assert_eq!(Freshness::of(ttl + 30 * second, ttl), Freshness::Old(30));
        assert_eq!(Freshness::of(2 * second, second), Freshness::Old(1));
    }
}
