//! Network links between the services: messages are encoded as bytes and take time, and the shop
//! behaves the same.

use crate::harness::{Card, Client, Shop, eventually};
use serde_json::{Value, json};

/// The settings of the link, as an operator sees them.
fn link(operator: &Client, way: &str) -> Value {
    let breakers = operator.controls("breakers").ok();
    breakers.items().iter().find(|it| it["id"] == way).unwrap_or_else(|| panic!("no {way}"))["link"].clone()
}

#[test]
fn the_shop_behaves_the_same_with_encoded_messages_over_slow_links() {
    let shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    operator.set_link("any.any", &json!({"serialised": true, "latency_ms": 0.5, "jitter_ms": 0.25})).no_content();

    let kettle = operator.stock_up_and_tell(4990, 10);
    let guest = shop.anonymous();
    guest.put_in_cart(&kettle, 2).ok();
    assert_eq!(guest.get("/api/v1/products?q=kettle").ok().items()[0]["id"], *kettle);
    let mut customer = shop.customer();
    let (email, password) = (customer.email.clone(), "it is not this");
    shop.anonymous().sign_in(&email, password).problem(401, "invalid_credentials");

    let order = customer.buys(&kettle, 3).created().id();
    let refused = customer.buys(&kettle, 8).problem(409, "out_of_stock");
    assert_eq!(refused["lines"][0]["available"], 7, "{refused:#?}");
    customer.pays_with(Card("4000 0000 0000 0002"));
    customer.buys(&kettle, 1).problem(402, "payment_declined");
    customer.pays_with(Card::GOOD);
    let other = customer.buys(&kettle, 1).created().id();
    customer.cancel(&other).ok();

    operator.fulfil(&order, "packed").ok();
    operator.fulfil(&order, "shipped").ok();
    eventually("it arrives", || (customer.order(&order).ok()["status"] == "delivered").then_some(()));
    customer.return_items(&order, &kettle, 1).created();
    eventually("it is in the inbox", || {
        let inbox = customer.inbox().ok();
        inbox.items().iter().any(|it| it["link"].as_str().is_some_and(|link| link.contains(&order))).then_some(())
    });
    assert_eq!(operator.available(&kettle), 8);
    operator.audit();
}

#[test]
fn all_links_can_be_changed_at_once_and_each_link_is_listed() {
    let shop = Shop::open();
    let operator = shop.operator();
    assert_eq!(link(&operator, "carts.products"), Value::Null);
    operator.set_link("any.any", &json!({"latency_ms": 0.5, "serialised": true})).no_content();
    let slow = json!({
        "latency_ms": 0.5, "jitter_ms": 0.0, "serialised": true, "lost_requests": 0, "lost_replies": 0, "duplicates": 0,
    });
    for edge in operator.controls("breakers").ok().items() {
        assert_eq!(edge["link"], slow, "{edge:#}");
    }
    // A whole number is accepted where a fraction is allowed.
    operator.set_link("gateway.any", &json!({"latency_ms": 2, "jitter_ms": 1})).no_content();
    let whole = link(&operator, "gateway.shipping");
    assert_eq!(
        (&whole["latency_ms"], &whole["jitter_ms"], &whole["serialised"]),
        (&json!(2.0), &json!(1.0), &json!(false))
    );
    assert_eq!(link(&operator, "carts.products"), slow);
    operator.clear_link("any.any").no_content();
    for edge in operator.controls("breakers").ok().items() {
        assert_eq!(edge["link"], Value::Null, "{edge:#}");
    }
}

#[test]
fn an_invalid_link_is_refused_and_changes_nothing() {
    let shop = Shop::open();
    let operator = shop.operator();
    for (faults, pointer) in [
        (json!({"latency_ms": -0.5}), "/latency_ms"),
        (json!({"latency_ms": 60_000.5}), "/latency_ms"),
        (json!({"latency_ms": 1e300}), "/latency_ms"),
        (json!({"latency_ms": "0.5"}), "/latency_ms"),
        (json!({"latency_ms": null}), "/latency_ms"),
        (json!({"serialised": true, "jitter_ms": -1}), "/jitter_ms"),
        (json!({"serialised": 1}), "/serialised"),
        (json!({"lost_requests": 101}), "/lost_requests"),
        (json!({"lost_requests": 0.5}), "/lost_requests"),
    ] {
        operator.set_link("any.any", &faults).invalid(pointer);
    }
    let no_number = br#"{"latency_ms": NaN}"#;
    let headers = [("content-type", "application/json")];
    let answer =
        operator.try_send_text("PUT", "/api/v1/lab/links/any.any", &headers, Some(no_number)).expect("an answer");
    answer.problem(400, "bad_json");
    assert_eq!(link(&operator, "gateway.products"), Value::Null);
    operator.set_link("any.gateway", &json!({})).problem(404, "not_found");
}
