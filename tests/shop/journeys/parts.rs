//! Composed pages: a missing service removes only its own parts of the page.

use crate::harness::{Client, Shop, eventually, instant};
use serde_json::{Value, json};
use std::time::Duration;

fn cut_off(operator: &Client, service: &str) {
    operator.change_control("breakers", &format!("gateway.{service}"), &json!({"forced": "open"})).ok();
}

fn connect(operator: &Client, service: &str) {
    operator.change_control("breakers", &format!("gateway.{service}"), &json!({"forced": null})).ok();
}

#[test]
fn a_page_names_its_missing_parts_and_fails_without_its_main_part() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(100, 5);
    let customer = shop.customer();
    let order = format!("/api/v1/orders/{}", customer.buys(&kettle, 1).created().id());
    let (storefront, account) = ("/api/v1/storefront", "/api/v1/account");
    // The parts of each page that each service gives; `None` where the page fails without the
    // service.
    #[rustfmt::skip]
    let cases: [(&str, &str, Option<&[&str]>); 12] = [
        ("products",      storefront, Some(&["featured", "categories"])),
        ("carts",         storefront, Some(&["cart"])),
        ("users",         storefront, Some(&["user"])),
        ("notifications", storefront, Some(&[])),
        ("users",         account,    None),
        ("payments",      account,    Some(&["payment_methods"])),
        ("orders",        account,    Some(&["latest_orders"])),
        ("notifications", account,    Some(&["unread_count"])),
        ("products",      account,    Some(&[])),
        ("orders",        &order,     None),
        ("payments",      &order,     Some(&["payment"])),
        ("shipping",      &order,     Some(&["shipment"])),
    ];
    for (service, page, missing) in cases {
        cut_off(&operator, service);
        match missing {
            None => _ = customer.get(page).problem(503, "circuit_open"),
            Some(missing) => {
                let answer = customer.get(page).ok();
                assert_eq!(answer["degraded"], json!(missing), "{page} without {service}");
                assert_eq!(answer.header("x-completed"), if missing.is_empty() { "true" } else { "false" });
                assert!(missing.iter().all(|part| answer[*part] == Value::Null), "{answer:#?}");
            }
        }
        connect(&operator, service);
        assert_eq!(customer.get(page).ok()["degraded"], json!([]), "{page} with {service} again");
    }
}

/// The start and the end of each call that the gateway made for this request.
fn calls_of_gateway(operator: &Client, request: &str) -> Vec<(jiff::Timestamp, jiff::Timestamp)> {
    let trace = eventually("the trace", || {
        Some(operator.get(&format!("/api/v1/traces/{request}"))).filter(|it| it.status == 200)
    });
    let spans = trace["spans"].as_array().expect("spans");
    let calls = spans.iter().filter(|span| span["kind"] == "call" && span["caller"] == "gateway");
    calls
        .map(|call| {
            let begun = instant(&call["started_at"]);
            (begun, begun + Duration::from_micros(call["took_us"].as_u64().expect("microseconds")))
        })
        .collect()
}

#[test]
fn parts_are_fetched_concurrently_and_a_slow_optional_part_is_left_out() {
    let shop = Shop::options().demo().open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    for service in ["products", "carts"] {
        operator.set_link(&format!("gateway.{service}"), &json!({"latency_ms": 250})).no_content();
    }
    let page = guest.get("/api/v1/storefront").ok();
    assert_eq!(page["degraded"], json!([]));
    // The last part was requested before the first one was answered.
    let calls = calls_of_gateway(&operator, page.header("x-request-id"));
    let last_begun = calls.iter().map(|(begun, _)| begun).max();
    let first_answered = calls.iter().map(|(_, answered)| answered).min();
    assert!(calls.len() >= 3 && last_begun < first_answered, "{calls:#?}");

    operator.change_control("routes", "composed.storefront", &json!({"deadline_ms": 1_000})).ok();
    operator.set_link("gateway.carts", &json!({"lost_requests": 100})).no_content();
    let page = guest.get("/api/v1/storefront").ok();
    assert_eq!(page["degraded"], json!(["cart"]), "there was time left to put the rest together");
    let fields = |text: &str| text.split("\":").count();
    let whole: Vec<_> = (0..3).map(|_| guest.get("/api/v1/storefront").ok().text).collect();
    assert!(whole.windows(2).all(|pair| pair[0] == pair[1]), "the same parts in the same order");
    assert!(fields(&whole[0]) > 4);
}
