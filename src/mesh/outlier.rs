//! Passive health: an instance whose calls fail one after the other is ejected for a while (Envoy's outlier detection).

use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;

/// When an instance is ejected, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OutlierSettings {
    /// So many failures without a success in between; 0 for never.
    pub failures: u32,
    /// The first time so long, the second time twice as long, and so on,
    pub base_ms: u64,
    /// up to that.
    pub most_ms: u64,
}

impl Default for OutlierSettings {
    fn default() -> Self {
        Self { failures: 5, base_ms: 30_000, most_ms: 300_000 }
    }
}

impl OutlierSettings {
    /// `Err` begins with the field that makes no sense.
    pub fn checked(self) -> Result<Self, String> {
        match self {
            Self { base_ms: 0 | 3_600_001.., .. } => Err("base_ms is from 1 to 3,600,000 (an hour)".into()),
            Self { base_ms, most_ms, .. } if most_ms < base_ms || most_ms > 3_600_000 => {
                Err("most_ms is from base_ms to 3,600,000 (an hour)".into())
            }
            settings => Ok(settings),
        }
    }
}

/// What is known of an instance by its calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Health {
    /// Failures since the last success.
    pub failures: u32,
    /// How often it was ejected; forgotten bit by bit while it does well.
    pub ejections: u32,
    pub ejected_until: Option<Instant>,
    /// Since when it has not been ejected.
    returned: Option<Instant>,
}

impl Health {
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Whether it is to be ejected now, if its pool can do without it.
    pub fn failed(&mut self, settings: &OutlierSettings) -> bool {
        self.failures = self.failures.saturating_add(1);
        settings.failures > 0 && self.failures >= settings.failures && self.ejected_until.is_none()
    }

    pub fn eject(&mut self, settings: &OutlierSettings, now: Instant) {
        let base = Duration::from_millis(settings.base_ms);
        // It is forgiven one ejection for each time of the length of the first that it has done well.
        let well = self.returned.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let forgiven = (well.as_millis() / base.as_millis().max(1)).min(u32::MAX.into()) as u32;
        self.ejections = self.ejections.saturating_sub(forgiven) + 1;
        let span = base.saturating_mul(self.ejections).min(Duration::from_millis(settings.most_ms));
        self.ejected_until = Some(now + span);
    }

    /// Whether its time outside is over.
    pub fn is_due(&self, now: Instant) -> bool {
        self.ejected_until.is_some_and(|until| until <= now)
    }

    pub fn come_back(&mut self, now: Instant) {
        *self = Self { failures: 0, ejections: self.ejections, ejected_until: None, returned: Some(now) };
    }
}

/// Whether a pool of `all` instances, of which `ejected` are ejected and `fit` take calls, can do without one more: never more than half
/// are ejected, and one always stays. Envoy's default of a tenth would never eject anybody in a small pool.
pub(super) fn can_spare(all: usize, ejected: usize, fit: usize) -> bool {
    (ejected + 1) * 2 <= all && fit > 1
}

/// Whether so few are fit that the ejected ones are asked, too: better a bad answer than the whole load on the last one.
pub(super) fn is_panic(all: usize, fit: usize) -> bool {
    fit * 2 < all
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: OutlierSettings = OutlierSettings { failures: 5, base_ms: 30_000, most_ms: 300_000 };

    fn span(health: &Health, now: Instant) -> u64 {
        (health.ejected_until.unwrap() - now).as_secs()
    }

    #[test]
    fn five_failures_in_a_row_are_too_many() {
        let mut health = Health::default();
        assert!((0..4).all(|_| !health.failed(&SETTINGS)));
        health.succeeded();
        assert!((0..4).all(|_| !health.failed(&SETTINGS)));
        assert!(health.failed(&SETTINGS));
        let never = OutlierSettings { failures: 0, ..SETTINGS };
        assert!(!health.failed(&never));
    }

    #[test]
    fn who_is_ejected_again_stays_out_longer_up_to_five_minutes_and_is_forgiven_in_time() {
        let mut now = Instant::now();
        let mut health = Health::default();
        let mut spans = Vec::new();
        for _ in 0..12 {
            health.eject(&SETTINGS, now);
            spans.push(span(&health, now));
            assert!(!health.is_due(now));
            now = health.ejected_until.unwrap();
            assert!(health.is_due(now));
            health.come_back(now);
        }
        assert_eq!(spans, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
        now += Duration::from_secs(330);
        health.eject(&SETTINGS, now);
        assert_eq!(span(&health, now), 60, "eleven of twelve were forgiven");
    }

    #[test]
    fn never_more_than_half_are_out_and_one_always_stays() {
        let most_gone = |all| (0..all).take_while(|gone| can_spare(all, *gone, all - gone)).count();
        assert_eq!((0..=7).map(most_gone).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2, 3, 3]);
        assert!(!can_spare(4, 0, 1), "the other three are dead or draining");
    }

    #[test]
    fn with_fewer_than_half_the_ejected_are_better_than_nobody() {
        assert!(is_panic(2, 0) && is_panic(4, 1) && is_panic(3, 1));
        assert!(!is_panic(2, 1) && !is_panic(4, 2) && !is_panic(1, 1) && !is_panic(0, 0));
    }
}
