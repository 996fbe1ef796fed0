//! Orders: placed, shipped and returned; and orders that are refused.

use crate::harness::{Card, Client, Shop, eventually, fresh, home_address};
use serde_json::{Value, json};

#[track_caller]
fn statuses(order: &Value) -> Vec<&str> {
    order["timeline"].as_array().expect("a timeline").iter().map(|entry| entry["status"].as_str().unwrap()).collect()
}

#[track_caller]
fn becomes(customer: &Client, order: &str, status: &str) {
    eventually(&format!("{order} becomes {status}"), || (customer.order(order).ok()["status"] == status).then_some(()));
}

#[test]
fn an_order_is_placed_delivered_and_partly_returned_and_survives_a_restart() {
    let mut shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    let (kettle, cup) = (operator.stock_up(4990, 10), operator.stock_up(850, 40));

    let customer = shop.customer();
    customer.put_in_cart(&kettle, 1).ok();
    customer.put_in_cart(&cup, 4).ok();
    assert_eq!(customer.cart().ok()["subtotal"], json!({"amount": 4990 + 4 * 850, "currency": "EUR"}));
    let placed = customer.place_order(&fresh("key"), &customer.order_of(&[])).created();
    let order = placed.id();
    assert_eq!(placed.header("location"), format!("/api/v1/orders/{order}"));
    assert_eq!((&placed["status"], &placed["degraded"]), (&json!("confirmed"), &json!([])));
    let total = 4990 + 4 * 850 + placed["shipping_cost"]["amount"].as_i64().unwrap();
    assert_eq!(placed["total"], json!({"amount": total, "currency": "EUR"}));
    assert_eq!(
        (&placed["payment"]["status"], &placed["payment"]["captured"]["amount"]),
        (&json!("captured"), &json!(total))
    );
    assert_eq!(placed["shipment"]["status"], "label_created");
    assert_eq!((operator.available(&kettle), operator.available(&cup)), (9, 36));
    assert_eq!(customer.cart().ok()["item_count"], 0);

    operator.fulfil(&order, "packed").ok();
    operator.fulfil(&order, "shipped").ok();
    becomes(&customer, &order, "delivered");
    let delivered = customer.order(&order).ok();
    assert_eq!(statuses(&delivered.body), ["pending", "confirmed", "packed", "shipped", "delivered"]);
    assert_eq!(delivered["shipment"]["status"], "delivered");

    let refund = customer.return_items(&order, &cup, 3).created();
    assert_eq!((&refund["amount"]["amount"], &refund["status"]), (&json!(3 * 850), &json!("succeeded")));
    let payment = customer.payment(placed["payment"]["id"].as_str().unwrap()).ok();
    assert_eq!((&payment["refunded"]["amount"], &payment["status"]), (&json!(3 * 850), &json!("partially_refunded")));
    assert_eq!(operator.available(&cup), 39);

    let before = customer.order(&order).ok();
    operator.audit();
    assert_eq!(shop.stop(), Some(0));
    shop.start();
    assert_eq!(customer.order(&order).ok().body, before.body);
    assert_eq!(operator.available(&cup), 39);
    // Only the rest of the line can still be returned.
    let too_many = customer.return_items(&order, &cup, 2).problem(409, "too_many_returned");
    assert_eq!(too_many["left"], 1);
    customer.return_items(&order, &cup, 1).created();
    customer.return_items(&order, &kettle, 1).created();
    becomes(&customer, &order, "returned");
    operator.audit();
}

#[test]
fn a_declined_card_leaves_no_charge_and_no_reserved_stock() {
    #[rustfmt::skip]
    const DECLINED: [(Card, &str); 8] = [
        (Card("4000 0000 0000 0002"), "card_declined"),
        (Card("4000 0000 0000 9995"), "insufficient_funds"),
        (Card("4000 0000 0000 9987"), "lost_card"),
        (Card("4000 0000 0000 9979"), "stolen_card"),
        (Card("4000 0000 0000 0069"), "expired_card"),
        (Card("4000 0000 0000 0127"), "incorrect_cvc"),
        (Card("4000 0000 0000 0119"), "processing_error"),
        (Card("4000 0000 0000 6975"), "card_velocity_exceeded"),
    ];
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 3);
    let mut customer = shop.customer();
    customer.put_in_cart(&kettle, 3).ok();
    for (card, code) in DECLINED {
        customer.pays_with(card);
        let declined = customer.place_order(&fresh("key"), &customer.order_of(&[])).problem(402, "payment_declined");
        assert_eq!(declined["decline_code"], code);
        let order = customer.order(&declined.text_of("order_id")).ok();
        assert_eq!(
            (&order["status"], &order["reason"], &order["decline_code"]),
            (&json!("rejected"), &json!("payment_declined"), &json!(code))
        );
        assert_eq!(order["payment"]["captured"]["amount"], 0, "{order:#?}");
        assert!(["declined", "voided"].contains(&order["payment"]["status"].as_str().unwrap()), "{order:#?}");
        assert_eq!(operator.set_stock(&kettle, json!({"adjust_by": 0})).ok()["reserved"], 0);
        assert_eq!(operator.available(&kettle), 3);
    }
    // The answer does not warn a thief that the card was reported.
    let words = |card| {
        let mut finder = customer.clone();
        finder.pays_with(card);
        finder.buys(&kettle, 1).problem(402, "payment_declined").text_of("detail")
    };
    assert_eq!(words(DECLINED[2].0), words(DECLINED[0].0));
    assert_eq!(customer.cart().ok()["item_count"], 3, "what could not be paid for stays in the cart");
    operator.audit();
}

#[test]
fn an_order_is_refused_as_a_whole_when_one_product_is_out_of_stock() {
    let shop = Shop::open();
    let operator = shop.operator();
    let (plenty, scarce) = (operator.stock_up(500, 100), operator.stock_up(700, 2));
    let customer = shop.customer();
    let refused = customer
        .place_order(&fresh("key"), &customer.order_of(&[(&plenty, 5), (&scarce, 3)]))
        .problem(409, "out_of_stock");
    assert_eq!(refused["lines"], json!([{"product_id": scarce, "requested": 3, "available": 2}]));
    assert_eq!((operator.available(&plenty), operator.available(&scarce)), (100, 2));
    let order = customer.order(&refused.text_of("order_id")).ok();
    assert_eq!((&order["status"], &order["reason"]), (&json!("rejected"), &json!("out_of_stock")));
    assert_eq!((&order["payment"], &order["degraded"]), (&Value::Null, &json!([])), "no payment was requested");
    customer.buys(&scarce, 2).created();
    customer.buys(&scarce, 1).problem(409, "out_of_stock");
    operator.audit();
}

#[test]
fn an_order_to_an_unserved_country_is_refused() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 3);
    let customer = shop.customer();
    let mut order = customer.order_of(&[(&kettle, 1)]);
    order["address"] = home_address();
    customer.place_order(&fresh("key"), &order).invalid("/address_id");
    order.as_object_mut().unwrap().remove("address_id");
    order["address"]["country"] = json!("AQ");
    customer.place_order(&fresh("key"), &order).problem(422, "undeliverable");
    let quote = json!({"address": {"country": "AQ"}, "items": [{"product_id": kettle, "quantity": 1}]});
    shop.anonymous().post("/api/v1/shipping/quotes", &quote).problem(422, "undeliverable");
    assert_eq!(operator.available(&kettle), 3);
    order["address"]["country"] = json!("DE");
    customer.place_order(&fresh("key"), &order).created();
}

#[test]
fn the_shipping_price_of_an_order_is_the_quoted_price() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 30);
    let customer = shop.customer();
    let quote = json!({"address": home_address(), "items": [{"product_id": kettle, "quantity": 2}]});
    let quotes = shop.anonymous().post("/api/v1/shipping/quotes", &quote).ok();
    let services: Vec<_> = quotes.items().iter().map(|quote| quote["service"].as_str().unwrap()).collect();
    assert_eq!(services.len(), 3, "{quotes:#?}");
    for quote in quotes.items() {
        let mut order = customer.order_of(&[(&kettle, 2)]);
        order["shipping_service"] = quote["service"].clone();
        let placed = customer.place_order(&fresh("key"), &order).created();
        assert_eq!(placed["shipping_cost"], quote["cost"]);
        let cities: Vec<_> =
            placed["shipment"]["route"].as_array().unwrap().iter().map(|stop| &stop["hub"]["city"]).collect();
        let told: Vec<_> = quote["route"].as_array().unwrap().iter().collect();
        assert_eq!(cities.len(), told.len(), "{cities:?} {told:?}");
    }
}

#[test]
fn an_order_can_be_cancelled_until_it_is_shipped() {
    let shop = Shop::options().flag("--carrier-speed", "1").open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 5);
    let customer = shop.customer();
    for packed in [false, true] {
        let order = customer.buys(&kettle, 2).created().id();
        if packed {
            operator.fulfil(&order, "packed").ok();
        }
        assert_eq!(operator.available(&kettle), 3);
        let cancelled = customer.cancel(&order).ok();
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(cancelled["payment"]["refunded"], cancelled["payment"]["captured"]);
        assert_eq!(
            (&cancelled["payment"]["status"], &cancelled["shipment"]["status"]),
            (&json!("refunded"), &json!("cancelled"))
        );
        assert_eq!(operator.available(&kettle), 5);
        assert_eq!(customer.cancel(&order).ok()["version"], cancelled["version"], "again it changes nothing");
        operator.fulfil(&order, "shipped").problem(409, "illegal_transition");
        customer.return_items(&order, &kettle, 1).problem(409, "not_returnable");
    }
    let order = customer.buys(&kettle, 1).created().id();
    operator.fulfil(&order, "shipped").problem(409, "illegal_transition");
    operator.fulfil(&order, "packed").ok();
    operator.fulfil(&order, "shipped").ok();
    operator.fulfil(&order, "shipped").ok();
    customer.cancel(&order).problem(409, "not_cancellable");
    customer.return_items(&order, &kettle, 1).problem(409, "not_returnable");
    operator.audit();
}

#[test]
fn an_order_keeps_its_items_when_the_product_changes() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 5);
    let customer = shop.customer();
    let bought = customer.buys(&kettle, 1).created();
    let path = format!("/api/v1/products/{kettle}");
    operator.patch(&path, &json!({"price": {"amount": 1, "currency": "EUR"}, "name": "Another name"})).ok();
    operator.delete(&path).no_content();
    assert_eq!(customer.order(&bought.id()).ok()["items"], bought["items"]);
    assert_eq!(customer.product(&kettle).ok()["retired"], true);
    customer.buys(&kettle, 1).invalid("/items");
    customer.put_in_cart(&kettle, 1).problem(404, "not_found");
}

#[test]
fn each_customer_lists_only_own_orders_newest_first_in_pages() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(100, 50);
    let (ada, bob) = (shop.customer(), shop.customer());
    let placed: Vec<_> = (0..5).map(|_| ada.buys(&kettle, 1).created().id()).collect();
    let bobs = bob.buys(&kettle, 1).created().id();
    ada.cancel(&placed[1]).ok();
    let list = |who: &Client, query: &str| -> (Vec<String>, Option<String>) {
        let page = who.get(&format!("/api/v1/orders?{query}")).ok();
        (
            page.items().iter().map(|order| order["id"].as_str().unwrap().into()).collect(),
            page["next_cursor"].as_str().map(Into::into),
        )
    };
    let newest_first: Vec<_> = placed.iter().rev().cloned().collect();
    assert_eq!(list(&ada, ""), (newest_first.clone(), None));
    let (first, cursor) = list(&ada, "limit=2");
    let cursor = cursor.expect("there are more");
    // A new order does not shift the pages.
    ada.buys(&kettle, 1).created();
    let (second, next) = list(&ada, &format!("limit=2&cursor={cursor}"));
    let (third, end) = list(&ada, &format!("limit=2&cursor={}", next.expect("there is one more")));
    assert_eq!([first, second, third].concat(), newest_first);
    assert_eq!(end, None);
    assert_eq!(list(&ada, "status=cancelled").0, [placed[1].clone()]);
    assert_eq!(list(&bob, "").0, [bobs]);
    assert_eq!(list(&operator, "").0, [""; 0]);
    assert_eq!(list(&operator, "all=true&limit=100").0.len(), 7);
    assert_eq!(list(&operator, &format!("user_id={}", bob.user_id)).0.len(), 1);
    bob.get(&format!("/api/v1/orders?user_id={}", ada.user_id)).problem(403, "forbidden");
    assert_eq!(list(&bob, &format!("user_id={}", bob.user_id)).0.len(), 1, "a customer may filter by the own id only");
    bob.get("/api/v1/orders?all=true").problem(403, "forbidden");
    bob.get(&format!("/api/v1/orders?cursor={cursor}")).problem(400, "bad_cursor");
    for bad in ["status=lost", "limit=0", "limit=101", "limit=x", "page=2", "limit=1&limit=2", "cursor=", "cursor=abc"]
    {
        ada.get(&format!("/api/v1/orders?{bad}")).is(400);
    }
}
