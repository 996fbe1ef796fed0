//! The shop restarts with thousands of unfinished sagas: it serves at once, and completes them all.
//!
//! `TEST_SAGAS=10000 cargo test --release --test shop recovery -- --nocapture` measures it.

use crate::harness::{Shop, number, within};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The same order with another id, in its state on disk when the first step is recorded and no
/// message was sent yet.
fn just_begun(line: &str, id: &str, other: &str, at: &str) -> String {
    let mut line: Value = serde_json::from_str(&line.replace(id, other)).expect("a line of a backup");
    let record = &mut line["record"];
    record["sagas"] = 1.into();
    record["saga"] = json!({
        "number": 1, "plan": {"place": {"from_cart": false}}, "begun_at": at,
        "log": [{"action": "reserve_stock", "intended_at": at, "outcome": null}],
    });
    record["outbox"] = json!({"next": 0});
    for field in ["tracking_number", "refused"] {
        record.as_object_mut().expect("a record").remove(field);
    }
    let order = &mut record["order"];
    order["status"] = "pending".into();
    order["placed_at"] = at.into();
    order["timeline"] = json!([{"status": "pending", "at": at}]);
    let key = &line["key"];
    let (version, record) = (&line["version"], &line["record"]);
    format!(r#"{{"tree":"orders","key":{key},"version":{version},"record":{record}}}"#)
}

#[test]
fn unfinished_sagas_are_completed_after_a_kill_while_the_shop_serves() {
    let sagas = number("TEST_SAGAS", 200);
    let mut shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 1_000_000);
    let customer = shop.customer();
    let id = customer.buys(&kettle, 1).created().id();
    let user = customer.get("/api/v1/users/me").ok().id();
    let at = jiff::Timestamp::now().to_string();
    shop.edit_data(|lines| {
        let order = format!(r#"{{"tree":"orders","key":"order/{id}""#);
        let model = lines.iter().find(|line| line.starts_with(&order)).expect("the order").clone();
        for n in 0..sagas {
            let other = format!("{}{n:08x}", &id[..id.len() - 8]);
            lines.push(just_begun(&model, &id, &other, &at));
            let entries = ["open/order/", &format!("by_user/{user}/")]
                .map(|entry| format!(r#"{{"tree":"orders","key":"{entry}{other}"}}"#));
            lines.extend(entries);
        }
        lines.sort();
        lines.dedup();
    });
    let begun = Instant::now();
    shop.start();
    let opened = begun.elapsed();
    let (mut slowest, mut bought) = (Duration::ZERO, 1);
    let all = within(Duration::from_secs(600), "all are finished", || {
        let asked = Instant::now();
        // New orders are served meanwhile.
        customer.buys(&kettle, 1).created();
        bought += 1;
        slowest = slowest.max(asked.elapsed());
        let left = customer.get("/api/v1/orders?status=pending&limit=1").ok();
        left.items().is_empty().then(|| begun.elapsed())
    });
    println!("{sagas} sagas: open after {opened:?}, all finished after {all:?}, slowest order meanwhile {slowest:?}");
    let rejected = customer.get("/api/v1/orders?status=rejected&limit=1").ok();
    // Sagas that exceeded their time limit were compensated, and hold no stock.
    assert!(rejected.items().is_empty() || all > Duration::from_secs(60), "{rejected:#?}");
    if rejected.items().is_empty() {
        assert_eq!(operator.available(&kettle), 1_000_000 - (sagas + bought) as u64, "each was finished, once");
    }
    operator.audit();
    assert_eq!(shop.stop(), Some(0));
    shop.command(&["check"]).succeeded();
}
