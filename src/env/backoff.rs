//! How long to wait before something that failed is tried again.

use super::Env;
use std::time::Duration;

/// Exponential backoff: the wait doubles with each failure, from `first` up to `most`.
///
/// Jitter spreads clients that failed at the same moment, so that they do not come back at the same moment (Brooker, "Exponential
/// Backoff And Jitter", AWS Architecture Blog, 2015).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    most: Duration,
}

impl Backoff {
    /// `first` is the longest wait after one failure; no wait is longer than `most`.
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most }
    }

    /// The longest wait after `failures` failures in a row: zero, `first`, 2 × `first`, 4 × `first`, …, `most`.
    pub fn longest(&self, failures: u32) -> Duration {
        match failures {
            0 => Duration::ZERO,
            more => self.first.saturating_mul(2u32.saturating_pow((more - 1).min(31))).min(self.most),
        }
    }

    /// The wait after `failures` failures with equal jitter: between half of [`Backoff::longest`] and all of it.
    pub fn pause(&self, failures: u32, env: &Env) -> Duration {
        let half = self.longest(failures) / 2;
        half + env.jitter(half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Timestamp;

    #[test]
    fn the_longest_wait_doubles_up_to_the_most() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let waits: Vec<_> = (0..7).map(|failures| backoff.longest(failures).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.longest(u32::MAX), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_at_least_half_of_the_longest_wait_and_two_pauses_differ() {
        let env = Env::simulated(7, Timestamp::UNIX_EPOCH);
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        let pauses: Vec<_> = (0..100).map(|_| backoff.pause(4, &env)).collect();
        assert!(pauses.iter().all(|pause| (400..=800).contains(&pause.as_millis())), "{pauses:?}");
        assert!(pauses.iter().any(|pause| pause != &pauses[0]));
    }
}
