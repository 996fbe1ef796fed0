//! Shutdown, orderly or by a second signal: every acknowledged order is there afterwards.
//! `kills.rs` tests the sudden end.

use crate::harness::{Customer, Shop, eventually, fresh, number, within};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// The knowledge of the customers: by key, the id of the acknowledged order, or `None` where the
/// answer is not known.
type KnownOrders = BTreeMap<String, (usize, Option<String>)>;

/// Customers order as fast as they can until the shop has ended. `enough` runs once after so many
/// acknowledged orders.
fn order_until_it_ends(customers: &[Customer], product: &str, count: usize, end: impl FnOnce()) -> KnownOrders {
    let memory = Mutex::new(KnownOrders::new());
    let acknowledged = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (who, customer) in customers.iter().enumerate() {
            let (memory, acknowledged) = (&memory, &acknowledged);
            scope.spawn(move || {
                loop {
                    let key = fresh("key");
                    let order = customer.order_of(&[(product, 1)]);
                    let headers = [("idempotency-key", key.as_str())];
                    let answer = customer.try_send("POST", "/api/v1/orders", &headers, Some(&order));
                    let id = match &answer {
                        Ok(answer) if answer.status == 201 => Some(answer.id()),
                        Ok(answer) => {
                            assert!([202, 503].contains(&answer.status), "{answer:#?}");
                            None
                        }
                        Err(_) => None,
                    };
                    let over = id.is_none();
                    memory.lock().unwrap().insert(key, (who, id));
                    if over {
                        return;
                    }
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        eventually("enough orders", || (acknowledged.load(Ordering::Relaxed) >= count).then_some(()));
        end();
    });
    memory.into_inner().unwrap()
}

/// Every acknowledged order is there. Requests without an answer are repeated with their key; then
/// each key has one order.
fn nothing_was_lost(shop: &Shop, customers: &[Customer], product: &str, memory: &KnownOrders) {
    for (key, (who, known)) in memory {
        let customer = &customers[*who];
        if let Some(id) = known {
            assert_eq!(customer.order(id).ok()["status"], "confirmed", "acknowledged and lost: {id}");
        }
        // A key whose request ended with the process is free when its lease has expired.
        let again = within(Duration::from_secs(30), "an answer", || {
            let answer = customer.place_order(key, &customer.order_of(&[(product, 1)]));
            (answer.status == 201).then_some(answer)
        });
        assert!(known.as_ref().is_none_or(|known| *known == again.id()), "{key} has two orders");
    }
    let operator = shop.operator();
    let sold = 100_000 - operator.available(product);
    assert_eq!(sold, memory.len() as u64);
    operator.audit();
}

#[test]
fn orders_in_progress_at_shutdown_are_not_lost() {
    let mut shop = Shop::open();
    let product = shop.operator().stock_up(100, 100_000);
    let customers: Vec<_> = (0..4).map(|_| shop.customer()).collect();
    let memory = order_until_it_ends(&customers, &product, number("TEST_ORDERS", 60), || shop.signal("TERM"));
    assert_eq!(shop.wait(), Some(0));
    assert!(shop.log().contains("closed"), "{}", shop.log());
    shop.start();
    nothing_was_lost(&shop, &customers, &product, &memory);
    assert_eq!(shop.stop(), Some(0));
    shop.command(&["check"]).succeeded();
}

#[test]
fn the_readiness_probe_fails_before_the_shop_stops_serving() {
    let mut shop = Shop::open();
    let probe = shop.anonymous();
    let (_, listed) = (probe.get("/readyz").ok(), probe.get("/readyz?verbose").ok());
    assert!(listed.text.contains("[+] service orders") && listed.text.contains("[+] open"), "{}", listed.text);
    assert!(listed.text.contains("[+] unfinished orders: 0"), "{}", listed.text);
    assert!(listed.text.contains("[+] orders that need attention: 0"), "{}", listed.text);
    shop.signal("TERM");
    let told = eventually("it says so", || Some(shop.readyz()).filter(|answer| answer.contains(" 503 ")));
    assert!(told.contains("[-] open"), "{told}");
    let refused = shop.anonymous().try_send("GET", "/api/v1/products", &[], None);
    if let Ok(refused) = refused {
        assert_eq!(refused.problem(503, "shutting_down").header("retry-after"), "5");
    }
    assert_eq!(shop.wait(), Some(0));
}

/// A request with half of its body sent.
fn half_a_request(shop: &Shop) -> (crate::harness::RawConnection, String) {
    let body = r#"{"email": "nobody@example.com", "password": "it is not this"}"#;
    let (first, rest) = body.split_at(20);
    let before = in_flight(shop);
    let mut connection = shop.raw_connection();
    connection
        .head("POST /api/v1/sessions", &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()))
        .say(first);
    eventually("it has come in", || (in_flight(shop) > before).then_some(()));
    (connection, rest.to_owned())
}

/// The number of requests in flight.
fn in_flight(shop: &Shop) -> f64 {
    let metrics = shop.anonymous().get("/metrics").ok().text;
    let count = metrics.lines().find_map(|line| line.strip_prefix("galleria_http_requests_in_flight "));
    count.and_then(|count| count.parse().ok()).expect("a gauge")
}

/// Checks that the shop has received the signal and waits for the request in flight.
fn is_closing(shop: &Shop) {
    eventually("it is closing", || shop.readyz().contains(" 503 ").then_some(()));
}

#[test]
fn a_request_that_has_begun_is_answered_during_shutdown() {
    let mut shop = Shop::open();
    let (mut connection, rest) = half_a_request(&shop);
    shop.signal("TERM");
    is_closing(&shop);
    let answer = connection.say(rest).listen();
    assert_eq!(answer.status, Some(401), "{answer:?}");
    assert_eq!(shop.wait(), Some(0));
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let mut shop = Shop::open();
    let (mut waiting, _) = half_a_request(&shop);
    shop.signal("INT");
    is_closing(&shop);
    shop.signal("INT");
    assert_eq!(shop.wait(), Some(130));
    // A shop that waited for the rest of the request would answer 408 at the timeout.
    assert_eq!(waiting.listen().status, None, "the shop waited for a request");
    shop.start();
    shop.operator().audit();
}

#[test]
fn an_open_event_stream_does_not_delay_the_shutdown() {
    let mut shop = Shop::open();
    let operator = shop.operator();
    let product = operator.stock_up(100, 10);
    let customer = shop.customer();
    let path = format!("/api/v1/orders/{}/events", customer.buys(&product, 1).created().id());
    let code = std::thread::scope(|scope| {
        let watching = scope.spawn(|| customer.events(&path, None));
        eventually("it waits for news", || {
            let services = operator.get("/api/v1/lab/services").ok();
            let orders = services.items().iter().find(|it| it["service"] == "orders").expect("the service");
            let instances = orders["instances"].as_array().expect("instances");
            instances.iter().any(|instance| instance["waiting"].as_u64() > Some(0)).then_some(())
        });
        let code = shop.stop();
        // The event stream ended properly. A stream that is cut off with the process would be an
        // error here.
        let seen = watching.join().unwrap();
        assert_eq!(
            seen.iter().map(|(_, _, data): &(_, _, Value)| data["status"].as_str().unwrap()).collect::<Vec<_>>(),
            ["pending", "confirmed"]
        );
        code
    });
    assert_eq!(code, Some(0));
}
