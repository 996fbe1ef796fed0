//! Bounds the requests of a class that are worked on at one time: to as many as the shop answers in time.
//!
//! A shop that takes in more than it can do answers all requests late. How many it can do depends on the
//! machine, the disk and the request, so no fixed number is right: one that suits a page from memory lets
//! orders queue for seconds. Therefore the limit is learnt from how long responses take, as TCP learns from
//! lost packets (additive increase, multiplicative decrease). If responses are late, the limit falls, and
//! further requests get 503 with `Retry-After`. If all are in time and every permit is taken, it rises.
//! Netflix's concurrency-limits and Envoy's adaptive concurrency filter do the same.
//!
//! A slow network looks like overload. Therefore the limit never falls below [`LEAST`].

use crate::gateway::filters::rate_limit::policy::Class;
use parking_lot::{Mutex, MutexGuard};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// One limit for each class, so that many requests that browse leave room for those that pay.
pub struct ConcurrencyLimit([Mutex<ClassLimit>; Class::COUNTED]);

/// The first limit: hundreds of requests that come in one moment are admitted.
const START: usize = 512;
/// The lowest limit. One commit to disk serves all requests that wait for it: with fewer at one time the shop would do less,
/// not the same sooner.
const LEAST: usize = 32;
const MOST: usize = 1024;
/// Responses that are measured before the limit is changed.
const SAMPLE: u32 = 32;
/// One of so many responses may be late.
const ONE_IN: u32 = 10;
/// Responses that are late for less time than this are a short burst, not overload (as CoDel has it for packets).
const PATIENCE: Duration = Duration::from_millis(500);
/// The limit starts again after so long without a request.
const FORGET_AFTER: Duration = Duration::from_secs(1);

struct ClassLimit {
    /// Responses that take longer are late; `None`: the limit is fixed.
    within: Option<Duration>,
    taken: usize,
    limit: usize,
    /// When the current sample began.
    since: Instant,
    most_taken: usize,
    answered: u32,
    late: u32,
    /// When too many responses began to be late.
    late_since: Option<Instant>,
}

/// The permission to work on one request, until this is dropped.
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
    /// `None` if all permits of the class are taken, or the class is not counted.
    pub fn acquire(self: &Arc<Self>, class: Class) -> Option<Permit> {
        let now = Instant::now();
        self.of(class)?.admit(now).then(|| Permit { limit: self.clone(), class, taken_at: now })
    }

    /// How many permits are taken, and how many there are.
    pub fn load(&self, class: Class) -> Option<(usize, usize)> {
        let limit = self.of(class)?;
        Some((limit.taken, limit.limit))
    }

    pub fn within(&self, class: Class) -> Option<Duration> {
        self.of(class)?.within
    }

    /// Responses that take longer are late from now on; `None` fixes the limit.
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
    /// Ends the request and learns from it. `in_time` is false if a service behind the gateway was overloaded, which counts as late.
    pub fn release(self, in_time: bool) {
        if let Some(mut limit) = self.limit.of(self.class) {
            limit.learn(self.taken_at, Instant::now(), in_time);
        }
    }
}

/// A request whose client disconnected does not change the limit.
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

    /// A made-up shop that does eight things at a time, each in 4 to 12 ms: a thousand a second.
    const AT_ONCE: usize = 8;
    const CAPACITY: f64 = 1000.0;

    struct Seen {
        p99: Duration,
        served: usize,
        refused: usize,
    }

    /// So many times what it can do comes in for eight seconds, at even chances; what is seen of the last five.
    async fn under(load: f64, limit: Arc<ConcurrencyLimit>) -> Seen {
        let (workers, took) = (Rc::new(Semaphore::new(AT_ONCE)), Rc::new(RefCell::new(Vec::new())));
        let (local, begun, mut refused, mut random) = (LocalSet::new(), Instant::now(), 0, 12345_u64);
        let mut due = 0.0;
        local
            .run_until(async {
                while due < 8.0 {
                    random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let even = ((random >> 33) as f64 + 1.0) / f64::from(1_u32 << 31);
                    due -= even.ln() / (CAPACITY * load);
                    tokio::time::sleep_until(begun + Duration::from_secs_f64(due)).await;
                    let is_seen = due > 3.0;
                    let Some(permit) = limit.acquire(Class::Browse) else {
                        refused += usize::from(is_seen);
                        continue;
                    };
                    let (workers, took) = (workers.clone(), took.clone());
                    let work = Duration::from_micros(4000 + (random >> 40) % 8000);
                    tokio::task::spawn_local(async move {
                        let came = Instant::now();
                        let _worker = workers.acquire().await;
                        tokio::time::sleep(work).await;
                        permit.release(true);
                        if is_seen {
                            took.borrow_mut().push(came.elapsed());
                        }
                    });
                }
            })
            .await;
        local.await;
        let mut took = took.take();
        took.sort();
        Seen { p99: took[took.len() * 99 / 100], served: took.len(), refused }
    }

    fn fixed(limit: usize) -> Arc<ConcurrencyLimit> {
        Arc::new(ConcurrencyLimit(Class::ALL.map(|_| Mutex::new(ClassLimit { limit, ..ClassLimit::new(None) }))))
    }

    #[tokio::test(start_paused = true)]
    async fn at_three_times_the_load_that_it_can_serve_those_let_in_are_answered_as_soon_as_ever() {
        let some = under(0.8, Arc::default()).await;
        let (most, three_times) = (under(1.0, Arc::default()).await, under(3.0, Arc::default()).await);
        let control = under(3.0, fixed(2048)).await;
        for (what, seen) in
            [("0.8", &some), ("1.0", &most), ("3.0", &three_times), ("3.0 at a fixed limit of 2048", &control)]
        {
            println!("load {what}: p99 {:?}, {} served, {} refused", seen.p99, seen.served, seen.refused);
        }
        assert_eq!(some.refused, 0, "nobody is sent away while there is room");
        assert!(three_times.p99 < most.p99 * 3 / 2, "{:?} against {:?}", three_times.p99, most.p99);
        assert!(three_times.served * 100 > control.served * 97, "as much is done as can be");
        assert!(control.p99 > three_times.p99 * 10, "what a fixed number does: {:?}", control.p99);
    }

    #[tokio::test(start_paused = true)]
    async fn more_are_let_in_where_an_operator_thinks_that_later_is_soon_enough() {
        let patient = Arc::<ConcurrencyLimit>::default();
        patient.set_within(Class::Browse, Some(Duration::from_secs(60)));
        let (strict, patient) = (under(3.0, Arc::default()).await, under(3.0, patient).await);
        assert!(patient.p99 > strict.p99 * 5, "{:?} against {:?}", patient.p99, strict.p99);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_let_in_again_after_a_while_and_a_slow_link_shuts_nobody_out() {
        let limit = Arc::new(ConcurrencyLimit::default());
        let crowd = || std::iter::from_fn(|| limit.acquire(Class::Checkout)).collect::<Vec<_>>();
        assert_eq!(crowd().len(), START);
        for _ in 0..100 {
            let all = crowd();
            tokio::time::advance(Duration::from_secs(5)).await;
            all.into_iter().for_each(|permit| permit.release(true));
            // Somebody always comes: nothing is forgotten.
            let _one = limit.acquire(Class::Checkout);
        }
        let one = limit.acquire(Class::Checkout).unwrap();
        assert!(crowd().len() >= LEAST - 1);
        drop(one);
        tokio::time::advance(FORGET_AFTER * 2).await;
        assert_eq!(crowd().len(), START);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_that_comes_in_one_moment_is_let_in_however_late_it_is_answered() {
        let limit = Arc::new(ConcurrencyLimit::default());
        let first: Vec<_> = (0..START / 2).map(|_| limit.acquire(Class::Browse).unwrap()).collect();
        tokio::time::advance(Duration::from_millis(200)).await;
        first.into_iter().for_each(|permit| permit.release(true));
        let second: Vec<_> = std::iter::from_fn(|| limit.acquire(Class::Browse)).collect();
        assert_eq!(second.len(), START, "it was late for less than half a second");
    }

    #[tokio::test(start_paused = true)]
    async fn one_class_that_is_full_leaves_the_others_their_places() {
        let limit = Arc::new(ConcurrencyLimit::default());
        let all: Vec<_> = std::iter::from_fn(|| limit.acquire(Class::Browse)).collect();
        assert!(limit.acquire(Class::Browse).is_none() && limit.acquire(Class::Checkout).is_some());
        drop(all);
        assert!(limit.acquire(Class::Browse).is_some(), "who hangs up makes room");
    }
}
