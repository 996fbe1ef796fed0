//! The metrics of the shop, in the Prometheus text format.

use crate::harness::{Answer, Client, Shop, fresh, within};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

fn scrape(client: &Client) -> Answer {
    let answer = client.get("/metrics").ok();
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    answer
}

/// The sum of all samples with this name and at least these labels.
fn value(client: &Client, name: &str, labels: &[(&str, &str)]) -> f64 {
    let text = scrape(client).text;
    let wanted = |line: &str| labels.iter().all(|(name, value)| line.contains(&format!("{name}=\"{value}\"")));
    let samples = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name) && wanted(line));
    samples.map(|line| line.rsplit(' ').next().and_then(|it| it.parse::<f64>().ok()).expect("a number")).sum()
}

#[test]
fn each_metric_counts_the_events_of_its_layer() {
    let shop = Shop::open();
    let (operator, customer) = (shop.operator(), shop.customer());
    let kettle = operator.stock_up(4990, 5);
    let count = |name: &str, labels: &[(&str, &str)]| value(&operator, name, labels);
    customer.buys(&kettle, 1).created();
    customer.buys(&kettle, 99).problem(409, "out_of_stock");
    let orders = [("route", "/api/v1/orders"), ("method", "POST")];
    assert_eq!(count("galleria_http_requests_total", &[orders[0], orders[1], ("status", "201")]), 1.0);
    assert_eq!(count("galleria_http_refusals_total", &[orders[0], ("code", "out_of_stock")]), 1.0);
    assert_eq!(count("galleria_http_request_duration_seconds_count", &orders), 2.0);
    let reserve = [("request", "products.reserve_stock")];
    assert_eq!(count("galleria_mesh_calls_total", &[reserve[0], ("outcome", "ok"), ("caller", "orders")]), 1.0);
    assert_eq!(count("galleria_mesh_calls_total", &[reserve[0], ("outcome", "refused")]), 1.0);
    assert_eq!(count("galleria_mesh_call_duration_seconds_count", &reserve), 2.0);
    assert!(count("galleria_mesh_queue_duration_seconds_count", &[("service", "products")]) >= 2.0);
    assert_eq!(count("galleria_saga_steps_total", &[("action", "CapturePayment"), ("outcome", "ok")]), 1.0);
    assert_eq!(count("galleria_sagas_total", &[("plan", "place"), ("outcome", "done")]), 1.0);
    assert_eq!(count("galleria_sagas_total", &[("plan", "place"), ("outcome", "undone")]), 1.0);
    assert!(count("galleria_commit_flushes_total", &[]) > 0.0);
    assert!(count("galleria_commit_waiters_total", &[]) >= count("galleria_commit_flushes_total", &[]) - 50.0);
    assert!(count("galleria_commit_wait_duration_seconds_count", &[("tree", "orders")]) > 0.0);
    within(Duration::from_secs(10), "every event is delivered", || {
        (count("galleria_outbox_records", &[]) == 0.0).then_some(())
    });
    assert!(count("galleria_event_deliveries_total", &[("event", "orders.confirmed"), ("outcome", "ok")]) >= 1.0);
    operator.product(&kettle).ok();
    operator.product(&kettle).ok();
    assert!(count("galleria_cache_requests_total", &[("result", "hit")]) >= 1.0);
    assert!(count("galleria_cache_requests_total", &[("result", "miss")]) >= 1.0);
    assert_eq!(count("galleria_instance_ready", &[]), 14.0, "two of each");
    assert_eq!(count("galleria_breaker_state", &[("caller", "gateway"), ("service", "products")]), 0.0);
    operator.change_control("breakers", "gateway.products", &json!({"forced": "open"})).ok();
    assert_eq!(count("galleria_breaker_state", &[("caller", "gateway"), ("service", "products")]), 2.0);
    assert_eq!(count("galleria_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert!(count("process_resident_memory_bytes", &[]) > 1e6 && count("process_open_fds", &[]) > 10.0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - count("process_start_time_seconds", &[])).abs() < 600.0);
    assert_eq!(count("galleria_storage_healthy", &[]), 1.0);
}

#[test]
fn the_number_of_series_does_not_grow_with_the_number_of_paths() {
    let shop = Shop::open();
    let guest = shop.anonymous();
    let series = || -> BTreeSet<String> {
        let samples = scrape(&guest).text;
        samples
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
            .collect()
    };
    let ask = |from: usize, to: usize| {
        for n in from..to {
            let made_up = fresh("x");
            let (path, status) = match n % 5 {
                0 => (format!("/{made_up}"), 404),
                1 => (format!("/api/v1/products/{made_up}"), 404),
                2 => (format!("/api/v1/{made_up}/{n}"), 404),
                3 => (format!("/api/v1/products?q={made_up}"), 200),
                _ => (format!("/api/v1/tracking/{made_up}"), 404),
            };
            guest.get(&path).is(status);
        }
        let made_up = fresh("M").replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let mut connection = TcpStream::connect(shop.address()).unwrap();
        write!(connection, "{made_up} /api/v1/products HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
        scrape(&guest);
    };
    ask(0, 25);
    let before = series();
    ask(25, 10_000);
    let after = series();
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(after.len() < 2_000, "{}", after.len());
}

#[test]
fn the_metrics_text_follows_the_prometheus_format() {
    let shop = Shop::open();
    let (operator, customer) = (shop.operator(), shop.customer());
    let kettle = operator.stock_up(4990, 5);
    customer.buys(&kettle, 1).created();
    let text = scrape(&operator).text;
    let mut types = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} stands there twice");
        }
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| {
            name.strip_suffix(end).filter(|family| types.get(*family).is_some_and(|kind| kind == "histogram"))
        });
        let kind = types.get(family.unwrap_or(name)).unwrap_or_else(|| panic!("{name} has no type"));
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
    }
    // The linter of the Prometheus project, where it is installed.
    let judge = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut judge) = judge else { return eprintln!("no promtool: the format was judged by its rules here alone") };
    judge.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = judge.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&said.stderr).into_owned() + &*String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success() && words.trim().is_empty(), "{words}");
}
