//! Pages that are composed of several services, the inbox, and conditional requests.

use crate::harness::{Shop, eventually};
use serde_json::{Value, json};

#[test]
fn the_storefront_shows_featured_products_and_the_signed_in_user() {
    let shop = Shop::options().demo().open();
    let guest = shop.anonymous();
    let page = guest.get("/api/v1/storefront").ok();
    assert_eq!((page.header("x-completed"), &page["degraded"]), ("true", &json!([])));
    assert!(!page["featured"].as_array().unwrap().is_empty());
    assert_eq!(page["categories"].as_array().unwrap().len(), 8);
    assert_eq!((&page["user"], &page["cart"]["item_count"]), (&Value::Null, &json!(0)));
    let shopper = shop.shopper();
    shopper.put_in_cart(page["featured"][0]["id"].as_str().unwrap(), 2).ok();
    let page = shopper.get("/api/v1/storefront").ok();
    assert_eq!((&page["user"]["email"], &page["cart"]["item_count"]), (&json!(shopper.email), &json!(2)));
    assert_eq!(page.header("cache-control"), "no-store");
}

#[test]
fn the_account_page_has_all_parts_of_the_account() {
    let shop = Shop::open();
    let kettle = shop.operator().stock_up(100, 10);
    let customer = shop.customer();
    let placed: Vec<_> = (0..6).map(|_| customer.buys(&kettle, 1).created().id()).collect();
    let page = eventually("the inbox fills", || {
        Some(customer.get("/api/v1/account").ok()).filter(|page| page["unread_count"].as_u64() == Some(7))
    });
    assert_eq!((page.header("x-completed"), &page["degraded"]), ("true", &json!([])));
    assert_eq!(page["profile"]["email"], customer.email.as_str());
    assert_eq!(page["addresses"][0]["id"], customer.address_id.as_str());
    assert_eq!(page["payment_methods"][0]["id"], customer.payment_method_id.as_str());
    let latest: Vec<_> =
        page["latest_orders"].as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap()).collect();
    assert_eq!(latest, placed.iter().rev().take(5).collect::<Vec<_>>());
}

#[test]
fn a_page_with_an_unavailable_part_names_it_and_shows_the_other_parts() {
    let shop = Shop::options().flag("--instances", "notifications=1").open();
    shop.expect_panics();
    let operator = shop.operator();
    let customer = shop.customer();
    // Each crash makes the pool wait longer before the restart, so that the service is soon absent
    // for a while.
    let degraded = eventually("a page without its part", || {
        operator.crash("notifications-1");
        let page = customer.get("/api/v1/account").ok();
        let missing = page["degraded"] != json!([]);
        assert_eq!(page.header("x-completed"), if missing { "false" } else { "true" });
        missing.then_some(page)
    });
    assert_eq!((&degraded["degraded"], &degraded["unread_count"]), (&json!(["unread_count"]), &Value::Null));
    assert_eq!(degraded["profile"]["email"], customer.email.as_str());
    let refused = eventually("a list that cannot be had", || {
        operator.crash("notifications-1");
        Some(customer.inbox()).filter(|inbox| inbox.status != 200)
    });
    assert!(refused.header("retry-after").parse::<u64>().is_ok(), "{refused:#?}");
    refused.problem(503, "unavailable");
    assert_eq!(shop.anonymous().get("/livez").status, 200);
    eventually("it is whole again", || (customer.get("/api/v1/account").ok()["degraded"] == json!([])).then_some(()));
}

#[test]
fn an_unchanged_page_is_answered_with_304() {
    let shop = Shop::options().demo().open();
    let operator = shop.operator();
    let guest = shop.anonymous();
    let customer = shop.customer();
    let order = customer.buys(&guest.product("cast-iron-skillet").ok().id(), 1).created().id();
    for (who, path) in [
        (&guest, "/api/v1/products/cast-iron-skillet"),
        (&guest, "/api/v1/products?q=skillet"),
        (&guest, "/api/v1/categories"),
        (&guest, "/"),
        (&guest, "/pictures/cast-iron-skillet.svg"),
        (&customer, &format!("/api/v1/orders/{order}")),
        (&customer, "/api/v1/users/me"),
    ] {
        let tag = who.get(path).ok().header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10, "{path}: {tag}");
        for known in [tag.clone(), format!("W/{tag}"), format!("\"a\", {tag}"), "*".into()] {
            let spared = who.send("GET", path, &[("if-none-match", &known)], None).is(304);
            assert_eq!((spared.text.as_str(), spared.header("etag")), ("", tag.as_str()), "{path}");
        }
        who.send("GET", path, &[("if-none-match", "\"other\"")], None).ok();
    }
    let path = "/api/v1/products/cast-iron-skillet";
    let before = guest.get(path).ok();
    operator.set_stock(&before.id(), json!({"adjust_by": 1})).ok();
    let after = guest.send("GET", path, &[("if-none-match", before.header("etag"))], None).ok();
    assert_ne!(after.header("etag"), before.header("etag"), "stock is part of what a page shows");
}

#[test]
fn notifications_of_an_order_go_only_to_the_inbox_of_its_customer() {
    let shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    let kettle = operator.stock_up(100, 10);
    let customer = shop.customer();
    let order = customer.buys(&kettle, 1).created().id();
    operator.fulfil(&order, "packed").ok();
    operator.fulfil(&order, "shipped").ok();
    let titles =
        ["Your order was delivered", "Your order is on its way", "Your order is confirmed", "Welcome to Galleria"];
    let inbox =
        eventually("all news", || Some(customer.inbox().ok()).filter(|inbox| inbox.items().len() == titles.len()));
    let told: Vec<_> = inbox.items().iter().map(|news| news["title"].as_str().unwrap()).collect();
    assert_eq!(told, titles);
    assert_eq!(inbox.items()[0]["link"], format!("/orders/{order}"));

    let first = inbox.items()[0]["id"].as_str().unwrap();
    assert_eq!(inbox.items()[0]["read"], false);
    let read =
        |who: &crate::harness::Client| who.send("POST", &format!("/api/v1/notifications/{first}/read"), &[], None);
    assert_eq!(read(&customer).ok()["read"], true);
    assert_eq!(read(&customer).ok()["read"], true);
    read(&shop.shopper()).problem(404, "not_found");
    assert_eq!(customer.get("/api/v1/account").ok()["unread_count"], 3);

    let page = customer.get("/api/v1/notifications?limit=3").ok();
    let rest = customer.get(&format!("/api/v1/notifications?limit=3&cursor={}", page.text_of("next_cursor"))).ok();
    assert_eq!((page.items().len(), rest.items().len(), &rest["next_cursor"]), (3, 1, &Value::Null));
    customer.get("/api/v1/notifications?cursor=abc").problem(400, "bad_cursor");
}
