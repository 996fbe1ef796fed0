//! Refunds: never more than the captured amount, and never twice.

use crate::harness::{Card, Customer, Shop, eventually, fresh};
use serde_json::json;

fn euro(amount: i64) -> serde_json::Value {
    json!({"amount": amount, "currency": "EUR"})
}

#[test]
fn partial_refunds_never_exceed_the_captured_amount() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(10_000, 5);
    let customer = shop.customer();
    let order = customer.buys(&kettle, 1).created();
    let (payment, captured) = (order["payment"]["id"].as_str().unwrap(), order["total"]["amount"].as_i64().unwrap());

    let too_much = operator.refund(payment, &json!({"amount": euro(captured + 1), "reason": "Sorry."}));
    assert_eq!(too_much.problem(409, "refund_too_large")["left"], euro(captured));
    for (amount, reason) in [(euro(0), "Sorry."), (json!({"amount": 5, "currency": "USD"}), "Sorry.")] {
        operator.refund(payment, &json!({"amount": amount, "reason": reason})).invalid("/amount");
    }
    let refund = operator.refund(payment, &json!({"amount": euro(3_000), "reason": "A dent."})).created();
    assert_eq!((&refund["amount"], &refund["status"]), (&euro(3_000), &json!("succeeded")));
    assert_eq!(customer.payment(payment).ok()["status"], "partially_refunded");
    operator
        .refund(payment, &json!({"amount": euro(captured - 2_999), "reason": "Sorry."}))
        .problem(409, "refund_too_large");
    let rest = operator.refund(payment, &json!({"reason": "All of it."})).created();
    assert_eq!(rest["amount"], euro(captured - 3_000));
    operator.refund(payment, &json!({"reason": "Again."})).problem(409, "refund_too_large");
    operator.refund(payment, &json!({"amount": euro(1), "reason": "Again."})).problem(409, "refund_too_large");
    let payment = customer.payment(payment).ok();
    assert_eq!((&payment["status"], &payment["refunded"]), (&json!("refunded"), &euro(captured)));
    let kinds: Vec<_> =
        payment["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["authorized", "captured", "refunded", "refunded"]);
    operator.audit();
}

#[test]
fn concurrent_refunds_never_exceed_the_captured_amount() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(10_000, 5);
    let order = shop.customer().buys(&kettle, 1).created();
    let payment = order["payment"]["id"].as_str().unwrap();
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let give = || operator.refund(payment, &json!({"amount": euro(4_000), "reason": "Sorry."})).status;
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(give)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 2, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    assert_eq!(operator.payment(payment).ok()["refunded"], euro(8_000));
    operator.audit();
}

#[test]
fn a_payment_that_was_not_captured_cannot_be_refunded() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(10_000, 5);
    let mut customer = shop.customer();
    customer.pays_with(Card("4000 0000 0000 0002"));
    let order = customer.buys(&kettle, 1).problem(402, "payment_declined").text_of("order_id");
    let payment = customer.order(&order).ok()["payment"]["id"].as_str().unwrap().to_owned();
    operator.refund(&payment, &json!({"reason": "Sorry."})).problem(409, "not_captured");
    operator.audit();
}

#[test]
fn the_customer_is_notified_of_a_refund_that_the_bank_reverses() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(10_000, 5);
    let mut customer: Customer = shop.customer();
    customer.pays_with(Card("4000 0000 0000 5126"));
    let order = customer.buys(&kettle, 1).created();
    let payment = order["payment"]["id"].as_str().unwrap();
    operator.refund(payment, &json!({"amount": euro(500), "reason": "A dent."})).created();
    let failed = eventually("the refund fails", || {
        let payment = customer.payment(payment).ok();
        (payment["refunds"][0]["status"] == "failed").then_some(payment)
    });
    assert_eq!((&failed["refunded"]["amount"], &failed["status"]), (&json!(0), &json!("captured")));
    eventually("the customer is told", || {
        customer.inbox().ok().items().iter().any(|news| news["title"] == "A refund did not reach you").then_some(())
    });
    operator.audit();
}

#[test]
fn each_key_makes_one_return() {
    let shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    let kettle = operator.stock_up(10_000, 5);
    let customer = shop.customer();
    let order = customer.buys(&kettle, 3).created().id();
    operator.fulfil(&order, "packed").ok();
    operator.fulfil(&order, "shipped").ok();
    eventually("it arrives", || (customer.order(&order).ok()["status"] == "delivered").then_some(()));
    let path = format!("/api/v1/orders/{order}/returns");
    let body = json!({"lines": [{"product_id": kettle, "quantity": 1}], "reason": "It is too loud."});
    let key = fresh("return");
    let back: Vec<_> = std::thread::scope(|scope| {
        let give = || customer.send("POST", &path, &[("idempotency-key", &key)], Some(&body));
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(give)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for answer in back {
        assert!(answer.status == 201 || answer["code"] == "idempotency_in_flight", "{answer:#?}");
    }
    let order = customer.order(&order).ok();
    assert_eq!((&order["items"][0]["returned"], &order["payment"]["refunded"]), (&json!(1), &euro(10_000)));
    assert_eq!(operator.available(&kettle), 3);
    for (lines, pointer) in
        [(json!([]), "/lines"), (json!([{"product_id": kettle, "quantity": 0}]), "/lines/0/quantity")]
    {
        let refused = customer.post(&path, &json!({"lines": lines, "reason": "No."})).is(422);
        assert!(refused["code"] == "empty_order" || refused["errors"][0]["pointer"] == pointer, "{refused:#?}");
    }
    operator.audit();
}
