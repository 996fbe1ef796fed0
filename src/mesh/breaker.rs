//! The circuit breaker between a caller and a service (Nygard, "Release It!", 2007, ch. 5).
//!
//! If too many calls fail, the breaker refuses further calls at once for a while. The caller does
//! not wait for answers that will not come, and the service has time to recover. An error of the
//! domain ([`CallError::Domain`](super::CallError::Domain)) is not a failure. The breaker sets no
//! time limit: it is told how long each call took.

use super::{
    call_result::CallResult,
    settings::{BreakerSettings, Forced},
    window::{Counts, Window},
};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;

/// Calls refused while probes are running get this `Retry-After`.
const RETRY_AFTER_PROBES: Duration = Duration::from_secs(1);

/// What the breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Lets them through and counts how they end.
    Closed,
    /// Refuses them at once.
    Open,
    /// Lets a few through as probes, and refuses the others.
    HalfOpen,
}

/// Proof that the breaker let a call through. It is given back with the call's result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    /// The breaker's generation when the call began. Results of earlier generations are not judged.
    generation: u32,
    is_probe: bool,
}

pub(super) struct Breaker {
    pub settings: BreakerSettings,
    pub forced: Option<Forced>,
    pub window: Window,
    circuit: Circuit,
    /// The number of state changes.
    generation: u32,
    /// How often the breaker opened.
    pub opened: u64,
    /// The number of calls that the breaker refused.
    pub refused: u64,
}

enum Circuit {
    Closed,
    Open { until: Instant },
    HalfOpen { running: u32, succeeded: u32 },
}

impl Breaker {
    pub fn new(settings: BreakerSettings, now: Instant) -> Self {
        let (circuit, window) = (Circuit::Closed, Window::new(now));
        Self { settings, forced: None, window, circuit, generation: 0, opened: 0, refused: 0 }
    }

    /// Lets a call through. `Err` is the time after which the breaker may let a call through.
    pub fn admit(&mut self, now: Instant) -> Result<Pass, Duration> {
        let admitted = match self.forced {
            Some(Forced::Closed) => Ok(false),
            Some(Forced::Open) => Err(self.open_for()),
            None => self.admit_by_circuit(now),
        };
        match admitted {
            Ok(is_probe) => Ok(Pass { generation: self.generation, is_probe }),
            Err(wait) => {
                self.refused += 1;
                Err(wait)
            }
        }
    }

    /// `Ok` says whether the call is a probe.
    fn admit_by_circuit(&mut self, now: Instant) -> Result<bool, Duration> {
        if let Circuit::Open { until } = self.circuit {
            if now < until {
                return Err(until - now);
            }
            self.change_to(Circuit::HalfOpen { running: 0, succeeded: 0 });
        }
        match &mut self.circuit {
            Circuit::HalfOpen { running, succeeded } if *running + *succeeded < self.settings.probes => {
                *running += 1;
                Ok(true)
            }
            Circuit::HalfOpen { .. } => Err(RETRY_AFTER_PROBES),
            Circuit::Closed | Circuit::Open { .. } => Ok(false),
        }
    }

    /// Counts a call that was let through, and changes the state if that is due.
    pub fn record(&mut self, pass: Pass, result: CallResult, took: Duration, now: Instant) {
        let slow_after = Duration::from_millis(self.settings.slow_after_ms);
        let is_slow = took >= slow_after;
        if result != CallResult::Unknown {
            let counts = self.window.now(now);
            counts.calls += 1;
            counts.failures += u32::from(result == CallResult::Failure);
            counts.slow += u32::from(is_slow);
        }
        if pass.generation != self.generation {
            return;
        }
        let is_tripped = self.is_tripped(now);
        match &mut self.circuit {
            Circuit::Closed if is_tripped => self.open(now),
            Circuit::HalfOpen { running, succeeded } if pass.is_probe => {
                *running -= 1;
                match result {
                    CallResult::Unknown => {}
                    CallResult::Success if !is_slow => {
                        *succeeded += 1;
                        if *succeeded == self.settings.probes {
                            self.change_to(Circuit::Closed);
                            self.window.clear();
                        }
                    }
                    CallResult::Success | CallResult::Failure => self.open(now),
                }
            }
            _ => {}
        }
    }

    fn is_tripped(&mut self, now: Instant) -> bool {
        let Counts { calls, failures, slow, .. } = self.window.sum(now);
        let is_share = |part: u32, percent: u32| u64::from(part) * 100 >= u64::from(calls) * u64::from(percent);
        calls >= self.settings.least_calls
            && (is_share(failures, self.settings.failure_percent) || is_share(slow, self.settings.slow_percent))
    }

    fn open(&mut self, now: Instant) {
        self.change_to(Circuit::Open { until: now + self.open_for() });
        self.opened += 1;
    }

    fn open_for(&self) -> Duration {
        Duration::from_millis(self.settings.open_for_ms)
    }

    fn change_to(&mut self, circuit: Circuit) {
        self.circuit = circuit;
        self.generation = self.generation.wrapping_add(1);
    }

    /// The state that a call would meet now.
    pub fn state(&self, now: Instant) -> BreakerState {
        match (self.forced, &self.circuit) {
            (Some(Forced::Open), _) => BreakerState::Open,
            (Some(Forced::Closed), _) | (None, Circuit::Closed) => BreakerState::Closed,
            (None, Circuit::Open { until }) if now < *until => BreakerState::Open,
            (None, Circuit::Open { .. } | Circuit::HalfOpen { .. }) => BreakerState::HalfOpen,
        }
    }
}

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
        /// A call that takes `millis`; `false` if it is refused.
        fn call(&mut self, result: CallResult, millis: u64) -> bool {
            let Ok(pass) = self.breaker.admit(self.now) else { return false };
            self.breaker.record(pass, result, Duration::from_millis(millis), self.now);
            true
        }

        fn calls(&mut self, count: usize, result: CallResult) {
            (0..count).for_each(|_| assert!(self.call(result, 1)));
        }

        fn later(&mut self, millis: u64) {
            self.now += Duration::from_millis(millis);
        }

        fn state(&self) -> BreakerState {
            self.breaker.state(self.now)
        }
    }

    #[test]
    fn ten_failures_of_twenty_calls_open_the_breaker_and_fewer_do_not() {
        let mut it = bench();
        it.calls(19, CallResult::Failure);
        assert_eq!(it.state(), BreakerState::Closed, "nineteen calls are below least_calls");
        it.calls(1, CallResult::Failure);
        assert_eq!(it.state(), BreakerState::Open);

        let mut it = bench();
        it.calls(11, CallResult::Success);
        it.calls(9, CallResult::Failure);
        assert_eq!(it.state(), BreakerState::Closed, "45 of a hundred");
        it.calls(2, CallResult::Failure);
        assert_eq!(it.state(), BreakerState::Open, "half of 22");
    }

    #[test]
    fn failures_older_than_ten_seconds_do_not_count() {
        let mut it = bench();
        it.calls(19, CallResult::Failure);
        it.later(10_000);
        it.calls(19, CallResult::Failure);
        assert_eq!(it.state(), BreakerState::Closed);
    }

    #[test]
    fn slow_calls_open_the_breaker_too() {
        let mut it = bench();
        (0..20).for_each(|_| assert!(it.call(CallResult::Success, 5_000)));
        assert_eq!(it.state(), BreakerState::Open);
        let mut it = bench();
        (0..40).for_each(|_| assert!(it.call(CallResult::Success, 4_999)));
        assert_eq!(it.state(), BreakerState::Closed);
    }

    #[test]
    fn an_open_breaker_refuses_for_five_seconds_and_closes_after_three_successful_probes() {
        let mut it = bench();
        it.calls(20, CallResult::Failure);
        it.later(4_999);
        assert_eq!(it.breaker.admit(it.now).unwrap_err(), Duration::from_millis(1));
        it.later(1);
        assert_eq!(it.state(), BreakerState::HalfOpen);
        let probes: Vec<_> = (0..3).map(|_| it.breaker.admit(it.now).unwrap()).collect();
        assert!(it.breaker.admit(it.now).is_err(), "there are three probes");
        for probe in &probes[..2] {
            it.breaker.record(*probe, CallResult::Success, Duration::ZERO, it.now);
        }
        assert_eq!(it.state(), BreakerState::HalfOpen);
        it.breaker.record(probes[2], CallResult::Success, Duration::ZERO, it.now);
        assert_eq!(it.state(), BreakerState::Closed);
        it.calls(19, CallResult::Failure);
        assert_eq!(it.state(), BreakerState::Closed, "failures before it opened do not count");
    }

    #[test]
    fn a_failed_or_slow_probe_opens_the_breaker_again_and_an_abandoned_probe_is_replaced() {
        for (result, millis) in [(CallResult::Failure, 1), (CallResult::Success, 5_000)] {
            let mut it = bench();
            it.calls(20, CallResult::Failure);
            it.later(5_000);
            assert!(it.call(result, millis));
            assert_eq!(it.state(), BreakerState::Open);
            assert_eq!(it.breaker.opened, 2);
        }
        let mut it = bench();
        it.calls(20, CallResult::Failure);
        it.later(5_000);
        it.calls(10, CallResult::Unknown);
        it.calls(3, CallResult::Success);
        assert_eq!(it.state(), BreakerState::Closed);
    }

    #[test]
    fn a_call_that_began_before_the_breaker_opened_is_not_a_probe() {
        let mut it = bench();
        let old: Vec<_> = (0..5).map(|_| it.breaker.admit(it.now).unwrap()).collect();
        it.calls(20, CallResult::Failure);
        it.later(5_000);
        assert!(it.breaker.admit(it.now).is_ok());
        for pass in old {
            it.breaker.record(pass, CallResult::Success, Duration::ZERO, it.now);
        }
        assert_eq!(it.state(), BreakerState::HalfOpen);
    }

    #[test]
    fn a_forced_breaker_ignores_its_counts() {
        let mut it = bench();
        it.breaker.forced = Some(Forced::Open);
        assert!(!it.call(CallResult::Success, 1));
        assert_eq!((it.state(), it.breaker.refused), (BreakerState::Open, 1));
        it.breaker.forced = Some(Forced::Closed);
        it.calls(100, CallResult::Failure);
        assert_eq!(it.state(), BreakerState::Closed);
    }

    proptest! {
        #[test]
        fn after_any_history_successful_calls_close_the_breaker(
            history in prop::collection::vec((0u8..3, 0u64..6_000, 0u64..6_000), 0..200)
        ) {
            let mut it = bench();
            for (result, millis, gap) in history {
                it.later(gap);
                it.call([CallResult::Success, CallResult::Failure, CallResult::Unknown][result as usize], millis);
            }
            for _ in 0..20 {
                it.later(2_000);
                it.call(CallResult::Success, 1);
            }
            prop_assert_eq!(it.state(), BreakerState::Closed);
        }
    }
}
