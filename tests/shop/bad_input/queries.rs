//! Unknown query parameters, and invalid values of known parameters.

use super::forms::World;
use crate::harness::{Answer, Client, Shop, fresh, home_address, routes};
use serde_json::json;

#[test]
fn every_route_refuses_unknown_query_parameters() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let before = world.snapshot();
    for row in routes() {
        let form = world.forms().find(|form| (form.method, form.template) == (&row.method, &row.path));
        let path = match &form {
            Some(form) => form.path.clone(),
            None => row.path.replace("{id}", &world.order),
        };
        let who = form.as_ref().map_or(&world.operator, |form| &form.who);
        let body = form.as_ref().map(|form| &form.body);
        for query in ["nonsense=1", "nonsense", "=1"] {
            let answer = who.send(&row.method, &format!("{path}?{query}"), &[], body);
            assert!(answer.status == 400 && answer["code"] == "bad_query", "{row:?}: {answer:#?}");
            assert!(query == "=1" || answer["detail"].to_string().contains("`nonsense`"), "{answer:#?}");
        }
    }
    world.is_still(&before);
}

#[test]
fn every_list_is_paged() {
    let shop = Shop::open();
    let (operator, owner) = (shop.operator(), shop.customer());
    for name in ["tea", "coffee", "milk"] {
        owner.add_address(&home_address()).created();
        owner.add_card(crate::harness::Card::GOOD).created();
        shop.anonymous().sign_in(&owner.email, crate::harness::GOOD_PASSWORD).created();
        operator.post("/api/v1/products", &json!({
            "slug": fresh(name), "name": name, "category": name, "price": {"amount": 1, "currency": "EUR"}, "weight_grams": 1,
        })).created();
    }
    let mut cursors = Vec::new();
    for list in [
        "/api/v1/users/me/addresses",
        "/api/v1/users/me/payment_methods",
        "/api/v1/users/me/sessions",
        "/api/v1/categories",
    ] {
        let whole = owner.get(list).ok();
        assert!(whole.items().len() >= 3 && whole["next_cursor"].is_null(), "{whole:#?}");
        let mut read = Vec::new();
        let mut next = String::new();
        loop {
            let page = owner.get(&format!("{list}?limit=2{next}")).ok();
            assert!((1..=2).contains(&page.items().len()), "{page:#?}");
            read.extend(page.items().clone());
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            cursors.push((list, cursor.to_owned()));
            next = format!("&cursor={cursor}");
        }
        assert_eq!(&read, whole.items(), "{list}");
        for limit in ["0", "101", "-1", "x", "", "1.5", "99999999999999999999999"] {
            bad_query(&owner, &format!("{list}?limit={limit}"), "limit");
        }
        bad_query(&owner, &format!("{list}?limit=1&limit=2"), "limit");
        owner.get(&format!("{list}?cursor=made-up")).problem(400, "bad_cursor");
    }
    for (list, cursor) in &cursors {
        for (other, _) in cursors.iter().filter(|(other, _)| other != list) {
            owner.get(&format!("{other}?cursor={cursor}")).problem(400, "bad_cursor");
        }
    }
    // The cursor stays valid when the record that it names was deleted.
    let page = owner.get("/api/v1/users/me/addresses?limit=2").ok();
    let last = page.items()[1]["id"].as_str().expect("an id").to_owned();
    owner.delete(&format!("/api/v1/users/me/addresses/{last}")).no_content();
    let cursor = page["next_cursor"].as_str().expect("a next page").to_owned();
    assert_eq!(owner.get(&format!("/api/v1/users/me/addresses?cursor={cursor}")).ok().items().len(), 2);
}

#[track_caller]
fn bad_query(who: &Client, path: &str, name: &str) -> Answer {
    let answer = who.get(path).problem(400, "bad_query");
    let detail = answer["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(&format!("`{name}`")), "{name} is not named: {answer:#?}");
    super::has_no_jargon(&answer);
    answer
}

#[test]
fn an_invalid_query_value_is_refused_with_the_parameter_name() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let long = "x".repeat(201);
    for (name, values) in [
        ("q", &[&*long, "%ff", "%ed%a0%80"][..]),
        ("category", &["", "A", "a--b", "%00", &long]),
        ("min_price", &["", "x", "1.5", "1e3", "99999999999999999999", "%2B"]),
        ("max_price", &["", "x", "0x10", "-99999999999999999999"]),
        ("in_stock", &["", "1", "yes", "TRUE", "null"]),
        ("featured", &["", "0"]),
        ("sort", &["", "random", "-name", "Price"]),
        ("limit", &["0", "101"]),
    ] {
        for value in values {
            bad_query(&guest, &format!("/api/v1/products?{name}={value}"), name);
        }
        let value = if name == "sort" { "price" } else { "1" };
        guest.get(&format!("/api/v1/products?{name}={value}&{name}={value}")).problem(400, "bad_query");
    }
    for (name, values) in [
        ("status", &["", "Confirmed", "lost"][..]),
        ("user_id", &["", "me", "ord_00000000000000000000000000000000"]),
        ("all", &["", "1"]),
        ("limit", &["0"]),
    ] {
        for value in values {
            bad_query(&operator, &format!("/api/v1/orders?{name}={value}"), name);
        }
    }
    for list in ["/api/v1/products", "/api/v1/orders", "/api/v1/notifications"] {
        operator.get(&format!("{list}?cursor=made-up")).problem(400, "bad_cursor");
    }
}
