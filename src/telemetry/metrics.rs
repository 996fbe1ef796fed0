//! Counters and histograms, in the names and units of Prometheus' conventions, and in its text.
//!
//! What happens is counted when its span ends ([`Metrics::see`]); what is so at this moment (instances, breakers, memory) is looked
//! up when somebody asks, and comes as a [`Snapshot`]. Labels have few values: templates of routes and names of the house, nothing that
//! a client can make up.

use super::{Span, SpanKind};
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

pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    request_time: Times<RouteLabels>,
    cached: Family<CacheLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    retries: Family<EdgeLabels, Counter>,
    call_time: Times<AskedLabels>,
    queue_time: Times<ServiceLabels>,
    commit_time: Times<TreeLabels>,
    deliveries: Family<DeliveryLabels, Counter>,
    steps: Family<StepLabels, Counter>,
    sagas: Family<SagaLabels, Counter>,
    saga_time: Times<PlanLabels>,
}

/// From ten microseconds to half a minute: a call inside the process, and an order that waits for its bank.
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
    EdgeLabels { caller: &'static str, service: &'static str }
    AskedLabels { service: &'static str, request: &'static str }
    ServiceLabels { service: &'static str }
    TreeLabels { tree: &'static str }
    DeliveryLabels { event: String, subscriber: &'static str, outcome: &'static str }
    StepLabels { action: String, outcome: &'static str }
    SagaLabels { plan: &'static str, outcome: &'static str }
    PlanLabels { plan: &'static str }
}

impl Metrics {
    #[rustfmt::skip]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("galleria");
        let r = &mut registry;
        Self {
            requests:     counted(r, "http_requests", "Requests answered at the door"),
            refusals:     counted(r, "http_refusals", "Requests answered with a problem, by its code"),
            request_time: timed(r, "http_request_duration", "From a request's head to its answer"),
            cached:       counted(r, "cache_requests", "What the response cache made of requests that it may answer"),
            calls:        counted(r, "mesh_calls", "Calls of the mesh, each attempt by itself"),
            retries:      counted(r, "mesh_retries", "Attempts after the first"),
            call_time:    timed(r, "mesh_call_duration", "How long attempts took, as the caller sees it"),
            queue_time:   timed(r, "mesh_queue_duration", "How long requests lay in their instance's mailbox"),
            commit_time:  timed(r, "commit_wait_duration", "How long a handler waited until what it wrote was on disk"),
            deliveries:   counted(r, "event_deliveries", "Events handed to a subscriber, each attempt by itself"),
            steps:        counted(r, "saga_steps", "Steps of sagas, each attempt by itself"),
            sagas:        counted(r, "sagas", "Sagas that are over"),
            saga_time:    timed(r, "saga_duration", "From a saga's beginning to its end"),
            registry,
        }
    }

    /// Counts what has just ended.
    pub(super) fn see(&self, span: &Span) {
        let took = span.took.as_secs_f64();
        let outcome = span.outcome.kind;
        match &span.what {
            SpanKind::Request { method, route, status, cache, .. } => {
                self.requests.get_or_create(&RequestLabels { method, route, status: *status }).inc();
                self.request_time.get_or_create(&RouteLabels { method, route }).observe(took);
                if let Some(result) = cache.as_deref().and_then(cache_result) {
                    self.cached.get_or_create(&CacheLabels { route, result }).inc();
                }
                if let Some(code) = span.outcome.words.as_deref() {
                    self.refusals.get_or_create(&RefusalLabels { route, code: code.to_owned() }).inc();
                }
            }
            SpanKind::Call { caller, service, request, attempt, queued, .. } => {
                let service = service.name();
                self.calls.get_or_create(&CallLabels { caller, service, request, outcome }).inc();
                self.call_time.get_or_create(&AskedLabels { service, request }).observe(took);
                if *attempt > 1 {
                    self.retries.get_or_create(&EdgeLabels { caller, service }).inc();
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

    /// A saga is over.
    pub(super) fn see_saga(&self, plan: &'static str, outcome: &'static str, took: Duration) {
        self.sagas.get_or_create(&SagaLabels { plan, outcome }).inc();
        self.saga_time.get_or_create(&PlanLabels { plan }).observe(took.as_secs_f64());
    }

    /// All of it, with what is so at this moment, in Prometheus' text format (version 0.0.4).
    ///
    /// That is OpenMetrics' but for its last line and its units, and that a counter is called as its samples are.
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

/// What Prometheus' crate asks of a set of labels.
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

/// What `Cache-Status` (RFC 9211) comes to.
fn cache_result(status: &str) -> Option<&'static str> {
    let says = |word| status.split(';').any(|part| part.trim() == word);
    match () {
        () if says("fwd=stale") || status.contains("stale") => Some("stale"),
        () if says("hit") => Some("hit"),
        () if says("collapsed") => Some("collapsed"),
        () if status.contains("fwd=") => Some("miss"),
        () => None,
    }
}

/// What is so at the moment of asking.
pub struct Snapshot(Registry);

/// Names and values of labels.
pub type Labels = Vec<(&'static str, String)>;

impl Snapshot {
    pub fn new() -> Self {
        Self(Registry::default())
    }

    /// Values that go up and down.
    pub fn gauges(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, f64)>) {
        self.0.register(name, help, Rows::gauges(rows));
    }

    /// Values that only grow; the name is without `_total`.
    pub fn counters(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, f64)>) {
        self.0.register(name, help, Rows::counters(rows));
    }

    /// One of the process.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.0.register(name, help, ConstGauge::new(value));
    }

    pub fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.counters(name, help, [(Labels::new(), value)]);
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::new()
    }
}

/// A family whose values are known already.
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

/// What the storage tells of itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct StorageReport {
    /// Flushes to disk, those who waited for them, and how long they took in all.
    pub flushes: u64,
    pub waiters: u64,
    pub flush_time: Duration,
    pub bytes_on_disk: u64,
}
