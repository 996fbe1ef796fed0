//! The order of the filters. Of two filters that would both reject a request, the earlier one
//! rejects it.

use crate::harness::{Client, OPERATOR_EMAIL, Shop, eventually, fresh};
use serde_json::json;

const BAD: &str = "not.a.token";

/// Uses up the rate limit of the client for this class.
fn exhaust(operator: &Client, class: &str) {
    operator.change_control("limits", class, &json!({"quota": 1, "window_seconds": 3600})).ok();
}

#[test]
fn a_closed_route_is_closed_to_every_caller() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    operator.change_control("routes", "users.get_me", &json!({"enabled": false})).ok();
    for who in [&guest, &guest.bearing(Some(BAD)), &shop.shopper(), &operator] {
        who.get("/api/v1/users/me").problem(503, "route_closed");
    }
    // The check of the host runs before that.
    let head = "GET /api/v1/users/me HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert_eq!(shop.raw_connection().say(head).listen().status, Some(421));
}

#[test]
fn authentication_runs_before_authorization() {
    let shop = Shop::open();
    let guest = shop.anonymous();
    guest.get("/api/v1/audit").problem(401, "unauthorized");
    guest.bearing(Some(BAD)).get("/api/v1/audit").problem(401, "invalid_token");
    shop.shopper().get("/api/v1/audit").problem(403, "forbidden");
}

#[test]
fn a_forbidden_request_is_not_counted_and_a_limited_request_is_not_parsed() {
    let shop = Shop::options().throttled().open();
    let (operator, shopper) = (shop.operator(), shop.shopper());
    for _ in 0..3 {
        assert_eq!(shopper.get("/api/v1/audit").problem(403, "forbidden").header("ratelimit"), "");
    }
    exhaust(&operator, "write");
    let nonsense = json!({"surprise": true});
    shopper.put("/api/v1/cart/items/prd_0?x=1", &nonsense).problem(400, "bad_query");
    // The first request was invalid, and was counted nevertheless.
    shopper.put("/api/v1/cart/items/prd_0?x=1", &nonsense).problem(429, "too_many_requests");
    shopper.delete("/api/v1/cart").problem(429, "too_many_requests");
}

#[test]
fn a_replayed_answer_is_counted_and_given_only_to_an_authorized_caller() {
    let shop = Shop::options().throttled().open();
    let operator = shop.operator();
    let kettle = operator.stock_up_and_tell(100, 5);
    let customer = shop.customer();
    let (key, order) = (fresh("key"), customer.order_of(&[(&kettle, 1)]));
    let first = customer.place_order(&key, &order).created();
    let again = customer.place_order(&key, &order).created();
    assert_eq!((again.header("idempotency-replayed"), again.id()), ("true", first.id()));
    customer.bearing(Some(BAD)).place_order(&key, &order).problem(401, "invalid_token");
    exhaust(&operator, "checkout");
    customer.place_order(&key, &order).created();
    customer.place_order(&key, &order).problem(429, "too_many_requests");
}

#[test]
fn unexpected_input_claims_no_idempotency_key() {
    let shop = Shop::open();
    let kettle = shop.operator().stock_up_and_tell(100, 5);
    let customer = shop.customer();
    let (key, order) = (fresh("key"), customer.order_of(&[(&kettle, 1)]));
    let headers = [("idempotency-key", key.as_str())];
    customer.send("POST", "/api/v1/orders?fast=true", &headers, Some(&order)).problem(400, "bad_query");
    let placed = customer.place_order(&key, &order).created();
    assert_eq!(placed.header("idempotency-replayed"), "");
}

#[test]
fn a_cached_answer_needs_authorization_and_is_not_sent_to_a_client_that_has_it() {
    let shop = Shop::options().throttled().open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let path = format!("/api/v1/products/{}", operator.stock_up_and_tell(100, 5));
    let tag = eventually("it is kept, since what the shop heard of it was before", || {
        let answer = guest.get(&path).ok();
        answer.header("cache-status").starts_with("galleria; hit").then(|| answer.header("etag").to_owned())
    });
    guest.bearing(Some(BAD)).get(&path).problem(401, "invalid_token");
    guest.get(&format!("{path}?x=1")).problem(400, "bad_query");
    let spared = guest.send("GET", &path, &[("if-none-match", &tag)], None).is(304);
    assert!(spared.header("cache-status").starts_with("galleria; hit"), "{spared:#?}");
    exhaust(&operator, "browse");
    guest.send("GET", &path, &[("if-none-match", &tag)], None).is(304);
    guest.send("GET", &path, &[("if-none-match", &tag)], None).problem(429, "too_many_requests");
}

#[test]
fn every_refused_request_is_logged_with_its_reason() {
    let shop = Shop::options().throttled().open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    exhaust(&operator, "browse");
    operator.change_control("routes", "shipping.quote", &json!({"enabled": false})).ok();
    guest.get("/api/v1/categories").ok();
    let refusals = [
        guest.get("/api/v1/categories").problem(429, "too_many_requests"),
        guest.post("/api/v1/shipping/quotes", &json!({})).problem(503, "route_closed"),
        guest.get("/api/v1/nowhere").problem(429, "too_many_requests"),
        guest.get("/api/v1/audit").problem(401, "unauthorized"),
    ];
    for refused in refusals {
        let code = refused["code"].as_str().expect("a code");
        let is_it =
            |line: &str| line.contains(refused.header("x-request-id")) && line.contains(&format!("problem={code}"));
        eventually("it is in the log", || shop.log().lines().any(is_it).then_some(()));
    }
    let who = operator.me().ok()["id"].as_str().expect("an id").to_owned();
    assert!(!who.contains(OPERATOR_EMAIL));
    let changed = |line: &str| line.contains("route shipping.quote") && line.contains(&who);
    assert!(shop.log().lines().any(changed), "who changed what is in the log");
}
