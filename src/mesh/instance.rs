//! One running actor of a service, and what is known of it.

use super::{
    Handlers, Kind,
    latency::PeakEwma,
    outlier::{Health, OutlierSettings},
    permit::Permit,
};
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use utoipa::ToSchema;

pub(super) struct Instance {
    /// Such as `products-2`. A replacement takes over the name of the one that died.
    pub name: Arc<str>,
    pub handlers: Handlers,
    /// The node that it lives on; `None` for one that somebody else has started.
    pub node: Option<usize>,
    pub in_flight: Arc<AtomicUsize>,
    /// Those of them that no handler has had yet.
    mailbox: Arc<AtomicUsize>,
    /// The long polls, which are not counted among those.
    waiting: Arc<AtomicUsize>,
    capacity: AtomicUsize,
    weight: AtomicU64,
    is_dead: AtomicBool,
    is_draining: AtomicBool,
    is_ejected: AtomicBool,
    pub latency: PeakEwma,
    health: Mutex<Health>,
    /// Since when it takes calls; `None` for one that was there from the beginning, and has nobody to catch up with.
    warming_since: Mutex<Option<Instant>>,
    /// Looked at before that, for nearly always nobody is.
    is_warming: AtomicBool,
    /// How often this name has been started anew.
    pub restarts: u32,
    /// Wakes those who would wait for it in vain.
    died: Notify,
}

/// Long polls that an instance takes at a time. They cost a little memory and nobody's time.
const MOST_WAITING: usize = 4096;

/// What can be set for one instance, by its name: a canary gets a small weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InstanceSettings {
    /// Its share of the calls where calls are spread by weight, beside the others' weights.
    pub weight: u64,
    /// Calls that it takes at a time; a further one goes to a sibling, or is refused after a few looks.
    pub capacity: usize,
    /// Whether it takes no new calls.
    pub draining: bool,
}

impl Default for InstanceSettings {
    fn default() -> Self {
        Self { weight: 100, capacity: 256, draining: false }
    }
}

impl InstanceSettings {
    /// `Err` begins with the field that makes no sense.
    pub fn checked(self) -> Result<Self, String> {
        match self {
            Self { weight: 10_001.., .. } => Err("weight is from 0 to 10,000".into()),
            Self { capacity: 0 | 100_001.., .. } => Err("capacity is from 1 to 100,000".into()),
            settings => Ok(settings),
        }
    }
}

/// What an instance is doing. One that is being started is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstanceState)]
pub enum State {
    Ready,
    /// Takes no new calls; is finishing what it has.
    Draining,
    /// Too many of its calls failed: it takes no calls for a while.
    Ejected,
    Dead,
}

impl Instance {
    pub fn new(
        name: Arc<str>,
        handlers: Handlers,
        node: Option<usize>,
        settings: InstanceSettings,
        restarts: u32,
    ) -> Self {
        let instance = Self {
            name,
            handlers,
            node,
            in_flight: Arc::default(),
            mailbox: Arc::default(),
            waiting: Arc::default(),
            capacity: AtomicUsize::default(),
            weight: AtomicU64::default(),
            is_dead: AtomicBool::default(),
            is_draining: AtomicBool::default(),
            is_ejected: AtomicBool::default(),
            latency: PeakEwma::new(Instant::now()),
            health: Mutex::default(),
            warming_since: Mutex::default(),
            is_warming: AtomicBool::default(),
            restarts,
            died: Notify::new(),
        };
        instance.set(settings);
        instance
    }

    pub fn set(&self, InstanceSettings { weight, capacity, draining }: InstanceSettings) {
        self.weight.store(weight, Ordering::Relaxed);
        self.capacity.store(capacity, Ordering::Relaxed);
        self.is_draining.store(draining, Ordering::Release);
    }

    pub fn weight(&self) -> u64 {
        self.weight.load(Ordering::Relaxed)
    }

    pub fn state(&self) -> State {
        let is = |flag: &AtomicBool| flag.load(Ordering::Acquire);
        match () {
            () if is(&self.is_dead) => State::Dead,
            () if is(&self.is_draining) => State::Draining,
            () if is(&self.is_ejected) => State::Ejected,
            () => State::Ready,
        }
    }

    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    pub fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) == 0 && self.waiting.load(Ordering::Acquire) == 0
    }

    pub fn die(&self) {
        self.is_dead.store(true, Ordering::Release);
        self.died.notify_waiters();
    }

    /// Returns when somebody has found it dead.
    pub async fn death(&self) {
        let mut told = pin!(self.died.notified());
        // In line before the look, so that no death falls in between.
        told.as_mut().enable();
        if self.state() != State::Dead {
            told.await;
        }
    }

    /// A place among the calls of that kind that it takes at a time, if there is one.
    pub fn admit(&self, kind: Kind) -> Option<Permit> {
        match kind {
            Kind::LongPoll => Permit::admit(&self.waiting, MOST_WAITING, &self.mailbox),
            Kind::Query | Kind::Command | Kind::Keyed => {
                Permit::admit(&self.in_flight, self.capacity.load(Ordering::Relaxed), &self.mailbox)
            }
        }
    }

    /// Learns from a call. Whether it should be ejected, if its pool can do without it.
    pub fn learn(&self, took: Duration, has_failed: bool, settings: &OutlierSettings) -> bool {
        self.latency.record(took, has_failed, Instant::now());
        let mut health = self.health();
        if has_failed {
            return health.failed(settings);
        }
        health.succeeded();
        false
    }

    pub fn eject(&self, settings: &OutlierSettings) {
        self.health().eject(settings, Instant::now());
        self.is_ejected.store(true, Ordering::Release);
    }

    /// Back from its ejection, if its time is over.
    pub fn come_back_when_due(&self) {
        let now = Instant::now();
        if self.health().is_due(now) {
            self.come_back();
        }
    }

    pub fn come_back(&self) {
        let now = Instant::now();
        self.health().come_back(now);
        if self.is_ejected.swap(false, Ordering::AcqRel) {
            self.warm_up();
        }
    }

    /// From now on its share of the calls grows little by little.
    pub fn warm_up(&self) {
        *lock(&self.warming_since) = Some(Instant::now());
        self.is_warming.store(true, Ordering::Release);
    }

    /// The share of the calls it would otherwise get that it is to have now, of a hundred: it has nothing in its caches yet, and
    /// nobody knows how it does. From 10 to 100 over `within` (Envoy's slow start).
    pub fn warmth(&self, within: Duration) -> u64 {
        if !self.is_warming.load(Ordering::Acquire) {
            return 100;
        }
        let passed = lock(&self.warming_since).map_or(within, |since| since.elapsed());
        if passed >= within {
            self.is_warming.store(false, Ordering::Release);
            return 100;
        }
        (passed.as_millis() * 100 / within.as_millis().max(1)).clamp(10, 100) as u64
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        lock(&self.health)
    }

    pub fn report(&self, warm_up: Duration) -> InstanceReport {
        let now = Instant::now();
        let health = *self.health();
        InstanceReport {
            name: self.name.clone(),
            state: self.state(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            mailbox: self.mailbox.load(Ordering::Relaxed),
            capacity: self.capacity.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
            weight: self.weight(),
            warmth_percent: self.warmth(warm_up),
            latency_ms: (self.latency.seconds(now) * 1e6).round() / 1e3,
            failures_in_a_row: health.failures,
            ejections: health.ejections,
            ejected_for_ms: health.ejected_until.map(|until| until.saturating_duration_since(now).as_millis() as u64),
            restarts: self.restarts,
        }
    }
}

/// An instance as the Lab and `/api/v1/gateway/services` show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InstanceReport {
    #[schema(value_type = String, example = "products-1")]
    pub name: Arc<str>,
    pub state: State,
    pub in_flight: usize,
    /// Those of them that no handler has had yet.
    pub mailbox: usize,
    pub capacity: usize,
    /// Long polls.
    pub waiting: usize,
    pub weight: u64,
    /// Its share of the calls it would otherwise get.
    pub warmth_percent: u64,
    /// The moving average that balancing goes by.
    pub latency_ms: f64,
    pub failures_in_a_row: u32,
    pub ejections: u32,
    /// How long it stays out; `null` for one that is not ejected.
    pub ejected_for_ms: Option<u64>,
    pub restarts: u32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_makes_no_sense_is_refused_in_words(weight in 0u64..20_000, capacity in 0usize..200_000) {
            let checked = InstanceSettings { weight, capacity, draining: false }.checked();
            prop_assert_eq!(checked.is_ok(), weight <= 10_000 && (1..=100_000).contains(&capacity));
        }
    }
}
