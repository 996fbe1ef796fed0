//! Counters and histograms with names and units by Prometheus' conventions, in its text format.
//!
//! Events are counted when their span ends. The present state (instances, breakers, memory) is read
//! at each scrape and comes as a [`Snapshot`]. Labels have few values: templates of routes and
//! names from the program, never text that a client chooses.

use super::{
    cache_status::CacheStatus,
    span::{Span, SpanKind},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet, text},
    metrics::{
        MetricType,
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::ConstGauge,
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};
use std::{
    fmt::{Debug, Write},
    hash::Hash,
    time::Duration,
};

/// The counters and histograms of the running shop.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    request_time: Times<RouteLabels>,
    cached: Family<CacheLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    retries: Family<ClientLabels, Counter>,
    call_time: Times<HandlerLabels>,
    queue_time: Times<ServiceLabels>,
    commit_time: Times<TreeLabels>,
    deliveries: Family<DeliveryLabels, Counter>,
    steps: Family<StepLabels, Counter>,
    sagas: Family<SagaLabels, Counter>,
    saga_time: Times<PlanLabels>,
}

/// Upper bounds in seconds: from a call inside the process to an order that waits for its bank.
const BUCKETS: [f64; 20] = [
    1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0,
];

type Times<L> = Family<L, Histogram, Buckets>;

#[derive(Clone)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

macro_rules! labels {
    ($($name:ident { $($label:ident: $kind:ty),* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($label: $kind),* }
    )*};
}

labels! {
    RequestLabels { method: &'static str, route: &'static str, status: u16 }
    RefusalLabels { route: &'static str, code: String }
    RouteLabels { method: &'static str, route: &'static str }
    CacheLabels { route: &'static str, result: &'static str }
    CallLabels { caller: &'static str, service: &'static str, request: &'static str, outcome: &'static str }
    ClientLabels { caller: &'static str, service: &'static str }
    HandlerLabels { service: &'static str, request: &'static str }
    ServiceLabels { service: &'static str }
    TreeLabels { tree: &'static str }
    DeliveryLabels { event: String, subscriber: &'static str, outcome: &'static str }
    StepLabels { action: String, outcome: &'static str }
    SagaLabels { plan: &'static str, outcome: &'static str }
    PlanLabels { plan: &'static str }
}

impl Metrics {
    /// All counters at zero.
    #[rustfmt::skip]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("galleria");
        let r = &mut registry;
        Self {
            requests:     counted(r, "http_requests", "Requests answered by the gateway"),
            refusals:     counted(r, "http_refusals", "Requests answered with a problem, by its code"),
            request_time: timed(r, "http_request_duration", "From a request's head to its answer"),
            cached:       counted(r, "cache_requests", "Requests that the response cache may answer, by its result"),
            calls:        counted(r, "mesh_calls", "Calls of the mesh, each attempt by itself"),
            retries:      counted(r, "mesh_retries", "Attempts after the first"),
            call_time:    timed(r, "mesh_call_duration", "How long attempts took, as the caller sees it"),
            queue_time:   timed(r, "mesh_queue_duration", "How long requests were in their instance's mailbox"),
            commit_time:  timed(r, "commit_wait_duration", "How long a handler waited until its write was on disk"),
            deliveries:   counted(r, "event_deliveries", "Deliveries of events to a subscriber, each attempt by itself"),
            steps:        counted(r, "saga_steps", "Steps of sagas, each attempt by itself"),
            sagas:        counted(r, "sagas", "Sagas that have ended"),
            saga_time:    timed(r, "saga_duration", "From a saga's beginning to its end"),
            registry,
        }
    }

    /// Counts a span that has ended.
    pub(super) fn record_span(&self, span: &Span) {
        let took = span.took.as_secs_f64();
        let outcome = span.outcome.kind;
        match &span.what {
            SpanKind::Request { method, route, status, cache, .. } => {
                self.requests.get_or_create(&RequestLabels { method, route, status: *status }).inc();
                self.request_time.get_or_create(&RouteLabels { method, route }).observe(took);
                if let Some(result) = cache.map(CacheStatus::label) {
                    self.cached.get_or_create(&CacheLabels { route, result }).inc();
                }
                if let Some(code) = span.outcome.message.as_deref() {
                    self.refusals.get_or_create(&RefusalLabels { route, code: code.to_owned() }).inc();
                }
            }
            SpanKind::Call { caller, service, request, attempt, queued, .. } => {
                let service = service.name();
                self.calls.get_or_create(&CallLabels { caller, service, request, outcome }).inc();
                self.call_time.get_or_create(&HandlerLabels { service, request }).observe(took);
                if *attempt > 1 {
                    self.retries.get_or_create(&ClientLabels { caller, service }).inc();
                }
                if let Some(queued) = queued {
                    self.queue_time.get_or_create(&ServiceLabels { service }).observe(queued.as_secs_f64());
                }
            }
            SpanKind::Commit { tree } => self.commit_time.get_or_create(&TreeLabels { tree }).observe(took),
            SpanKind::Delivery { event, subscriber, .. } => {
                let labels = DeliveryLabels { event: event.to_string(), subscriber: subscriber.name(), outcome };
                self.deliveries.get_or_create(&labels).inc();
            }
            SpanKind::Step { action, .. } => {
                self.steps.get_or_create(&StepLabels { action: action.to_string(), outcome }).inc();
            }
        }
    }

    /// Counts a saga that has ended.
    pub(super) fn record_saga(&self, plan: &'static str, outcome: &'static str, took: Duration) {
        self.sagas.get_or_create(&SagaLabels { plan, outcome }).inc();
        self.saga_time.get_or_create(&PlanLabels { plan }).observe(took.as_secs_f64());
    }

    /// All metrics and the snapshot in Prometheus' text format (version 0.0.4).
    ///
    /// It differs from OpenMetrics: it has no last line and no units, and a counter has the name of
    /// its samples.
    pub fn text(&self, now: &Snapshot) -> String {
        let mut open = String::new();
        // Writing to a string does not fail.
        let _ = text::encode_registry(&mut open, &self.registry);
        let _ = text::encode_registry(&mut open, &now.0);
        let mut out = String::with_capacity(open.len());
        let mut help = "";
        for line in open.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["#", "UNIT", ..] => {}
                ["#", "HELP", _, ..] => help = line.splitn(4, ' ').nth(3).unwrap_or_default(),
                ["#", "TYPE", name, kind] => {
                    let suffix = if kind == "counter" { "_total" } else { "" };
                    let _ = writeln!(out, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}");
                }
                _ => {
                    let _ = writeln!(out, "{line}");
                }
            }
        }
        out
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// What the `prometheus-client` crate requires of a set of labels.
trait LabelSet: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static {}

impl<L: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static> LabelSet for L {}

fn counted<L: LabelSet>(registry: &mut Registry, name: &str, help: &str) -> Family<L, Counter> {
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

fn timed<L: LabelSet>(registry: &mut Registry, name: &str, help: &str) -> Times<L> {
    let family = Family::new_with_constructor(Buckets);
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}

/// Values at the moment of the scrape: instances, breakers, memory.
pub struct Snapshot(Registry);

/// Names and values of labels.
pub type Labels = Vec<(&'static str, String)>;

impl Snapshot {
    /// An empty snapshot.
    pub fn new() -> Self {
        Self(Registry::default())
    }

    /// Adds values that go up and down.
    pub fn gauges(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, f64)>) {
        self.0.register(name, help, Rows::gauges(rows));
    }

    /// Adds values that only grow; the name is without `_total`.
    pub fn counters(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, f64)>) {
        self.0.register(name, help, Rows::counters(rows));
    }

    /// Adds one value of the process that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.0.register(name, help, ConstGauge::new(value));
    }

    /// Adds one value of the process that only grows.
    pub fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.counters(name, help, [(Labels::new(), value)]);
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::new()
    }
}

/// A family of metrics with known values.
#[derive(Debug)]
struct Rows {
    rows: Vec<(Labels, f64)>,
    is_counter: bool,
}

impl Rows {
    fn gauges(rows: impl IntoIterator<Item = (Labels, f64)>) -> Self {
        Self { rows: rows.into_iter().collect(), is_counter: false }
    }

    fn counters(rows: impl IntoIterator<Item = (Labels, f64)>) -> Self {
        Self { is_counter: true, ..Self::gauges(rows) }
    }
}

impl EncodeMetric for Rows {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), std::fmt::Error> {
        for (labels, value) in &self.rows {
            let mut encoder = encoder.encode_family(labels)?;
            match self.is_counter {
                true => encoder.encode_counter::<NoLabelSet, f64, f64>(value, None)?,
                false => encoder.encode_gauge(value)?,
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        match self.is_counter {
            true => MetricType::Counter,
            false => MetricType::Gauge,
        }
    }
}

/// Counters of the storage since the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct StorageReport {
    /// Flushes to disk.
    pub flushes: u64,
    /// Writes that waited for a flush.
    pub waiters: u64,
    /// The time of all flushes together.
    pub flush_time: Duration,
    /// The size of the data folder.
    pub bytes_on_disk: u64,
}
