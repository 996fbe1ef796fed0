//! Passive health checks: an instance is ejected for a while if too many of its calls fail in a row
//! (Envoy's outlier detection).

use super::settings::OutlierSettings;
use std::time::Duration;
use tokio::time::Instant;

/// The health of an instance, as its calls show it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Health {
    /// Failures since the last success.
    pub failures: u32,
    /// The number of ejections. It falls while the instance is healthy.
    pub ejections: u32,
    pub ejected_until: Option<Instant>,
    /// The end of the last ejection.
    returned: Option<Instant>,
}

impl Health {
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Whether the instance should be ejected now, if its pool can spare it.
    pub fn failed(&mut self, settings: &OutlierSettings) -> bool {
        self.failures = self.failures.saturating_add(1);
        settings.failures > 0 && self.failures >= settings.failures && self.ejected_until.is_none()
    }

    pub fn eject(&mut self, settings: &OutlierSettings, now: Instant) {
        let base = Duration::from_millis(settings.base_ms);
        // For each `base_ms` without an ejection, one earlier ejection is forgiven.
        let healthy = self.returned.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let forgiven = (healthy.as_millis() / base.as_millis().max(1)).min(u32::MAX.into()) as u32;
        self.ejections = self.ejections.saturating_sub(forgiven) + 1;
        let span = base.saturating_mul(self.ejections).min(Duration::from_millis(settings.most_ms));
        self.ejected_until = Some(now + span);
    }

    /// Whether the ejection is over.
    pub fn is_due(&self, now: Instant) -> bool {
        self.ejected_until.is_some_and(|until| until <= now)
    }

    pub fn readmit(&mut self, now: Instant) {
        *self = Self { failures: 0, ejections: self.ejections, ejected_until: None, returned: Some(now) };
    }
}

/// Whether a pool can spare one more instance: at most half of the instances are ejected, and one
/// that is ready always stays. Envoy's default of 10 % would never eject an instance of a small
/// pool.
pub(super) fn can_spare(all: usize, ejected: usize, ready: usize) -> bool {
    (ejected + 1) * 2 <= all && ready > 1
}

/// Whether fewer than half of the instances are ready (Envoy's panic threshold). Ejected instances
/// then get calls, too, because the whole load would overload the few that are left.
pub(super) fn is_panic(all: usize, ready: usize) -> bool {
    ready * 2 < all
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: OutlierSettings = OutlierSettings { failures: 5, base_ms: 30_000, most_ms: 300_000 };

    fn span(health: &Health, now: Instant) -> u64 {
        (health.ejected_until.unwrap() - now).as_secs()
    }

    #[test]
    fn five_failures_in_a_row_eject_an_instance() {
        let mut health = Health::default();
        assert!((0..4).all(|_| !health.failed(&SETTINGS)));
        health.succeeded();
        assert!((0..4).all(|_| !health.failed(&SETTINGS)));
        assert!(health.failed(&SETTINGS));
        let never = OutlierSettings { failures: 0, ..SETTINGS };
        assert!(!health.failed(&never));
    }

    #[test]
    fn each_ejection_is_longer_up_to_five_minutes_and_old_ejections_are_forgiven() {
        let mut now = Instant::now();
        let mut health = Health::default();
        let mut spans = Vec::new();
        for _ in 0..12 {
            health.eject(&SETTINGS, now);
            spans.push(span(&health, now));
            assert!(!health.is_due(now));
            now = health.ejected_until.unwrap();
            assert!(health.is_due(now));
            health.readmit(now);
        }
        assert_eq!(spans, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
        now += Duration::from_secs(330);
        health.eject(&SETTINGS, now);
        assert_eq!(span(&health, now), 60, "eleven of twelve were forgiven");
    }

    #[test]
    fn at_most_half_are_ejected_and_one_always_stays() {
        let most_ejected = |all| (0..all).take_while(|ejected| can_spare(all, *ejected, all - ejected)).count();
        assert_eq!((0..=7).map(most_ejected).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2, 3, 3]);
        assert!(!can_spare(4, 0, 1), "the other three are dead or draining");
    }

    #[test]
    fn with_fewer_than_half_ready_the_pool_panics() {
        assert!(is_panic(2, 0) && is_panic(4, 1) && is_panic(3, 1));
        assert!(!is_panic(2, 1) && !is_panic(4, 2) && !is_panic(1, 1) && !is_panic(0, 0));
    }
}
