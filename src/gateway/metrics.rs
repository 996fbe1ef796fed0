//! The metrics that are read when `/metrics` is requested: instances, breakers, pending events,
//! memory.

use super::{
    filters::{
        admission::concurrency_limit::ConcurrencyLimit, cache::store::ResponseCache, in_flight::RequestsInFlight,
        rate_limit::policy::Class,
    },
    state::Gateway,
};
use crate::{
    mesh::{BreakerState, ClientPolicyReport, InstanceReport, InstanceState, PoolReport},
    telemetry::metrics::{Labels, Snapshot},
    types::Timestamp,
};

/// Dead letters are counted up to this number.
const MOST_DEAD_LETTERS: usize = 10_000;

/// The current values of all gauges. Names and units follow the conventions of Prometheus.
pub fn snapshot(
    gateway: &Gateway,
    in_flight: &RequestsInFlight,
    concurrency: &ConcurrencyLimit,
    cache: &ResponseCache,
) -> Snapshot {
    let mut now = Snapshot::new();
    let build = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    now.gauges("galleria_build_info", "The version of the program; the value is always 1", [(build, 1.0)]);
    now.gauge("galleria_http_requests_in_flight", "Requests in the gateway", in_flight.count() as f64);
    admission(concurrency, &mut now);
    memory(gateway, cache, &mut now);
    instances(&gateway.mesh.pools().iter().map(|pool| pool.report()).collect::<Vec<_>>(), &mut now);
    breakers(&gateway.mesh.client_policies(), &mut now);
    events(gateway, &mut now);
    storage(gateway, &mut now);
    process(&mut now);
    now
}

fn admission(concurrency: &ConcurrencyLimit, now: &mut Snapshot) {
    let loads = || Class::ALL.into_iter().filter_map(|class| Some((class, concurrency.load(class)?)));
    let of = |class: Class| vec![("class", class.name().to_owned())];
    let taken = loads().map(|(class, (taken, _))| (of(class), taken as f64));
    now.gauges("galleria_concurrency_permits_taken", "Admitted requests, by the class of their route", taken);
    let limits = loads().map(|(class, (_, limit))| (of(class), limit as f64));
    let help = "The most requests that are admitted at one time, derived from measured response times";
    now.gauges("galleria_concurrency_limit", help, limits);
}

fn memory(gateway: &Gateway, cache: &ResponseCache, now: &mut Snapshot) {
    let (entries, bytes) = cache.size();
    now.gauge("galleria_cache_entries", "Responses in the response cache", entries as f64);
    now.gauge("galleria_cache_bytes", "Memory of the response cache in bytes", bytes as f64);
    let traced = gateway.mesh.tracer().ring().map_or(0, |ring| ring.bytes());
    now.gauge("galleria_traces_bytes", "Memory of the stored spans in bytes", traced as f64);
}

fn instances(pools: &[PoolReport], now: &mut Snapshot) {
    let each = |value: fn(&InstanceReport) -> f64| -> Vec<(Labels, f64)> {
        let all = pools.iter().flat_map(|pool| pool.instances.iter().map(move |instance| (pool.service, instance)));
        let labels = |service, instance: &InstanceReport| {
            vec![("service", format!("{service}")), ("instance", instance.name.to_string())]
        };
        all.map(|(service, instance)| (labels(service, instance), value(instance))).collect()
    };
    let ready = |it: &InstanceReport| f64::from(it.state == InstanceState::Ready);
    now.gauges("galleria_instance_ready", "1 if the instance takes calls, else 0", each(ready));
    now.gauges(
        "galleria_instance_in_flight",
        "Calls that the instance handles or has in its mailbox",
        each(|it| it.in_flight as f64),
    );
    now.gauges("galleria_instance_mailbox", "Calls in the mailbox of the instance", each(|it| it.mailbox as f64));
    now.gauges(
        "galleria_instance_capacity",
        "The most calls that the instance accepts at one time",
        each(|it| it.capacity as f64),
    );
    now.gauges("galleria_instance_waiting", "Long polls that the instance holds", each(|it| it.waiting as f64));
    let latency = each(|it| it.latency_ms / 1000.0);
    now.gauges(
        "galleria_instance_latency_seconds",
        "Moving average of the latency in seconds, used by the load balancer",
        latency,
    );
    now.counters("galleria_instance_restarts", "How often the instance was replaced", each(|it| it.restarts.into()));
    now.counters("galleria_instance_ejections", "How often the instance was ejected", each(|it| it.ejections.into()));
}

fn breakers(policies: &[ClientPolicyReport], now: &mut Snapshot) {
    let each = |value: fn(&ClientPolicyReport) -> f64| -> Vec<(Labels, f64)> {
        let labels =
            |it: &ClientPolicyReport| vec![("caller", it.caller.to_string()), ("service", it.service.to_string())];
        policies.iter().map(|policy| (labels(policy), value(policy))).collect()
    };
    let state = |it: &ClientPolicyReport| match it.state {
        BreakerState::Closed => 0.0,
        BreakerState::HalfOpen => 1.0,
        BreakerState::Open => 2.0,
    };
    now.gauges("galleria_breaker_state", "State of the circuit breaker: 0 closed, 1 half open, 2 open", each(state));
    now.counters("galleria_breaker_opened", "How often the circuit breaker has opened", each(|it| it.opened as f64));
    now.counters(
        "galleria_breaker_refused",
        "Calls that the circuit breaker has rejected",
        each(|it| it.refused as f64),
    );
    let recent = each(|it| it.retries.into());
    now.gauges("galleria_retries_recent", "Retries in the last ten seconds: at most a fifth of the calls", recent);
    now.gauges("galleria_calls_recent", "Calls in the last ten seconds", each(|it| it.calls.into()));
}

fn events(gateway: &Gateway, now: &mut Snapshot) {
    // If the data folder cannot be read, the count is 0; `galleria_storage_healthy` reports the
    // failure.
    let pending = gateway.mesh.pending_events(Timestamp::MAX).unwrap_or_default();
    let time = gateway.env.now();
    let oldest = pending.iter().map(|entry| crate::env::since(time, entry.event.at)).max().unwrap_or_default();
    now.gauge("galleria_outbox_records", "Records with pending events", pending.len() as f64);
    now.gauge("galleria_outbox_lag_seconds", "Age of the oldest pending event in seconds", oldest.as_secs_f64());
    let dead = gateway.mesh.dead_letters(None, MOST_DEAD_LETTERS).map_or(0, |found| found.len());
    now.gauge("galleria_dead_letters", "Dead letters: events that could not be delivered", dead as f64);
}

fn storage(gateway: &Gateway, now: &mut Snapshot) {
    let report = (gateway.storage_report)();
    let is_healthy = f64::from((gateway.storage_is_healthy)());
    now.gauge("galleria_storage_healthy", "1 if the disk accepts writes, else 0", is_healthy);
    now.gauge("galleria_storage_bytes", "Size of the log in the data folder in bytes", report.bytes_on_disk as f64);
    now.counter("galleria_commit_flushes", "Flushes to disk", report.flushes as f64);
    now.counter(
        "galleria_commit_waiters",
        "Commits that waited for a flush; several commits share one flush",
        report.waiters as f64,
    );
    now.counter(
        "galleria_commit_flush_seconds",
        "Total time of all flushes in seconds",
        report.flush_time.as_secs_f64(),
    );
}

/// The resources that the process uses, under the standard names of Prometheus client libraries.
#[cfg(target_os = "linux")]
fn process(now: &mut Snapshot) {
    let Ok(process) = procfs::process::Process::myself() else { return };
    if let Ok(stat) = process.stat() {
        let ticks = procfs::ticks_per_second() as f64;
        let cpu = (stat.utime + stat.stime) as f64 / ticks;
        now.counter("process_cpu_seconds", "CPU time of the process in seconds", cpu);
        now.gauge("process_resident_memory_bytes", "Resident memory in bytes", (stat.rss * procfs::page_size()) as f64);
        now.gauge("process_virtual_memory_bytes", "Virtual memory in bytes", stat.vsize as f64);
        now.gauge("process_threads", "Threads of the process", stat.num_threads as f64);
        if let Ok(booted) = procfs::boot_time_secs() {
            let started = booted as f64 + stat.starttime as f64 / ticks;
            now.gauge("process_start_time_seconds", "Start time of the process in seconds since 1970", started);
        }
    }
    if let Ok(open) = process.fd_count() {
        now.gauge("process_open_fds", "Open file descriptors: files and connections", open as f64);
    }
    if let Ok(limits) = process.limits()
        && let procfs::process::LimitValue::Value(most) = limits.max_open_files.soft_limit
    {
        now.gauge("process_max_fds", "The most open file descriptors that the system allows", most as f64);
    }
}

#[cfg(not(target_os = "linux"))]
fn process(_: &mut Snapshot) {}
