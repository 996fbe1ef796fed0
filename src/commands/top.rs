//! `galleria top`: the metrics of a running shop (`/metrics`) in a terminal, refreshed every
//! second.
//!
//! Rates and percentiles cover the time between two snapshots of the same counters.

use super::output::write_out;
use crate::app::Fatal;
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    io::{self, IsTerminal},
    process::ExitCode,
    time::Duration,
};
use tokio::time::Instant;

const REFRESH_EVERY: Duration = Duration::from_secs(1);
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(5);

/// Prints until Ctrl-C, or until the reader closes the pipe; once where `once` is set.
pub fn top(url: &str, once: bool) -> Result<ExitCode, Fatal> {
    let url = url.trim_end_matches('/');
    let agent =
        ureq::Agent::new_with_config(ureq::Agent::config_builder().timeout_global(Some(SCRAPE_TIMEOUT)).build());
    let scrape = || -> Result<(Snapshot, Instant), Fatal> {
        let answer = agent.get(format!("{url}/metrics")).call();
        let text = answer.and_then(|mut answer| answer.body_mut().read_to_string());
        let text = text.map_err(|error| Fatal::Refused(format!("no shop answers at {url}: {error}")))?;
        Ok((Snapshot::read(&text), Instant::now()))
    };
    let clear = if io::stdout().is_terminal() { "\x1b[H\x1b[J" } else { "" };
    let (mut before, mut then) = scrape()?;
    loop {
        std::thread::sleep(REFRESH_EVERY);
        let (now, at) = scrape()?;
        let is_read = write_out(&format!("{clear}{}\n", screen(url, &before, &now, at - then)))?;
        if once || !is_read {
            return Ok(ExitCode::SUCCESS);
        }
        (before, then) = (now, at);
    }
}

/// One snapshot: the value of each series, by its name and labels.
struct Snapshot(HashMap<Series, f64>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
}

impl Snapshot {
    /// Reads Prometheus' text format; other lines are ignored.
    fn read(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            Some((Series { name: name.to_owned(), labels: labels_of(labels) }, value.parse().ok()?))
        });
        Self(samples.collect())
    }

    /// All series of that name.
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a BTreeMap<String, String>, f64)> {
        self.0.iter().filter(move |(series, _)| series.name == name).map(|(series, value)| (&series.labels, *value))
    }

    fn sum(&self, name: &str) -> f64 {
        self.all(name).map(|(_, value)| value).sum()
    }

    /// The increase of each series of that name since `before`; the whole value if the shop was
    /// restarted in between.
    fn since<'a>(
        &'a self,
        before: &'a Self,
        name: &'a str,
    ) -> impl Iterator<Item = (&'a BTreeMap<String, String>, f64)> {
        self.0.iter().filter(move |(series, _)| series.name == name).map(|(series, value)| {
            let then = before.0.get(series).copied().filter(|then| then <= value).unwrap_or_default();
            (&series.labels, value - then)
        })
    }
}

/// Reads `a="b",c="d"}`, with the backslashes of the Prometheus text format.
fn labels_of(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut chars = after.char_indices();
        let mut end = after.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => value.extend(chars.next().map(|(_, c)| if c == 'n' { ' ' } else { c })),
                '"' => {
                    end = at + 1;
                    break;
                }
                _ => value.push(c),
            }
        }
        labels.insert(name.trim_start_matches(',').to_owned(), value);
        rest = &after[end..];
    }
    labels
}

/// A row of a table: calls, failures, and the 99th percentile of the times.
#[derive(Default)]
struct Row {
    per_second: f64,
    failed: f64,
    /// Upper bounds of the buckets, each with the count of all values up to it.
    buckets: Vec<(f64, f64)>,
}

impl Row {
    /// The upper bound of the bucket with the 99th percentile; a histogram says no more. `None`
    /// without values.
    fn p99(&self) -> Option<f64> {
        let mut buckets = self.buckets.clone();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        let all = buckets.last().map(|(_, count)| *count).filter(|all| *all > 0.0)?;
        buckets.into_iter().find(|(_, count)| *count >= all * 0.99).map(|(bound, _)| bound)
    }
}

/// Rates of the counter `count` and times of the histogram `histogram`, by a label. `is_failure`
/// decides by the labels of a series.
fn rows(
    (before, now, passed): (&Snapshot, &Snapshot, Duration),
    (count, histogram): (&str, &str),
    name: impl Fn(&BTreeMap<String, String>) -> Option<String>,
    is_failure: impl Fn(&BTreeMap<String, String>) -> bool,
) -> Vec<(String, Row)> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let seconds = passed.as_secs_f64();
    for (labels, added) in now.since(before, count).filter(|(_, added)| *added > 0.0) {
        let Some(name) = name(labels) else { continue };
        let row = rows.entry(name).or_default();
        row.per_second += added / seconds;
        row.failed += if is_failure(labels) { added / seconds } else { 0.0 };
    }
    for (labels, added) in now.since(before, &format!("{histogram}_bucket")) {
        let Some(row) = name(labels).and_then(|name| rows.get_mut(&name)) else { continue };
        let bound = labels.get("le").and_then(|bound| bound.parse().ok()).unwrap_or(f64::INFINITY);
        match row.buckets.iter_mut().find(|(known, _)| *known == bound) {
            Some((_, count)) => *count += added,
            None => row.buckets.push((bound, added)),
        }
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|(_, one), (_, other)| other.per_second.total_cmp(&one.per_second));
    rows
}

/// The number of routes that are shown, the busiest first.
const MOST_ROUTES: usize = 12;

/// The text for the time between two snapshots.
fn screen(shop: &str, before: &Snapshot, now: &Snapshot, passed: Duration) -> String {
    let mut out = String::new();
    let looks = (before, now, passed);
    let label = |labels: &BTreeMap<String, String>, name: &str| labels.get(name).cloned();
    let route =
        |labels: &BTreeMap<String, String>| Some(format!("{} {}", label(labels, "method")?, label(labels, "route")?));
    let failed =
        |labels: &BTreeMap<String, String>| label(labels, "status").is_some_and(|status| status.starts_with('5'));
    let routes = rows(looks, ("galleria_http_requests_total", "galleria_http_request_duration_seconds"), route, failed);
    let (rate, errors) =
        routes.iter().fold((0.0, 0.0), |(rate, errors), (_, row)| (rate + row.per_second, errors + row.failed));
    let cpu =
        now.since(before, "process_cpu_seconds_total").map(|(_, added)| added).sum::<f64>() / passed.as_secs_f64();
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "Galleria at {shop}   {rate:.0} requests/s, {errors:.1} failed/s, {:.0} at the door   {:.0} MB, {:.0} % of a processor",
        now.sum("galleria_http_requests_in_flight"),
        now.sum("process_resident_memory_bytes") / 1e6,
        cpu * 100.0,
    );
    let _ = writeln!(
        out,
        "orders {:.1}/s   cache {:.0} KB, {} of hits   events owed {:.0}, put aside {:.0}   flushes {:.0}/s\n",
        now.since(before, "galleria_sagas_total")
            .filter(|(labels, _)| label(labels, "plan").as_deref() == Some("place"))
            .map(|it| it.1)
            .sum::<f64>()
            / passed.as_secs_f64(),
        now.sum("galleria_cache_bytes") / 1e3,
        hits(before, now),
        now.sum("galleria_outbox_records"),
        now.sum("galleria_dead_letters"),
        now.since(before, "galleria_commit_flushes_total").map(|it| it.1).sum::<f64>() / passed.as_secs_f64(),
    );
    table(&mut out, "route", &routes, |_| String::new());
    let service = |labels: &BTreeMap<String, String>| label(labels, "service");
    let went_wrong = |labels: &BTreeMap<String, String>| {
        !["ok", "refused", "abandoned"].contains(&labels.get("outcome").map_or("", String::as_str))
    };
    let services =
        rows(looks, ("galleria_mesh_calls_total", "galleria_mesh_call_duration_seconds"), service, went_wrong);
    let _ = writeln!(out);
    let mut services: BTreeMap<String, Row> = services.into_iter().collect();
    // Services without calls at the moment have a row, too.
    now.all("galleria_instance_ready").filter_map(|(labels, _)| service(labels)).for_each(|name| {
        services.entry(name).or_default();
    });
    table(&mut out, "service", &services.into_iter().collect::<Vec<_>>(), |name| state(now, name));
    out
}

fn hits(before: &Snapshot, now: &Snapshot) -> String {
    let of = |wanted: Option<&str>| -> f64 {
        let all = now.since(before, "galleria_cache_requests_total");
        all.filter(|(labels, _)| wanted.is_none_or(|it| labels.get("result").is_some_and(|result| result == it)))
            .map(|it| it.1)
            .sum()
    };
    match of(None) {
        0.0 => "–".to_owned(),
        all => format!("{:.0} %", of(Some("hit")) / all * 100.0),
    }
}

/// Ready instances, calls in flight, and breakers that are not closed.
fn state(now: &Snapshot, service: &str) -> String {
    let of = |name: &str| -> Vec<f64> {
        let is_it = |labels: &BTreeMap<String, String>| labels.get("service").is_some_and(|it| it == service);
        now.all(name).filter(|(labels, _)| is_it(labels)).map(|(_, value)| value).collect()
    };
    let ready = of("galleria_instance_ready");
    let open = of("galleria_breaker_state").into_iter().filter(|state| *state > 0.0).count();
    let breakers =
        if open > 0 { format!("   {open} breaker{} open", if open == 1 { "" } else { "s" }) } else { String::new() };
    format!(
        "{:.0}/{} ready   {:.0} in flight{breakers}",
        ready.iter().sum::<f64>(),
        ready.len(),
        of("galleria_instance_in_flight").iter().sum::<f64>(),
    )
}

fn table(out: &mut String, what: &str, rows: &[(String, Row)], more: impl Fn(&str) -> String) {
    let _ = writeln!(out, "{what:<44} {:>10} {:>10} {:>10}", "per second", "failed", "p99 under");
    for (name, row) in rows.iter().take(MOST_ROUTES) {
        let p99 = row.p99().map_or("–".to_owned(), |bound| match bound {
            bound if bound.is_infinite() => "> 30 s".to_owned(),
            bound if bound < 1e-3 => format!("{:.0} µs", bound * 1e6),
            bound if bound < 1.0 => format!("{:.1} ms", bound * 1e3),
            bound => format!("{bound:.1} s"),
        });
        let line = format!("{name:<44} {:>10.1} {:>10.1} {p99:>10}   {}", row.per_second, row.failed, more(name));
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"# TYPE galleria_http_requests_total counter
galleria_http_requests_total{method="GET",route="/api/v1/products",status="200"} 100
galleria_http_request_duration_seconds_bucket{method="GET",route="/api/v1/products",le="0.001"} 100
galleria_http_request_duration_seconds_bucket{method="GET",route="/api/v1/products",le="+Inf"} 100
"#;
    const NOW: &str = r#"galleria_http_requests_total{method="GET",route="/api/v1/products",status="200"} 290
galleria_http_requests_total{method="GET",route="/api/v1/products",status="503"} 10
galleria_http_request_duration_seconds_bucket{method="GET",route="/api/v1/products",le="0.001"} 290
galleria_http_request_duration_seconds_bucket{method="GET",route="/api/v1/products",le="0.0025"} 299
galleria_http_request_duration_seconds_bucket{method="GET",route="/api/v1/products",le="+Inf"} 300
galleria_instance_ready{service="orders",instance="orders-1"} 1
galleria_instance_ready{service="orders",instance="orders-2"} 0
galleria_instance_in_flight{service="orders",instance="orders-1"} 7
galleria_breaker_state{caller="gateway",service="orders"} 2
"#;

    #[test]
    fn rates_and_percentiles_are_of_the_time_between_two_looks() {
        let screen = screen("here", &Snapshot::read(BEFORE), &Snapshot::read(NOW), Duration::from_secs(2));
        assert!(screen.contains("100 requests/s, 5.0 failed/s"), "{screen}");
        let route = screen.lines().find(|line| line.starts_with("GET /api/v1/products")).unwrap();
        assert_eq!(route.split_whitespace().skip(2).collect::<Vec<_>>(), ["100.0", "5.0", "2.5", "ms"]);
        let orders = screen.lines().find(|line| line.starts_with("orders ") && line.contains("ready")).unwrap();
        assert!(orders.ends_with("1/2 ready   7 in flight   1 breaker open"), "{orders}");
    }

    #[test]
    fn a_shop_that_was_started_anew_counts_from_its_start() {
        let screen = screen("here", &Snapshot::read(NOW), &Snapshot::read(BEFORE), Duration::from_secs(1));
        assert!(screen.contains("100 requests/s"), "{screen}");
    }

    #[test]
    fn labels_are_read_however_they_are_quoted() {
        let labels = labels_of(r#"a="x,y=\"z\"",b="\\"} "#);
        assert_eq!(labels["a"], r#"x,y="z""#);
        assert_eq!(labels["b"], r"\");
    }
}
