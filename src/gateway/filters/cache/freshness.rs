//! How long a stored response may be used (RFC 9111 §4.2, RFC 5861).

use crate::gateway::routing::CachePolicy;
use std::time::Duration;

/// How long an expired response is used while the handler makes a new one (RFC 5861 §3): as long as
/// it was fresh, and at most this long.
const STALE_WHILE_REVALIDATE: Duration = Duration::from_secs(30);
/// How long an expired response is used in place of a server error (RFC 5861 §4).
pub const STALE_IF_ERROR: Duration = Duration::from_secs(300);
/// The longest time to live that can be set.
pub const MOST_TTL: Duration = Duration::from_secs(3600);

/// Whether a stored response may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The response is fresh for so many more seconds.
    Fresh(u64),
    /// The response expired so many seconds ago. It may be used while the handler makes a new one.
    Stale(u64),
    /// The response expired so many seconds ago, and may be used only in place of a server error.
    Old(u64),
}

impl Freshness {
    /// The freshness of a response of this age. `ttl` is its freshness lifetime.
    pub fn of(age: Duration, ttl: Duration) -> Self {
        match age.checked_sub(ttl) {
            None => Self::Fresh((ttl - age).as_secs()),
            Some(past) if past < STALE_WHILE_REVALIDATE.min(ttl) => Self::Stale(past.as_secs()),
            Some(past) => Self::Old(past.as_secs()),
        }
    }
}

/// The freshness lifetime of a route's responses. `set` is the one that an operator has set, in
/// milliseconds. `None` if responses are not stored.
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
    fn a_response_is_fresh_then_stale_then_old() {
        let (ttl, second) = (Duration::from_secs(60), Duration::from_secs(1));
        assert_eq!(Freshness::of(Duration::ZERO, ttl), Freshness::Fresh(60));
        assert_eq!(Freshness::of(ttl - second / 2, ttl), Freshness::Fresh(0));
        assert_eq!(Freshness::of(ttl, ttl), Freshness::Stale(0));
        assert_eq!(Freshness::of(ttl + 29 * second, ttl), Freshness::Stale(29));
        assert_eq!(Freshness::of(ttl + 30 * second, ttl), Freshness::Old(30));
        assert_eq!(Freshness::of(2 * second, second), Freshness::Old(1));
    }
}
