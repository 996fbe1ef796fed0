//! Edge cases of the cache: a failed fetch with several waiters, an entry that has just expired,
//! and preconditions of changes.

use super::{is_hit, product_path, status};
use crate::harness::{Answer, Shop};
use serde_json::json;
use std::{sync::Barrier, thread, time::Duration};

#[test]
fn a_request_that_waited_for_another_fetch_gets_the_stale_entry_too() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let kettle = operator.stock_up_and_tell(100, 50);
    operator.change_control("routes", "products.get", &json!({"cache_ttl_ms": 100})).ok();
    let first = guest.product(&kettle).ok();
    thread::sleep(Duration::from_millis(300));
    operator.change_control("routes", "products.get", &json!({"deadline_ms": 1_000})).ok();
    operator.set_link("gateway.products", &json!({"lost_requests": 100})).no_content();
    let start = Barrier::new(8);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let ask = || {
            let guest = shop.anonymous();
            start.wait();
            guest.product(&kettle)
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for answer in answers {
        let answer = answer.ok();
        assert!(status(&answer).starts_with("galleria; fwd=stale; fwd-status=504; ttl=-"), "{answer:#?}");
        assert_eq!(answer.text, first.text);
    }
}

#[test]
fn the_cache_drops_the_label_of_a_cancelled_parcel() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up_and_tell(100, 50);
    let customer = shop.customer();
    let order = customer.buys(&kettle, 1).created();
    let label = format!("/api/v1/shipments/{}/label.svg", order["shipment"]["id"].as_str().expect("an id"));
    customer.get(&label).ok();
    is_hit(&customer.get(&label).ok());
    customer.cancel(&order.id()).ok();
    assert_eq!(customer.get(&label).status, 409);
}

#[test]
fn a_change_with_a_failed_if_none_match_is_not_made() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up_and_tell(100, 50);
    let path = product_path(&kettle);
    let tag = operator.get(&path).ok().header("etag").to_owned();
    let (dearer, counted) = (json!({"price": {"amount": 200, "currency": "EUR"}}), json!({"on_hand": 7}));
    for list in [tag.as_str(), &format!("\"x\", W/{tag}"), "*"] {
        let change = |method, path: &str, body| operator.send(method, path, &[("if-none-match", list)], body);
        change("PATCH", &path, Some(&dearer)).problem(412, "stale");
        change("PUT", &format!("{path}/stock"), Some(&counted)).problem(412, "stale");
        change("DELETE", &path, None).problem(412, "stale");
    }
    assert_eq!(operator.get(&path).ok().header("etag"), tag);
    // Both preconditions must hold. If-Match is evaluated first.
    let both = [("if-match", tag.as_str()), ("if-none-match", tag.as_str())];
    operator.send("PATCH", &path, &both, Some(&dearer)).problem(412, "stale");
    let both = [("if-match", tag.as_str()), ("if-none-match", "\"x\"")];
    operator.send("PATCH", &path, &both, Some(&dearer)).ok();
}

#[test]
fn a_request_with_max_age_gets_no_stale_answer() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let path = product_path(&operator.stock_up_and_tell(100, 50));
    operator.change_control("routes", "products.get", &json!({"cache_ttl_ms": 1_500})).ok();
    guest.get(&path).ok();
    thread::sleep(Duration::from_millis(1_700));
    let asked = guest.send("GET", &path, &[("cache-control", "max-age=60")], None).ok();
    assert_eq!(status(&asked), "galleria; fwd=request; stored");
    operator.change_control("routes", "products.get", &json!({"cache_ttl_ms": 100})).ok();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(status(&guest.get(&path).ok()), "galleria; fwd=stale; stored", "it was there, and too old");
}

#[test]
fn a_head_request_fills_the_cache_for_get_requests() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let kettle = operator.stock_up_and_tell(100, 50);
    assert_eq!(status(&guest.send("HEAD", &product_path(&kettle), &[], None).ok()), "galleria; fwd=miss; stored");
    let whole = guest.product(&kettle).ok();
    is_hit(&whole);
    assert_eq!(whole["price"]["amount"], 100);
}
