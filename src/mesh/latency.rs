//! How long an instance takes at the moment: a peak-sensitive moving average (Finagle's Peak EWMA).
//!
//! A call that took longer than the average sets it at once, shorter ones bring it down over ten seconds: an instance that has become
//! slow is noticed with its first slow answer, and one that has recovered is trusted again little by little.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// The time in which what was measured loses about two thirds of its weight.
const DECAY: Duration = Duration::from_secs(10);

/// What a failed call counts as, if it took less: an instance that fails fast must not look like the fastest.
const FAILURE: Duration = Duration::from_secs(1);

pub(super) struct PeakEwma(Mutex<(Instant, f64)>);

impl PeakEwma {
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new((now, 0.0)))
    }

    pub fn record(&self, took: Duration, has_failed: bool, now: Instant) {
        let took = if has_failed { took.max(FAILURE) } else { took }.as_secs_f64();
        let mut state = self.0.lock();
        let (at, average) = *state;
        let kept = weight(at, now);
        *state = (at.max(now), if took > average { took } else { average * kept + took * (1.0 - kept) });
    }

    /// Seconds; what nobody measured lately fades to zero, so that an instance is not shunned for ever.
    pub fn seconds(&self, now: Instant) -> f64 {
        let (at, average) = *self.0.lock();
        average * weight(at, now)
    }
}

fn weight(at: Instant, now: Instant) -> f64 {
    (-now.saturating_duration_since(at).as_secs_f64() / DECAY.as_secs_f64()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_peak_counts_at_once_and_fades_over_ten_seconds() {
        let begun = Instant::now();
        let latency = PeakEwma::new(begun);
        latency.record(2 * MS, false, begun);
        latency.record(500 * MS, false, begun);
        assert_eq!(latency.seconds(begun), 0.5);
        let later = begun + DECAY;
        latency.record(2 * MS, false, later);
        assert!((0.18..0.19).contains(&latency.seconds(later)), "{}", latency.seconds(later));
        assert!(latency.seconds(later + 10 * DECAY) < 0.001);
    }

    #[test]
    fn a_fast_failure_is_not_fast() {
        let begun = Instant::now();
        let latency = PeakEwma::new(begun);
        latency.record(MS, true, begun);
        assert_eq!(latency.seconds(begun), 1.0);
    }
}
