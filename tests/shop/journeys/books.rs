//! The books of the whole shop: they balance at every moment, also while everybody buys.

use crate::harness::{Shop, eventually};
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

#[test]
fn the_books_balance_at_every_look_while_orders_are_placed_cancelled_and_returned() {
    let shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4_990, 100_000);
    let (closing, until) = (AtomicBool::new(false), Instant::now() + Duration::from_secs(5));
    let buyers: Vec<_> = (0..8).map(|_| shop.customer()).collect();
    let looks = std::thread::scope(|scope| {
        for (number, buyer) in buyers.iter().enumerate() {
            let (operator, kettle, closing) = (operator.clone(), &kettle, &closing);
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
                }
            });
        }
        let mut looks = 0;
        while Instant::now() < until {
            let audit = operator.get("/api/v1/audit");
            looks += 1;
            if audit.status != 200 || audit["balanced"] != true {
                closing.store(true, Ordering::Relaxed);
                panic!("at look {looks}: {audit:#?}");
            }
        }
        closing.store(true, Ordering::Relaxed);
        looks
    });
    assert!(looks >= 5, "{looks} looks in five seconds");
    operator.audit();
}
