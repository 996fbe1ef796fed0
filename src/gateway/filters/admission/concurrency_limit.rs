//! Bounds the requests of a class that are worked on at one time, to as many as the shop answers in
//! time (adaptive concurrency limit).
//!
//! A shop that admits more requests than it can serve answers all of them late. How many it can
//! serve depends on the machine, the disk and the request. A fixed limit that suits a page from
//! memory would let orders queue for seconds. Therefore the limit is learnt from how long responses
//! take, as TCP learns from lost packets (additive increase, multiplicative decrease). If responses
//! are late, the limit falls, and further requests get 503 with `Retry-After`. If all are in time
//! and every permit is taken, the limit rises. Netflix's concurrency-limits library and Envoy's
//! adaptive concurrency filter learn their limits from response times, too.
//!
//! A slow network looks like overload. Therefore the limit never falls below [`LEAST`].

use crate::gateway::filters::rate_limit::policy::Class;
use parking_lot::{Mutex, MutexGuard};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// One limit for each class, so that many requests for pages leave permits for checkout. All
/// workers share one.
pub struct ConcurrencyLimit([Mutex<ClassLimit>; Class::COUNTED]);

/// The first limit: a burst of hundreds of requests is admitted.
const START: usize = 512;
/// The lowest limit. One commit to disk serves all requests that wait for it: with fewer at one
/// time the shop would do less work, and would not be faster.
const LEAST: usize = 32;
/// The greatest limit, and the limit of a class without a time.
const MOST: usize = 1024;
/// The number of responses that are measured before the limit is changed.
const SAMPLE: u32 = 32;
/// One response in so many may be late.
const ONE_IN: u32 = 10;
/// If responses are late for less time than this, it is a short burst and not overload (the idea of
/// CoDel, RFC 8289).
const PATIENCE: Duration = Duration::from_millis(500);
/// After so long without a request, the limit rises to [`START`] again.
const FORGET_AFTER: Duration = Duration::from_secs(1);

struct ClassLimit {
    /// A response that takes longer is late; `None`: the limit is fixed.
    within: Option<Duration>,
    /// Permits that are taken now.
    taken: usize,
    limit: usize,
    /// When the current sample began.
    since: Instant,
    /// The most permits that were taken at one time, in the current sample.
    most_taken: usize,
    /// Responses in the current sample.
    answered: u32,
    /// Late responses in the current sample.
    late: u32,
    /// Since when too many responses are late.
    late_since: Option<Instant>,
}

/// The permission to work on one request. It is returned when this is dropped; a request whose
/// client disconnected does so, and does not change the limit.
pub struct Permit {
    limit: Arc<ConcurrencyLimit>,
    class: Class,
    taken_at: Instant,
}

impl Default for ConcurrencyLimit {
    fn default() -> Self {
        Self(Class::ALL.map(|class| Mutex::new(ClassLimit::new(class.answered_within()))))
    }
}

impl ConcurrencyLimit {
    /// Takes a permit; `None` if all permits of the class are taken, or the class is not counted.
    pub fn acquire(self: &Arc<Self>, class: Class) -> Option<Permit> {
        let now = Instant::now();
        self.of(class)?.admit(now).then(|| Permit { limit: self.clone(), class, taken_at: now })
    }

    /// How many permits are taken, and how many there are; `None` for a class that is not counted.
    pub fn load(&self, class: Class) -> Option<(usize, usize)> {
        let limit = self.of(class)?;
        Some((limit.taken, limit.limit))
    }

    /// The time after which a response is late; `None` if the limit is fixed.
    pub fn within(&self, class: Class) -> Option<Duration> {
        self.of(class)?.within
    }

    /// Sets the time after which a response is late; `None` fixes the limit. A change begins with
    /// the first limit.
    pub fn set_within(&self, class: Class, within: Option<Duration>) {
        if let Some(mut limit) = self.of(class)
            && limit.within != within
        {
            // The permits that are taken stay taken.
            *limit = ClassLimit { taken: limit.taken, ..ClassLimit::new(within) };
        }
    }

    fn of(&self, class: Class) -> Option<MutexGuard<'_, ClassLimit>> {
        Some(self.0.get(class as usize)?.lock())
    }
}

impl Permit {
    /// Returns the permit and learns from the request. `in_time` is false if a service behind the
    /// gateway was overloaded, which counts as late.
    pub fn release(self, in_time: bool) {
        if let Some(mut limit) = self.limit.of(self.class) {
            limit.learn(self.taken_at, Instant::now(), in_time);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(mut limit) = self.limit.of(self.class) {
            limit.taken -= 1;
        }
    }
}

impl ClassLimit {
    fn new(within: Option<Duration>) -> Self {
        let limit = if within.is_some() { START } else { MOST };
        Self { within, taken: 0, limit, since: Instant::now(), most_taken: 0, answered: 0, late: 0, late_since: None }
    }

    fn admit(&mut self, now: Instant) -> bool {
        if self.taken == 0 && now - self.since > FORGET_AFTER {
            self.restart(self.limit.max(START), now);
        }
        if self.taken >= self.limit {
            return false;
        }
        self.taken += 1;
        self.most_taken = self.most_taken.max(self.taken);
        true
    }

    fn learn(&mut self, taken_at: Instant, now: Instant, in_time: bool) {
        let Some(within) = self.within else { return };
        // Ignore requests that started before the limit was last changed.
        if taken_at < self.since {
            return;
        }
        self.answered += 1;
        self.late += u32::from(!in_time || now - taken_at > within);
        if self.answered < SAMPLE {
            return;
        }
        let used = self.limit.min(self.most_taken);
        let is_late = self.late * ONE_IN > self.answered;
        self.late_since = self.late_since.or(Some(now)).filter(|_| is_late);
        let has_lasted = self.late_since.is_some_and(|since| now - since >= PATIENCE);
        let limit = match is_late {
            true if has_lasted && self.late * 2 > self.answered => (used / 2).max(LEAST),
            true if has_lasted => (used * 4 / 5).max(LEAST),
            false if used == self.limit => (self.limit + self.limit / 16 + 1).min(MOST),
            _ => self.limit,
        };
        self.restart(limit, now);
    }

    fn restart(&mut self, limit: usize, now: Instant) {
        (self.limit, self.since) = (limit, now);
        (self.most_taken, self.answered, self.late) = (self.taken, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::RefCell, rc::Rc};
    use tokio::{sync::Semaphore, task::LocalSet};

    /// The simulated shop serves eight requests at a time, each in 4 to 12 ms: a thousand a second.
    const AT_ONCE: usize = 8;
    const CAPACITY: f64 = 1000.0;

    struct Measured {
        p99: Duration,
        served: usize,
        refused: usize,
    }

    /// Requests come at random times for eight seconds, at `load` times the capacity. Measured are
    /// the last five seconds.
    async fn under(load: f64, limit: Arc<ConcurrencyLimit>) -> Measured {
        let (workers, took) = (Rc::new(Semaphore::new(AT_ONCE)), Rc::new(RefCell::new(Vec::new())));
        let (local, begun, mut refused, mut random) = (LocalSet::new(), Instant::now(), 0, 12345_u64);
        let mut due = 0.0;
        local
            .run_until(async {
                while due < 8.0 {
                    random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let uniform = ((random >> 33) as f64 + 1.0) / f64::from(1_u32 << 31);
                    due -= uniform.ln() / (CAPACITY * load);
                    tokio::time::sleep_until(begun + Duration::from_secs_f64(due)).await;
                    let is_measured = due > 3.0;
                    let Some(permit) = limit.acquire(Class::Browse) else {
                        refused += usize::from(is_measured);
                        continue;
                    };
                    let (workers, took) = (workers.clone(), took.clone());
                    let work = Duration::from_micros(4000 + (random >> 40) % 8000);
                    tokio::task::spawn_local(async move {
                        let arrived = Instant::now();
                        let _worker = workers.acquire().await;
                        tokio::time::sleep(work).await;
                        permit.release(true);
                        if is_measured {
                            took.borrow_mut().push(arrived.elapsed());
                        }
                    });
                }
            })
            .await;
        local.await;
        let mut took = took.take();
        took.sort();
        Measured { p99: took[took.len() * 99 / 100], served: took.len(), refused }
    }

    fn fixed(limit: usize) -> Arc<ConcurrencyLimit> {
        Arc::new(ConcurrencyLimit(Class::ALL.map(|_| Mutex::new(ClassLimit { limit, ..ClassLimit::new(None) }))))
    }

    #[tokio::test(start_paused = true)]
    async fn at_three_times_the_capacity_admitted_requests_are_answered_as_fast_as_at_the_capacity() {
        let some = under(0.8, Arc::default()).await;
        let (most, three_times) = (under(1.0, Arc::default()).await, under(3.0, Arc::default()).await);
        let control = under(3.0, fixed(2048)).await;
        for (name, measured) in
            [("0.8", &some), ("1.0", &most), ("3.0", &three_times), ("3.0 at a fixed limit of 2048", &control)]
        {
            println!("load {name}: p99 {:?}, {} served, {} refused", measured.p99, measured.served, measured.refused);
        }
        assert_eq!(some.refused, 0, "below the capacity no request is refused");
        assert!(three_times.p99 < most.p99 * 3 / 2, "{:?} against {:?}", three_times.p99, most.p99);
        assert!(three_times.served * 100 > control.served * 97, "the capacity is used");
        assert!(control.p99 > three_times.p99 * 10, "with a fixed limit: {:?}", control.p99);
    }

    #[tokio::test(start_paused = true)]
    async fn a_longer_time_set_by_an_operator_admits_more_requests() {
        let patient = Arc::<ConcurrencyLimit>::default();
        patient.set_within(Class::Browse, Some(Duration::from_secs(60)));
        let (strict, patient) = (under(3.0, Arc::default()).await, under(3.0, patient).await);
        assert!(patient.p99 > strict.p99 * 5, "{:?} against {:?}", patient.p99, strict.p99);
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_starts_again_after_a_pause_and_never_falls_below_the_least() {
        let limit = Arc::new(ConcurrencyLimit::default());
        let all_permits = || std::iter::from_fn(|| limit.acquire(Class::Checkout)).collect::<Vec<_>>();
        assert_eq!(all_permits().len(), START);
        for _ in 0..100 {
            let all = all_permits();
            tokio::time::advance(Duration::from_secs(5)).await;
            all.into_iter().for_each(|permit| permit.release(true));
            // One permit is always taken, so the limit does not start again.
            let _one = limit.acquire(Class::Checkout);
        }
        let one = limit.acquire(Class::Checkout).unwrap();
        assert!(all_permits().len() >= LEAST - 1);
        drop(one);
        tokio::time::advance(FORGET_AFTER * 2).await;
        assert_eq!(all_permits().len(), START);
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_that_is_answered_late_once_does_not_lower_the_limit() {
        let limit = Arc::new(ConcurrencyLimit::default());
        let first: Vec<_> = (0..START / 2).map(|_| limit.acquire(Class::Browse).unwrap()).collect();
        tokio::time::advance(Duration::from_millis(200)).await;
        first.into_iter().for_each(|permit| permit.release(true));
        let second: Vec<_> = std::iter::from_fn(|| limit.acquire(Class::Browse)).collect();
        assert_eq!(second.len(), START, "responses were late for less than half a second");
    }

    #[tokio::test(start_paused = true)]
    async fn a_class_without_permits_leaves_the_other_classes_their_permits() {
        let limit = Arc::new(ConcurrencyLimit::default());
        let all: Vec<_> = std::iter::from_fn(|| limit.acquire(Class::Browse)).collect();
        assert!(limit.acquire(Class::Browse).is_none() && limit.acquire(Class::Checkout).is_some());
        drop(all);
        assert!(limit.acquire(Class::Browse).is_some(), "a dropped permit is free again");
    }
}
