//! Faults on the link to the payment provider: it is slow, fails, answers too late and executes
//! requests twice, while all customers buy. Afterwards the audit balances.
//!
//! `TEST_FAULTS=delay=900,fail=50,lose=20,twice=50` for other faults, `TEST_ORDERS=100` for more
//! orders of each customer.

use crate::harness::{Customer, Shop, fresh, number, within};
use serde_json::json;
use std::time::Duration;

const BUYERS: usize = 8;
const STOCK: u64 = 100_000;
/// A lost answer costs a timeout of seconds, and then another request.
const PATIENCE: Duration = Duration::from_secs(120);

/// Repeats the request with the same key until it is decided. Gives the id of the order; `None`
/// where the shop gave up on its provider.
fn buys(customer: &Customer, product: &str) -> Option<String> {
    let (key, order) = (fresh("key"), customer.order_of(&[(product, 1)]));
    within(PATIENCE, "the order is decided", || {
        let answer = customer.place_order(&key, &order);
        let is_decided = answer.status == 201 || answer["code"] == "order_not_possible";
        assert!(is_decided || [202, 409, 503, 504].contains(&answer.status), "{answer:#?}");
        is_decided.then(|| (answer.status == 201).then(|| answer.id()))
    })
}

fn refunds(shop: &Shop, order: &str, key: &str) {
    let operator = shop.operator();
    let payment = operator.order(order).ok()["payment"]["id"].as_str().expect("a payment").to_owned();
    let refund = json!({"amount": {"amount": 100, "currency": "EUR"}, "reason": "A scratch."});
    within(PATIENCE, "the refund is made", || {
        let headers = [("idempotency-key", key)];
        let path = format!("/api/v1/payments/{payment}/refunds");
        let answer = operator.send("POST", &path, &headers, Some(&refund));
        assert!([201, 202, 409, 500, 502, 503, 504].contains(&answer.status), "{answer:#?}");
        (answer.status == 201).then_some(())
    });
}

#[test]
fn with_any_fault_of_the_provider_no_customer_pays_twice_and_the_audit_balances() {
    let faults = std::env::var("TEST_FAULTS").unwrap_or_else(|_| "delay=100,fail=30,lose=5,twice=30".into());
    let orders = number("TEST_ORDERS", 6);
    let mut shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4_990, STOCK as u32);
    // Cards are added before the faults begin.
    let buyers: Vec<_> = (0..BUYERS).map(|_| shop.customer()).collect();
    assert_eq!(shop.stop(), Some(0));
    shop.change(|options| options.env("GALLERIA_PROVIDER_FAULTS", &faults));
    shop.start();
    let kept: usize = std::thread::scope(|scope| {
        let buying = buyers.iter().map(|buyer| {
            let (shop, kettle) = (&shop, &kettle);
            scope.spawn(move || {
                let mut kept = 0;
                for round in 0..orders {
                    let Some(order) = buys(buyer, kettle) else { continue };
                    match round % 3 {
                        0 => {
                            let cancelled = buyer.cancel(&order);
                            assert!([200, 202].contains(&cancelled.status), "{cancelled:#?}");
                        }
                        1 => {
                            refunds(shop, &order, &fresh("refund"));
                            kept += 1;
                        }
                        _ => kept += 1,
                    }
                }
                kept
            })
        });
        buying.collect::<Vec<_>>().into_iter().map(|buying| buying.join().expect("a buyer")).sum()
    });
    // Kill the shop while work is in progress. The restarted shop completes it, without faults.
    shop.kill();
    shop.change(|options| options.env("GALLERIA_PROVIDER_FAULTS", ""));
    shop.start();
    within(PATIENCE, "what was cancelled is back", || {
        (operator.available(&kettle) == STOCK - kept as u64).then_some(())
    });
    let audit = within(PATIENCE, "the audit", || Some(operator.get("/api/v1/audit")).filter(|it| it.status == 200));
    assert_eq!(audit["balanced"], true, "{audit:#?}");
    assert!(kept > 0, "no customer could buy anything");
    println!("{} orders under faults, {kept} kept", BUYERS * orders);
}
