//! Log lines: one for each request, as text or as JSON. No input can create another line.

use crate::harness::{Shop, within};
use serde_json::{Value, json};
use std::{io::Write, net::TcpStream, time::Duration};

/// The log line of the request with that trace id.
#[track_caller]
fn line_of(shop: &Shop, trace: &str) -> String {
    within(Duration::from_secs(5), "its line", || {
        let log = shop.log();
        log.lines().find(|line| line.contains("access") && line.contains(trace)).map(str::to_owned)
    })
}

#[test]
fn a_log_line_has_the_request_the_result_and_the_reason() {
    let shop = Shop::options().flag("--log-format", "json").throttled().open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let kettle = operator.stock_up_and_tell(4990, 5);
    let user = operator.me().ok().id();
    let line = |answer: &crate::harness::Answer| -> Value {
        serde_json::from_str(&line_of(&shop, answer.header("x-request-id"))).expect("an object a line")
    };
    let told = line(&guest.product(&kettle).ok());
    assert_eq!((&told["level"], &told["target"]), (&json!("info"), &json!("access")));
    assert_eq!(told["message"], "GET /api/v1/products/{id}", "the template, never the path");
    assert_eq!((&told["status"], &told["client"], &told["user"]), (&json!(200), &json!("127.0.0.1"), &json!("-")));
    assert_eq!((&told["cache"], &told["flags"]), (&json!("galleria; fwd=miss; stored"), &json!("-")));
    assert!(told["ms"].as_f64().is_some_and(|ms| ms > 0.0) && told["time"].is_string(), "{told:#}");
    assert_eq!(line(&operator.me().ok())["user"], json!(user));

    let flags = |answer: &crate::harness::Answer| {
        let told = line(answer);
        (told["problem"].as_str().unwrap_or_default().to_owned(), told["flags"].as_str().unwrap_or_default().to_owned())
    };
    let is = |problem: &str, flags: &str| (problem.to_owned(), flags.to_owned());
    assert_eq!(flags(&guest.me()), is("unauthorized", "UAEX"));
    operator.change_control("breakers", "gateway.shipping", &json!({"forced": "open"})).ok();
    assert_eq!(flags(&guest.get("/api/v1/tracking/GA000000000NL")), is("circuit_open", "UO"));
    let throttled = std::iter::repeat_with(|| guest.get("/api/v1/products")).find(|answer| answer.status == 429);
    assert_eq!(flags(&throttled.expect("it comes")), is("too_many_requests", "RL"));
    // Successful internal calls are not logged.
    assert!(!shop.log().lines().any(|line| line.contains("products.get")), "no line for a call that went well");
}

#[test]
fn no_input_can_forge_a_log_line() {
    for format in ["text", "json"] {
        let shop = Shop::options().flag("--log-format", format).open();
        let guest = shop.anonymous();
        guest.get("/api/v1/products?q=%0A2026-01-01T00:00:00.000Z%20INFO%20%20access%20forged").ok();
        guest.get("/%0d%0aforged").is(404);
        let name = "Ada\n2026-01-01T00:00:00.000Z ERROR forged \u{1b}[31m";
        let account = json!({"email": "ada@example.com", "password": "a long walk at dawn", "name": name});
        guest.post("/api/v1/users", &account);
        let forged_host = [("x-forwarded-for", "1.2.3.4\tforged"), ("user-agent", "forged")];
        let last = guest.send("GET", "/api/v1/products", &forged_host, None).ok();
        line_of(&shop, last.header("x-request-id"));
        let log = shop.log();
        assert!(!log.contains("forged") && !log.contains('\u{1b}'), "colours are for terminals:\n{log}");
    }
}

#[test]
fn a_request_whose_client_disconnected_is_logged_too() {
    let shop = Shop::open();
    let operator = shop.operator();
    operator.set_link("gateway.products", &json!({"latency_ms": 1000})).no_content();
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut connection = TcpStream::connect(shop.address()).unwrap();
    let trace = format!("traceparent: 00-{id}-00f067aa0ba902b7-01");
    // An unread answer resets the connection at its end: the gateway sees that the client has
    // disconnected.
    write!(connection, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    write!(connection, "GET /api/v1/products HTTP/1.1\r\nHost: localhost\r\n{trace}\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    drop(connection);
    let line = line_of(&shop, id);
    assert!(line.contains("status=499") && line.ends_with("problem=hung_up flags=DC"), "{line}");
    operator.clear_link("gateway.products").no_content();
    let seen = operator.get(&format!("/api/v1/traces/{id}")).ok();
    assert_eq!(seen["spans"][0]["outcome"], "abandoned", "{seen:#?}");
}
