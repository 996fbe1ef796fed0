//! JSON with wrong types, duplicate fields, or invalid text.

use super::{JSON, changed, forms::World, pointers, send, send_json};
use crate::harness::Shop;
use serde_json::{Value, json};

#[test]
fn a_value_of_another_json_type_is_refused() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let before = world.snapshot();
    for form in world.forms() {
        for pointer in pointers(&form.body).into_iter().filter(|pointer| !pointer.is_empty()) {
            let wrong = match form.body.pointer(&pointer).expect("it is there") {
                // Derived deserializers would accept the values in order as the object.
                Value::Object(fields) => fields.values().cloned().collect(),
                // Derived deserializers would accept this object as the enum value.
                Value::String(word) => json!({word: null}),
                value => json!([value]),
            };
            let answer = send_json(&form, &changed(&form.body, &pointer, wrong)).is(422);
            let told = answer["errors"][0]["pointer"].as_str().unwrap_or_default();
            assert!(told.starts_with(&pointer), "{pointer}: {answer:#?}");
        }
    }
    world.is_still(&before);
}

#[test]
fn an_unknown_enum_value_is_answered_with_the_allowed_values() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let words = |template: &str, pointer: &str| {
        let form = world.forms().find(|form| form.template == template).expect("a form");
        let told = send_json(&form, &changed(&form.body, pointer, json!("carrier pigeon"))).invalid(pointer);
        told["errors"][0]["reason"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(words("/api/v1/orders", "/shipping_service"), "must be one of economy, standard, express");
    assert_eq!(words("/api/v1/orders/{id}/fulfil", "/to"), "must be one of packed, shipped");
}

#[test]
fn a_duplicate_field_is_refused_at_every_depth() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let before = world.snapshot();
    for form in world.forms() {
        for pointer in pointers(&form.body) {
            let Some(fields) = form.body.pointer(&pointer).and_then(Value::as_object) else { continue };
            let (name, value) = fields.iter().next().expect("a field");
            let twice = changed(&form.body, &format!("{pointer}/SECOND"), value.clone()).to_string();
            let twice = twice.replace("\"SECOND\"", &format!("\"{name}\""));
            let answer = send(&form, &[JSON], twice.as_bytes()).is(422);
            assert_eq!(answer["errors"][0]["pointer"], *pointer, "{answer:#?}");
            assert!(answer["detail"].to_string().contains(name), "{answer:#?}");
        }
        // Also inside an unknown field.
        let unknown = format!("{{\"x\": {{\"y\": 1, \"y\": 2}}, {}", &form.body.to_string()[1..]);
        send(&form, &[JSON], unknown.as_bytes()).is(422);
    }
    world.is_still(&before);
}

#[test]
fn a_string_with_invalid_unicode_is_refused() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let before = world.snapshot();
    // RFC 8259 §8.1 and §7; half of a surrogate pair is no character.
    let no_text: [&[u8]; 7] =
        [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"a\x00b", b"a\nb", b"\\ud800", b"\\udc00\\ud800"];
    for form in world.forms() {
        let strings = pointers(&form.body).into_iter().filter(|at| form.body.pointer(at).is_some_and(Value::is_string));
        for pointer in strings.chain(["/unknown".to_owned()]) {
            let body = changed(&form.body, &pointer, json!("MARK")).to_string();
            let (head, tail) = body.split_once("MARK").expect("the mark");
            for bytes in no_text {
                let body = [head.as_bytes(), bytes, tail.as_bytes()].concat();
                send(&form, &[JSON], &body).problem(400, "bad_json");
            }
        }
    }
    world.is_still(&before);
}
