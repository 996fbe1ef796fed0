//! Malformed ids, and paths without a route.

use super::forms::World;
use crate::harness::{Shop, fresh, routes};
use serde_json::json;

#[test]
fn a_malformed_id_gets_404() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let before = world.snapshot();
    let upper = world.order.to_uppercase();
    let longer = format!("{}0", world.order);
    let garbage = [
        "x",
        "0",
        "-1",
        "ord_",
        "ord_x",
        "prd_00000000000000000000000000000000",
        "ord_00000000000000000000000000000000",
        &upper,
        &longer,
        "..",
        "%2e%2e",
        "%00",
        "%2f",
        "%ff",
        "%",
        "%E2%98%83",
        "null",
        "undefined",
        "{id}",
        "*",
        "'",
        &"x".repeat(300),
    ];
    for row in routes().into_iter().filter(|row| row.path.contains("{id}")) {
        let form = world.forms().find(|form| (form.method, form.template) == (&row.method, &row.path));
        for id in garbage {
            let path = row.path.replace("{id}", &id.replace('{', "%7B").replace('}', "%7D"));
            let answer = world.operator.send(&row.method, &path, &[], form.as_ref().map(|form| &form.body));
            // The removal of a product that is not in the cart changes nothing.
            let is_nothing_to_take_out = answer.status == 200
                && (row.method.as_str(), row.path.as_str()) == ("DELETE", "/api/v1/cart/items/{id}");
            assert!(answer.status == 404 || answer.status == 400 || is_nothing_to_take_out, "{answer:#?}");
        }
    }
    world.is_still(&before);
}

#[test]
fn an_id_of_another_kind_in_a_body_is_refused() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let good = world.owner.order_of(&[(&world.product, 1)]);
    for (pointer, id) in [
        ("/items/0/product_id", &world.order),
        ("/address_id", &world.owner.payment_method_id),
        ("/payment_method_id", &world.owner.address_id),
    ] {
        let order = super::changed(&good, pointer, json!(id));
        world.owner.place_order(&fresh("key"), &order).invalid(pointer);
    }
    let nothing = super::changed(&good, "/items/0/product_id", json!("prd_00000000000000000000000000000000"));
    world.owner.place_order(&fresh("key"), &nothing).invalid("/items");
    world.owner.return_items(&world.order, "prd_00000000000000000000000000000000", 1).problem(409, "too_many_returned");
}

#[test]
fn a_path_never_reaches_files_of_the_machine() {
    let shop = Shop::open();
    let status = |line: &[u8]| {
        let mut request = line.to_vec();
        request.extend(format!(" HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", shop.address()).bytes());
        shop.raw_connection().say(request).listen()
    };
    let nowhere: [&[u8]; 14] = [
        b"GET /../../../../etc/passwd",
        b"GET /..%2f..%2f..%2fetc/passwd",
        b"GET /%2e%2e/%2e%2e/etc/passwd",
        b"GET /....//etc/passwd",
        b"GET /index.html/../../Cargo.toml",
        b"GET /static/index.html",
        b"GET /%00",
        b"GET /index.html%00.svg",
        b"GET //",
        b"GET //example.com/",
        b"GET /%ff%fe",
        b"GET /%zz",
        b"GET /\\..\\..\\etc",
        b"GET /.git/config",
    ];
    for line in nowhere {
        let answer = status(line);
        let words = String::from_utf8_lossy(line).into_owned();
        assert_eq!(answer.status, Some(404), "{words}: {answer:?}");
        assert!(!answer.text.contains("root:"), "{words}");
    }
    let long = format!("GET /api/v1/products?q={}", "x".repeat(5_000));
    assert_eq!(status(long.as_bytes()).status, Some(414));
    let longer = format!("GET /{}", "x".repeat(300_000));
    assert_eq!(status(longer.as_bytes()).status, Some(431));
    for (line, refused) in [
        ("GET http://example.com/", 421),
        ("GET *", 404),
        ("OPTIONS *", 404),
        ("CONNECT example.com:80", 421),
        ("GET \u{e9}", 400),
        ("GET", 400),
    ] {
        assert_eq!(status(line.as_bytes()).status, Some(refused), "{line}");
    }
    shop.anonymous().get("/readyz").ok();
}
