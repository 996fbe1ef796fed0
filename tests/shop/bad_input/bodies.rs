//! Bodies in an unsupported coding, and bodies for routes without one.

use super::{JSON, forms::World, send};
use crate::harness::{Shop, routes};
use std::time::Duration;

#[test]
fn a_body_in_an_unsupported_coding_or_character_set_is_refused() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let before = world.snapshot();
    for form in world.forms() {
        let body = form.body.to_string();
        for coding in ["gzip", "GZIP", "deflate", "br", "identity, gzip", "rot13", ""] {
            let refused = send(&form, &[JSON, ("content-encoding", coding)], body.as_bytes());
            refused.problem(415, "unsupported_media_type");
        }
        for charset in ["utf-16", "latin1", "iso-8859-1", "\"utf-16\"", "", "utf-8x"] {
            let kind = format!("application/json; charset={charset}");
            send(&form, &[("content-type", &kind)], body.as_bytes()).problem(415, "unsupported_media_type");
        }
        let twice = send(&form, &[JSON, ("content-type", "text/plain")], body.as_bytes());
        twice.problem(415, "unsupported_media_type");
    }
    world.is_still(&before);
    let kinds =
        ["application/json;charset=UTF-8", "application/json; Charset=\"utf-8\"", "application/json; version=1"];
    for (form, kind) in world.forms().zip(kinds.into_iter().cycle()) {
        let answer =
            send(&form, &[("content-type", kind), ("content-encoding", "Identity")], form.body.to_string().as_bytes());
        assert_eq!(answer.status, form.good, "{kind}: {answer:#?}");
    }
}

#[test]
fn a_route_without_a_body_accepts_only_an_empty_body_or_an_empty_object() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let before = world.snapshot();
    let json = "content-type: application/json\r\n";
    let say = |method: &str, path: &str, kind: &str, body: &str| {
        let length = body.len();
        let token = world.operator.token();
        let headers = format!("authorization: Bearer {token}\r\n{kind}content-length: {length}\r\n");
        shop.raw_connection().head(&format!("{method} {path}"), &headers).say(body).listen()
    };
    for row in routes() {
        if world.forms().any(|form| (form.method, form.template) == (&row.method, &row.path)) {
            continue;
        }
        let path = row.path.replace("{id}", &world.order);
        for (kind, body, status, code) in [
            (json, "{\"a\": 1}", 422, "/a"),
            (json, "[]", 422, "invalid"),
            (json, "{", 400, "bad_json"),
            ("", "{}", 415, "unsupported_media_type"),
            ("content-type: text/plain\r\n", "hello", 415, "unsupported_media_type"),
        ] {
            let answer = say(&row.method, &path, kind, body);
            assert_eq!(answer.status, Some(status), "{row:?} {body}: {answer:?}");
            assert!(
                answer.text.contains(code) && answer.text.contains("application/problem+json"),
                "{row:?}: {answer:?}"
            );
        }
    }
    world.is_still(&before);
    for (kind, body) in [(json, "{}"), ("", ""), (json, "")] {
        let answer = say("GET", "/api/v1/users/me", kind, body);
        assert_eq!(answer.status, Some(200), "{body:?}: {answer:?}");
        // The order is delivered by now.
        let answer = say("POST", &format!("/api/v1/orders/{}/cancel", world.order), kind, body);
        assert_eq!(answer.status, Some(409), "{body:?}: {answer:?}");
    }
}

/// The upload time depends on the client's connection. The deadline of the handler begins when the
/// body is complete.
#[test]
fn a_slow_upload_does_not_shorten_the_deadline_of_the_handler() {
    let shop = Shop::open();
    let mut connection = shop.raw_connection();
    connection.head("GET /api/v1/storefront", "content-type: application/json\r\ncontent-length: 2\r\n").say("{");
    // Longer than the deadline of the route, shorter than the timeout of a body.
    std::thread::sleep(Duration::from_secs(6));
    let answer = connection.say("}").listen();
    assert_eq!(answer.status, Some(200), "{answer:?}");
    assert!(answer.text.to_lowercase().contains("x-completed: true"), "{answer:?}");
}
