//! Idempotency keys: the same key with the same request gives the same answer, and the work is done
//! once.

use crate::harness::{Answer, Card, Client, Shop, eventually, fresh, home_address};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn a_repeated_order_request_returns_the_same_order() {
    let mut shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 10);
    let customer = shop.customer();
    let order = customer.order_of(&[(&kettle, 2)]);
    let first = customer.place_order("my-order", &order).created();
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = |key| {
        let again = customer.place_order(key, &order).created();
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!((&again.text, again.header("location")), (&first.text, first.header("location")));
    };
    again("my-order");
    again("\"my-order\"");
    customer.place_order("my-order", &customer.order_of(&[(&kettle, 3)])).problem(422, "idempotency_key_reused");
    shop.kill();
    shop.start();
    again("my-order");
    assert_eq!(operator.available(&kettle), 8);
    // Each customer has a separate set of keys.
    let other = shop.customer();
    let others = other.place_order("my-order", &other.order_of(&[(&kettle, 2)])).created();
    assert_ne!(others.id(), first.id());
    operator.audit();
}

#[test]
fn an_order_needs_a_valid_idempotency_key() {
    let shop = Shop::open();
    let kettle = shop.operator().stock_up(4990, 10);
    let customer = shop.customer();
    let order = customer.order_of(&[(&kettle, 1)]);
    customer.post("/api/v1/orders", &order).problem(400, "idempotency_key_required");
    for bad in ["a b", "\"\"", &"x".repeat(256), "ü"] {
        customer.place_order(bad, &order).problem(400, "bad_idempotency_key");
    }
    customer.place_order(&"x".repeat(255), &order).created();
}

#[test]
fn many_concurrent_requests_with_one_key_place_one_order() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 100);
    let customer = shop.customer();
    let order = customer.order_of(&[(&kettle, 1)]);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let place = || customer.place_order("one-key", &order);
        let threads: Vec<_> = (0..12).map(|_| scope.spawn(place)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut placed = Vec::new();
    for answer in answers {
        match answer.status {
            201 => placed.push(answer.id()),
            _ => assert_eq!(answer.problem(409, "idempotency_in_flight").header("retry-after"), "1"),
        }
    }
    placed.dedup();
    assert_eq!(placed.len(), 1, "{placed:?}");
    assert_eq!(customer.get("/api/v1/orders").ok().items().len(), 1);
    assert_eq!(operator.available(&kettle), 99);
}

#[test]
fn a_final_refusal_is_replayed_and_a_temporary_refusal_frees_the_key() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 1);
    let mut customer = shop.customer();
    let good = customer.order_of(&[(&kettle, 1)]);
    customer.place_order("the-key", &customer.order_of(&[(&kettle, 1000)])).invalid("/items/0/quantity");
    let placed = customer.place_order("the-key", &good).created();
    assert_eq!(placed.header("idempotency-replayed"), "");

    let out_of_stock = customer.place_order("another", &good).problem(409, "out_of_stock");
    operator.set_stock(&kettle, json!({"on_hand": 5})).ok();
    let again = customer.place_order("another", &good).problem(409, "out_of_stock");
    assert_eq!((again.header("idempotency-replayed"), &again["order_id"]), ("true", &out_of_stock["order_id"]));

    customer.pays_with(Card("4000 0000 0000 0002"));
    let order = customer.order_of(&[(&kettle, 1)]);
    let declined = customer.place_order("declined", &order).problem(402, "payment_declined");
    let again = customer.place_order("declined", &order).problem(402, "payment_declined");
    assert_eq!((again.header("idempotency-replayed"), &again.text), ("true", &declined.text));
}

#[test]
fn with_an_idempotency_key_each_creating_route_creates_once() {
    let shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 10);
    let customer = shop.customer();
    let order = customer.buys(&kettle, 4).created();
    for to in ["packed", "shipped"] {
        operator.fulfil(&order.id(), to).ok();
    }
    eventually("it arrives", || (customer.order(&order.id()).ok()["status"] == "delivered").then_some(()));
    let payment = order["payment"]["id"].as_str().unwrap();
    let returned = json!({"lines": [{"product_id": kettle, "quantity": 1}], "reason": "It is too loud."});
    let product = json!({
        "slug": "teapot", "name": "Teapot", "category": "kitchen", "price": {"amount": 100, "currency": "EUR"}, "weight_grams": 1,
    });
    for (who, path, body) in [
        (&*customer, "/api/v1/users/me/addresses", home_address()),
        (&customer, "/api/v1/users/me/payment_methods", Card::GOOD.json()),
        (&customer, &format!("/api/v1/orders/{}/returns", order.id()), returned),
        (
            &operator,
            &format!("/api/v1/payments/{payment}/refunds"),
            json!({"amount": {"amount": 100, "currency": "EUR"}, "reason": "Sorry."}),
        ),
        (&operator, "/api/v1/products", product),
    ] {
        let key = fresh("key");
        let send = || who.send("POST", path, &[("idempotency-key", &key)], Some(&body));
        let (first, again) = (send().created(), send().created());
        assert_eq!(first.text, again.text, "{path}");
        assert_eq!(again.header("idempotency-replayed"), "true", "{path}");
    }
    assert_eq!(customer.payment(payment).ok()["refunded"]["amount"], 4990 + 100);
    operator.audit();
}

#[test]
fn a_repeated_registration_returns_the_same_account() {
    let shop = Shop::open();
    let guest = shop.anonymous();
    let account = json!({"email": "ada@example.com", "password": crate::harness::GOOD_PASSWORD, "name": "Ada"});
    let send = |key: &str, body: &Value| guest.send("POST", "/api/v1/users", &[("idempotency-key", key)], Some(body));
    let (first, again) = (send("k", &account).created(), send("k", &account).created());
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(first["user"], again["user"]);
    assert_ne!(first["access_token"], again["access_token"]);
    guest.bearing(again["access_token"].as_str()).me().ok();
    send("other", &account).problem(409, "email_taken");
    send("a b", &account).problem(400, "bad_idempotency_key");
    guest.post("/api/v1/users", &account).problem(409, "email_taken");
}

#[test]
fn a_registration_with_the_key_of_another_is_refused_also_after_a_restart() {
    let mut shop = Shop::open();
    let account =
        |email: &str, name: &str| json!({"email": email, "password": crate::harness::GOOD_PASSWORD, "name": name});
    let ada = account("ada@example.com", "Ada");
    let send = |shop: &Shop, body: &Value| {
        shop.anonymous().send("POST", "/api/v1/users", &[("idempotency-key", "k")], Some(body))
    };
    send(&shop, &ada).created();
    let mut others = vec![account("grace@example.com", "Ada"), account("ada@example.com", "Grace"), ada.clone()];
    others[2]["password"] = "another long walk at dusk".into();
    let reused = |shop: &Shop| {
        for other in &others {
            send(shop, other).problem(422, "idempotency_key_reused");
        }
        // The first registration still gets its answer.
        assert_eq!(send(shop, &ada).created().header("idempotency-replayed"), "true");
    };
    reused(&shop);
    shop.kill();
    shop.start();
    reused(&shop);
    // A refused registration made no account.
    shop.anonymous().post("/api/v1/users", &others[0]).created();
}

#[test]
fn a_final_refusal_of_a_registration_binds_the_key_to_its_request() {
    let shop = Shop::open();
    let account = |email: &str| json!({"email": email, "password": crate::harness::GOOD_PASSWORD, "name": "Ada"});
    let send = |body: &Value| shop.anonymous().send("POST", "/api/v1/users", &[("idempotency-key", "k")], Some(body));
    let mut short = account("ada@example.com");
    short["password"] = "short".into();
    send(&short).invalid("/password");
    shop.anonymous().post("/api/v1/users", &account("taken@example.com")).created();
    // The invalid request claimed no key. This refusal is final, and binds the key to its request.
    send(&account("taken@example.com")).problem(409, "email_taken");
    send(&account("taken@example.com")).problem(409, "email_taken");
    send(&account("ada@example.com")).problem(422, "idempotency_key_reused");
}

/// The record of an account has a slow hash of the password. No token, and no answer with a token,
/// is on disk.
#[test]
fn the_stored_answer_of_a_registration_holds_no_password_and_no_token() {
    let mut shop = Shop::open();
    let account = json!({"email": "ada@example.com", "password": crate::harness::GOOD_PASSWORD, "name": "Ada"});
    let headers = [("idempotency-key", "k")];
    let made = shop.anonymous().send("POST", "/api/v1/users", &headers, Some(&account)).created();
    assert_eq!(shop.stop(), Some(0));
    shop.command(&["backup", "backup"]).succeeded();
    let backup = std::fs::read_to_string(shop.home().join("backup")).unwrap();
    let answers: Vec<_> = backup.lines().filter(|line| line.contains(r#""key":"answer/"#)).collect();
    assert_eq!(answers.len(), 1, "{backup}");
    assert!(answers[0].contains(r#""tree":"gateway""#) && answers[0].contains(r#""answer":null"#), "{}", answers[0]);
    let tokens = ["access_token", "refresh_token"].map(|name| made[name].as_str().expect("a token"));
    for secret in [crate::harness::GOOD_PASSWORD].into_iter().chain(tokens) {
        assert!(!backup.contains(secret), "{secret}");
    }
}

/// Sends the request and disconnects a little later, while the shop works on it.
fn send_and_hang_up(shop: &Shop, who: &Client, (path, key): (&str, &str), body: &Value, later: Duration) {
    let (token, body) = (who.token(), body.to_string());
    let mut connection = shop.raw_connection();
    // An unread answer makes the close a reset: the gateway notices the end of the connection at
    // once.
    connection.say("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n");
    std::thread::sleep(Duration::from_millis(10));
    // One write: a second write would wait until the first is acknowledged.
    connection.say(format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nidempotency-key: {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ));
    std::thread::sleep(later);
}

/// Repeats the request with the key until no other request holds the key.
fn until_answered(who: &Client, path: &str, key: &str, body: &Value) -> Answer {
    eventually("the key is free", || {
        let answer = who.send("POST", path, &[("idempotency-key", key)], Some(body));
        (answer.status != 409 || answer["code"] != "idempotency_in_flight").then_some(answer)
    })
}

#[test]
fn a_request_whose_client_disconnected_takes_effect_once() {
    let shop = Shop::open();
    let (operator, customer) = (shop.operator(), shop.customer());
    let before = customer.get("/api/v1/users/me/addresses").ok().items().len();
    let product = |key: &str| {
        json!({
            "slug": key, "name": "Teapot", "category": "kitchen",
            "price": {"amount": 100, "currency": "EUR"}, "weight_grams": 1,
        })
    };
    let keys: Vec<_> = (0..20).map(|_| fresh("hung-up")).collect();
    for (at, key) in keys.iter().enumerate() {
        let later = Duration::from_micros(500) * (at as u32 % 10);
        send_and_hang_up(&shop, &customer, ("/api/v1/users/me/addresses", key), &home_address(), later);
        send_and_hang_up(&shop, &operator, ("/api/v1/products", key), &product(key), later);
    }
    for key in &keys {
        until_answered(&customer, "/api/v1/users/me/addresses", key, &home_address()).created();
        until_answered(&operator, "/api/v1/products", key, &product(key)).created();
    }
    let addresses = customer.get("/api/v1/users/me/addresses?limit=100").ok().items().len();
    assert_eq!(addresses, before + keys.len());
}

#[test]
fn a_key_that_was_claimed_at_a_kill_is_free_after_the_restart() {
    let mut shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 1000);
    let customer = shop.customer();
    let keys: Vec<_> = (0..40).map(|_| fresh("killed")).collect();
    let order = customer.order_of(&[(&kettle, 1)]);
    std::thread::scope(|scope| {
        for chunk in keys.chunks(5) {
            let (customer, order) = (&customer, &order);
            scope.spawn(move || {
                for key in chunk {
                    let _ = customer.try_send("POST", "/api/v1/orders", &[("idempotency-key", key)], Some(order));
                }
            });
        }
        std::thread::sleep(Duration::from_millis(30));
        shop.kill();
    });
    shop.start();
    let mut placed = Vec::new();
    for key in &keys {
        let answer = customer.place_order(key, &order);
        // No key is held by a request of the killed process. The key of an order that is still
        // being placed may be in use.
        assert_ne!(answer["code"], "idempotency_in_flight", "{}", answer.text);
        placed.push(answer.id());
    }
    placed.sort();
    placed.dedup();
    assert_eq!(placed.len(), keys.len());
    eventually("all is at rest", || (operator.available(&kettle) == 1000 - keys.len() as u64).then_some(()));
    operator.audit();
}

#[test]
fn without_a_key_each_refund_and_return_is_a_new_one_whatever_its_trace_id() {
    let shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 10);
    let customer = shop.customer();
    let order = customer.buys(&kettle, 4).created();
    for to in ["packed", "shipped"] {
        operator.fulfil(&order.id(), to).ok();
    }
    eventually("it arrives", || (customer.order(&order.id()).ok()["status"] == "delivered").then_some(()));
    let trace = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    let payment = order["payment"]["id"].as_str().unwrap();
    let refund = json!({"amount": {"amount": 100, "currency": "EUR"}, "reason": "Sorry."});
    let returned = json!({"lines": [{"product_id": kettle, "quantity": 1}], "reason": "It is too loud."});
    for _ in 0..2 {
        operator.send("POST", &format!("/api/v1/payments/{payment}/refunds"), &trace, Some(&refund)).created();
        customer.send("POST", &format!("/api/v1/orders/{}/returns", order.id()), &trace, Some(&returned)).created();
    }
    assert_eq!(customer.payment(payment).ok()["refunded"]["amount"], 2 * (4990 + 100));
    assert_eq!(customer.order(&order.id()).ok()["items"][0]["returned"], 2);
    operator.audit();
}

#[test]
fn the_keys_of_operator_and_customer_for_a_return_are_separate() {
    let shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 10);
    let customer = shop.customer();
    let order = customer.buys(&kettle, 4).created();
    for to in ["packed", "shipped"] {
        operator.fulfil(&order.id(), to).ok();
    }
    eventually("it arrives", || (customer.order(&order.id()).ok()["status"] == "delivered").then_some(()));
    let returned = json!({"lines": [{"product_id": kettle, "quantity": 1}], "reason": "It is too loud."});
    let path = format!("/api/v1/orders/{}/returns", order.id());
    let send = |who: &Client| who.send("POST", &path, &[("idempotency-key", "1")], Some(&returned)).created().id();
    assert_ne!(send(&customer), send(&operator));
    assert_eq!(customer.order(&order.id()).ok()["items"][0]["returned"], 2);
}
