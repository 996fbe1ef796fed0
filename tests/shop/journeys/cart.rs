//! Carts of guests and customers.

use crate::harness::{Shop, fresh};
use serde_json::json;

#[test]
fn a_cart_shows_current_prices_and_availability() {
    let shop = Shop::open();
    let operator = shop.operator();
    let (kettle, cup) = (operator.stock_up(4990, 10), operator.stock_up(850, 2));
    let guest = shop.anonymous();
    assert_eq!(guest.cart().ok()["items"], json!([]));
    guest.put_in_cart(&kettle, 2).ok();
    let cart = guest.put_in_cart(&cup, 5).ok();
    assert_eq!((&cart["item_count"], &cart["subtotal"]["amount"]), (&json!(7), &json!(2 * 4990 + 5 * 850)));
    let line = &cart["items"][1];
    assert_eq!((&line["product_id"], &line["quantity"], &line["available"]), (&json!(cup), &json!(5), &json!(2)));
    assert_eq!(line["line_total"]["amount"], 5 * 850);

    operator.patch(&format!("/api/v1/products/{cup}"), &json!({"price": {"amount": 900, "currency": "EUR"}})).ok();
    operator.delete(&format!("/api/v1/products/{kettle}")).no_content();
    let cart = guest.cart().ok();
    assert_eq!((&cart["items"][0]["available"], &cart["items"][1]["unit_price"]["amount"]), (&json!(0), &json!(900)));

    guest.put_in_cart(&kettle, 0).ok();
    assert_eq!(guest.delete(&format!("/api/v1/cart/items/{cup}")).ok()["items"], json!([]));
    guest.put_in_cart(&cup, 1).ok();
    assert_eq!(guest.delete("/api/v1/cart").ok()["item_count"], 0);
}

#[test]
fn the_cart_of_a_guest_is_merged_at_sign_in() {
    let shop = Shop::open();
    let operator = shop.operator();
    let (kettle, cup) = (operator.stock_up(4990, 10), operator.stock_up(850, 50));
    let customer = shop.customer();
    customer.put_in_cart(&cup, 2).ok();

    let mut guest = shop.anonymous();
    guest.put_in_cart(&kettle, 1).ok();
    guest.put_in_cart(&cup, 3).ok();
    let guests_view = guest.clone();
    guest.sign_in(&customer.email, crate::harness::GOOD_PASSWORD).created();
    let cart = guest.cart().ok();
    let lines: Vec<_> =
        cart["items"].as_array().unwrap().iter().map(|line| (&line["product_id"], &line["quantity"])).collect();
    assert_eq!(lines, [(&json!(cup), &json!(5)), (&json!(kettle), &json!(1))]);
    assert_eq!(customer.cart().ok()["items"], cart["items"], "it is one cart on every device");
    assert_eq!(guests_view.bearing(None).cart().ok()["item_count"], 0, "nothing is in two carts");

    let mut newcomer = shop.anonymous();
    newcomer.put_in_cart(&kettle, 4).ok();
    newcomer.register(&format!("{}@example.com", fresh("newcomer"))).created();
    assert_eq!(newcomer.cart().ok()["item_count"], 4);
}

#[test]
fn the_cookie_of_a_guest_cart_cannot_be_forged() {
    let mut shop = Shop::open();
    let kettle = shop.operator().stock_up(4990, 10);
    let guest = shop.anonymous();
    let cookie = guest.put_in_cart(&kettle, 1).ok().header("set-cookie").to_owned();
    let (value, rules) = cookie.strip_prefix("cart=").and_then(|rest| rest.split_once(';')).expect("a cookie");
    assert!(rules.contains("HttpOnly") && rules.contains("SameSite=Strict"), "{cookie}");
    assert_eq!(guest.put_in_cart(&kettle, 2).ok().header("set-cookie"), "", "once is enough");

    let pieces = |value: &str| {
        shop.anonymous().send("GET", "/api/v1/cart", &[("cookie", &format!("cart={value}"))], None).ok()["item_count"]
            .clone()
    };
    assert_eq!(pieces(value), 2);
    // An HMAC-SHA-256 in Base64 has 44 characters; the last one is `=`.
    let (signature, id) = value.split_at(44);
    assert!(signature.ends_with('=') && id.starts_with("crt_"), "{value}");
    let another_signature = if signature.starts_with('A') { "B" } else { "A" }.to_owned() + &signature[1..];
    let another_id = id[..id.len() - 1].to_owned() + if id.ends_with('0') { "1" } else { "0" };
    for forged in [
        id.to_owned(),
        signature.to_owned(),
        format!("{another_signature}{id}"),
        format!("{signature}{another_id}"),
        value[..value.len() - 1].to_owned(),
        String::new(),
    ] {
        assert_eq!(pieces(&forged), 0, "{forged}");
    }
    let value = value.to_owned();
    shop.stop();
    shop.start();
    let kept = shop.anonymous().send("GET", "/api/v1/cart", &[("cookie", &format!("cart={value}"))], None).ok();
    assert_eq!(kept["item_count"], 2, "the shop knows its own signature after a restart");
}

#[test]
fn a_cart_accepts_only_products_on_sale_and_has_a_size_limit() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 10);
    let guest = shop.anonymous();
    guest.put_in_cart("prd_00000000000000000000000000000000", 1).problem(404, "not_found");
    guest.put_in_cart(&kettle, 1000).invalid("/quantity");
    guest.put_in_cart(&kettle, 999).ok();
    for _ in 1..50 {
        guest.put_in_cart(&operator.stock_up(1, 1), 1).ok();
    }
    guest.put_in_cart(&operator.stock_up(1, 1), 1).problem(409, "cart_full");
    guest.put_in_cart(&kettle, 1).ok();
    shop.customer().place_order(&fresh("key"), &shop.customer().order_of(&[])).problem(422, "empty_order");
}
