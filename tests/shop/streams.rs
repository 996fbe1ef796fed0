//! Event streams of orders: how many may be open, and how long.

use crate::harness::{Client, Customer, GOOD_PASSWORD, PATIENCE, Shop, eventually, within};
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// A connection with the event stream of an order.
struct EventStream(BufReader<TcpStream>);

impl EventStream {
    fn of(shop: &Shop, client: &Client, order: &str, last: usize) -> Self {
        let mut stream = TcpStream::connect(shop.address()).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        let (host, token) = (shop.address(), client.token());
        let head = format!(
            "GET /api/v1/orders/{order}/events HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\nlast-event-id: {last}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("it listens");
        Self(BufReader::new(stream))
    }

    /// The status and the headers.
    fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.0.read_line(&mut head).expect("a line") > 0, "hung up after {head}");
        }
        head
    }

    /// The bytes until the gateway ends the stream.
    fn rest(mut self) -> String {
        let (begun, mut text) = (Instant::now(), String::new());
        while self.0.read_line(&mut text).expect("an end") > 0 {
            assert!(begun.elapsed() < PATIENCE, "it goes on: {text}");
        }
        text
    }
}

/// A customer with a confirmed order that gets no event after its second.
fn customer_with_order(shop: &Shop, product: &str) -> (Customer, String) {
    let customer = shop.customer();
    let order = customer.buys(product, 1).created().id();
    (customer, order)
}

#[test]
fn many_open_event_streams_do_not_block_other_requests() {
    // An instance runs at most 256 calls at once.
    let shop = Shop::options().flag("--instances", "orders=1").open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 100);
    let watchers: Vec<_> = (0..20).map(|_| customer_with_order(&shop, &kettle)).collect();
    let mut followers: Vec<_> = watchers
        .iter()
        .flat_map(|(customer, order)| std::iter::repeat_with(move || (customer, order)).take(16))
        .map(|(customer, order)| EventStream::of(&shop, customer, order, 2))
        .collect();
    for follower in &mut followers {
        let head = follower.head();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
    let waiting = |operator: &Client| {
        let services = operator.get("/api/v1/lab/services").ok();
        let orders = services.items().iter().find(|service| service["service"] == "orders").cloned();
        orders.and_then(|orders| orders["instances"][0]["waiting"].as_u64()).unwrap_or_default()
    };
    eventually("all of them wait", || (waiting(&operator) >= 320).then_some(()));
    let (customer, order) = customer_with_order(&shop, &kettle);
    customer.order(&order).ok();
    customer.cancel(&order).ok();
    operator.audit();

    // A customer may have at most sixteen streams.
    let (greedy, order) = &watchers[0];
    let refused = greedy.get(&format!("/api/v1/orders/{order}/events")).problem(429, "too_many_streams");
    assert_eq!(refused.header("retry-after"), "20");
    // A closed stream makes room for another, at the latest when the second keep-alive cannot be
    // sent.
    followers.remove(0);
    within(Duration::from_secs(40), "there is room", || {
        let mut again = EventStream::of(&shop, greedy, order, 2);
        again.head().starts_with("HTTP/1.1 200 ").then_some(())
    });
}

#[test]
fn a_stream_ends_with_its_own_session_only() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 10);
    let (customer, order) = customer_with_order(&shop, &kettle);
    let elsewhere = || {
        let mut client = shop.anonymous();
        client.sign_in(&customer.email, GOOD_PASSWORD).created();
        client
    };
    let (phone, tablet) = (elsewhere(), elsewhere());
    let follow = |client: &Client| {
        let mut follower = EventStream::of(&shop, client, &order, 2);
        assert!(follower.head().starts_with("HTTP/1.1 200 "));
        follower
    };
    let (here, on_phone, on_tablet) = (follow(&customer), follow(&phone), follow(&tablet));
    // Until both streams are waiting.
    std::thread::sleep(Duration::from_millis(300));
    phone.sign_out().no_content();
    on_phone.rest();
    let change = json!({"current_password": GOOD_PASSWORD, "new_password": "another walk at dusk"});
    customer.post("/api/v1/users/me/password", &change).no_content();
    on_tablet.rest();
    // The third stream is as old as these two, and stays open.
    operator.fulfil(&order, "packed").ok();
    customer.cancel(&order).ok();
    let told = here.rest();
    assert!(told.contains("packed") && told.contains("cancelled"), "{told}");
}

#[test]
fn a_foreign_last_event_id_hides_no_later_event() {
    let shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 10);
    let (customer, order) = customer_with_order(&shop, &kettle);
    let mut follower = EventStream::of(&shop, &customer, &order, 99);
    assert!(follower.head().starts_with("HTTP/1.1 200 "));
    customer.cancel(&order).ok();
    let told = follower.rest();
    assert!(told.contains("\"pending\"") && told.contains("\"cancelled\""), "{told}");
}
