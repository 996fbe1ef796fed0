//! The audit of the whole shop: it balances at every moment, also while customers buy.

use crate::harness::{Shop, eventually, number};
use serde_json::{Value, json};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// The number of audits, and the number of orders that are in progress meanwhile.
const LOOKS: usize = 20;
const ORDERS: usize = 80;

#[test]
fn the_audit_balances_at_all_times_while_orders_are_placed_cancelled_and_returned() {
    let shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4_990, 100_000);
    let (closing, orders) = (AtomicBool::new(false), AtomicUsize::new(0));
    let buyers: Vec<_> = (0..8).map(|_| shop.customer()).collect();
    std::thread::scope(|scope| {
        for (number, buyer) in buyers.iter().enumerate() {
            let (operator, kettle, closing, orders) = (operator.clone(), &kettle, &closing, &orders);
            scope.spawn(move || {
                let mut round = number;
                while !closing.load(Ordering::Relaxed) {
                    let order = buyer.buys(kettle, 2).created().id();
                    match round % 3 {
                        0 => drop(buyer.cancel(&order)),
                        1 => {
                            operator.fulfil(&order, "packed").ok();
                            operator.fulfil(&order, "shipped").ok();
                            eventually("it arrives", || {
                                (buyer.order(&order).ok()["status"] == "delivered").then_some(())
                            });
                            let one = json!({"lines": [{"product_id": kettle, "quantity": 1}], "reason": "Too loud."});
                            buyer.send("POST", &format!("/api/v1/orders/{order}/returns"), &[], Some(&one)).created();
                        }
                        _ => {}
                    }
                    round += 1;
                    orders.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut looks = 0;
        let look = || {
            let audit = operator.get("/api/v1/audit");
            looks += 1;
            assert!(audit.status == 200 && audit["balanced"] == true, "at look {looks}: {audit:#?}");
            (looks >= LOOKS && orders.load(Ordering::Relaxed) >= ORDERS).then_some(())
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| eventually("enough looks and orders", look)));
        closing.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
    });
    operator.audit();
}

/// `TEST_ORDERS=100000 cargo test --release --test shop audit_reads -- --nocapture` measures it.
#[test]
fn the_audit_reads_many_orders_while_the_shop_serves() {
    let count = number("TEST_ORDERS", 300);
    let mut shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4_990, 500_000);
    let customer = shop.customer();
    let order = customer.buys(&kettle, 1).created().id();
    eventually("it is told", || (customer.inbox().ok().items().len() == 2).then_some(()));
    shop.edit_data(|lines| {
        let number = order.strip_prefix("ord_").expect("an order's id");
        let of_order =
            lines.iter().filter(|line| line.split(r#""version""#).next().is_some_and(|key| key.contains(number)));
        let of_order: Vec<_> = of_order.cloned().collect();
        // The order and two index entries, its reservation, its payment at the shop and at the
        // provider, its shipment.
        assert_eq!(of_order.len(), 7, "{of_order:#?}");
        for n in 0..count {
            let other = format!("{}{n:08x}", &number[..number.len() - 8]);
            lines.extend(of_order.iter().map(|line| line.replace(number, &other)));
        }
        let product = lines.iter_mut().find(|line| line.contains(&format!(r#""key":"product/{kettle}""#))).expect("it");
        let mut cooked: Value = serde_json::from_str(product).expect("a line");
        for field in ["sold", "received"] {
            let pieces = &mut cooked["record"]["stock"][field];
            *pieces = (pieces.as_u64().expect("a number") + count as u64).into();
        }
        *product =
            format!(r#"{{"tree":"products","key":"product/{kettle}","version":1,"record":{}}}"#, cooked["record"]);
        lines.sort();
    });
    shop.start();
    let begun = Instant::now();
    let (took, slowest) = std::thread::scope(|scope| {
        let audit = scope.spawn(|| {
            operator.audit();
            begun.elapsed()
        });
        let mut slowest = Duration::ZERO;
        while !audit.is_finished() {
            let asked = Instant::now();
            customer.order(&order).ok();
            slowest = slowest.max(asked.elapsed());
        }
        (audit.join().expect("the audit balances"), slowest)
    });
    println!("{count} orders are audited in {took:?}; the slowest answer meanwhile took {slowest:?}");
}
