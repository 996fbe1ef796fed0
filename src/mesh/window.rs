//! What became of the calls of the last ten seconds.

use tokio::time::Instant;

/// A sliding window: ten buckets of a second each.
pub(super) struct Window {
    since: Instant,
    /// The second that the newest bucket is for, counted from `since`.
    newest: u64,
    buckets: [Counts; Window::SECONDS as usize],
}

/// Calls, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub calls: u32,
    pub failures: u32,
    pub slow: u32,
    pub retries: u32,
}

impl Window {
    const SECONDS: u64 = 10;

    pub fn new(now: Instant) -> Self {
        Self { since: now, newest: 0, buckets: Default::default() }
    }

    /// The bucket of this second.
    pub fn now(&mut self, now: Instant) -> &mut Counts {
        let second = now.saturating_duration_since(self.since).as_secs().max(self.newest);
        for passed in self.newest + 1..=second.min(self.newest + Self::SECONDS) {
            self.buckets[(passed % Self::SECONDS) as usize] = Counts::default();
        }
        if second > self.newest + Self::SECONDS {
            self.buckets = Default::default();
        }
        self.newest = second;
        &mut self.buckets[(second % Self::SECONDS) as usize]
    }

    /// All of it.
    pub fn sum(&mut self, now: Instant) -> Counts {
        self.now(now);
        self.buckets.iter().fold(Counts::default(), |sum, bucket| Counts {
            calls: sum.calls + bucket.calls,
            failures: sum.failures + bucket.failures,
            slow: sum.slow + bucket.slow,
            retries: sum.retries + bucket.retries,
        })
    }

    pub fn forget(&mut self) {
        self.buckets = Default::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        /// Against the plain way of counting: a list of moments.
        #[test]
        fn it_counts_what_happened_in_this_second_and_the_nine_before(gaps in prop::collection::vec(0u64..4_000, 1..80)) {
            let begun = Instant::now();
            let (mut window, mut at, mut moments) = (Window::new(begun), 0, Vec::new());
            for gap in gaps {
                at += gap;
                let now = begun + Duration::from_millis(at);
                window.now(now).calls += 1;
                moments.push(at / 1_000);
                let expected = moments.iter().filter(|second| **second + Window::SECONDS > at / 1_000).count();
                prop_assert_eq!(window.sum(now).calls as usize, expected);
            }
        }
    }

    #[test]
    fn after_a_long_rest_nothing_is_left() {
        let begun = Instant::now();
        let mut window = Window::new(begun);
        window.now(begun).failures += 3;
        assert_eq!(window.sum(begun + Duration::from_secs(9)).failures, 3);
        assert_eq!(window.sum(begun + Duration::from_secs(10)), Counts::default());
        window.now(begun + Duration::from_secs(10)).failures += 3;
        assert_eq!(window.sum(begun + Duration::from_secs(1000)), Counts::default());
    }
}
