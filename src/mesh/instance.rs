//! One running actor of a service, and what its calls have shown about it.

use super::{
    RequestKind,
    handlers::Handlers,
    latency::PeakEwma,
    outlier::Health,
    permit::Permit,
    settings::{InstanceSettings, OutlierSettings},
};
use parking_lot::Mutex;
use serde::Serialize;
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
    /// The node on which it runs; `None` for an actor that the pool did not start.
    pub node: Option<usize>,
    pub in_flight: Arc<AtomicUsize>,
    /// The calls in flight that no handler has started.
    mailbox: Arc<AtomicUsize>,
    /// The long polls. They are not counted as calls in flight.
    waiting: Arc<AtomicUsize>,
    capacity: AtomicUsize,
    weight: AtomicU64,
    is_dead: AtomicBool,
    is_draining: AtomicBool,
    is_ejected: AtomicBool,
    pub latency: PeakEwma,
    health: Mutex<Health>,
    /// When it began to take calls; `None` for an instance that was started with the service.
    warming_since: Mutex<Option<Instant>>,
    /// Read before `warming_since`, because nearly always no instance is warming up.
    is_warming: AtomicBool,
    /// How often an instance of this name has been restarted.
    pub restarts: u32,
    /// Wakes the callers that wait for an answer of the dead instance.
    died: Notify,
}

/// The most long polls of one instance. A long poll costs a little memory and no processor time.
const MOST_WAITING: usize = 4096;

/// The state of an instance. An instance that is being started is not in the pool yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// It takes calls.
    Ready,
    /// It takes no new calls and finishes those that it has.
    Draining,
    /// Too many of its calls failed. It takes no calls for a while.
    Ejected,
    /// Its actor has crashed or does not answer pings.
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

    pub fn state(&self) -> InstanceState {
        let is = |flag: &AtomicBool| flag.load(Ordering::Acquire);
        match () {
            () if is(&self.is_dead) => InstanceState::Dead,
            () if is(&self.is_draining) => InstanceState::Draining,
            () if is(&self.is_ejected) => InstanceState::Ejected,
            () => InstanceState::Ready,
        }
    }

    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    pub fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) == 0 && self.waiting.load(Ordering::Acquire) == 0
    }

    /// Ends its calls: requests in its mailbox go to another instance, and no new call comes.
    pub fn mark_dead(&self) {
        self.is_dead.store(true, Ordering::Release);
        self.died.notify_waiters();
    }

    /// Returns when the instance has been marked as dead.
    pub async fn death(&self) {
        let mut died = pin!(self.died.notified());
        // Subscribe before reading the state, so that no notification between the two is missed.
        died.as_mut().enable();
        if self.state() != InstanceState::Dead {
            died.await;
        }
    }

    /// Takes a slot for a call of that kind; `None` if all are taken.
    pub fn admit(&self, kind: RequestKind) -> Option<Permit> {
        match kind {
            RequestKind::LongPoll => Permit::admit(&self.waiting, MOST_WAITING, &self.mailbox),
            RequestKind::Query | RequestKind::Command | RequestKind::Keyed => {
                Permit::admit(&self.in_flight, self.capacity.load(Ordering::Relaxed), &self.mailbox)
            }
        }
    }

    /// Records a call. Gives whether the instance should be ejected, if its pool can spare it.
    pub fn record_call(&self, took: Duration, has_failed: bool, settings: &OutlierSettings) -> bool {
        self.latency.record(took, has_failed, Instant::now());
        let mut health = self.health.lock();
        if has_failed {
            return health.failed(settings);
        }
        health.succeeded();
        false
    }

    pub fn eject(&self, settings: &OutlierSettings) {
        self.health.lock().eject(settings, Instant::now());
        self.is_ejected.store(true, Ordering::Release);
    }

    /// Ends the ejection if its time is over.
    pub fn readmit_if_due(&self) {
        let now = Instant::now();
        if self.health.lock().is_due(now) {
            self.readmit();
        }
    }

    /// Ends the ejection.
    pub fn readmit(&self) {
        let now = Instant::now();
        self.health.lock().readmit(now);
        if self.is_ejected.swap(false, Ordering::AcqRel) {
            self.warm_up();
        }
    }

    /// Begins a warm-up: from now on the instance's share of the calls grows.
    pub fn warm_up(&self) {
        *self.warming_since.lock() = Some(Instant::now());
        self.is_warming.store(true, Ordering::Release);
    }

    /// The percentage of its usual calls that the instance gets: from 10 to 100, growing over
    /// `within` (Envoy's slow start). A new instance has empty caches and no known latency.
    pub fn warmth(&self, within: Duration) -> u64 {
        if !self.is_warming.load(Ordering::Acquire) {
            return 100;
        }
        let passed = self.warming_since.lock().map_or(within, |since| since.elapsed());
        if passed >= within {
            self.is_warming.store(false, Ordering::Release);
            return 100;
        }
        (passed.as_millis() * 100 / within.as_millis().max(1)).clamp(10, 100) as u64
    }

    pub fn report(&self, warm_up: Duration) -> InstanceReport {
        let now = Instant::now();
        let health = *self.health.lock();
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

/// The state of an instance, as `/api/v1/gateway/services` shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InstanceReport {
    /// The service's name and a number from 1.
    #[schema(value_type = String, example = "products-1")]
    pub name: Arc<str>,
    /// What the instance does with calls.
    pub state: InstanceState,
    /// Calls in flight, without long polls.
    pub in_flight: usize,
    /// Calls in flight that no handler has started.
    pub mailbox: usize,
    /// The most calls in flight.
    pub capacity: usize,
    /// Long polls in flight.
    pub waiting: usize,
    /// Its share of the calls with the strategy `weighted`.
    pub weight: u64,
    /// The percentage of its usual calls that it gets while it warms up.
    pub warmth_percent: u64,
    /// Its latency in milliseconds (Peak EWMA), from which the balancer computes its load.
    pub latency_ms: f64,
    /// Failed calls since the last successful one.
    pub failures_in_a_row: u32,
    /// The number of ejections; it falls while the instance is healthy.
    pub ejections: u32,
    /// Milliseconds until the ejection ends; `null` if the instance is not ejected.
    pub ejected_for_ms: Option<u64>,
    /// How often an instance of this name has been restarted.
    pub restarts: u32,
}
