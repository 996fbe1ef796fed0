//! Events between services that a subscriber did not accept: dead letters.

use crate::harness::{Client, Customer, Shop, eventually};
use serde_json::json;

/// Stops the shop and makes a dead letter of the welcome event of the customer. The event has the
/// customer's id in `field`. Gives the id of the dead letter.
fn make_dead_letter(shop: &mut Shop, customer: &Customer, field: &str) -> String {
    let me = customer.get("/api/v1/users/me").ok().id();
    let happened = "2026-01-01T00:00:00Z";
    let payload = json!({field: me, "name": "Ada"});
    let event = json!({"seq": 7, "name": "users.registered", "payload": payload, "at": happened});
    let letter = json!({
        "event": event, "record": format!("user/{me}"), "subscriber": "notifications",
        "error": "every instance has as many calls in hand as it takes", "at": "2026-01-01T00:01:00Z"
    });
    let key = format!("user:{me}:7:notifications");
    shop.edit_data(|lines| {
        lines.push(format!(r#"{{"tree":"users","key":"dead/{key}","version":1,"record":{letter}}}"#));
        lines.sort();
    });
    format!("users:{key}")
}

fn count_welcomes(customer: &Client) -> usize {
    let inbox = customer.get("/api/v1/notifications").ok();
    inbox.items().iter().filter(|message| message["title"] == "Welcome to Galleria").count()
}

#[test]
fn an_operator_sees_a_dead_letter_and_replays_it() {
    let mut shop = Shop::open();
    let customer = shop.customer();
    eventually("the welcome arrives", || (count_welcomes(&customer) == 1).then_some(()));
    let id = make_dead_letter(&mut shop, &customer, "user_id");
    let checked = shop.command(&["check"]).succeeded();
    assert!(checked.out.contains(&format!("NOTE   dead letter {id} (users.registered)")), "{checked:#?}");
    shop.start();
    let operator = shop.operator();

    let dead = operator.dead_letters().ok();
    let [letter] = &dead.items()[..] else { panic!("one dead letter: {dead:#?}") };
    assert_eq!(letter["id"], id.as_str());
    assert_eq!((&letter["publisher"], &letter["subscriber"]), (&json!("users"), &json!("notifications")));
    assert_eq!((&letter["event"], &letter["seq"]), (&json!("users.registered"), &json!(7)));
    assert_eq!(letter["tried_at"], "2026-01-01T00:01:00Z");
    assert_eq!(letter["payload"]["name"], "Ada");
    assert!(letter["error"].as_str().is_some_and(|error| error.contains("as many calls")), "{letter}");

    assert_eq!(operator.replay(&id).ok()["id"], id.as_str());
    assert_eq!(count_welcomes(&customer), 2);
    assert!(operator.dead_letters().ok().items().is_empty());
    // The event is not a dead letter any more.
    operator.replay(&id).problem(404, "not_found");
    operator.replay("users:nobody").problem(404, "not_found");
    operator.replay("nobody").problem(404, "not_found");
    assert_eq!(count_welcomes(&customer), 2);
    customer.dead_letters().problem(403, "forbidden");
    customer.replay(&id).problem(403, "forbidden");
}

#[test]
fn a_replayed_event_that_fails_again_stays_a_dead_letter() {
    let mut shop = Shop::open();
    let customer = shop.customer();
    // The event has a field that this version does not know.
    let id = make_dead_letter(&mut shop, &customer, "who");
    shop.start();
    let operator = shop.operator();
    let refused = operator.replay(&id).problem(409, "not_delivered");
    assert!(refused["reason"].as_str().is_some_and(|reason| reason.contains("user_id")), "{refused:#?}");
    let stays = operator.dead_letters().ok();
    assert_eq!(stays.items()[0]["error"], refused["reason"]);
    operator.audit();
}
