//! The circuit breaker between a caller and a service (Nygard, "Release It!", 2007): where too many calls fail, further ones are
//! refused at once for a while. The caller need not wait for what will not come, and the service has time to recover.
//!
//! What a service says ([`CallError::Domain`](super::CallError::Domain)) is never a failure. The breaker sets nobody a time limit: it learns how long a call took.

use super::window::{Counts, Window};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSettings {
    /// Fewer calls than that in ten seconds say nothing.
    pub least_calls: u32,
    /// It opens when so many of a hundred failed,
    pub failure_percent: u32,
    /// or when so many of a hundred were slow.
    pub slow_percent: u32,
    /// A call that takes so long is slow.
    pub slow_after_ms: u64,
    pub open_for_ms: u64,
    /// So many calls are let through then, and all must succeed.
    pub probes: u32,
}

impl Default for BreakerSettings {
    /// Those of Hystrix, with the slow calls and the number of probes of resilience4j made tighter.
    fn default() -> Self {
        Self {
            least_calls: 20,
            failure_percent: 50,
            slow_percent: 80,
            slow_after_ms: 5_000,
            open_for_ms: 5_000,
            probes: 3,
        }
    }
}

impl BreakerSettings {
    /// `Err` begins with the field that makes no sense.
    pub fn checked(self) -> Result<Self, String> {
        let percents = [("failure_percent", self.failure_percent), ("slow_percent", self.slow_percent)];
        if let Some((name, _)) = percents.iter().find(|(_, percent)| !(1..=100).contains(percent)) {
            return Err(format!("{name} is from 1 to 100"));
        }
        let counts = [("least_calls", self.least_calls), ("probes", self.probes)];
        if let Some((name, _)) = counts.iter().find(|(_, count)| !(1..=10_000).contains(count)) {
            return Err(format!("{name} is from 1 to 10,000"));
        }
        let times = [("slow_after_ms", self.slow_after_ms), ("open_for_ms", self.open_for_ms)];
        match times.iter().find(|(_, time)| !(1..=600_000).contains(time)) {
            Some((name, _)) => Err(format!("{name} is from 1 to 600,000 (ten minutes)")),
            None => Ok(self),
        }
    }
}

/// What the breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Lets them through, and counts.
    Closed,
    /// Refuses them.
    Open,
    /// Lets a few through, to see.
    HalfOpen,
}

/// What an operator wants it to be, whatever it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Forced {
    Open,
    Closed,
}

/// How a call ended, as far as the breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    Failure,
    /// It says nothing about the service: there was no place for it, or the caller went away.
    Unknown,
}

/// A call that was let through. To be given back with its outcome.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    /// Calls of an earlier era say nothing about this one.
    era: u32,
    is_probe: bool,
}

pub(super) struct Breaker {
    pub settings: BreakerSettings,
    pub forced: Option<Forced>,
    pub window: Window,
    position: Position,
    /// Counts how often it changed its position.
    era: u32,
    /// How often it opened.
    pub opened: u64,
    /// How many calls it refused.
    pub refused: u64,
}

enum Position {
    Closed,
    Open { until: Instant },
    HalfOpen { running: u32, succeeded: u32 },
}

impl Breaker {
    pub fn new(settings: BreakerSettings, now: Instant) -> Self {
        let (position, window) = (Position::Closed, Window::new(now));
        Self { settings, forced: None, window, position, era: 0, opened: 0, refused: 0 }
    }

    /// Lets a call through, or says after what time it is worth trying again.
    pub fn admit(&mut self, now: Instant) -> Result<Pass, Duration> {
        let admitted = match self.forced {
            Some(Forced::Closed) => Ok(false),
            Some(Forced::Open) => Err(self.open_for()),
            None => self.admit_by_position(now),
        };
        match admitted {
            Ok(is_probe) => Ok(Pass { era: self.era, is_probe }),
            Err(wait) => {
                self.refused += 1;
                Err(wait)
            }
        }
    }

    fn admit_by_position(&mut self, now: Instant) -> Result<bool, Duration> {
        if let Position::Open { until } = self.position {
            if now < until {
                return Err(until - now);
            }
            self.turn(Position::HalfOpen { running: 0, succeeded: 0 });
        }
        match &mut self.position {
            Position::HalfOpen { running, succeeded } if *running + *succeeded < self.settings.probes => {
                *running += 1;
                Ok(true)
            }
            Position::HalfOpen { .. } => Err(AFTER_THE_PROBES),
            Position::Closed | Position::Open { .. } => Ok(false),
        }
    }

    /// Counts a call that was let through.
    pub fn record(&mut self, pass: Pass, outcome: Outcome, took: Duration, now: Instant) {
        let slow_after = Duration::from_millis(self.settings.slow_after_ms);
        let is_slow = took >= slow_after;
        if outcome != Outcome::Unknown {
            let tally = self.window.now(now);
            tally.calls += 1;
            tally.failures += u32::from(outcome == Outcome::Failure);
            tally.slow += u32::from(is_slow);
        }
        if pass.era != self.era {
            return;
        }
        let is_too_much = self.is_too_much(now);
        match &mut self.position {
            Position::Closed if is_too_much => self.open(now),
            Position::HalfOpen { running, succeeded } if pass.is_probe => {
                *running -= 1;
                match outcome {
                    Outcome::Unknown => {}
                    Outcome::Success if !is_slow => {
                        *succeeded += 1;
                        if *succeeded == self.settings.probes {
                            self.turn(Position::Closed);
                            self.window.forget();
                        }
                    }
                    Outcome::Success | Outcome::Failure => self.open(now),
                }
            }
            _ => {}
        }
    }

    fn is_too_much(&mut self, now: Instant) -> bool {
        let Counts { calls, failures, slow, .. } = self.window.sum(now);
        let is_share = |part: u32, percent: u32| u64::from(part) * 100 >= u64::from(calls) * u64::from(percent);
        calls >= self.settings.least_calls
            && (is_share(failures, self.settings.failure_percent) || is_share(slow, self.settings.slow_percent))
    }

    fn open(&mut self, now: Instant) {
        self.turn(Position::Open { until: now + self.open_for() });
        self.opened += 1;
    }

    fn open_for(&self) -> Duration {
        Duration::from_millis(self.settings.open_for_ms)
    }

    fn turn(&mut self, position: Position) {
        self.position = position;
        self.era = self.era.wrapping_add(1);
    }

    /// What a call that came now would meet.
    pub fn state(&self, now: Instant) -> BreakerState {
        match (self.forced, &self.position) {
            (Some(Forced::Open), _) => BreakerState::Open,
            (Some(Forced::Closed), _) | (None, Position::Closed) => BreakerState::Closed,
            (None, Position::Open { until }) if now < *until => BreakerState::Open,
            (None, Position::Open { .. } | Position::HalfOpen { .. }) => BreakerState::HalfOpen,
        }
    }
}

/// Whoever is refused because the probes are under way.
const AFTER_THE_PROBES: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Bench {
        breaker: Breaker,
        now: Instant,
    }

    fn bench() -> Bench {
        let now = Instant::now();
        Bench { breaker: Breaker::new(BreakerSettings::default(), now), now }
    }

    impl Bench {
        /// A call that takes that long; `false` where it is refused.
        fn call(&mut self, outcome: Outcome, millis: u64) -> bool {
            let Ok(pass) = self.breaker.admit(self.now) else { return false };
            self.breaker.record(pass, outcome, Duration::from_millis(millis), self.now);
            true
        }

        fn calls(&mut self, count: usize, outcome: Outcome) {
            (0..count).for_each(|_| assert!(self.call(outcome, 1)));
        }

        fn later(&mut self, millis: u64) {
            self.now += Duration::from_millis(millis);
        }

        fn state(&self) -> BreakerState {
            self.breaker.state(self.now)
        }
    }

    #[test]
    fn half_of_twenty_open_it_and_less_or_fewer_do_not() {
        let mut it = bench();
        it.calls(19, Outcome::Failure);
        assert_eq!(it.state(), BreakerState::Closed, "nineteen are too few to say anything");
        it.calls(1, Outcome::Failure);
        assert_eq!(it.state(), BreakerState::Open);

        let mut it = bench();
        it.calls(11, Outcome::Success);
        it.calls(9, Outcome::Failure);
        assert_eq!(it.state(), BreakerState::Closed, "45 of a hundred");
        it.calls(2, Outcome::Failure);
        assert_eq!(it.state(), BreakerState::Open, "half of 22");
    }

    #[test]
    fn failures_of_more_than_ten_seconds_ago_are_forgotten() {
        let mut it = bench();
        it.calls(19, Outcome::Failure);
        it.later(10_000);
        it.calls(19, Outcome::Failure);
        assert_eq!(it.state(), BreakerState::Closed);
    }

    #[test]
    fn slow_calls_open_it_too() {
        let mut it = bench();
        (0..20).for_each(|_| assert!(it.call(Outcome::Success, 5_000)));
        assert_eq!(it.state(), BreakerState::Open);
        let mut it = bench();
        (0..40).for_each(|_| assert!(it.call(Outcome::Success, 4_999)));
        assert_eq!(it.state(), BreakerState::Closed);
    }

    #[test]
    fn it_refuses_for_five_seconds_then_three_probes_must_all_succeed() {
        let mut it = bench();
        it.calls(20, Outcome::Failure);
        it.later(4_999);
        assert_eq!(it.breaker.admit(it.now).unwrap_err(), Duration::from_millis(1));
        it.later(1);
        assert_eq!(it.state(), BreakerState::HalfOpen);
        let probes: Vec<_> = (0..3).map(|_| it.breaker.admit(it.now).unwrap()).collect();
        assert!(it.breaker.admit(it.now).is_err(), "three at a time are enough to see");
        for probe in &probes[..2] {
            it.breaker.record(*probe, Outcome::Success, Duration::ZERO, it.now);
        }
        assert_eq!(it.state(), BreakerState::HalfOpen);
        it.breaker.record(probes[2], Outcome::Success, Duration::ZERO, it.now);
        assert_eq!(it.state(), BreakerState::Closed);
        it.calls(19, Outcome::Failure);
        assert_eq!(it.state(), BreakerState::Closed, "what was before it opened is forgotten");
    }

    #[test]
    fn a_probe_that_fails_or_is_slow_opens_it_again_and_one_that_was_given_up_makes_room_for_another() {
        for (outcome, millis) in [(Outcome::Failure, 1), (Outcome::Success, 5_000)] {
            let mut it = bench();
            it.calls(20, Outcome::Failure);
            it.later(5_000);
            assert!(it.call(outcome, millis));
            assert_eq!(it.state(), BreakerState::Open);
            assert_eq!(it.breaker.opened, 2);
        }
        let mut it = bench();
        it.calls(20, Outcome::Failure);
        it.later(5_000);
        it.calls(10, Outcome::Unknown);
        it.calls(3, Outcome::Success);
        assert_eq!(it.state(), BreakerState::Closed);
    }

    #[test]
    fn what_began_before_it_opened_does_not_pass_for_a_probe() {
        let mut it = bench();
        let old: Vec<_> = (0..5).map(|_| it.breaker.admit(it.now).unwrap()).collect();
        it.calls(20, Outcome::Failure);
        it.later(5_000);
        assert!(it.breaker.admit(it.now).is_ok());
        for pass in old {
            it.breaker.record(pass, Outcome::Success, Duration::ZERO, it.now);
        }
        assert_eq!(it.state(), BreakerState::HalfOpen);
    }

    #[test]
    fn it_is_what_an_operator_wants_it_to_be() {
        let mut it = bench();
        it.breaker.forced = Some(Forced::Open);
        assert!(!it.call(Outcome::Success, 1));
        assert_eq!((it.state(), it.breaker.refused), (BreakerState::Open, 1));
        it.breaker.forced = Some(Forced::Closed);
        it.calls(100, Outcome::Failure);
        assert_eq!(it.state(), BreakerState::Closed);
    }

    proptest! {
        #[test]
        fn whatever_happens_it_finds_its_way_back_when_calls_succeed(
            story in prop::collection::vec((0u8..3, 0u64..6_000, 0u64..6_000), 0..200)
        ) {
            let mut it = bench();
            for (outcome, millis, gap) in story {
                it.later(gap);
                it.call([Outcome::Success, Outcome::Failure, Outcome::Unknown][outcome as usize], millis);
            }
            for _ in 0..20 {
                it.later(2_000);
                it.call(Outcome::Success, 1);
            }
            prop_assert_eq!(it.state(), BreakerState::Closed);
        }
    }
}
