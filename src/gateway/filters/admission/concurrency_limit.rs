//! How many requests of a class are worked on at a time: as many as are answered in time, and no more.
//!
//! A shop that takes in more than it can do answers all of them late. How many it can do depends on the machine, the disk and the
//! request, so no number can be set beforehand that is right: one that suits a page from memory lets orders queue for seconds.
//! So the door watches how long answers take, and goes by that, as TCP goes by lost packets (additive increase, multiplicative
//! decrease): answers late → fewer at a time, the rest is told to come again; all in time and every place taken → more.
//!
//! A slow link looks like too much work. Therefore some are let in however long it takes ([`LEAST`]).

use super::Class;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The places of each class: many who browse leave room for those who pay.
pub struct Places([Mutex<Room>; Class::COUNTED]);

/// What is begun with: hundreds who come in one moment are let in.
const START: usize = 512;
/// A commit to disk serves all who wait for it: with fewer at a time the shop would do less, not the same sooner.
const LEAST: usize = 32;
const MOST: usize = 1024;
/// So many answers are looked at before the number is changed.
const SAMPLE: u32 = 32;
/// One in so many may be late.
const ONE_IN: u32 = 10;
/// Answers that are late for less than that are a crowd that came in one moment, and is soon served; not too much work (as CoDel has
/// it for packets).
const PATIENCE: Duration = Duration::from_millis(500);
/// What was learnt from a crowd is forgotten when nobody has been there for so long.
const FORGET_AFTER: Duration = Duration::from_secs(1);

struct Room {
    /// `None`: their number stays as it is.
    within: Option<Duration>,
    taken: usize,
    limit: usize,
    /// Since the limit was last looked at.
    since: Instant,
    most_taken: usize,
    answered: u32,
    late: u32,
    /// Since when too many are late.
    late_since: Option<Instant>,
}

/// One of them, until this is dropped.
pub struct Place {
    places: Arc<Places>,
    class: Class,
    taken_at: Instant,
}

impl Default for Places {
    fn default() -> Self {
        Self(Class::ALL.map(|class| Mutex::new(Room::new(class.answered_within()))))
    }
}

impl Places {
    /// `None` where all are taken.
    pub fn take(self: &Arc<Self>, class: Class) -> Option<Place> {
        let now = Instant::now();
        self.room(class)?.enter(now).then(|| Place { places: self.clone(), class, taken_at: now })
    }

    /// How many are taken, and how many there are.
    pub fn load(&self, class: Class) -> Option<(usize, usize)> {
        let room = self.room(class)?;
        Some((room.taken, room.limit))
    }

    pub fn within(&self, class: Class) -> Option<Duration> {
        self.room(class)?.within
    }

    /// Answers that take longer are late from now on; `None`: how long they take is not looked at.
    pub fn set_within(&self, class: Class, within: Option<Duration>) {
        if let Some(mut room) = self.room(class)
            && room.within != within
        {
            // Those who are in stay in.
            *room = Room { taken: room.taken, ..Room::new(within) };
        }
    }

    fn room(&self, class: Class) -> Option<MutexGuard<'_, Room>> {
        Some(self.0.get(class as usize)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Place {
    /// The request was answered; or it failed for want of room further in, which is as good as late.
    pub fn answered(self, in_time: bool) {
        if let Some(mut room) = self.places.room(self.class) {
            room.learn(self.taken_at, Instant::now(), in_time);
        }
    }
}

/// Of a client that hung up nothing is learnt.
impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut room) = self.places.room(self.class) {
            room.taken -= 1;
        }
    }
}

impl Room {
    fn new(within: Option<Duration>) -> Self {
        let limit = if within.is_some() { START } else { MOST };
        Self { within, taken: 0, limit, since: Instant::now(), most_taken: 0, answered: 0, late: 0, late_since: None }
    }

    fn enter(&mut self, now: Instant) -> bool {
        if self.taken == 0 && now - self.since > FORGET_AFTER {
            self.look_anew(self.limit.max(START), now);
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
        // Who came in under another limit says nothing about this one.
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
        self.look_anew(limit, now);
    }

    fn look_anew(&mut self, limit: usize, now: Instant) {
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
    async fn under(load: f64, places: Arc<Places>) -> Seen {
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
                    let Some(place) = places.take(Class::Browse) else {
                        refused += usize::from(is_seen);
                        continue;
                    };
                    let (workers, took) = (workers.clone(), took.clone());
                    let work = Duration::from_micros(4000 + (random >> 40) % 8000);
                    tokio::task::spawn_local(async move {
                        let came = Instant::now();
                        let _worker = workers.acquire().await;
                        tokio::time::sleep(work).await;
                        place.answered(true);
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

    fn fixed(limit: usize) -> Arc<Places> {
        Arc::new(Places(Class::ALL.map(|_| Mutex::new(Room { limit, ..Room::new(None) }))))
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
        let patient = Arc::<Places>::default();
        patient.set_within(Class::Browse, Some(Duration::from_secs(60)));
        let (strict, patient) = (under(3.0, Arc::default()).await, under(3.0, patient).await);
        assert!(patient.p99 > strict.p99 * 5, "{:?} against {:?}", patient.p99, strict.p99);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_let_in_again_after_a_while_and_a_slow_link_shuts_nobody_out() {
        let places = Arc::new(Places::default());
        let crowd = || std::iter::from_fn(|| places.take(Class::Checkout)).collect::<Vec<_>>();
        assert_eq!(crowd().len(), START);
        for _ in 0..100 {
            let all = crowd();
            tokio::time::advance(Duration::from_secs(5)).await;
            all.into_iter().for_each(|place| place.answered(true));
            // Somebody always comes: nothing is forgotten.
            let _one = places.take(Class::Checkout);
        }
        let one = places.take(Class::Checkout).unwrap();
        assert!(crowd().len() >= LEAST - 1);
        drop(one);
        tokio::time::advance(FORGET_AFTER * 2).await;
        assert_eq!(crowd().len(), START);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_that_comes_in_one_moment_is_let_in_however_late_it_is_answered() {
        let places = Arc::new(Places::default());
        let first: Vec<_> = (0..START / 2).map(|_| places.take(Class::Browse).unwrap()).collect();
        tokio::time::advance(Duration::from_millis(200)).await;
        first.into_iter().for_each(|place| place.answered(true));
        let second: Vec<_> = std::iter::from_fn(|| places.take(Class::Browse)).collect();
        assert_eq!(second.len(), START, "it was late for less than half a second");
    }

    #[tokio::test(start_paused = true)]
    async fn one_class_that_is_full_leaves_the_others_their_places() {
        let places = Arc::new(Places::default());
        let all: Vec<_> = std::iter::from_fn(|| places.take(Class::Browse)).collect();
        assert!(places.take(Class::Browse).is_none() && places.take(Class::Checkout).is_some());
        drop(all);
        assert!(places.take(Class::Browse).is_some(), "who hangs up makes room");
    }
}
