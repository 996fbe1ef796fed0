//! What is so at the moment that somebody asks for metrics: instances, breakers, events that wait, memory.

use super::Gateway;
use crate::{
    mesh::{BreakerState, ClientPolicyReport, InstanceReport, PoolReport, State},
    telemetry::metrics::{Labels, Snapshot},
    types::{Class, Timestamp},
};

/// Dead letters are counted so far.
const MOST_LETTERS: usize = 10_000;

pub fn snapshot(gateway: &Gateway) -> Snapshot {
    let mut now = Snapshot::new();
    let build = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    now.gauges("galleria_build_info", "Which build of the shop this is", [(build, 1.0)]);
    door(gateway, &mut now);
    instances(&gateway.mesh.pools().iter().map(|pool| pool.report()).collect::<Vec<_>>(), &mut now);
    breakers(&gateway.mesh.client_policies(), &mut now);
    events(gateway, &mut now);
    storage(gateway, &mut now);
    process(&mut now);
    now
}

fn door(gateway: &Gateway, now: &mut Snapshot) {
    now.gauge("galleria_http_requests_in_flight", "Requests that are at the door", gateway.in_flight() as f64);
    let rooms = || Class::ALL.into_iter().filter_map(|class| Some((class, gateway.places.load(class)?)));
    let of = |class: Class| vec![("class", class.name().to_owned())];
    let taken = rooms().map(|(class, (taken, _))| (of(class), taken as f64));
    now.gauges("galleria_places_taken", "Requests that are worked on, by the class of their route", taken);
    let limits = rooms().map(|(class, (_, limit))| (of(class), limit as f64));
    now.gauges(
        "galleria_places_limit",
        "How many may be worked on at a time, as learnt from how long they take",
        limits,
    );
    let (entries, bytes) = gateway.cache.size();
    now.gauge("galleria_cache_entries", "Answers in the response cache", entries as f64);
    now.gauge("galleria_cache_bytes", "What they take", bytes as f64);
    let traced = gateway.mesh.tracer().ring().map_or(0, |ring| ring.bytes());
    now.gauge("galleria_traces_bytes", "What the spans of the last minutes take", traced as f64);
}

fn instances(pools: &[PoolReport], now: &mut Snapshot) {
    let each = |value: fn(&InstanceReport) -> f64| -> Vec<(Labels, f64)> {
        let all = pools.iter().flat_map(|pool| pool.instances.iter().map(move |instance| (pool.service, instance)));
        let labels = |service, instance: &InstanceReport| {
            vec![("service", format!("{service}")), ("instance", instance.name.to_string())]
        };
        all.map(|(service, instance)| (labels(service, instance), value(instance))).collect()
    };
    let ready = |it: &InstanceReport| f64::from(it.state == State::Ready);
    now.gauges("galleria_instance_ready", "1 where the instance takes calls", each(ready));
    now.gauges(
        "galleria_instance_in_flight",
        "Calls that it has in hand or in its mailbox",
        each(|it| it.in_flight as f64),
    );
    now.gauges("galleria_instance_mailbox", "Those that no handler has had yet", each(|it| it.mailbox as f64));
    now.gauges("galleria_instance_capacity", "How many it takes at a time", each(|it| it.capacity as f64));
    now.gauges("galleria_instance_waiting", "Long polls that it has in hand", each(|it| it.waiting as f64));
    let latency = each(|it| it.latency_ms / 1000.0);
    now.gauges("galleria_instance_latency_seconds", "The moving average by which calls are balanced", latency);
    now.counters("galleria_instance_restarts", "How often it was replaced", each(|it| it.restarts.into()));
    now.counters("galleria_instance_ejections", "How often it was ejected", each(|it| it.ejections.into()));
}

fn breakers(edges: &[ClientPolicyReport], now: &mut Snapshot) {
    let each = |value: fn(&ClientPolicyReport) -> f64| -> Vec<(Labels, f64)> {
        let labels =
            |it: &ClientPolicyReport| vec![("caller", it.caller.to_string()), ("service", it.service.to_string())];
        edges.iter().map(|edge| (labels(edge), value(edge))).collect()
    };
    let state = |it: &ClientPolicyReport| match it.state {
        BreakerState::Closed => 0.0,
        BreakerState::HalfOpen => 1.0,
        BreakerState::Open => 2.0,
    };
    now.gauges("galleria_breaker_state", "0 closed, 1 half open, 2 open", each(state));
    now.counters("galleria_breaker_opened", "How often it has opened", each(|it| it.opened as f64));
    now.counters("galleria_breaker_refused", "Calls that it has refused", each(|it| it.refused as f64));
    let recent = each(|it| it.retries.into());
    now.gauges("galleria_retries_recent", "Retries of the last ten seconds: at most a fifth of the calls", recent);
    now.gauges("galleria_calls_recent", "Calls of the last ten seconds", each(|it| it.calls.into()));
}

fn events(gateway: &Gateway, now: &mut Snapshot) {
    // A folder that cannot be read tells nothing here; `galleria_storage_healthy` does.
    let owed = gateway.mesh.pending_events(Timestamp::MAX).unwrap_or_default();
    let time = gateway.env.now();
    let oldest = owed.iter().map(|owed| crate::env::since(time, owed.event.at)).max().unwrap_or_default();
    now.gauge("galleria_outbox_records", "Records that owe an event", owed.len() as f64);
    now.gauge("galleria_outbox_lag_seconds", "How long the oldest event has been owed", oldest.as_secs_f64());
    let dead = gateway.mesh.dead_letters(None, MOST_LETTERS).map_or(0, |letters| letters.len());
    now.gauge("galleria_dead_letters", "Events that were put aside", dead as f64);
}

fn storage(gateway: &Gateway, now: &mut Snapshot) {
    let report = (gateway.storage_report)();
    let is_healthy = f64::from((gateway.storage_is_healthy)());
    now.gauge("galleria_storage_healthy", "1 while what is written reaches the disk", is_healthy);
    now.gauge("galleria_storage_bytes", "Size of the data folder's log", report.bytes_on_disk as f64);
    now.counter("galleria_commit_flushes", "Flushes to disk", report.flushes as f64);
    now.counter(
        "galleria_commit_waiters",
        "Commits that were served by them: a batch is as many of one flush",
        report.waiters as f64,
    );
    now.counter("galleria_commit_flush_seconds", "How long the flushes took in all", report.flush_time.as_secs_f64());
}

/// What the process takes of the machine, by the names that all of Prometheus' clients use.
#[cfg(target_os = "linux")]
fn process(now: &mut Snapshot) {
    let Ok(process) = procfs::process::Process::myself() else { return };
    if let Ok(stat) = process.stat() {
        let ticks = procfs::ticks_per_second() as f64;
        let cpu = (stat.utime + stat.stime) as f64 / ticks;
        now.counter("process_cpu_seconds", "Time of processors that the process has used", cpu);
        now.gauge("process_resident_memory_bytes", "Memory that it holds", (stat.rss * procfs::page_size()) as f64);
        now.gauge("process_virtual_memory_bytes", "Addresses that it has taken", stat.vsize as f64);
        now.gauge("process_threads", "Its threads", stat.num_threads as f64);
        if let Ok(booted) = procfs::boot_time_secs() {
            let started = booted as f64 + stat.starttime as f64 / ticks;
            now.gauge("process_start_time_seconds", "When it began, in seconds since 1970", started);
        }
    }
    if let Ok(open) = process.fd_count() {
        now.gauge("process_open_fds", "Files and connections that it has open", open as f64);
    }
    if let Ok(limits) = process.limits()
        && let procfs::process::LimitValue::Value(most) = limits.max_open_files.soft_limit
    {
        now.gauge("process_max_fds", "How many it may have open", most as f64);
    }
}

#[cfg(not(target_os = "linux"))]
fn process(_: &mut Snapshot) {}
