//! Changes by an operator at run time: they take effect at once, they are stored, and they can be
//! reset.

use crate::harness::{Client, Shop, eventually};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

const GET_PRODUCT: &str = "products.get";

fn settings_of(operator: &Client, kind: &str, id: &str) -> Value {
    let list = operator.controls(kind).ok();
    let is_it = |item: &&Value| item["id"] == id || item["service"] == id && kind == "services";
    list.items().iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {id} in {list:#?}"))["settings"].clone()
}

#[test]
fn a_closed_route_answers_with_the_message_of_the_operator_until_it_is_opened() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let kettle = operator.stock_up(4990, 5);
    let closed = json!({"enabled": false, "message": "We are counting the kettles"});
    let route = operator.change_control("routes", GET_PRODUCT, &closed).ok();
    assert_eq!((&route["settings"]["enabled"], &route["path"]), (&json!(false), &json!("/api/v1/products/{id}")));
    for who in [&guest, &operator] {
        let refused = who.product(&kettle).problem(503, "route_closed");
        assert_eq!(refused["detail"], "We are counting the kettles.");
        assert_eq!(refused.header("retry-after"), "60");
    }
    guest.get("/api/v1/products").ok();
    operator.change_control("routes", GET_PRODUCT, &json!({"enabled": null})).ok();
    guest.product(&kettle).ok();
    for (patch, failures) in [
        (json!({"outlier": {"failures": 9, "base_ms": 10}}), 9),
        (json!({"outlier": {"failures": null}}), 5),
        (json!({"outlier": null}), 5),
        (json!({"outlier": {"failures": 7}}), 7),
    ] {
        let report = operator.change_control("services", "carts", &patch).ok();
        assert_eq!(report["settings"]["outlier"]["failures"], failures, "{patch}");
    }
    assert_eq!(settings_of(&operator, "services", "carts")["outlier"]["base_ms"], 30_000);
    assert_eq!(
        settings_of(&operator, "routes", GET_PRODUCT)["message"],
        "We are counting the kettles",
        "it was not touched"
    );
}

#[test]
fn the_routes_that_open_routes_cannot_be_closed() {
    let shop = Shop::open();
    let operator = shop.operator();
    for id in ["controls.change_route", "controls.list_routes", "controls.change_service"] {
        let refused = operator.change_control("routes", id, &json!({"enabled": false})).problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], "/enabled");
    }
    operator.controls("routes").ok();
}

#[test]
fn an_invalid_change_is_refused_and_changes_nothing() {
    let shop = Shop::open();
    let operator = shop.operator();
    #[rustfmt::skip]
    let cases = [
        ("routes",   GET_PRODUCT,        json!({"enabled": "no"}),                                  "/enabled"),
        ("routes",   GET_PRODUCT,        json!({"words": "x"}),                                     "/words"),
        ("routes",   GET_PRODUCT,        json!({"message": ""}),                                    "/message"),
        ("routes",   GET_PRODUCT,        json!({"message": "a\nb"}),                                "/message"),
        ("routes",   GET_PRODUCT,        json!({"enabled": false, "deadline_ms": 5}),               "/deadline_ms"),
        ("routes",   GET_PRODUCT,        json!({"deadline_ms": -5}),                                "/deadline_ms"),
        ("routes",   GET_PRODUCT,        json!([]),                                                 ""),
        ("services", "products",         json!({"count": 0}),                                       "/count"),
        ("services", "products",         json!({"count": 33}),                                      "/count"),
        ("services", "products",         json!({"strategy": "best"}),                               "/strategy"),
        ("services", "products",         json!({"count": 3, "outlier": {"base_ms": 0}}),            "/outlier/base_ms"),
        ("services", "products",         json!({"autoscale": {"least": 1, "most": 2}}),             "/autoscale"),
        ("services", "products",         json!({"autoscale": {"least": 3, "most": 2, "in_flight": 1}}), "/autoscale/most"),
        ("services", "products",         json!({"instances": {"products-1": {"weight": 99999}}}),   "/instances/products-1/weight"),
        ("services", "products",         json!({"instances": {"carts-1": {"weight": 9}}}),          "/instances/carts-1"),
        ("instances", "products-1",      json!({"capacity": 0}),                                    "/capacity"),
        ("instances", "products-1",      json!({"state": "dead"}),                                  "/state"),
        ("breakers", "gateway.products", json!({"forced": "ajar"}),                                 "/forced"),
        ("breakers", "gateway.products", json!({"breaker": {"failure_percent": 101}}),              "/breaker/failure_percent"),
    ];
    let before = ["routes", "services", "breakers"].map(|kind| settings(&operator, kind));
    for (kind, id, patch, pointer) in cases {
        let refused = operator.change_control(kind, id, &patch).problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{patch}: {refused:#?}");
    }
    for (kind, id) in [
        ("routes", "products.eat"),
        ("services", "shop"),
        ("instances", "products-9"),
        ("breakers", "products.gateway"),
        ("breakers", "carts.payments"),
        ("breakers", "carts"),
    ] {
        operator.change_control(kind, id, &json!({})).problem(404, "not_found");
    }
    assert_eq!(["routes", "services", "breakers"].map(|kind| settings(&operator, kind)), before);
}

fn settings(operator: &Client, kind: &str) -> Vec<Value> {
    operator.controls(kind).ok().items().iter().map(|item| item["settings"].clone()).collect()
}

#[test]
fn a_change_of_an_operator_survives_a_restart_and_can_be_reset() {
    let mut shop = Shop::open();
    let operator = shop.operator();
    operator.change_control("routes", GET_PRODUCT, &json!({"enabled": false})).ok();
    operator.change_control("services", "carts", &json!({"count": 4, "strategy": "round_robin"})).ok();
    operator.change_control("instances", "orders-2", &json!({"weight": 5})).ok();
    operator.change_control("breakers", "gateway.shipping", &json!({"forced": "open"})).ok();
    let changed = |operator: &Client| {
        (
            settings_of(operator, "routes", GET_PRODUCT)["enabled"].clone(),
            settings_of(operator, "services", "carts")["count"].clone(),
            settings_of(operator, "services", "orders")["instances"]["orders-2"]["weight"].clone(),
            settings_of(operator, "breakers", "gateway.shipping")["forced"].clone(),
        )
    };
    let kept = (json!(false), json!(4), json!(5), json!("open"));
    assert_eq!(changed(&operator), kept);
    shop.kill();
    shop.start();
    assert_eq!(changed(&operator), kept, "a killed shop remembers");
    let carts = operator.controls("services").ok();
    let carts = carts.items().iter().find(|service| service["service"] == "carts").expect("carts");
    assert_eq!(carts["instances"].as_array().map(Vec::len), Some(4));
    shop.stop();
    shop.change(|options| options.env("GALLERIA_RESET_CONTROLS", "true"));
    shop.start();
    assert_eq!(changed(&operator), (json!(true), json!(2), Value::Null, Value::Null));
}

#[test]
fn concurrent_changes_are_all_made() {
    let shop = Shop::open();
    let operator = shop.operator();
    thread::scope(|scope| {
        for number in 1..=8 {
            let operator = &operator;
            let patch = json!({"instances": {format!("products-{number}"): {"weight": number}}});
            scope.spawn(move || operator.change_control("services", "products", &patch).ok());
        }
    });
    let instances = settings_of(&operator, "services", "products")["instances"].clone();
    for number in 1..=8 {
        assert_eq!(instances[format!("products-{number}")]["weight"], number, "{instances:#?}");
    }
}

/// The number of answers of each instance of shipping to so many requests.
fn answers_by_instance(guest: &Client, questions: usize) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for _ in 0..questions {
        let answer = guest.send("GET", "/api/v1/shipping/network", &[("cache-control", "no-store")], None).ok();
        *count.entry(answer.header("x-served-by").to_owned()).or_default() += 1;
    }
    count
}

#[test]
fn a_canary_answers_five_of_a_hundred_and_a_drained_instance_none() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    operator.change_control("services", "shipping", &json!({"strategy": "weighted"})).ok();
    operator.change_control("instances", "shipping-1", &json!({"weight": 95})).ok();
    let canary = operator.change_control("instances", "shipping-2", &json!({"weight": 5, "capacity": 8})).ok();
    assert_eq!((&canary["weight"], &canary["capacity"], &canary["state"]), (&json!(5), &json!(8), &json!("ready")));
    let count = answers_by_instance(&guest, 600);
    assert!((12..60).contains(&count["shipping-2"]), "{count:?}");
    assert_eq!(count.len(), 2, "{count:?}");
    operator.change_control("instances", "shipping-1", &json!({"state": "draining"})).ok();
    assert_eq!(answers_by_instance(&guest, 20), BTreeMap::from([("shipping-2".to_owned(), 20)]));
    operator.change_control("instances", "shipping-1", &json!({"state": "ready"})).ok();
    assert!(answers_by_instance(&guest, 100)["shipping-1"] > 50);
}

#[test]
fn an_ejected_instance_is_left_alone_and_the_last_one_cannot_be_ejected() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let ejected = operator.change_control("instances", "shipping-1", &json!({"state": "ejected"})).ok();
    assert_eq!(ejected["state"], "ejected");
    assert!(ejected["ejected_for_ms"].as_u64().is_some_and(|ms| ms > 20_000), "{ejected:#?}");
    operator.change_control("instances", "shipping-2", &json!({"state": "ejected"})).problem(409, "last_instance");
    assert_eq!(answers_by_instance(&guest, 20).len(), 1);
    let back = operator.change_control("instances", "shipping-1", &json!({"state": "ready"})).ok();
    assert_eq!(back["state"], "ready");
}

#[test]
fn the_shop_works_with_every_balancing_policy() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 100);
    let customer = shop.customer();
    for strategy in
        ["round_robin", "random", "least_in_flight", "power_of_two", "zone_aware", "consistent_hash", "weighted"]
    {
        for service in ["products", "carts", "orders", "payments", "shipping"] {
            let report = operator.change_control("services", service, &json!({"strategy": strategy})).ok();
            assert_eq!(report["settings"]["strategy"], strategy);
        }
        customer.buys(&kettle, 1).created();
    }
    operator.audit();
}

#[test]
fn a_breaker_that_is_forced_open_refuses_one_caller_and_no_other() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let kettle = operator.stock_up(4990, 5);
    let breaker = operator.change_control("breakers", "gateway.products", &json!({"forced": "open"})).ok();
    assert_eq!((&breaker["state"], &breaker["caller"]), (&json!("open"), &json!("gateway")));
    let refused = guest.product(&kettle).problem(503, "circuit_open");
    assert_eq!(refused.header("retry-after"), "5");
    let cart = guest.put_in_cart(&kettle, 2).ok();
    assert_eq!(cart["item_count"], 2, "carts asks products by a way of its own");
    operator.change_control("breakers", "gateway.products", &json!({"forced": null})).ok();
    guest.product(&kettle).ok();
}

#[test]
fn a_changed_limit_applies_to_all_clients_at_once_and_overrides_the_file() {
    let mut shop = Shop::options().throttled().closed();
    let write = |shop: &Shop, text: &str| fs::write(shop.home().join("galleria.toml"), text).expect("room for it");
    write(&shop, "[throttling.write]\nburst = 40\n");
    shop.start();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let policy = |path: &str| guest.get(path).header("ratelimit-policy").to_owned();
    assert_eq!(policy("/api/v1/categories"), "\"browse\";q=1000;w=10");
    assert_eq!(settings_of(&operator, "limits", "write")["quota"], 40);
    let limit = operator.change_control("limits", "browse", &json!({"quota": 5, "window_seconds": 3600})).ok();
    assert_eq!(limit["settings"], json!({"quota": 5, "window_seconds": 3600, "answered_within_ms": 25}));
    let served = (0..12).filter(|_| guest.get("/api/v1/categories").status == 200).count();
    assert_eq!(served, 5);
    let refused = guest.get("/api/v1/categories").problem(429, "too_many_requests");
    assert_eq!(refused.header("ratelimit-policy"), "\"browse\";q=5;w=3600");
    for (patch, pointer) in [
        (json!({"quota": 0}), "/quota"),
        (json!({"window_seconds": 86_401}), "/window_seconds"),
        (json!({"quota": 1, "window_seconds": 7200}), "/quota"),
        (json!({"answered_within_ms": 0}), "/answered_within_ms"),
    ] {
        let refused = operator.change_control("limits", "browse", &patch).problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused:#?}");
    }
    operator.change_control("limits", "free", &json!({})).problem(404, "not_found");
    // A reload of the file changes only settings that no operator has changed.
    write(&shop, "[throttling.write]\nburst = 41\n[throttling.browse]\nburst = 77\n");
    shop.signal("HUP");
    eventually("it is read again", || (settings_of(&operator, "limits", "write")["quota"] == 41).then_some(()));
    assert_eq!(settings_of(&operator, "limits", "browse")["quota"], 5, "the operator's word stands");
    guest.get("/api/v1/categories").problem(429, "too_many_requests");
    operator.change_control("limits", "browse", &json!({"quota": null, "window_seconds": null})).ok();
    assert_eq!(settings_of(&operator, "limits", "browse")["quota"], 77);
    guest.get("/api/v1/categories").ok();
}

#[test]
fn a_service_scales_up_and_down_under_load_without_a_failed_request() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 100_000);
    let (stop, orders) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            let (customer, kettle, stop, orders) = (shop.customer(), &kettle, &stop, &orders);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    customer.buys(kettle, 1).created();
                    customer.product(kettle).ok();
                    orders.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for count in [5, 1, 3, 2] {
            for service in ["products", "orders", "payments", "shipping", "carts", "users", "notifications"] {
                let report = operator.change_control("services", service, &json!({"count": count})).ok();
                assert!(report["instances"].as_array().expect("instances").len() >= count);
            }
            let so_far = orders.load(Ordering::SeqCst);
            eventually("orders go on", || (orders.load(Ordering::SeqCst) > so_far + 8).then_some(()));
        }
        stop.store(true, Ordering::SeqCst);
    });
    eventually("those that were to go are gone", || {
        let services = operator.controls("services").ok();
        let all_two = |service: &Value| service["instances"].as_array().is_some_and(|all| all.len() == 2);
        services.items().iter().all(all_two).then_some(())
    });
    operator.audit();
}

#[test]
fn every_answer_names_the_instance_that_gave_it() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let kettle = operator.stock_up(4990, 5);
    let by = guest.product(&kettle).ok().header("x-served-by").to_owned();
    assert!(["products-1", "products-2"].contains(&by.as_str()), "{by}");
    let storefront = guest.get("/api/v1/storefront").ok();
    let names: Vec<_> =
        storefront.header("x-served-by").split(", ").map(|name| name.rsplit_once('-').expect("a number").0).collect();
    assert!(names.contains(&"products") && names.contains(&"carts"), "{names:?}");
    assert_eq!(
        guest.get("/api/v1/users/me").problem(401, "unauthorized").header("x-served-by"),
        "",
        "no instance was asked"
    );
}
