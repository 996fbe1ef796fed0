//! The process ends between any two of its writes. After the restart the client repeats its
//! request, and the result is the same as without the crash.
//!
//! Each journey runs once to record the failpoints that it reaches. Then it runs again for each of
//! these failpoints, and the process ends there: either uncommitted writes are lost, or they are on
//! disk, because both can happen. The shop is restarted, the client repeats each request that got
//! no answer, and the journey has to end with the usual result.
//!
//! By default each failpoint is tested once, in one of the two ways. `TEST_FULL=1` tests each
//! failpoint in both ways. `TEST_PLACES=all` tests every pass through each failpoint in both ways.
//! `TEST_PLACES=shipping/` (or any other part of a name) tests only the matching failpoints.

use crate::harness::{Answer, Card, Client, Customer, PATIENCE, Shop, eventually, is_full, number, within};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const STOCK: u64 = 100;
const PRICE: i64 = 4990;

/// The requests of a customer, and the result that they must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Journey {
    Buys,
    BuysTheCart,
    IsDeclined,
    Cancels,
    Returns,
}

const JOURNEYS: [Journey; 5] =
    [Journey::Buys, Journey::BuysTheCart, Journey::IsDeclined, Journey::Cancels, Journey::Returns];

/// The records that an order writes, in every tree. At least one journey must reach the failpoints
/// of each record.
const WRITTEN: &[&str] = &[
    "orders/order",
    "orders/placed",
    "orders/cart_order",
    "payments/payment",
    "provider/authorization",
    "products/product",
    "products/reservation",
    "shipping/shipment",
    "shipping/tracking",
    "notifications/note",
    "carts/cart",
    "products/restock",
    "orders/heard",
    "gateway/idempotency_key",
    "gateway/answer",
];
const PLACES: &[&str] = &["before", "entered", "swapped", "written"];
const FLUSHED: &[&str] = &["committing", "committed"];

/// The process ended before it answered.
#[derive(Debug)]
struct Disconnected;

/// A shop and the accounts that a journey needs, in the state before the journey begins.
struct Fixture {
    shop: Shop,
    operator: Client,
    customer: Customer,
    declined: Customer,
    kettle: String,
    set: Instant,
}

impl Fixture {
    fn set() -> Self {
        let mut shop = Shop::options().fast_carrier().open();
        let operator = shop.operator();
        let kettle = operator.stock_up(PRICE, STOCK as u32);
        let customer = shop.customer();
        customer.put_in_cart(&kettle, 2).ok();
        let mut declined = customer.clone();
        declined.pays_with(Card("4000 0000 0000 0002"));
        assert_eq!(shop.stop(), Some(0));
        copy(&shop.folder(), &shop.home().join("before"));
        Self { shop, operator, customer, declined, kettle, set: Instant::now() }
    }

    /// Restores the state before the journey. The program gets these environment variables.
    fn reset(&mut self, environment: &[(&str, &str)]) {
        // Access tokens are valid for a quarter of an hour.
        if self.set.elapsed() > Duration::from_secs(8 * 60) {
            *self = Self::set();
        }
        self.shop.kill();
        std::fs::remove_dir_all(self.shop.folder()).expect("it is there");
        copy(&self.shop.home().join("before"), &self.shop.folder());
        self.tell(environment);
    }

    fn tell(&mut self, environment: &[(&str, &str)]) {
        let mut options = Shop::options().fast_carrier();
        for (name, value) in environment {
            options = options.env(name, value);
        }
        self.shop.change(|_| options);
    }

    /// Repeats the same request with the same key until the answer is final.
    fn ask(
        &mut self,
        who: &Client,
        method: &str,
        path: &str,
        key: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Disconnected> {
        let begun = Instant::now();
        loop {
            let headers: &[(&str, &str)] = if key.is_empty() { &[] } else { &[("idempotency-key", key)] };
            let answer = match who.try_send(method, path, headers, body) {
                Ok(answer) => answer,
                Err(error) => {
                    within(PATIENCE, &format!("the end of the shop: {error}"), || self.shop.has_ended().then_some(()));
                    return Err(Disconnected);
                }
            };
            let in_a_moment = [202, 503, 504].contains(&answer.status)
                || answer["code"] == "idempotency_in_flight"
                || answer["code"] == "busy"
                || answer["code"] == "cart_in_checkout";
            if !in_a_moment {
                return Ok(answer);
            }
            assert!(begun.elapsed() < PATIENCE, "there is never an answer: {answer:#?}\n{}", self.shop.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes the journey, or the rest of it: every step may have been done before. Gives the id of
    /// the order.
    fn make(&mut self, journey: Journey) -> Result<String, Disconnected> {
        let (operator, customer) = (self.operator.clone(), self.customer.clone());
        let body = match journey {
            Journey::BuysTheCart => customer.order_of(&[]),
            Journey::IsDeclined => self.declined.order_of(&[(&self.kettle, 2)]),
            _ => customer.order_of(&[(&self.kettle, 2)]),
        };
        let placed = self.ask(&customer, "POST", "/api/v1/orders", "the-order", Some(&body))?;
        if journey == Journey::IsDeclined {
            let declined = placed.problem(402, "payment_declined");
            return Ok(declined["order_id"].as_str().expect("an id").to_owned());
        }
        let order = placed.created().id();
        let path = format!("/api/v1/orders/{order}");
        if journey == Journey::Cancels {
            self.ask(&customer, "POST", &format!("{path}/cancel"), "", None)?.ok();
        }
        if journey == Journey::Returns {
            let status = self.ask(&customer, "GET", &path, "", None)?["status"].clone();
            for to in ["packed", "shipped"] {
                if ["confirmed", "packed"].iter().any(|before| status == *before) {
                    self.ask(&operator, "POST", &format!("{path}/fulfil"), "", Some(&json!({"to": to})))?;
                }
            }
            let begun = Instant::now();
            loop {
                let status = self.ask(&customer, "GET", &path, "", None)?["status"].clone();
                if status == "delivered" || status == "returned" {
                    break;
                }
                assert!(begun.elapsed() < PATIENCE, "it never arrives: {status}\n{}", self.shop.log());
                std::thread::sleep(Duration::from_millis(20));
            }
            let back = json!({"lines": [{"product_id": self.kettle, "quantity": 2}], "reason": "It is too loud."});
            self.ask(&customer, "POST", &format!("{path}/returns"), "the-return", Some(&back))?.created();
        }
        Ok(order)
    }

    /// Waits until no work is left, and checks the usual result of the journey.
    fn look(&mut self, journey: Journey, order: &str) {
        use Journey::*;
        const SHIPPING: i64 = 554;
        let (status, available, paid, told) = match journey {
            Buys | BuysTheCart => ("confirmed", STOCK - 2, 2 * PRICE + SHIPPING, 1),
            IsDeclined => ("rejected", STOCK, 0, 1),
            Cancels => ("cancelled", STOCK, 0, 2),
            // The price of the shipment is not refunded.
            Returns => ("returned", STOCK, SHIPPING, 4),
        };
        let Self { customer, operator, kettle, .. } = &*self;
        let orders = customer.get("/api/v1/orders").ok();
        assert_eq!(orders.items().len(), 1, "{orders:#?}");
        eventually("it has come to rest", || (customer.order(order).ok()["status"] == status).then_some(()));
        eventually("stock is given back", || (operator.available(kettle) == available).then_some(()));
        let payment = customer.order(order).ok()["payment"].clone();
        let amount = |name: &str| payment[name]["amount"].as_i64().unwrap_or_default();
        assert_eq!(amount("captured") - amount("refunded"), paid, "{payment:#?}");
        let in_cart = if journey == BuysTheCart { 0 } else { 1 };
        eventually("the cart is as it should be", || (customer.cart().ok().items().len() == in_cart).then_some(()));
        let news = || {
            let inbox = customer.inbox().ok();
            let of_order = |message: &&Value| message["link"] == format!("/orders/{order}");
            inbox.items().iter().filter(of_order).map(|message| message["title"].to_string()).collect::<Vec<_>>()
        };
        let heard = eventually("everything is told", || Some(news()).filter(|news| news.len() >= told));
        assert_eq!(heard.len(), told, "told once, and no more than that: {heard:#?}");
        eventually("the audit balances", || (operator.get("/api/v1/audit").ok()["balanced"] == true).then_some(()));
        assert_eq!(self.shop.stop(), Some(0));
        self.shop.command(&["check"]).succeeded();
    }

    /// How often the journey reaches each failpoint.
    fn learn(&mut self, journey: Journey) -> BTreeMap<String, usize> {
        let list = self.shop.home().join("places");
        let _ = std::fs::remove_file(&list);
        self.reset(&[("FAILPOINT_PLACES", list.to_str().expect("a path in UTF-8"))]);
        self.shop.start();
        let order = self.make(journey).expect("nothing kills it");
        self.look(journey, &order);
        let mut places = BTreeMap::new();
        for place in std::fs::read_to_string(&list).expect("a list").lines() {
            let (tree, _) = place.split_once('/').expect("tree/table place");
            if tree != "users" {
                *places.entry(place.to_owned()).or_default() += 1;
            }
        }
        places
    }

    /// Ends the process at this failpoint, restarts it, and checks the result. Gives whether the
    /// process ended, and whether the order was acknowledged before.
    fn crash_at(&mut self, crash: &Crash) -> Outcome {
        let which = NameCrash(crash);
        let at = format!("{}#{}", crash.place, crash.time);
        let mut environment = vec![("FAILPOINT_DIE_AT", at.as_str())];
        if crash.late {
            environment.push(("FAILPOINT_LATE", "1"));
        }
        self.reset(&environment);
        let before = match self.shop.try_start() {
            Ok(()) => self.make(crash.journey).ok(),
            Err(_) => None,
        };
        // The process may end a moment later, in background work.
        let waited = Instant::now();
        while !self.shop.has_ended() && waited.elapsed() < Duration::from_millis(700) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let died = self.shop.has_ended();
        self.shop.kill();
        self.tell(&[]);
        self.shop.start();
        let order = self.make(crash.journey).expect("nothing kills it");
        assert!(before.as_ref().is_none_or(|before| *before == order), "{crash:?}: {before:?} became {order}");
        self.look(crash.journey, &order);
        std::mem::forget(which);
        match (died, before) {
            (false, _) => Outcome::NotReached,
            (true, None) => Outcome::BeforeTheEnd,
            (true, Some(_)) => Outcome::AfterTheEnd,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Crash {
    place: String,
    time: usize,
    journey: Journey,
    /// Whether all written data is on disk.
    late: bool,
}

/// Names the crash in the message of a failed assertion.
struct NameCrash<'a>(&'a Crash);

impl Drop for NameCrash<'_> {
    fn drop(&mut self) {
        println!("NOT made good: {:?}", self.0);
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    /// And the customer had to repeat a request.
    BeforeTheEnd,
    /// After the customer had all answers.
    AfterTheEnd,
    NotReached,
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(copied.is_ok_and(|status| status.success()), "{} is not copied", from.display());
}

/// All crashes; or each failpoint once, with the way, the journey and the pass that the seed draws;
/// or each failpoint in both ways.
fn crashes(places: &BTreeMap<Journey, BTreeMap<String, usize>>, seed: usize) -> Vec<Crash> {
    let mut all = Vec::new();
    for (&journey, counts) in places {
        for (place, &count) in counts {
            for time in 1..=count {
                for late in [false, true] {
                    all.push(Crash { place: place.clone(), time, journey, late });
                }
            }
        }
    }
    if let Ok(part) = std::env::var("TEST_PLACES") {
        all.retain(|crash| part == "all" || crash.place.contains(&part));
        return all;
    }
    let mut of_place: BTreeMap<(String, bool), Vec<Crash>> = BTreeMap::new();
    for crash in all {
        of_place.entry((crash.place.clone(), crash.late)).or_default().push(crash);
    }
    if !is_full() {
        // The two ways of each failpoint are neighbours in the list. One of them is kept: the first
        // and the second in turn.
        let mut at = 0;
        of_place.retain(|_, _| {
            let (place, way) = (at / 2, at % 2);
            at += 1;
            (place + way + seed).is_multiple_of(2)
        });
    }
    let pick = |(at, mut of_one): (usize, Vec<Crash>)| {
        let mixed = (seed + at).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        of_one.swap_remove(mixed % of_one.len())
    };
    of_place.into_values().enumerate().map(pick).collect()
}

#[test]
fn after_a_crash_at_any_point_the_request_takes_effect_exactly_once() {
    let seed = number("TEST_SEED", 1);
    let mut fixture = Fixture::set();
    let places: BTreeMap<_, _> = JOURNEYS.into_iter().map(|journey| (journey, fixture.learn(journey))).collect();
    let reached: BTreeSet<&str> = places.values().flat_map(|counts| counts.keys().map(String::as_str)).collect();
    let of_records = WRITTEN.iter().flat_map(|table| PLACES.iter().map(move |place| format!("{table} {place}")));
    let trees: BTreeSet<_> = WRITTEN.iter().map(|table| table.split('/').next().expect("a tree")).collect();
    let of_trees = trees.iter().flat_map(|tree| FLUSHED.iter().map(move |place| format!("{tree}/ {place}")));
    let missed: Vec<_> = of_records.chain(of_trees).filter(|place| !reached.contains(place.as_str())).collect();
    assert!(missed.is_empty(), "no journey comes to {missed:#?}; they come to {reached:#?}");

    let crashes = crashes(&places, seed);
    println!("seed {seed}: {} crashes", crashes.len());
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for mut fixture in [fixture, Fixture::set()] {
            let (next, crashes, outcomes) = (&next, &crashes, &outcomes);
            scope.spawn(move || {
                while let Some(crash) = crashes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut outcome = fixture.crash_at(crash);
                    if outcome == Outcome::NotReached {
                        // Concurrent work has no fixed order. The first pass through a failpoint is
                        // always reached.
                        outcome = fixture.crash_at(&Crash { time: 1, ..crash.clone() });
                    }
                    outcomes.lock().unwrap().push((crash.clone(), outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (Crash { place, time, journey, late }, outcome) in &outcomes {
        let left = if *late { "all written" } else { "only what was committed" };
        println!("{place:32} #{time:<3} {journey:12?} {left:24} {outcome:?}: made good");
    }
    let never: Vec<_> = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::NotReached).collect();
    assert!(never.is_empty(), "it never died at {never:#?}");
}
