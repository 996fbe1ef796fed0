//! Not too often: GCRA per client and class (`governor`), told by the fields of draft-ietf-httpapi-ratelimit-headers.

use super::{Duty, Leave, Step};
use crate::{
    gateway::{
        Access, Class,
        buckets::{Buckets, Client},
        problem::Problem,
        visit::Visit,
    },
    types::{Rate, Throttling as Settings},
};
use actix_web::{
    HttpRequest, HttpResponse,
    dev::ServiceRequest,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
};
use arc_swap::ArcSwap;
use governor::{Quota, RateLimiter, clock::Clock, middleware::StateInformationMiddleware};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

pub struct Throttling;

/// A bucket for each client and class. A class's rate can be changed while requests come.
pub struct Throttle {
    /// What was set at the start, or read again since.
    settings: ArcSwap<Settings>,
    classes: [ArcSwap<Limited>; Class::COUNTED],
}

/// A class with its rate, and the buckets that are filled at that rate.
struct Limited {
    rate: Rate,
    limiter: RateLimiter<Client, Buckets, Ticks, StateInformationMiddleware>,
}

/// The time since it was made, by the clock that a simulation can pause.
#[derive(Clone, Copy)]
struct Ticks(Instant);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// What is left in the client's bucket.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    class: Class,
    rate: Rate,
    remaining: u32,
    /// Seconds until there is more.
    more_in: u64,
}

impl Throttle {
    pub fn new(settings: &Settings) -> Self {
        let limited = |class| ArcSwap::from_pointee(Limited::at(settings.rate(class).unwrap_or(class.default_rate())));
        Self { settings: ArcSwap::from_pointee(settings.clone()), classes: Class::ALL.map(limited) }
    }

    /// Goes by other settings, where nobody has changed them since. What stays the same keeps its count.
    pub fn change(&self, settings: &Settings) {
        let before = self.settings.swap(Arc::new(settings.clone()));
        for class in Class::ALL {
            let (was, is) = (before.rate(class), settings.rate(class));
            if let Some(rate) = is.filter(|_| was != is && self.rate(class) == was) {
                self.set_rate(class, rate);
            }
        }
    }

    /// What holds where nobody has changed it while the shop runs.
    pub fn default_rate(&self, class: Class) -> Option<Rate> {
        self.settings.load().rate(class)
    }

    /// From now on. Everybody begins with a full bucket: what was taken from the old one counted towards another rate.
    pub fn set_rate(&self, class: Class, rate: Rate) {
        if let Some(limited) = self.classes.get(class as usize) {
            limited.store(Arc::new(Limited::at(rate)));
        }
    }

    /// `None` for what is not counted.
    pub fn rate(&self, class: Class) -> Option<Rate> {
        self.classes.get(class as usize).map(|limited| limited.load().rate)
    }

    /// Takes one request out of the client's bucket; an `Err` where it is empty.
    fn take(&self, class: Class, client: Client) -> Option<Result<Outcome, Outcome>> {
        let limited = self.classes.get(class as usize).filter(|_| self.settings.load().on)?.load();
        Some(limited.take(class, client))
    }
}

impl Limited {
    fn at(rate: Rate) -> Self {
        // One request or fewer an hour, a million or fewer a second: that is never zero, nor too long for a quota.
        let one_more = Duration::from_secs_f64(1.0 / rate.per_second());
        let quota = Quota::with_period(one_more).unwrap_or(Quota::per_second(rate.burst())).allow_burst(rate.burst());
        Self { rate, limiter: RateLimiter::new(quota, Buckets::new(one_more), Ticks(Instant::now())) }
    }

    fn take(&self, class: Class, client: Client) -> Result<Outcome, Outcome> {
        let outcome = |remaining, wait: Duration| {
            let more_in = wait.as_secs_f64().ceil().max(1.0) as u64;
            Outcome { class, rate: self.rate, remaining, more_in }
        };
        match self.limiter.check_key(&client) {
            Ok(state) => Ok(outcome(state.remaining_burst_capacity(), state.quota().replenish_interval())),
            Err(not_until) => Err(outcome(0, not_until.wait_time_from(self.limiter.clock().now()))),
        }
    }
}

/// Takes one request out of the bucket of whoever asks.
fn take(visit: &Visit, class: Class) -> Result<(), Problem> {
    let client = match visit.principal.get().user_id() {
        // Who signs in has an account or none, and may have a thousand to guess from: what counts is where he is.
        Some(user) if class != Class::SignIn || visit.route.access != Access::Public => Client::User(user),
        _ => Client::Address(visit.network()),
    };
    let Some(taken) = visit.gateway.throttle.take(class, client) else { return Ok(()) };
    let (Ok(outcome) | Err(outcome)) = taken;
    visit.note(outcome);
    taken.map(|_| ()).map_err(|Outcome { more_in, .. }| {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", class.words())
            .of_type("https://iana.org/assignments/http-problem-types#quota-exceeded")
            .with("violated-policies", [class.name()])
            .with_header("Retry-After", more_in.to_string())
    })
}

/// Counts a request whose token was not good; `Err` where its sender has sent too many.
pub fn bad_token(visit: &Visit) -> Result<(), Problem> {
    take(visit, Class::BadToken)
}

/// The fields of draft-ietf-httpapi-ratelimit-headers.
fn tell(visit: &Visit, answer: &mut HttpResponse) {
    let Some(Outcome { class, rate, remaining, more_in }) = visit.noted() else { return };
    let name = class.name();
    let fields = [
        ("ratelimit-policy", format!("\"{name}\";q={};w={}", rate.burst(), rate.window_seconds())),
        ("ratelimit", format!("\"{name}\";r={remaining};t={more_in}")),
    ];
    for (field, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            answer.headers_mut().insert(HeaderName::from_static(field), value);
        }
    }
}

impl Duty for Throttling {
    fn name(&self) -> &'static str {
        "throttling"
    }

    fn enter<'a>(&'a self, visit: &'a Visit, _: &'a mut ServiceRequest) -> Step<'a> {
        match take(visit, visit.route.class) {
            Ok(()) => Step::On,
            Err(problem) => Step::Stop(problem),
        }
    }

    fn leave<'a>(&'a self, visit: &'a Visit, _: &'a HttpRequest, mut answer: HttpResponse) -> Leave<'a> {
        tell(visit, &mut answer);
        Leave::With(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        net::IpAddr,
        sync::{Barrier, atomic::AtomicUsize, atomic::Ordering},
    };

    fn throttle(rate: f64, burst: u32) -> Throttle {
        let mut settings = Settings::default();
        settings.set(&format!("browse.rate={rate},browse.burst={burst}")).unwrap();
        Throttle::new(&settings)
    }

    fn client(n: u8) -> Client {
        Client::Address(IpAddr::from([127, 0, 0, n]))
    }

    fn admitted(throttle: &Throttle, tries: usize) -> usize {
        (0..tries).filter(|_| throttle.take(Class::Browse, client(1)).unwrap().is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_gets_its_burst_and_then_one_more_as_each_falls_due() {
        let throttle = throttle(2.0, 10);
        assert_eq!(admitted(&throttle, 100), 10);
        let refused = throttle.take(Class::Browse, client(1)).unwrap().unwrap_err();
        assert_eq!((refused.remaining, refused.more_in), (0, 1), "half a second is told as one: never too early");
        tokio::time::advance(Duration::from_millis(499)).await;
        assert_eq!(admitted(&throttle, 100), 0);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(admitted(&throttle, 100), 1);
        tokio::time::advance(Duration::from_millis(1750)).await;
        assert_eq!(admitted(&throttle, 100), 3);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(admitted(&throttle, 100), 10, "no more than the burst, however long it was away");
        assert!(throttle.take(Class::Browse, client(2)).unwrap().is_ok(), "another has a bucket of its own");
        assert!(throttle.take(Class::Write, client(1)).unwrap().is_ok(), "and so has another class");
        assert!(throttle.take(Class::Free, client(1)).is_none());
    }

    /// KrakenD's token bucket admits 21 in one instant for 10; counters that are read first and written later admit any number.
    #[test]
    fn of_requests_at_once_exactly_the_burst_is_admitted() {
        // So many that the threads really are at it at once: each would be done with a few before the next has woken.
        let (throttle, threads) = (throttle(1.0 / 3600.0, 20_000), 4);
        let (gate, admitted_by_all) = (Barrier::new(threads), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    gate.wait();
                    admitted_by_all.fetch_add(admitted(&throttle, 20_000), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(admitted_by_all.into_inner(), 20_000);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_as_long_as_he_is_told_is_served() {
        for (rate, burst) in [(0.3, 1), (1.0, 3), (7.0, 2), (1000.0, 5), (1.0 / 3600.0, 1)] {
            let throttle = throttle(rate, burst);
            admitted(&throttle, burst as usize);
            for _ in 0..5 {
                let Err(refused) = throttle.take(Class::Browse, client(1)).unwrap() else { continue };
                tokio::time::advance(Duration::from_secs(refused.more_in)).await;
                assert!(throttle.take(Class::Browse, client(1)).unwrap().is_ok(), "{rate} a second, {burst} at once");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_rate_holds_from_the_next_request_on() {
        let throttle = throttle(1.0, 10);
        assert_eq!(admitted(&throttle, 100), 10);
        throttle.set_rate(Class::Browse, Rate::new(1.0, 3).unwrap());
        assert_eq!(throttle.rate(Class::Browse), Some(Rate::new(1.0, 3).unwrap()));
        assert_eq!(admitted(&throttle, 100), 3);
        assert_eq!(throttle.take(Class::Browse, client(2)).unwrap().unwrap().rate.burst().get(), 3);
        throttle.set_rate(Class::Free, Rate::new(1.0, 1).unwrap());
        assert!(throttle.take(Class::Free, client(1)).is_none(), "what is not counted stays so");
    }

    #[test]
    fn where_it_is_off_nobody_is_counted() {
        let mut settings = Settings::default();
        settings.set("false").unwrap();
        assert!(Throttle::new(&settings).take(Class::Browse, client(1)).is_none());
    }
}
