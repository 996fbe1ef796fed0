//! A cached answer equals the answer without the cache, and a client that was told of a change
//! never reads the old version.

mod edges;

use crate::harness::{Answer, Card, Client, Shop, eventually, home_address};
use serde_json::json;
use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

#[track_caller]
fn status(answer: &Answer) -> &str {
    answer.header("cache-status")
}

fn seconds_left(answer: &Answer) -> Option<i64> {
    status(answer).strip_prefix("galleria; hit; ttl=")?.parse().ok()
}

#[track_caller]
fn is_hit(answer: &Answer) {
    assert!(seconds_left(answer).is_some_and(|left| left >= 0), "{answer:#?}");
}

fn product_path(product: &str) -> String {
    format!("/api/v1/products/{product}")
}

#[test]
fn a_cached_answer_serves_other_clients_and_is_marked_as_a_hit() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let kettle = operator.stock_up_and_tell(4990, 5);
    let first = guest.product(&kettle).ok();
    assert_eq!(status(&first), "galleria; fwd=miss; stored");
    assert_eq!(first.header("age"), "");
    for who in [&guest, &operator, &shop.shopper()] {
        let again = who.product(&kettle).ok();
        is_hit(&again);
        assert!(seconds_left(&again).is_some_and(|left| (50..=60).contains(&left)), "{again:#?}");
        assert!(again.header("age").parse::<u64>().is_ok_and(|age| age < 10), "{again:#?}");
        assert_eq!((&again.text, again.header("etag")), (&first.text, first.header("etag")));
        assert_eq!(again.header("cache-control"), "no-cache, public", "browsers ask each time");
        assert_eq!(again.header("x-served-by"), "", "no instance was asked");
    }
    let head = guest.send("HEAD", &product_path(&kettle), &[], None).ok();
    is_hit(&head);
    assert_eq!(status(&guest.cart().ok()), "", "a cart is private");
}

#[test]
fn equivalent_queries_share_one_cache_entry_and_invalid_queries_are_refused() {
    let shop = Shop::options().demo().open();
    let guest = shop.anonymous();
    let first = guest.get("/api/v1/products?category=kitchen&limit=3&sort=price").ok();
    for same in ["sort=price&limit=3&category=kitchen", "limit=%33&category=k%69tchen&sort=price"] {
        let again = guest.get(&format!("/api/v1/products?{same}")).ok();
        is_hit(&again);
        assert_eq!(again.text, first.text);
    }
    for other in ["category=kitchen&limit=4&sort=price", "category=kitchen&limit=3&sort=-price"] {
        assert_eq!(status(&guest.get(&format!("/api/v1/products?{other}")).ok()), "galleria; fwd=miss; stored");
    }
    for _ in 0..2 {
        guest.get("/api/v1/products?category=kitchen&limit=3&sort=price&x=1").problem(400, "bad_query");
        guest.get("/api/v1/products?category=kitchen&limit=3&limit=3&sort=price").problem(400, "bad_query");
        let nowhere = guest.get("/api/v1/products/no-such-thing").problem(404, "not_found");
        assert_eq!(status(&nowhere), "galleria; fwd=miss", "only what is there is kept");
    }
}

#[test]
fn a_client_that_was_told_of_a_change_never_reads_the_old_version() {
    let shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    let kettle = operator.stock_up_and_tell(1, 10_000);
    let (path, over) = (product_path(&kettle), AtomicBool::new(false));
    let list = "/api/v1/products?sort=price";
    let in_list = |who: &Client| who.get(list).ok().items()[0].clone();
    // With jitter, the result of a read from before a change often arrives after the change.
    operator.set_link("gateway.products", &json!({"jitter_ms": 8})).no_content();
    thread::scope(|scope| {
        // These clients fill the cache again all the time, also with results from before a change.
        for path in [path.as_str(), path.as_str(), list, list] {
            let (guest, over) = (shop.anonymous(), &over);
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    guest.send("GET", path, &[("cache-control", "no-cache")], None);
                }
            });
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (guest, customer) = (shop.anonymous(), shop.customer());
            for price in 2..80 {
                operator.patch(&path, &json!({"price": {"amount": price, "currency": "EUR"}})).ok();
                assert_eq!(guest.get(&path).ok()["price"]["amount"], price);
                assert_eq!(in_list(&guest)["price"]["amount"], price);
            }
            let mut left = 10_000;
            for round in 0..20 {
                left += 1;
                operator.set_stock(&kettle, json!({"adjust_by": 1})).ok();
                assert_eq!(guest.available(&kettle), left);
                let order = customer.buys(&kettle, 3).created().id();
                assert_eq!(
                    (guest.available(&kettle), &in_list(&guest)["stock"]["available"]),
                    (left - 3, &json!(left - 3))
                );
                if round % 2 == 0 {
                    customer.cancel(&order).ok();
                    assert_eq!(guest.available(&kettle), left);
                } else {
                    left -= 3;
                }
            }
            let order = customer.buys(&kettle, 3).created().id();
            operator.fulfil(&order, "packed").ok();
            operator.fulfil(&order, "shipped").ok();
            eventually("it arrives", || (customer.order(&order).ok()["status"] == "delivered").then_some(()));
            customer.return_items(&order, &kettle, 2).created();
            assert_eq!(guest.available(&kettle), left - 1);
            operator.delete(&path).no_content();
            assert_eq!(guest.get(&path).ok()["retired"], true);
            assert_eq!(guest.get(list).ok().items().len(), 0);
        }));
        over.store(true, Ordering::SeqCst);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    operator.audit();
}

#[test]
fn a_change_that_did_not_pass_the_gateway_is_soon_visible() {
    let shop = Shop::options().flag("--provider-faults", "delay=1500").open();
    let operator = shop.operator();
    let kettle = operator.stock_up_and_tell(100, 50);
    let (mut customer, guest) = (shop.customer(), shop.anonymous());
    // The first answer says that the order is in progress. Then the bank declines, and the reserved
    // stock is released.
    operator.change_control("routes", "orders.place", &json!({"deadline_ms": 1_000})).ok();
    customer.pays_with(Card("4000 0000 0000 0002"));
    let told = customer.buys(&kettle, 5);
    assert!([202, 504].contains(&told.status), "{told:#?}");
    eventually("they are taken off the shelf", || (guest.available(&kettle) == 45).then_some(()));
    is_hit(&guest.product(&kettle).ok());
    eventually("they are back, long before the minute is over", || (guest.available(&kettle) == 50).then_some(()));
}

#[test]
fn a_client_with_the_current_version_gets_304_without_a_body() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let kettle = operator.stock_up_and_tell(100, 50);
    let path = product_path(&kettle);
    let tag = guest.get(&path).ok().header("etag").to_owned();
    let whole = guest.get(&path).ok();
    let spared = guest.send("GET", &path, &[("if-none-match", &format!("\"x\", W/{tag}"))], None).is(304);
    assert_eq!(spared.text, "");
    for name in ["etag", "cache-control", "content-location", "expires", "vary"] {
        assert_eq!(spared.header(name), whole.header(name), "{name}");
    }
    assert!(spared.header("cache-status").starts_with("galleria; "), "{spared:#?}");
    assert!(!spared.header("date").is_empty() && !spared.header("age").is_empty(), "{spared:#?}");
    guest.send("GET", &path, &[("if-none-match", &tag[..tag.len() - 2])], None).ok();
    guest.send("GET", &path, &[("if-match", &tag)], None).ok();
    guest.send("GET", &path, &[("if-match", "\"another\"")], None).problem(412, "stale");
    guest.send("GET", &path, &[("if-match", "\"another\""), ("if-none-match", &tag)], None).problem(412, "stale");
    // The answer has no Last-Modified, so the gateway ignores a condition on the date.
    guest.send("GET", &path, &[("if-modified-since", "Sun, 06 Nov 2044 08:49:37 GMT")], None).ok();
}

fn calls_of_products(operator: &Client) -> u64 {
    let breakers = operator.controls("breakers").ok();
    let edge = breakers.items().iter().find(|it| it["id"] == "gateway.products").expect("an edge");
    edge["calls"].as_u64().expect("a number")
}

#[test]
fn many_concurrent_requests_for_the_same_entry_make_one_call() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up_and_tell(100, 50);
    operator.set_link("gateway.products", &json!({"latency_ms": 200})).no_content();
    let before = calls_of_products(&operator);
    let (path, start) = (product_path(&kettle), Barrier::new(24));
    let statuses: Vec<String> = thread::scope(|scope| {
        let ask = || {
            let guest = shop.anonymous();
            start.wait();
            status(&guest.get(&path).ok()).to_owned()
        };
        let threads: Vec<_> = (0..24).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let count = |status: &str| statuses.iter().filter(|it| *it == status).count();
    assert_eq!(count("galleria; fwd=miss; stored"), 1, "{statuses:?}");
    assert!(count("galleria; fwd=miss; collapsed") >= 20, "{statuses:?}");
    assert_eq!(calls_of_products(&operator) - before, 1);
}

#[test]
fn a_stale_entry_is_served_at_once_and_revalidated_in_the_background() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let kettle = operator.stock_up_and_tell(100, 50);
    operator.change_control("routes", "products.get", &json!({"cache_ttl_ms": 3_000})).ok();
    guest.product(&kettle).ok();
    operator.set_link("gateway.products", &json!({"latency_ms": 300})).no_content();
    let before = calls_of_products(&operator);
    let stale = eventually("it is stale", || {
        Some(guest.product(&kettle).ok())
            .filter(|it| seconds_left(it).is_some_and(|left| left < 0) || status(it).contains("ttl=-0"))
    });
    assert_eq!(stale.header("x-served-by"), "", "the answer waited for no instance");
    let fresh =
        eventually("it is fresh again", || Some(guest.product(&kettle).ok()).filter(|it| seconds_left(it) == Some(2)));
    assert_eq!(fresh.text, stale.text);
    assert_eq!(calls_of_products(&operator) - before, 1, "one fetched it for all");
}

#[test]
fn a_stale_entry_is_served_while_the_service_is_down_unless_it_was_changed() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let (kettle, cup) = (operator.stock_up_and_tell(100, 50), operator.stock_up_and_tell(100, 50));
    operator.change_control("routes", "products.get", &json!({"cache_ttl_ms": 100})).ok();
    let (first, _) = (guest.product(&kettle).ok(), guest.product(&cup).ok());
    operator.set_stock(&cup, json!({"adjust_by": 1})).ok();
    operator.change_control("breakers", "gateway.products", &json!({"forced": "open"})).ok();
    thread::sleep(Duration::from_millis(300));
    let old = guest.product(&kettle).ok();
    assert!(status(&old).starts_with("galleria; fwd=stale; fwd-status=503; ttl=-"), "{old:#?}");
    assert_eq!(old.text, first.text);
    guest.product(&cup).problem(503, "circuit_open");
    let anew = guest.send("GET", &product_path(&kettle), &[("cache-control", "no-cache")], None);
    anew.problem(503, "circuit_open");
    operator.change_control("breakers", "gateway.products", &json!({"forced": null})).ok();
    assert_eq!(guest.product(&cup).ok()["stock"]["available"], 51);
}

#[test]
fn a_private_answer_is_never_served_to_another_client() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up_and_tell(100, 50);
    let customer = shop.customer();
    let order = customer.buys(&kettle, 1).created();
    let label = format!("/api/v1/shipments/{}/label.svg", order["shipment"]["id"].as_str().expect("an id"));
    assert_eq!(status(&customer.get(&label).ok()), "galleria; fwd=miss; stored");
    let again = customer.get(&label).ok();
    is_hit(&again);
    assert_eq!(again.header("cache-control"), "no-store");
    shop.shopper().get(&label).problem(404, "not_found");
    shop.anonymous().get(&label).problem(401, "unauthorized");
    assert_eq!(status(&operator.get(&label).ok()), "galleria; fwd=miss; stored");
    customer.sign_out().no_content();
    customer.get(&label).problem(401, "invalid_token");
}

#[test]
fn cached_answers_are_counted_and_their_route_can_be_closed() {
    let shop = Shop::options().throttled().open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let kettle = operator.stock_up_and_tell(100, 50);
    guest.product(&kettle).ok();
    let left = |answer: &Answer| {
        let field = answer.header("ratelimit").to_owned();
        field.split("r=").nth(1).and_then(|rest| rest.split(';').next()?.parse::<i64>().ok()).expect("what is left")
    };
    let before = left(&guest.product(&kettle).ok());
    let hits: Vec<_> = (0..200).map(|_| guest.product(&kettle).ok()).collect();
    hits.iter().for_each(is_hit);
    let after = left(hits.last().expect("some"));
    assert!(after < before, "{before} {after}");
    operator.change_control("routes", "products.get", &json!({"enabled": false})).ok();
    guest.product(&kettle).problem(503, "route_closed");
}

#[test]
fn the_cache_follows_the_cache_control_of_the_request() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let path = product_path(&operator.stock_up_and_tell(100, 50));
    let ask = |wish: &str| guest.send("GET", &path, &[("cache-control", wish)], None);
    ask("only-if-cached").problem(504, "not_cached");
    assert_eq!(status(&ask("no-store").ok()), "galleria; fwd=request");
    ask("only-if-cached").problem(504, "not_cached");
    guest.get(&path).ok();
    is_hit(&ask("only-if-cached").ok());
    is_hit(&ask("max-age=60").ok());
    for wish in ["no-cache", "max-age=0"] {
        assert_eq!(status(&ask(wish).ok()), "galleria; fwd=request; stored");
    }
    is_hit(&guest.get(&path).ok());
}

#[test]
fn the_cache_lifetime_is_changed_at_run_time() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let kettle = operator.stock_up_and_tell(100, 50);
    operator.change_control("routes", "products.get", &json!({"cache_ttl_ms": 0})).ok();
    for _ in 0..2 {
        assert_eq!(status(&guest.product(&kettle).ok()), "");
    }
    operator.change_control("routes", "products.get", &json!({"cache_ttl_ms": null})).ok();
    guest.product(&kettle).ok();
    is_hit(&guest.product(&kettle).ok());
    operator.change_control("routes", "carts.get", &json!({"cache_ttl_ms": 5})).problem(422, "invalid");
    operator.change_control("routes", "products.get", &json!({"cache_ttl_ms": 3_600_001})).problem(422, "invalid");
    let lines = json!([{"product_id": kettle, "quantity": 1}]);
    let quote = guest.post("/api/v1/shipping/quotes", &json!({"address": home_address(), "items": lines})).ok();
    assert_eq!(status(&quote), "");
}
