//! `kill -9` at random moments, while sixteen customers buy.
//!
//! After each restart every acknowledged order is there, and the audit balances. A customer without
//! an answer repeats the request with the same key, and no customer pays twice. The same test
//! without commits finds lost orders: this proves that the test can detect a loss.
//!
//! `TEST_FULL=1` for 30 kills, `TEST_KILLS=1000` for a longer run, `TEST_SEED=7` for other moments.

use crate::harness::{Client, Customer, Shop, eventually, number, repeats, within};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

const BUYERS: usize = 16;
const STOCK: u64 = 1_000_000;
const PIECES: u64 = 2;

/// A customer, and the answers that it received.
struct Buyer {
    customer: Customer,
    number: usize,
    /// The number of orders that the customer has begun. The last one may have no answer.
    begun: usize,
    is_waiting: bool,
    acknowledged: BTreeSet<String>,
}

impl Buyer {
    fn new(number: usize, customer: Customer) -> Self {
        Self { customer, number, begun: 0, is_waiting: false, acknowledged: BTreeSet::new() }
    }

    /// Places one order after another until the shop has ended.
    fn buy(&mut self, product: &str, answered: &AtomicUsize) {
        loop {
            if !self.is_waiting {
                self.begun += 1;
                self.is_waiting = true;
            }
            let key = format!("buyer-{}-order-{}", self.number, self.begun);
            let order = self.customer.order_of(&[(product, PIECES)]);
            let headers = [("idempotency-key", key.as_str())];
            match self.customer.try_send("POST", "/api/v1/orders", &headers, Some(&order)) {
                Ok(answer) if answer.status == 201 => {
                    let id = answer.created().id();
                    assert!(self.acknowledged.insert(id.clone()), "two keys, one order: {id}");
                    self.is_waiting = false;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                // The order is still being placed, or the shop is not ready yet: try again soon.
                Ok(answer) => {
                    assert!([202, 409, 503, 504].contains(&answer.status), "{answer:#?}");
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(_) => return,
            }
        }
    }

    /// The ids of the customer's confirmed orders in the shop.
    fn orders(&self) -> BTreeSet<String> {
        let (mut found, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let page = self.customer.get(&format!("/api/v1/orders?status=confirmed&limit=100{cursor}")).ok();
            for order in page.items() {
                let id = order["id"].as_str().expect("an id").to_owned();
                assert!(found.insert(id.clone()), "listed twice: {id}");
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    }

    /// The acknowledged orders that are missing or differ from their answer.
    fn lost(&self) -> Vec<String> {
        self.acknowledged.difference(&self.orders()).cloned().collect()
    }
}

struct ShopWithBuyers {
    shop: Shop,
    operator: Client,
    product: String,
    buyers: Vec<Buyer>,
    random: StdRng,
}

impl ShopWithBuyers {
    fn open(buyers: usize) -> Self {
        let seed = number("TEST_SEED", 1);
        println!("TEST_SEED={seed}");
        let shop = Shop::open();
        let operator = shop.operator();
        let product = operator.stock_up(100, STOCK as u32);
        let buyers = (0..buyers).map(|number| Buyer::new(number, shop.customer())).collect();
        Self { shop, operator, product, buyers, random: StdRng::seed_from_u64(seed as u64) }
    }

    /// All customers buy until the shop is killed, at a random moment after so many acknowledged
    /// orders.
    fn buy_until_killed(&mut self, least: usize, longest: Duration) {
        let moment = self.random.random_range(Duration::ZERO..longest);
        let Self { shop, product, buyers, .. } = self;
        let answered = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for buyer in buyers {
                let (product, answered) = (&*product, &answered);
                scope.spawn(move || buyer.buy(product, answered));
            }
            within(Duration::from_secs(60), "orders", || (answered.load(Ordering::Relaxed) >= least).then_some(()));
            std::thread::sleep(moment);
            shop.kill();
        });
    }

    fn lost(&self) -> Vec<String> {
        self.buyers.iter().flat_map(Buyer::lost).collect()
    }

    /// Every customer gets the answer to its last order.
    fn settle(&mut self) {
        for Buyer { customer, number, begun, is_waiting, acknowledged } in &mut self.buyers {
            if std::mem::take(is_waiting) {
                let key = format!("buyer-{number}-order-{begun}");
                let order = customer.order_of(&[(&self.product, PIECES)]);
                let answer = within(Duration::from_secs(30), "an answer", || {
                    let answer = customer.place_order(&key, &order);
                    (answer.status == 201).then_some(answer)
                });
                acknowledged.insert(answer.id());
            }
        }
    }
}

#[test]
fn after_many_kills_no_acknowledged_order_is_lost_and_no_customer_pays_twice() {
    let mut scene = ShopWithBuyers::open(BUYERS);
    let kills = repeats("TEST_KILLS", 8, 30);
    for kill in 1..=kills {
        // Two of three rounds wait for one or two acknowledged orders, so that on a slow machine
        // not every kill comes before the first order.
        scene.buy_until_killed(kill % 3, Duration::from_millis(1500));
        scene.shop.start();
        let lost = scene.lost();
        assert!(lost.is_empty(), "acknowledged, and lost by kill {kill}: {lost:#?}");
        // On a busy machine a service may not be ready yet: the audit is read when all services
        // are.
        let audit = eventually("the audit", || Some(scene.operator.get("/api/v1/audit")).filter(|it| it.status == 200));
        assert_eq!(audit["balanced"], true, "after kill {kill}: {audit:#?}");
    }
    scene.settle();
    let mut orders = 0;
    for buyer in &scene.buyers {
        assert_eq!(buyer.orders(), buyer.acknowledged, "one order for each key, and no other");
        assert_eq!(buyer.acknowledged.len(), buyer.begun);
        orders += buyer.begun;
    }
    // Each order was paid once. The audit compares the payments with the ledger of the provider;
    // this compares the stock with the orders.
    assert_eq!(scene.operator.available(&scene.product), STOCK - PIECES * orders as u64);
    scene.operator.audit();
    println!("{kills} kills, {orders} orders, none lost");
    assert!(orders > kills, "hardly any customer could buy anything: {orders} orders");
    scene.shop.kill();
    scene.shop.command(&["check"]).succeeded();
}

/// The control experiment, with two customers. Many customers would fill the buffer of the storage
/// engine every few milliseconds, and the engine would write uncommitted data to disk by chance.
#[test]
fn the_kill_test_finds_lost_orders_when_commits_are_disabled() {
    let mut scene = ShopWithBuyers::open(2);
    assert_eq!(scene.shop.stop(), Some(0));
    scene.shop.change(|options| options.env("FAILPOINT_NO_COMMIT", "1"));
    for kill in 1..=30 {
        scene.shop.start();
        scene.buy_until_killed(2, Duration::from_millis(50));
        scene.shop.start();
        let lost = scene.lost().len();
        if lost > 0 {
            println!("{lost} orders were lost by kill {kill}");
            return;
        }
        scene.shop.kill();
    }
    panic!("nothing is lost although nothing is committed: this test sees nothing");
}
