//! Under a steady load the test crashes, pauses, slows down and scales every service in turn.
//! Errors occur only during the fault and only in requests that need the service; no answer is a
//! 500. Soon after the fault all requests succeed again.

use crate::harness::{Answer, Client, Customer, PATIENCE, Shop, eventually, fresh, repeats, routes};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The requests that customers repeat, and the services that each request needs.
#[rustfmt::skip]
const ACTS: &[(&str, &[&str])] = &[
    ("look at a product", &["products"]),
    ("find products",     &["products"]),
    ("look at the cart",  &["carts", "products"]),
    ("fill the cart",     &["carts", "products"]),
    ("ask for a quote",   &["shipping", "products"]),
    ("read the inbox",    &["notifications"]),
    ("look at oneself",   &["users"]),
    ("buy",               &["orders", "products", "payments", "shipping", "carts", "users"]),
];

const SERVICES: [&str; 7] = ["users", "products", "carts", "orders", "payments", "shipping", "notifications"];

/// The duration of a fault.
fn span() -> Duration {
    Duration::from_millis(repeats("TEST_CHAOS_MS", 300, 700) as u64)
}
const CUSTOMERS: usize = 6;

struct Seen {
    at: Instant,
    took: Duration,
    customer: usize,
    act: usize,
    status: u16,
    code: String,
}

/// All answers that customers received.
#[derive(Default)]
struct AnswerLog(Mutex<Vec<Seen>>);

impl AnswerLog {
    fn write(&self, seen: Seen) {
        self.0.lock().unwrap().push(seen);
    }

    /// Waits until each customer has repeated each act so many more times. Gives the 99th
    /// percentile of the durations of these answers, and the number of server errors among them.
    fn of_next(&self, rounds: usize) -> (Duration, usize) {
        let since = Instant::now();
        eventually("answers", || {
            let seen = self.0.lock().unwrap();
            let answers = |who| seen.iter().filter(|it| it.at >= since && it.customer == who).count();
            (0..CUSTOMERS).all(|who| answers(who) >= rounds * ACTS.len()).then_some(())
        });
        let mut took: Vec<_> = self.0.lock().unwrap().iter().filter(|it| it.at >= since).map(|it| it.took).collect();
        took.sort();
        (took[(took.len() * 99).div_ceil(100) - 1], self.failures_since(since))
    }

    fn failures_since(&self, since: Instant) -> usize {
        self.0.lock().unwrap().iter().filter(|it| it.at >= since && it.status >= 500).count()
    }
}

fn act(customer: &Customer, product: &str, act: usize) -> Answer {
    match act {
        0 => customer.product(product),
        1 => customer.get("/api/v1/products?q=kettle&limit=5"),
        2 => customer.cart(),
        3 => customer.put_in_cart(product, 1),
        4 => customer.quotes(product),
        5 => customer.inbox(),
        6 => customer.me(),
        _ => customer.place_order(&fresh("key"), &customer.order_of(&[(product, 1)])),
    }
}

/// A fault of a service: its name, how it begins, how it ends.
type Fault = (&'static str, fn(&Client, &str), fn(&Client, &str));

#[rustfmt::skip]
const FAULTS: &[Fault] = &[
    ("crashed",     |operator, service| { for n in 1..=2 { operator.crash(&format!("{service}-{n}")); } },             |_, _| {}),
    ("paused",      |operator, service| { for n in 1..=2 { operator.pause(&format!("{service}-{n}"), span().as_millis() as u64).no_content(); } }, |_, _| thread::sleep(span())),
    ("slowed down", |operator, service| { operator.set_link(&format!("any.{service}"), &json!({"latency_ms": 120, "jitter_ms": 60})).no_content(); thread::sleep(span()); },
                    |operator, service| { operator.clear_link(&format!("any.{service}")).no_content(); }),
    ("cut off",     |operator, service| { operator.set_link(&format!("any.{service}"), &json!({"lost_requests": 40})).no_content(); thread::sleep(span()); },
                    |operator, service| { operator.clear_link(&format!("any.{service}")).no_content(); }),
    ("scaled",      |operator, service| { for count in [4, 1] { operator.change_control("services", service, &json!({"count": count})).ok(); thread::sleep(span() / 2); } },
                    |operator, service| { operator.change_control("services", service, &json!({"count": 2})).ok(); }),
];

#[test]
fn a_fault_of_one_service_affects_only_its_dependents_and_ends_soon() {
    let shop = Shop::open();
    shop.expect_panics();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 100_000);
    // A shop that has just started computes the parcel routes first.
    shop.customer().quotes(&kettle).ok();
    // A short deadline, so that a lost call does not block its customer for the whole test.
    for route in routes().iter().filter(|route| !route.path.starts_with("/api/v1/gateway/")) {
        let list = operator.controls("routes").ok();
        let id = list.items().iter().find(|it| it["path"] == route.path && it["method"] == route.method);
        let id = id.and_then(|it| it["id"].as_str()).expect("its name").to_owned();
        operator.change_control("routes", &id, &json!({"deadline_ms": 1_000})).ok();
    }
    let (log, over) = (AnswerLog::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        for start in 0..CUSTOMERS {
            let customer = shop.customer();
            let (log, over, kettle) = (&log, &over, &kettle);
            scope.spawn(move || {
                for n in start.. {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    let (number, at) = (n % ACTS.len(), Instant::now());
                    let answer = act(&customer, kettle, number);
                    let code = answer["code"].as_str().unwrap_or_default().to_owned();
                    let took = at.elapsed();
                    log.write(Seen { at, took, customer: start, act: number, status: answer.status, code });
                    thread::sleep(Duration::from_millis(5));
                }
            });
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| inject(&operator, &log)));
        over.store(true, Ordering::SeqCst);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    operator.audit();
}

fn inject(operator: &Client, log: &AnswerLog) {
    let (usual, failures) = log.of_next(8);
    assert_eq!(failures, 0, "before anything was done");
    println!("usual p99: {usual:?}");
    for service in SERVICES {
        for (name, begin, end) in FAULTS {
            let begun = Instant::now();
            begin(operator, service);
            end(operator, service);
            let ended = Instant::now();
            let well = time_to_recover(log, usual, ended);
            let (failed, codes) = check_answers(log, service, name, begun);
            println!(
                "{service:13} {name:11} {failed:4} of the answers were errors {codes:?}; well again after {well:?}"
            );
        }
    }
}

/// The time until each customer had done each act without an error and at the usual speed, with a
/// margin for the noise of a busy machine.
fn time_to_recover(log: &AnswerLog, usual: Duration, ended: Instant) -> Duration {
    loop {
        let look = Instant::now();
        let (p99, failures) = log.of_next(1);
        if p99 < usual * 6 && failures == 0 {
            return look - ended;
        }
        assert!(ended.elapsed() < PATIENCE, "still not well: p99 {p99:?} (usually {usual:?}), {failures} errors");
    }
}

/// Only requests that needed the service may fail, and no answer may be a 500.
fn check_answers(log: &AnswerLog, service: &str, fault: &str, begun: Instant) -> (usize, BTreeSet<String>) {
    let seen = log.0.lock().unwrap();
    let failed: Vec<_> = seen.iter().filter(|it| it.at >= begun && it.status >= 500).collect();
    for it in &failed {
        let (act, needs) = ACTS[it.act];
        assert!(it.status == 503 || it.status == 504, "{service} was {fault}: {act}: {} {}", it.status, it.code);
        assert!(
            needs.contains(&service),
            "{service} was {fault}, and who wanted to {act} got {} {}",
            it.status,
            it.code
        );
    }
    let unexpected = seen.iter().find(|it| it.at >= begun && (400..500).contains(&it.status));
    assert!(unexpected.is_none(), "{service} was {fault}: {}", unexpected.map_or("", |it| &it.code));
    (failed.len(), failed.iter().map(|it| it.code.clone()).collect())
}
