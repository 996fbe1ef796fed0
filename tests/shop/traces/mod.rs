//! Traces: every message of a request is recorded, also the messages that it causes later, and no
//! trace holds a secret.

mod collector;

use crate::harness::{Answer, Card, Client, Customer, GOOD_PASSWORD, Shop, fresh, home_address, within};
use collector::Collector;
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn spans(trace: &Answer) -> &Vec<Value> {
    trace["spans"].as_array().expect("spans")
}

fn trace(operator: &Client, id: &str) -> Answer {
    operator.get(&format!("/api/v1/traces/{id}"))
}

fn traces(operator: &Client, query: &str) -> Vec<Value> {
    operator.get(&format!("/api/v1/traces{query}")).ok()["items"].as_array().expect("items").clone()
}

/// Waits until the trace has such a span. Gives the trace.
#[track_caller]
fn trace_with(operator: &Client, id: &str, what: &str, is: impl Fn(&Value) -> bool) -> Answer {
    within(SOON, what, || {
        let trace = trace(operator, id);
        (trace.status == 200 && spans(&trace).iter().any(&is)).then_some(trace)
    })
}

fn names<'a>(spans: impl IntoIterator<Item = &'a Value>, kind: &str) -> Vec<&'a str> {
    spans.into_iter().filter(|span| span["kind"] == kind).map(|span| span["name"].as_str().expect("a name")).collect()
}

#[test]
fn one_trace_shows_an_order_from_the_gateway_to_the_inbox() {
    let shop = Shop::open();
    let (operator, customer) = (shop.operator(), shop.customer());
    let kettle = operator.stock_up(4990, 5);
    let placed = customer.buys(&kettle, 1).created();
    let id = placed.header("x-request-id");
    let whole = trace_with(&operator, id, "the order is in the inbox", |span| {
        span["kind"] == "delivery" && span["subscriber"] == "notifications" && span["outcome"] == "ok"
    });
    let spans = spans(&whole);
    let request = &spans[0];
    assert_eq!((&request["kind"], &request["name"]), (&json!("request"), &json!("POST /api/v1/orders")));
    assert_eq!((&request["status"], &request["outcome"]), (&json!(201), &json!("ok")));
    assert_eq!(placed.header("traceparent").split('-').nth(2), request["span_id"].as_str(), "it is the answer's");
    assert_eq!(
        names(spans, "step"),
        ["ReserveStock", "AuthorizePayment", "BookShipment", "CapturePayment", "CommitStock"],
        "the saga, in its order"
    );
    for call in ["orders.place", "products.reserve_stock", "payments.authorize", "shipping.book", "payments.capture"] {
        assert!(names(spans, "call").contains(&call), "{call} in {whole:#?}");
    }
    for tree in ["commit orders", "commit products", "commit payments", "commit shipping"] {
        assert!(names(spans, "commit").contains(&tree), "{tree} in {whole:#?}");
    }
    for span in spans {
        let parent = spans.iter().find(|other| other["span_id"] == span["parent_id"]);
        assert!(parent.is_some() || span["kind"] == "request", "a span without a parent: {span:#}");
        let must_have_cause = ["step", "delivery"].contains(&span["kind"].as_str().expect("a kind"));
        assert_eq!(span["caused_by"].as_str().is_some_and(|cause| cause.starts_with(id)), must_have_cause, "{span:#}");
    }
    let reserve = spans.iter().find(|span| span["name"] == "products.reserve_stock").expect("it was asked");
    assert_eq!((&reserve["caller"], &reserve["service"]), (&json!("orders"), &json!("products")));
    assert!(reserve["instance"].as_str().is_some_and(|name| name.starts_with("products-")), "{reserve:#}");
    assert!(reserve["queued_us"].as_u64() <= reserve["took_us"].as_u64(), "{reserve:#}");
    assert_eq!(reserve["sent"]["order_id"], placed["id"], "what was sent is there");
    let place = spans.iter().find(|span| span["name"] == "orders.place").expect("it was asked");
    assert_eq!(place["answer"]["id"], placed["id"], "and what was answered: {place:#}");
}

#[test]
fn traces_are_found_by_order_user_route_status_and_duration() {
    let shop = Shop::open();
    let (operator, customer, other) = (shop.operator(), shop.customer(), shop.customer());
    let kettle = operator.stock_up(4990, 5);
    let order = customer.buys(&kettle, 1).created();
    let foreign = other.buys(&kettle, 1).created();
    let user = customer.me().ok().id();
    let about = |query: &str| traces(&operator, query);
    let ids = |found: &[Value]| found.iter().map(|it| it["trace_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let of_order = ids(&about(&format!("?order_id={}&route=/api/v1/orders", order.id())));
    assert_eq!(of_order, [order.header("x-request-id")], "and not {}", foreign.header("x-request-id"));
    let mine = about(&format!("?user_id={user}"));
    assert!(!mine.is_empty() && mine.iter().all(|it| it["user_id"] == json!(user)), "{mine:#?}");
    assert!(about("?status=201").iter().all(|it| it["status"] == 201));
    assert_eq!(ids(&about("?min_ms=3600000")), Vec::<String>::new());
    customer.get("/api/v1/orders/ord_00000000000000000000000000000000").problem(404, "not_found");
    assert_eq!(about("?route=/api/v1/orders/%7Bid%7D&status=404").len(), 1);

    // Page by page, the newest first, and each trace once.
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    for _ in 0..5 {
        let page = operator.get(&format!("/api/v1/traces?status=201&limit=2{cursor}")).ok();
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let times: Vec<_> = paged.iter().map(|it| it["started_at"].as_str().unwrap().to_owned()).collect();
    assert!(times.len() >= 5 && times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let unique: std::collections::HashSet<_> = ids(&paged).into_iter().collect();
    assert_eq!(unique.len(), paged.len());
    for bad in ["?status=x", "?order_id=usr_1", "?limit=0", "?cursor=x", "?nothing=1"] {
        assert_eq!(operator.get(&format!("/api/v1/traces{bad}")).status, 400, "{bad}");
    }
    trace(&operator, "nothing").problem(404, "not_found");
}

#[test]
fn a_failed_call_is_marked_as_an_error_in_its_trace() {
    let shop = Shop::open();
    let (operator, guest) = (shop.operator(), shop.anonymous());
    let kettle = operator.stock_up(4990, 5);
    operator.change_control("breakers", "gateway.products", &json!({"forced": "open"})).ok();
    let refused = guest.product(&kettle).problem(503, "circuit_open");
    let seen = trace(&operator, refused.header("x-request-id")).ok();
    let call = spans(&seen).iter().find(|span| span["name"] == "products.get").expect("a call");
    assert_eq!((&call["outcome"], &call["instance"]), (&json!("circuit_open"), &Value::Null));
    assert_eq!(spans(&seen)[0]["outcome"], "failed");
    operator.change_control("breakers", "gateway.products", &json!({"forced": null})).ok();

    // Every request is lost: the caller retries until the deadline.
    operator.change_control("routes", "products.get", &json!({"deadline_ms": 400})).ok();
    operator.set_link("gateway.products", &json!({"lost_requests": 100})).no_content();
    let late = guest.product(&kettle).problem(504, "timed_out");
    let seen = trace(&operator, late.header("x-request-id")).ok();
    assert!(spans(&seen).iter().any(|span| span["outcome"] == "timed_out"), "{seen:#?}");
    operator.clear_link("gateway.products").no_content();
}

#[test]
fn a_saga_that_resumes_after_a_restart_continues_the_trace_of_its_request() {
    let mut shop = Shop::open();
    let (operator, customer) = (shop.operator(), shop.customer());
    let kettle = operator.stock_up(4990, 5);
    shop.stop();
    shop.change(|options| options.env("GALLERIA_PROVIDER_FAULTS", "lose=100"));
    shop.start();
    // A shop that has just started computes the parcel routes first. That must not use up the
    // deadline below.
    customer.quotes(&kettle).ok();
    shop.operator().change_control("routes", "orders.place", &json!({"deadline_ms": 1500})).ok();
    let placed = customer.buys(&kettle, 1).is(202);
    let id = placed.header("x-request-id").to_owned();
    shop.kill();
    shop.change(|options| options.env("GALLERIA_PROVIDER_FAULTS", ""));
    shop.start();
    let operator = shop.operator();
    let seen = trace_with(&operator, &id, "the saga goes on", |span| span["name"] == "CommitStock");
    let steps: Vec<_> = spans(&seen).iter().filter(|span| span["kind"] == "step").collect();
    assert!(!names(spans(&seen), "step").contains(&"ReserveStock"), "that was done before: {seen:#?}");
    assert!(steps.iter().all(|step| step["caused_by"].as_str().is_some_and(|cause| cause.starts_with(&id))));
    let delivered = trace_with(&operator, &id, "and its events", |span| span["kind"] == "delivery");
    let delivery = spans(&delivered).iter().find(|span| span["kind"] == "delivery").expect("one");
    assert!(delivery["caused_by"].as_str().is_some_and(|cause| cause.starts_with(&id)), "{delivery:#}");
}

/// Puts a secret into every field that takes one. Gives the secrets.
fn plant(shop: &Shop) -> Vec<String> {
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 50);
    let mut customer = Customer::of(shop.shopper());
    customer.buys(&kettle, 1).created();
    let password = "the secret of the seven lamps".to_owned();
    let change = json!({"current_password": GOOD_PASSWORD, "new_password": password});
    customer.post("/api/v1/users/me/password", &change).no_content();
    let wrong = json!({"current_password": "a wrong lamp indeed", "new_password": "another lamp of many"});
    customer.post("/api/v1/users/me/password", &wrong).is(422);
    let mut device = shop.anonymous();
    let signed_in = device.sign_in(&customer.email, &password).created();
    let tokens = ["access_token", "refresh_token"].map(|name| signed_in[name].as_str().expect("a token").to_owned());
    let refreshed = device.refresh().created();
    let later = ["access_token", "refresh_token"].map(|name| refreshed[name].as_str().expect("a token").to_owned());
    shop.anonymous().sign_in(&customer.email, "a guess at the lamps").problem(401, "invalid_credentials");
    let card = json!({"card": {"number": "4000 0000 0000 0002", "exp_month": 12, "exp_year": 2034, "cvc": "739", "name": "A"}});
    customer.post("/api/v1/users/me/payment_methods", &card).created();
    customer.pays_with(Card::GOOD);
    // Stored answers of requests with an idempotency key.
    let keyed = [("idempotency-key", "a-key-of-mine")];
    let account =
        json!({"email": format!("{}@example.com", fresh("kept")), "password": "a lamp that is kept", "name": "Ada"});
    let registered = shop.anonymous().send("POST", "/api/v1/users", &keyed, Some(&account)).created();
    customer.send("POST", "/api/v1/users/me/payment_methods", &keyed, Some(&card)).created();
    customer.post("/api/v1/users/me/addresses", &home_address()).created();
    // Secrets in the wrong place: in a query, in another header, in an unknown path.
    customer.get("/api/v1/products?token=lamp-in-a-query").is(400);
    customer.get("/lamp-in-a-path").is(404);
    customer.send("GET", "/api/v1/cart", &[("x-token", "lamp-in-a-header"), ("cookie", "cart=lamp-in-a-cookie")], None);
    shop.anonymous().bearing(Some("lamp-in-a-bearer")).me().is(401);
    let setup =
        json!({"token": "lamp-in-a-setup", "email": "x@example.com", "password": "lamp of the operator", "name": "X"});
    shop.anonymous().post("/api/v1/setup", &setup);
    let kept = ["access_token", "refresh_token"].map(|name| registered[name].as_str().expect("a token").to_owned());
    let mut secrets = vec![
        "a lamp that is kept".to_owned(),
        password,
        GOOD_PASSWORD.to_owned(),
        "4000000000000002".into(),
        "4000 0000 0000 0002".into(),
    ];
    secrets.extend(tokens.into_iter().chain(later).chain(kept));
    secrets.extend(
        ["a wrong lamp indeed", "another lamp of many", "a guess at the lamps", "lamp of the operator"]
            .map(str::to_owned),
    );
    secrets.extend(["query", "path", "header", "cookie", "bearer", "setup"].map(|place| format!("lamp-in-a-{place}")));
    secrets.extend(["4242424242424242", "4242 4242 4242 4242", "\"739\""].map(str::to_owned));
    secrets
}

#[test]
fn no_secret_is_in_any_trace_log_or_export() {
    let collector = Collector::open();
    for format in ["text", "json"] {
        let options = Shop::options().env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()).env("RUST_LOG", "debug");
        let mut shop = options.flag("--log-format", format).open();
        let secrets = plant(&shop);
        let operator = shop.operator();
        let mut ring = String::new();
        let mut cursor = String::new();
        loop {
            let page = operator.get(&format!("/api/v1/traces?limit=100{cursor}")).ok();
            for item in page["items"].as_array().expect("items") {
                ring += &trace(&operator, item["trace_id"].as_str().expect("an id")).text;
            }
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert!(ring.contains("users.sign_in") && ring.contains("•••"), "what was searched is there");
        assert_eq!(shop.stop(), Some(0));
        let (log, exported) = (shop.log(), collector.text());
        assert!(log.contains("/api/v1/sessions") && exported.contains("/api/v1/sessions"), "{}", exported.len());
        for secret in secrets {
            for (place, text) in [("the ring", &ring), ("the log", &log), ("the export", &exported)] {
                assert!(!text.contains(&secret), "{secret} is in {place}");
            }
        }
    }
}

#[test]
fn exported_spans_follow_the_opentelemetry_format() {
    let collector = Collector::open();
    let options = Shop::options().env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
    let options =
        options.env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=lamps").env("OTEL_RESOURCE_ATTRIBUTES", "deployment=test");
    let mut shop = options.open();
    let (operator, customer) = (shop.operator(), shop.customer());
    let kettle = operator.stock_up(4990, 5);
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let order = customer.order_of(&[(&kettle, 1)]);
    let headers = [("idempotency-key", fresh("key")), ("traceparent", parent.to_owned())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    customer.send("POST", "/api/v1/orders", &headers, Some(&order)).created();
    assert_eq!(shop.stop(), Some(0), "what is left is sent before it closes");

    assert!(
        collector.heads().iter().all(|head| head.starts_with("POST /v1/traces ") && head.contains("x-tenant: lamps"))
    );
    let resource = &collector.resources()[0];
    assert_eq!((resource["service.name"].as_str(), resource["deployment"].as_str()), ("galleria", "test"));
    let spans = collector.spans();
    let mine: Vec<_> = spans.iter().filter(|span| span.trace == "4bf92f3577b34da6a3ce929d0e0e4736").collect();
    let request = mine.iter().find(|span| span.name == "POST /api/v1/orders").expect("the request");
    assert_eq!((request.kind, request.parent.as_str()), (2, "00f067aa0ba902b7"), "a server's, in the client's span");
    assert_eq!(request.attributes["http.response.status_code"], "201");
    assert_eq!(request.attributes["http.route"], "/api/v1/orders");
    let call = mine.iter().find(|span| span.name == "products.reserve_stock").expect("a call");
    assert_eq!((call.kind, call.attributes["rpc.service"].as_str()), (3, "products"));
    assert!(mine.iter().any(|span| span.span == call.parent), "its parent is exported, too");
    let delivery = mine.iter().find(|span| span.kind == 5).expect("a delivery is a consumer's");
    assert_eq!(delivery.links, std::slice::from_ref(&request.trace));
    assert!(mine.iter().all(|span| span.start > 1_600_000_000_000_000_000 && span.end >= span.start), "nanoseconds");
}

#[test]
fn an_unreachable_collector_causes_one_log_line() {
    let shop = Shop::options()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .open();
    let guest = shop.anonymous();
    for _ in 0..50 {
        guest.get("/api/v1/products").ok();
        std::thread::sleep(Duration::from_millis(20));
    }
    let lines = shop.log().matches("spans cannot be exported").count();
    assert_eq!(lines, 1, "{}", shop.log());
    // An invalid setting is refused at the start.
    let options = Shop::options().env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let mut other = options.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").closed();
    assert!(other.try_start().is_err());
    assert_eq!(other.wait(), Some(2));
    assert!(other.log().contains("only http/protobuf is supported"), "{}", other.log());
}

#[test]
fn an_invalid_traceparent_starts_a_new_trace_and_is_not_echoed() {
    let shop = Shop::open();
    let guest = shop.anonymous();
    let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    for bad in [zero, "00-4bf9-00f067aa0ba902b7-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x"] {
        let headers = [("traceparent", bad), ("tracestate", "vendor=secret")];
        let answer = guest.send("GET", "/api/v1/products", &headers, None).ok();
        assert!(
            !answer.header("traceparent").contains("4bf92f35")
                && !answer.header("traceparent").contains("00000000000000000000000000000000")
        );
        assert_eq!(answer.header("tracestate"), "");
    }
}

#[test]
fn with_a_trace_memory_of_zero_the_shop_works_without_traces() {
    let shop = Shop::options().flag("--trace-memory", "0").open();
    let (operator, customer) = (shop.operator(), shop.customer());
    let kettle = operator.stock_up(4990, 5);
    let placed = customer.buys(&kettle, 1).created();
    assert_eq!(traces(&operator, ""), Vec::<Value>::new());
    trace(&operator, placed.header("x-request-id")).problem(404, "not_found");
}
