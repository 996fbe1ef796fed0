//! Invalid input: no body, path or byte causes a 5xx, and a refused request changes nothing.

mod bodies;
mod connections;
mod forms;
mod paths;
mod preconditions;
mod queries;
mod shapes;

use crate::harness::{Answer, Shop, fresh, routes};
use forms::{Form, World};
use serde_json::{Value, json};

/// Routes that change state and read no body.
const BODILESS: [(&str, &str); 4] = [
    ("POST", "/api/v1/orders/{id}/cancel"),
    ("POST", "/api/v1/notifications/{id}/read"),
    ("POST", "/api/v1/lab/instances/{id}/crash"),
    ("POST", "/api/v1/events/dead/{id}/replay"),
];

#[test]
fn every_route_that_takes_a_body_is_tried() {
    let mut expected: Vec<_> = routes()
        .into_iter()
        .filter(|row| ["POST", "PUT", "PATCH"].contains(&row.method.as_str()))
        .map(|row| (row.method, row.path))
        .filter(|(method, path)| !BODILESS.contains(&(method, path)))
        .collect();
    let mut tried: Vec<_> =
        forms::templates().into_iter().map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    expected.sort();
    tried.sort();
    assert_eq!(tried, expected);
}

#[track_caller]
fn send(form: &Form, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let key = fresh("key");
    let mut headers = headers.to_vec();
    if form.template == "/api/v1/orders" {
        headers.push(("idempotency-key", &key));
    }
    let answer = form
        .who
        .try_send_text(form.method, &form.path, &headers, Some(body))
        .unwrap_or_else(|error| panic!("{form:?}: {error}"));
    assert!(answer.status < 500, "{form:?}: {answer:#?}");
    if answer.status >= 400 {
        assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:#?}");
        has_no_jargon(&answer);
    }
    answer
}

/// The detail is written for people: it names no type and no library of the program.
#[track_caller]
fn has_no_jargon(answer: &Answer) {
    let words = answer["detail"].to_string().to_lowercase();
    let jargon = [
        "struct",
        "enum",
        "variant",
        "tuple",
        "sequence",
        "a map",
        "expected",
        "invalid type",
        "invalid value",
        "elements",
        "u8",
        "u16",
        "u32",
        "u64",
        "i64",
        "i128",
        "f64",
        "option",
        "deserial",
        "digit found",
        "::",
    ];
    for word in jargon {
        assert!(!words.contains(word), "it says `{word}`: {answer:#?}");
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[track_caller]
fn send_json(form: &Form, body: &Value) -> Answer {
    send(form, &[JSON], body.to_string().as_bytes())
}

#[test]
fn a_body_that_is_not_json_gets_400() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let before = world.snapshot();
    for form in world.forms() {
        let good = form.body.to_string();
        let cut = &good.as_bytes()[..good.len() - 1];
        let twice = format!("{good}{good}");
        #[rustfmt::skip]
        let bodies: [&[u8]; 10] = [
            b"", b" ", b"{", b"nonsense", b"{'a': 1}", b"NaN", b"\xff\xfe\x00", b"\xef\xbb\xbf{}",
            cut, twice.as_bytes(),
        ];
        for body in bodies {
            let answer = send(&form, &[JSON], body);
            assert!(
                answer.status == 400 && answer["code"] == "bad_json",
                "{}: {answer:#?}",
                String::from_utf8_lossy(&body[..body.len().min(60)])
            );
        }
    }
    world.is_still(&before);
}

#[test]
fn a_body_without_the_json_content_type_is_refused() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let before = world.snapshot();
    for form in world.forms() {
        let body = form.body.to_string();
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonp",
            "text/json",
            "",
            "json",
        ] {
            send(&form, &[("content-type", kind)], body.as_bytes()).problem(415, "unsupported_media_type");
        }
        send(&form, &[], body.as_bytes()).problem(415, "unsupported_media_type");
    }
    world.is_still(&before);
    for form in world.forms() {
        let answer =
            send(&form, &[("content-type", "Application/JSON; charset=utf-8")], form.body.to_string().as_bytes());
        assert_eq!(answer.status, form.good, "{answer:#?}");
    }
}

#[test]
fn an_invalid_field_is_named_and_the_request_changes_nothing() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let before = world.snapshot();
    for form in world.forms() {
        for whole in [json!(null), json!(true), json!(7), json!("text"), json!([])] {
            let answer = send_json(&form, &whole).is(422);
            assert_eq!(answer["errors"][0]["pointer"], "", "{answer:#?}");
        }
        for pointer in pointers(&form.body) {
            let value = form.body.pointer(&pointer).expect("it is there");
            if value.is_object() {
                send_json(&form, &changed(&form.body, &format!("{pointer}/surprise"), json!(1)))
                    .invalid(&format!("{pointer}/surprise"));
            }
            for wrong in impossible(value).into_iter().filter(|_| !pointer.is_empty()) {
                let answer = send_json(&form, &changed(&form.body, &pointer, wrong.clone()));
                assert_eq!(answer.status, 422, "{pointer} = {wrong}: {answer:#?}");
                let told = answer["errors"][0]["pointer"].as_str().unwrap_or_default();
                assert!(told.starts_with(&pointer) || pointer.starts_with(told), "{pointer} = {wrong}: {answer:#?}");
            }
        }
        for required in form.required {
            let answer = send_json(&form, &without(&form.body, required)).is(422);
            let parent = required.rsplit_once('/').expect("a pointer").0;
            let told = answer["errors"][0]["pointer"].as_str().unwrap_or_default();
            assert!(told == parent || told == *required, "without {required}: {answer:#?}");
            send_json(&form, &changed(&form.body, required, Value::Null)).is(422);
        }
        // The same field twice.
        if let Some(field) = form.body.as_object().and_then(|fields| fields.keys().next()) {
            let doubled = form.body.to_string().replacen('{', &format!("{{\"{field}\": {},", form.body[field]), 1);
            send(&form, &[JSON], doubled.as_bytes()).is(422);
        }
    }
    world.is_still(&before);
}

#[test]
fn a_shown_text_with_control_characters_is_refused() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let before = world.snapshot();
    for form in world.forms() {
        for pointer in pointers(&form.body).into_iter().filter(|pointer| !is_secret(pointer)) {
            let Some(text) = form.body.pointer(&pointer).and_then(Value::as_str) else { continue };
            for control in ["\0", "\n", "\r\n", "\u{1b}[31m", "\u{7f}", "\u{202e}", "\u{2028}", "\u{85}"] {
                let bad = format!("{text}{control}{text}");
                send_json(&form, &changed(&form.body, &pointer, json!(bad))).is(422);
            }
        }
    }
    world.is_still(&before);
}

/// A password may contain any character.
fn is_secret(pointer: &str) -> bool {
    ["password", "token", "number", "cvc"].iter().any(|secret| pointer.contains(secret))
}

#[test]
fn malformed_input_is_refused_and_changes_nothing() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    #[rustfmt::skip]
    let odd = || [
        json!(null), json!(true), json!(-1), json!(0), json!(1), json!(0.1), json!(1e308), json!(i64::MIN), json!(i64::MAX), json!(u64::MAX),
        json!(""), json!(" "), json!("x"), json!("0"), json!("☃"), json!("e\u{301}"), json!("../../etc/passwd"), json!("'; DROP TABLE orders; --"),
        json!("<img src=x onerror=alert(1)>"), json!("%s%n"), json!("x".repeat(5_000)), json!("\u{1f600}".repeat(200)), json!([]), json!({}),
        json!([[]]), json!({"amount": i64::MAX, "currency": "EUR"}), json!({"amount": 1, "currency": "JPY"}), json!({"amount": 1, "currency": "XXX"}),
        json!("prd_00000000000000000000000000000000"), json!("ord_ffffffffffffffffffffffffffffffff"),
        json!(world.order), json!(world.payment), json!(world.owner.address_id), json!(world.owner.payment_method_id), json!("x".repeat(60_000)),
        json!(1u64 << 32), json!(i64::MAX as f64 * 4.0), json!("\u{0}"), json!("\u{202e}"), json!({"": {}}),
    ];
    for form in world.forms() {
        for pointer in pointers(&form.body).into_iter().filter(|pointer| !pointer.is_empty()) {
            // A conflict is not an input error: an order for which the stock does not suffice is
            // stored as rejected.
            let refuses = |value: &Value| {
                [400, 422].contains(&send_json(&form, &changed(&form.body, &pointer, value.clone())).status)
            };
            let refused: Vec<Value> = odd().into_iter().filter(refuses).collect();
            // Some values are accepted. A refused value changes nothing. A registration that
            // succeeded has merged the cart of the guest, so the guest needs a new one.
            world.guest.put_in_cart(&world.product, 2).ok();
            let before = world.snapshot();
            if refused.iter().all(refuses) {
                world.is_still(&before);
            }
        }
        send(&form, &[JSON], format!("{{\"x\": 1{}}}", "0".repeat(400)).as_bytes()).is(422);
        let huge = format!("{{\"x\": 1e999, {}", &form.body.to_string()[1..]);
        let bottomless = "[".repeat(30_000);
        let within = format!("{{\"x\": {bottomless}");
        for odd in [&huge, &bottomless, &within, "{\"x\": \"\\ud800\"}"] {
            assert!([400, 422].contains(&send(&form, &[JSON], odd.as_bytes()).status), "{form:?}: {}", &odd[..20]);
        }
    }
    world.operator.audit();
    shop.anonymous().get("/readyz").ok();
}

#[test]
fn amounts_out_of_range_are_refused() {
    let shop = Shop::open();
    let operator = shop.operator();
    let product = |amount: i64| json!({"slug": fresh("gold"), "name": "Gold", "category": "safe", "price": {"amount": amount, "currency": "EUR"}, "weight_grams": 1, "on_hand": 1000});
    for impossible in [0, -1, 100_000_001, i64::MAX] {
        operator.post("/api/v1/products", &product(impossible)).invalid("/price");
    }
    let dearest = operator.post("/api/v1/products", &product(100_000_000)).created().id();
    let customer = shop.customer();
    let bought = customer.buys(&dearest, 999).created();
    assert_eq!(bought["subtotal"]["amount"], 99_900_000_000i64);
    operator.set_stock(&dearest, json!({"on_hand": 1_000_001})).is(422);
    operator.set_stock(&dearest, json!({"adjust_by": i64::MAX})).is(422);
    operator.set_stock(&dearest, json!({"adjust_by": i64::MIN})).is(422);
    let other = json!({"slug": fresh("yen"), "name": "Yen", "category": "safe", "price": {"amount": 100, "currency": "JPY"}, "weight_grams": 1, "on_hand": 5});
    let made = operator.post("/api/v1/products", &other);
    // Whether another currency can be sold or not, a cart with two currencies has no total.
    if made.status == 201 {
        let mixed = customer.place_order(&fresh("key"), &customer.order_of(&[(&dearest, 1), (&made.id(), 1)]));
        assert!((400..500).contains(&mixed.status), "{mixed:#?}");
    }
    let order = |lines: Value| {
        let mut order = customer.order_of(&[]);
        order["items"] = lines;
        customer.place_order(&fresh("key"), &order)
    };
    order(json!([])).problem(422, "empty_order");
    order(json!([{"product_id": dearest, "quantity": 1}, {"product_id": dearest, "quantity": 1}])).invalid("/items");
    let many: Vec<_> = (0..51).map(|n| json!({"product_id": format!("prd_{n:032x}"), "quantity": 1})).collect();
    order(json!(many)).invalid("/items");
    operator.audit();
}

/// The pointers (RFC 6901) of a value and of all values inside it.
fn pointers(value: &Value) -> Vec<String> {
    let within: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let within = within
        .into_iter()
        .flat_map(|(name, value)| pointers(value).into_iter().map(move |rest| format!("/{name}{rest}")));
    std::iter::once(String::new()).chain(within).collect()
}

/// Values that are invalid in the place of this one.
fn impossible(value: &Value) -> Vec<Value> {
    match value {
        Value::String(_) => vec![json!(true), json!(-1), json!(1.5), json!([]), json!({})],
        Value::Number(number) => {
            let mut wrong = vec![json!("1"), json!(true), json!(i64::MIN), json!(u64::MAX), json!([]), json!({})];
            wrong.extend((!number.is_f64()).then(|| json!(1.5)));
            wrong
        }
        Value::Bool(_) => vec![json!("true"), json!(1), json!([])],
        Value::Array(_) => vec![json!("text"), json!(1), json!(true)],
        Value::Object(_) => vec![json!("text"), json!(1), json!(true)],
        Value::Null => vec![],
    }
}

fn changed(body: &Value, pointer: &str, value: Value) -> Value {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("not the whole");
    match body.pointer_mut(parent).expect("it is there") {
        Value::Array(items) => items[name.parse::<usize>().expect("a place")] = value,
        parent => parent[name] = value,
    }
    body
}

fn without(body: &Value, pointer: &str) -> Value {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("not the whole");
    body.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object").remove(name).expect("it is there");
    body
}

/// For the messages of failing assertions.
impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.template)
    }
}
