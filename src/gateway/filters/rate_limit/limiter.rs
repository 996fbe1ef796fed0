//! The rate limiter: GCRA for each client and class, by `governor`.

use super::{
    buckets::{Buckets, Client},
    policy::{Class, Rate, Throttling},
};
use arc_swap::ArcSwap;
use governor::{Quota, clock::Clock, middleware::StateInformationMiddleware};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A bucket for each client and class. All workers share one limiter. The rate of a class can be
/// changed while requests come.
pub struct RateLimiter {
    /// The settings as last read.
    settings: ArcSwap<Throttling>,
    classes: [ArcSwap<ClassLimiter>; Class::COUNTED],
}

/// The rate of a class, and the buckets that fill at that rate.
struct ClassLimiter {
    rate: Rate,
    limiter: governor::RateLimiter<Client, Buckets, Ticks, StateInformationMiddleware>,
}

/// A clock that counts from the moment when it was made, by tokio's clock, which a simulation can
/// pause.
#[derive(Clone, Copy)]
struct Ticks(Instant);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Whether a request is within the rate, and what is left in the client's bucket.
#[derive(Debug, Clone, Copy)]
pub struct RateDecision {
    /// Whether the request may go on.
    pub is_admitted: bool,
    /// The class that the request was counted in.
    pub class: Class,
    /// The rate in force.
    pub rate: Rate,
    /// Requests that the client can send at once.
    pub remaining: u32,
    /// Seconds until there is one more, rounded up; at least 1.
    pub more_in: u64,
}

impl RateLimiter {
    /// A limiter with full buckets.
    pub fn new(settings: &Throttling) -> Self {
        let limiter =
            |class| ArcSwap::from_pointee(ClassLimiter::at(settings.rate(class).unwrap_or(class.default_rate())));
        Self { settings: ArcSwap::from_pointee(settings.clone()), classes: Class::ALL.map(limiter) }
    }

    /// Takes over new settings, for each class whose rate no operator has changed. A class whose
    /// setting is the same keeps its counts.
    pub fn change(&self, settings: &Throttling) {
        let before = self.settings.swap(Arc::new(settings.clone()));
        for class in Class::ALL {
            let (was, is) = (before.rate(class), settings.rate(class));
            if let Some(rate) = is.filter(|_| was != is && self.rate(class) == was) {
                self.set_rate(class, rate);
            }
        }
    }

    /// The rate of the settings; `None` for a class that is not counted.
    pub fn default_rate(&self, class: Class) -> Option<Rate> {
        self.settings.load().rate(class)
    }

    /// Sets the rate of a class. All clients begin with a full bucket: the old counts belong to
    /// another rate.
    pub fn set_rate(&self, class: Class, rate: Rate) {
        if let Some(limiter) = self.classes.get(class as usize) {
            limiter.store(Arc::new(ClassLimiter::at(rate)));
        }
    }

    /// The rate that is in force; `None` for a class that is not counted.
    pub fn rate(&self, class: Class) -> Option<Rate> {
        self.classes.get(class as usize).map(|limiter| limiter.load().rate)
    }

    /// Takes one request out of the client's bucket; `None` if the class is not counted, or rate
    /// limits are off.
    pub fn take(&self, class: Class, client: Client) -> Option<RateDecision> {
        let limiter = self.classes.get(class as usize).filter(|_| self.settings.load().on)?.load();
        Some(limiter.take(class, client))
    }
}

impl ClassLimiter {
    fn at(rate: Rate) -> Self {
        // A rate is between one request an hour and a million a second, so this is a valid period.
        let one_more = Duration::from_secs_f64(1.0 / rate.per_second());
        let quota = Quota::with_period(one_more).unwrap_or(Quota::per_second(rate.burst())).allow_burst(rate.burst());
        let limiter = governor::RateLimiter::new(quota, Buckets::new(one_more), Ticks(Instant::now()));
        Self { rate, limiter }
    }

    fn take(&self, class: Class, client: Client) -> RateDecision {
        let decision = |is_admitted, remaining, wait: Duration| {
            let more_in = wait.as_secs_f64().ceil().max(1.0) as u64;
            RateDecision { is_admitted, class, rate: self.rate, remaining, more_in }
        };
        match self.limiter.check_key(&client) {
            Ok(state) => decision(true, state.remaining_burst_capacity(), state.quota().replenish_interval()),
            Err(not_until) => decision(false, 0, not_until.wait_time_from(self.limiter.clock().now())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        net::IpAddr,
        sync::{Barrier, atomic::AtomicUsize, atomic::Ordering},
    };

    fn limiter(rate: f64, burst: u32) -> RateLimiter {
        let mut settings = Throttling::default();
        settings.set(&format!("browse.rate={rate},browse.burst={burst}")).unwrap();
        RateLimiter::new(&settings)
    }

    fn client(n: u8) -> Client {
        Client::Address(IpAddr::from([127, 0, 0, n]))
    }

    fn admitted(limiter: &RateLimiter, tries: usize) -> usize {
        (0..tries).filter(|_| limiter.take(Class::Browse, client(1)).unwrap().is_admitted).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_gets_its_burst_and_then_an_even_rate() {
        let limiter = limiter(2.0, 10);
        assert_eq!(admitted(&limiter, 100), 10);
        let refused = limiter.take(Class::Browse, client(1)).unwrap();
        assert_eq!((refused.remaining, refused.more_in), (0, 1), "half a second is rounded up to one: never too early");
        tokio::time::advance(Duration::from_millis(499)).await;
        assert_eq!(admitted(&limiter, 100), 0);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(admitted(&limiter, 100), 1);
        tokio::time::advance(Duration::from_millis(1750)).await;
        assert_eq!(admitted(&limiter, 100), 3);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(admitted(&limiter, 100), 10, "a long pause gives no more than the burst");
        assert!(limiter.take(Class::Browse, client(2)).unwrap().is_admitted, "another client has its own bucket");
        assert!(limiter.take(Class::Write, client(1)).unwrap().is_admitted, "another class has its own bucket");
        assert!(limiter.take(Class::Free, client(1)).is_none());
    }

    /// A counter that is read first and written later would admit more.
    #[test]
    fn concurrent_requests_are_admitted_up_to_exactly_the_burst() {
        // So many that the threads run at the same time: a thread would finish a few before the
        // next starts.
        let (limiter, threads) = (limiter(1.0 / 3600.0, 20_000), 4);
        let (gate, admitted_by_all) = (Barrier::new(threads), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    gate.wait();
                    admitted_by_all.fetch_add(admitted(&limiter, 20_000), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(admitted_by_all.into_inner(), 20_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_waits_as_long_as_retry_after_says_is_admitted() {
        for (rate, burst) in [(0.3, 1), (1.0, 3), (7.0, 2), (1000.0, 5), (1.0 / 3600.0, 1)] {
            let limiter = limiter(rate, burst);
            admitted(&limiter, burst as usize);
            for _ in 0..5 {
                let decision = limiter.take(Class::Browse, client(1)).unwrap();
                if decision.is_admitted {
                    continue;
                }
                tokio::time::advance(Duration::from_secs(decision.more_in)).await;
                assert!(
                    limiter.take(Class::Browse, client(1)).unwrap().is_admitted,
                    "{rate} a second, {burst} at once"
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_rate_holds_from_the_next_request_on() {
        let limiter = limiter(1.0, 10);
        assert_eq!(admitted(&limiter, 100), 10);
        limiter.set_rate(Class::Browse, Rate::new(1.0, 3).unwrap());
        assert_eq!(limiter.rate(Class::Browse), Some(Rate::new(1.0, 3).unwrap()));
        assert_eq!(admitted(&limiter, 100), 3);
        assert_eq!(limiter.take(Class::Browse, client(2)).unwrap().rate.burst().get(), 3);
        limiter.set_rate(Class::Free, Rate::new(1.0, 1).unwrap());
        assert!(limiter.take(Class::Free, client(1)).is_none(), "a class that is not counted gets no rate");
    }

    #[test]
    fn without_rate_limits_no_client_is_counted() {
        let mut settings = Throttling::default();
        settings.set("false").unwrap();
        assert!(RateLimiter::new(&settings).take(Class::Browse, client(1)).is_none());
    }
}
