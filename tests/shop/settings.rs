//! Settings that are reloaded at run time, and the origins that CORS admits.

use crate::harness::{Answer, Shop, eventually};
use std::fs;

fn asked_as(shop: &Shop, host: &str) -> Option<u16> {
    shop.raw_connection()
        .say(format!("GET /livez HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"))
        .listen()
        .status
}

#[test]
fn the_file_is_read_again_on_a_signal_and_a_bad_one_changes_nothing() {
    let mut shop = Shop::options().closed();
    let write = |shop: &Shop, text: &str| fs::write(shop.home().join("galleria.toml"), text).expect("room for it");
    write(&shop, "allowed_hosts = [\"one.example\"]\n");
    shop.start();
    assert_eq!((asked_as(&shop, "one.example"), asked_as(&shop, "two.example")), (Some(200), Some(421)));
    write(&shop, "allowed_hosts = [\"two.example\"]\nworkers = 7\n");
    shop.signal("HUP");
    eventually("the other name is good", || (asked_as(&shop, "two.example") == Some(200)).then_some(()));
    assert_eq!(asked_as(&shop, "one.example"), Some(421));
    eventually("it says what has to wait", || {
        shop.log().contains("workers will be changed by a restart").then_some(())
    });
    for (bad, words) in [
        ("allowed_hosts = [", "galleria.toml"),
        ("colour = 1", "there is no setting `colour`"),
        ("workers = 0", "workers"),
    ] {
        let before = shop.log().len();
        write(&shop, bad);
        shop.signal("HUP");
        eventually("it says why not", || {
            shop.log()[before..]
                .lines()
                .any(|line| line.contains("stay as they are") && line.contains(words))
                .then_some(())
        });
        assert_eq!(asked_as(&shop, "two.example"), Some(200));
    }
}

#[test]
fn the_file_scales_services_that_no_operator_has_scaled() {
    let mut shop = Shop::options().closed();
    let read_again = |shop: &Shop, text: &str| {
        fs::write(shop.home().join("galleria.toml"), text).expect("room for it");
        let before = shop.log().len();
        shop.signal("HUP");
        eventually("it is read", || shop.log()[before..].contains("the settings were read again").then_some(()));
        assert!(!shop.log()[before..].contains("by a restart"), "{}", shop.log());
    };
    shop.start();
    let operator = shop.operator();
    let instances = |service: &str| {
        let services = operator.controls("services");
        let services = services.items();
        let found = services.iter().find(|it| it["service"] == service).unwrap_or_else(|| panic!("{services:#?}"));
        found["instances"].as_array().expect("a list").iter().filter(|it| it["state"] == "ready").count()
    };
    let becomes = |service, count| eventually("it is scaled", || (instances(service) == count).then_some(()));
    operator.change_control("services", "carts", &serde_json::json!({"count": 3})).ok();
    read_again(&shop, "instances = \"products=4,orders=1,carts=5\"\n");
    becomes("products", 4);
    becomes("orders", 1);
    assert_eq!(instances("carts"), 3, "an operator has said so");
    operator.change_control("services", "carts", &serde_json::json!({"count": null})).ok();
    becomes("carts", 5);
    read_again(&shop, "");
    for service in ["products", "orders", "carts"] {
        becomes(service, 2);
    }
}

const OURS: &str = "https://app.example";

fn preflight(shop: &Shop, origin: &str) -> Answer {
    let headers =
        [("origin", origin), ("access-control-request-method", "PUT"), ("access-control-request-headers", "if-match")];
    shop.anonymous().send("OPTIONS", "/api/v1/cart", &headers, None)
}

#[test]
fn cross_origin_requests_are_admitted_by_their_exact_origin() {
    let shop = Shop::options().flag("--cors-origins", "https://app.example,http://localhost:3000").open();
    let guest = shop.anonymous();
    let kettle = shop.operator().stock_up(100, 5);
    let asked = preflight(&shop, OURS).no_content();
    assert_eq!(asked.header("access-control-allow-origin"), OURS);
    assert!(asked.header("access-control-allow-methods").contains("PUT"), "{asked:#?}");
    assert!(asked.header("access-control-allow-headers").contains("if-match"), "{asked:#?}");
    assert_eq!(asked.header("access-control-allow-credentials"), "", "cookies stay at home");
    assert_eq!(asked.header("vary"), "Origin");
    let read = guest.send("GET", "/api/v1/categories", &[("origin", OURS)], None).ok();
    assert_eq!(read.header("access-control-allow-origin"), OURS);
    assert!(read.header("access-control-expose-headers").contains("etag"), "{read:#?}");
    let (site, body) = (("sec-fetch-site", "cross-site"), serde_json::json!({"quantity": 1}));
    let path = format!("/api/v1/cart/items/{kettle}");
    guest.send("PUT", &path, &[("origin", OURS), site], Some(&body)).ok();
    for stranger in
        ["https://app.example.evil.com", "https://APP.example", "http://app.example", "https://app.example:444", "null"]
    {
        assert_eq!(
            preflight(&shop, stranger).problem(405, "method_not_allowed").header("access-control-allow-origin"),
            ""
        );
        let read = guest.send("GET", "/api/v1/categories", &[("origin", stranger)], None).ok();
        assert_eq!((read.header("access-control-allow-origin"), read.header("vary")), ("", "Origin"));
        guest.send("PUT", &path, &[("origin", stranger), site], Some(&body)).problem(403, "cross_site");
    }
    // Scripts of that origin can read refusals, too.
    let refused = guest.send("GET", "/api/v1/users/me", &[("origin", OURS)], None).problem(401, "unauthorized");
    assert_eq!(refused.header("access-control-allow-origin"), OURS);
}

/// For a browser, a page on another port of this machine is same-site. The browser sends it our
/// cookies: `SameSite` does not help.
#[test]
fn an_allowed_origin_cannot_use_the_cookies_of_a_user() {
    let shop = Shop::options().flag("--cors-origins", OURS).open();
    let user = shop.shopper();
    let (access, refresh) =
        (format!("__Host-access={}", user.token()), format!("__Host-refresh={}", user.refresh_token));
    let guest = shop.anonymous();
    for site in ["same-site", "cross-site"] {
        for (method, path, cookie) in
            [("POST", "/api/v1/sessions/refresh", &refresh), ("DELETE", "/api/v1/users/me/sessions", &access)]
        {
            let headers = [("origin", OURS), ("sec-fetch-site", site), ("cookie", cookie)];
            guest.send(method, path, &headers, None).problem(403, "cross_site");
        }
    }
    // A request with a bearer token is allowed, whatever cookies come with it.
    let token = format!("Bearer {}", user.token());
    let headers = [("origin", OURS), ("sec-fetch-site", "same-site"), ("authorization", &token), ("cookie", &access)];
    guest.send("PATCH", "/api/v1/users/me", &headers, Some(&serde_json::json!({"name": "Ada King"}))).ok();
}

#[test]
fn without_a_cors_setting_other_origins_get_no_access() {
    let shop = Shop::open();
    assert_eq!(preflight(&shop, OURS).problem(405, "method_not_allowed").header("access-control-allow-origin"), "");
    let read = shop.anonymous().send("GET", "/api/v1/categories", &[("origin", OURS)], None).ok();
    assert_eq!((read.header("access-control-allow-origin"), read.header("vary")), ("", ""));
}
