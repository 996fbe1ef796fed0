//! Concurrent requests, and instances that crash under load.

use crate::harness::{Answer, Client, Customer, Shop, eventually, fresh, number};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Runs `act` for each caller at the same time, in one thread each. Gives the results.
fn at_once<T: Sync, R: Send>(callers: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = callers.iter().map(|caller| scope.spawn(|| act(caller))).collect();
        threads.into_iter().map(|thread| thread.join().expect("they got to the end")).collect()
    })
}

/// All pages of the operator's list of orders.
fn all_orders(shop: &Shop) -> Vec<Value> {
    let operator = shop.operator();
    let (mut orders, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = operator.get(&format!("/api/v1/orders?all=true&limit=100{cursor}")).ok();
        orders.extend(page.items().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return orders,
        }
    }
}

#[test]
fn fifty_pieces_are_sold_to_fifty_of_two_hundred_buyers() {
    let buyers = number("TEST_BUYERS", 200);
    let pieces = buyers / 4;
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, pieces as u32);
    // Four buyers share one account: each account sends four requests at once.
    let accounts: Vec<Customer> = (0..buyers.div_ceil(4)).map(|_| shop.customer()).collect();
    let buyers: Vec<_> = (0..buyers).map(|n| accounts[n % accounts.len()].clone()).collect();
    let answers = at_once(&buyers, |buyer| buyer.buys(&kettle, 1));

    let (confirmed, refused): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((confirmed.len(), refused.len()), (pieces, buyers.len() - pieces));
    for answer in refused {
        let answer = answer.problem(409, "out_of_stock");
        assert_eq!(answer["lines"], json!([{"product_id": kettle, "requested": 1, "available": 0}]));
    }
    let stock = operator.set_stock(&kettle, json!({"adjust_by": 0})).ok();
    assert_eq!(stock.body, json!({"on_hand": 0, "reserved": 0, "available": 0}));
    let charged: i64 = confirmed.iter().map(|order| order["payment"]["captured"]["amount"].as_i64().unwrap()).sum();
    let owed: i64 = confirmed.iter().map(|order| order["total"]["amount"].as_i64().unwrap()).sum();
    assert_eq!(charged, owed);
    let orders = all_orders(&shop);
    let count = |status: &str| orders.iter().filter(|order| order["status"] == status).count();
    assert_eq!((count("confirmed"), count("rejected"), orders.len()), (pieces, buyers.len() - pieces, buyers.len()));
    operator.audit();
}

#[test]
fn orders_of_the_same_products_in_another_sequence_do_not_wait_for_each_other() {
    let shop = Shop::open();
    let operator = shop.operator();
    let products: Vec<_> = (0..4).map(|_| operator.stock_up(100, 30)).collect();
    let customer = shop.customer();
    let sequences: Vec<Vec<usize>> =
        (0..24).map(|n| (0..4).map(|at| (at * (1 + n % 2 * 2) + n) % 4).collect()).collect();
    let answers = at_once(&sequences, |sequence| {
        let lines: Vec<_> = sequence.iter().map(|at| (products[*at].as_str(), 1)).collect();
        customer.place_order(&fresh("key"), &customer.order_of(&lines))
    });
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:#?}");
    for product in &products {
        assert_eq!(operator.available(product), 6);
    }
    operator.audit();
}

#[test]
fn of_many_registrations_with_one_email_address_one_succeeds() {
    let shop = Shop::open();
    let email = format!("{}@example.com", fresh("wanted"));
    let callers: Vec<_> = (0..8).map(|_| shop.anonymous()).collect();
    let statuses = at_once(&callers, |caller| caller.clone().register(&email).status);
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
}

#[test]
fn concurrent_changes_of_one_cart_are_all_kept() {
    let shop = Shop::open();
    let operator = shop.operator();
    let products: Vec<_> = (0..20).map(|_| operator.stock_up(100, 5)).collect();
    let customer = shop.shopper();
    at_once(&products, |product| customer.put_in_cart(product, 2).ok());
    assert_eq!(customer.cart().ok()["item_count"], 40);
}

#[test]
fn an_order_that_is_cancelled_and_packed_at_once_ends_in_one_of_the_two_states() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 20);
    let customer = shop.customer();
    for _ in 0..5 {
        let order = customer.buys(&kettle, 1).created().id();
        at_once(&[0, 1, 2, 3], |who| match who {
            0 | 1 => customer.cancel(&order),
            2 => operator.fulfil(&order, "packed"),
            _ => operator.fulfil(&order, "shipped"),
        });
        let settled = eventually("it is at rest", || {
            Some(customer.order(&order).ok()).filter(|order| order["in_progress"].is_null())
        });
        let cancelled = settled["status"] == "cancelled";
        assert_eq!(settled["payment"]["status"], if cancelled { "refunded" } else { "captured" }, "{settled:#?}");
        assert_eq!(settled["shipment"]["status"] == "cancelled", cancelled, "{settled:#?}");
    }
    operator.audit();
}

const SERVICES: [&str; 7] = ["users", "products", "carts", "orders", "payments", "shipping", "notifications"];

/// The number of restarts of each ready instance, by its name.
fn restarts(operator: &Client) -> BTreeMap<String, u64> {
    let services = operator.get("/api/v1/lab/services").ok();
    let instances = services.items().iter().flat_map(|service| service["instances"].as_array().expect("instances"));
    instances
        .filter(|instance| instance["state"] == "ready")
        .map(|instance| {
            (instance["name"].as_str().expect("a name").to_owned(), instance["restarts"].as_u64().expect("a number"))
        })
        .collect()
}

#[test]
fn an_instance_that_dies_is_replaced_and_the_shop_goes_on() {
    let shop = Shop::open();
    shop.expect_panics();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 50);
    let customer = shop.customer();
    assert_eq!(restarts(&operator).len(), 2 * SERVICES.len());
    operator.crash("nobody-1").problem(404, "not_found");
    for service in SERVICES {
        for number in [1, 2] {
            let instance = format!("{service}-{number}");
            operator.crash(&instance).no_content();
            // The next request succeeds.
            shop.anonymous().sign_in(&customer.email, crate::harness::GOOD_PASSWORD).created();
            customer.put_in_cart(&kettle, 1).ok();
            customer.place_order(&fresh("key"), &customer.order_of(&[])).created();
            assert_eq!(customer.get("/api/v1/account").ok()["degraded"], json!([]), "{instance}");
            eventually("it is replaced", || (restarts(&operator).get(&instance) == Some(&1)).then_some(()));
        }
    }
    assert_eq!(operator.available(&kettle), 50 - 2 * SERVICES.len() as u64);
    shop.anonymous().get("/readyz").ok();
    operator.audit();
}

#[test]
fn orders_under_way_survive_the_death_of_any_instance() {
    let shop = Shop::open();
    shop.expect_panics();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 10_000);
    let customers: Vec<_> = (0..6).map(|_| shop.customer()).collect();
    let over = AtomicBool::new(false);
    let placed = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for customer in &customers {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let (key, order) = (fresh("key"), customer.order_of(&[(&kettle, 1)]));
                    // A client that got no final answer repeats the request with the same key.
                    let answer = eventually("an answer", || {
                        let answer = customer.place_order(&key, &order);
                        let decided = answer.status == 201 || answer["code"] == "order_not_possible";
                        assert!(
                            decided
                                || answer.status == 202
                                || answer.status >= 500
                                || answer["code"] == "idempotency_in_flight",
                            "{answer:#?}"
                        );
                        decided.then_some(answer)
                    });
                    if answer.status == 201 {
                        placed.lock().unwrap().insert(key, answer.id());
                    }
                }
            });
        }
        for round in 0..number("TEST_CRASHES", 14) {
            std::thread::sleep(Duration::from_millis(150));
            let service = SERVICES[round % SERVICES.len()];
            operator.crash(&format!("{service}-{}", 1 + round / SERVICES.len() % 2));
        }
        over.store(true, Ordering::Relaxed);
    });
    let placed = placed.into_inner().unwrap();
    assert!(placed.len() >= 6, "{placed:?}");
    let unsettled = || {
        all_orders(&shop)
            .into_iter()
            .filter(|order| order["status"] == "pending" || !order["in_progress"].is_null())
            .count()
    };
    eventually("all sagas are at rest", || (unsettled() == 0).then_some(()));
    let confirmed: Vec<_> = all_orders(&shop).into_iter().filter(|order| order["status"] == "confirmed").collect();
    let mut ids: Vec<_> = confirmed.iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect();
    let mut acknowledged: Vec<_> = placed.into_values().collect();
    ids.sort();
    acknowledged.sort();
    assert_eq!(ids, acknowledged, "each key placed one order, and none was lost");
    assert_eq!(operator.available(&kettle), 10_000 - ids.len() as u64);
    operator.audit();
}
