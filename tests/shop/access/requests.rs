//! Rules that do not depend on the caller: paths, methods, hosts, origins and rates.

use crate::harness::{Shop, routes};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_answer_to_a_wrong_method_lists_the_allowed_methods() {
    let shop = Shop::open();
    let operator = shop.operator();
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in routes() {
        let allowed = methods.entry(row.path.replace("{id}", "x")).or_default();
        if row.method == "GET" {
            allowed.insert("HEAD".into());
        }
        allowed.insert(row.method);
    }
    for (path, allowed) in methods {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"].iter().filter(|method| !allowed.contains(**method)) {
            let refused = operator.send(method, &path, &[], None).problem(405, "method_not_allowed");
            let told: BTreeSet<String> = refused.header("allow").split(", ").map(str::to_owned).collect();
            assert_eq!(told, allowed, "{method} {path}");
        }
    }
}

#[test]
fn an_unknown_path_gets_404_with_any_method() {
    let shop = Shop::open();
    let guest = shop.anonymous();
    for path in [
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v2/products",
        "/api/v1/products/",
        "/api/v1/nothing",
        "/nowhere.js",
        "/Cargo.toml",
        "/livez/",
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            guest.send(method, path, &[], None).problem(404, "not_found");
        }
        assert_eq!(guest.send("HEAD", path, &[], None).is(404).text, "");
    }
    guest.send("POST", "/", &[], None).problem(405, "method_not_allowed");

    // A request for a page gets a page with the error; a request for a script or a picture does
    // not.
    let accept = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let page = guest.send("GET", "/nowhere", &accept, None);
    assert_eq!(page.status, 404);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text.contains("js/pages/missing.js"));
    guest.send("GET", "/api/v1/nothing", &accept, None).problem(404, "not_found");
    guest.send("POST", "/nowhere", &accept, None).problem(404, "not_found");
    guest.send("GET", "/nowhere.png", &[("accept", "image/png,*/*;q=0.8")], None).problem(404, "not_found");
}

#[test]
fn the_answer_to_head_is_the_answer_to_get_without_the_body() {
    let shop = Shop::options().demo().open();
    let operator = shop.operator();
    for row in routes().into_iter().filter(|row| row.method == "GET" && !row.path.contains("{id}")) {
        let (whole, head) = (operator.get(&row.path).ok(), operator.send("HEAD", &row.path, &[], None).ok());
        assert_eq!(head.text, "", "{}", row.path);
        assert_eq!(head.header("content-type"), whole.header("content-type"), "{}", row.path);
        // These answers show the state of this moment.
        let tells_of_now =
            ["audit", "traces", "analytics", "/metrics", "lab/services", "gateway/services", "gateway/breakers"];
        if !tells_of_now.iter().any(|end| row.path.ends_with(end)) {
            assert_eq!(head.header("etag"), whole.header("etag"), "{}", row.path);
        }
    }
    operator.send("HEAD", "/api/v1/products/cast-iron-skillet", &[], None).ok();
    operator.send("HEAD", "/", &[], None).ok();
}

#[test]
fn a_cross_site_request_changes_nothing() {
    let shop = Shop::open();
    let guest = shop.anonymous();
    let own = format!("http://{}", shop.address());
    let body = json!({"quantity": 1});
    let product = shop.operator().stock_up(100, 5);
    let path = format!("/api/v1/cart/items/{product}");
    let put = |headers: &[(&str, &str)]| guest.send("PUT", &path, headers, Some(&body));
    for foreign in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "nonsense")],
        &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        &[("origin", "http://example.com")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
    ] {
        put(foreign).problem(403, "cross_site");
    }
    for own in [&[][..], &[("sec-fetch-site", "same-origin")], &[("sec-fetch-site", "none")], &[("origin", &own)]] {
        put(own).ok();
    }
    // A page of another site may link here. It cannot read the answer: no CORS header allows that.
    let read = guest
        .send("GET", "/api/v1/products", &[("origin", "http://example.com"), ("sec-fetch-site", "cross-site")], None)
        .ok();
    assert!(!read.headers.contains_key("access-control-allow-origin"), "{read:#?}");
    let asks =
        [("origin", "http://example.com"), ("access-control-request-method", "PUT"), ("sec-fetch-site", "cross-site")];
    let preflight = guest.send("OPTIONS", &path, &asks, None);
    assert!(
        preflight.status >= 400 && !preflight.headers.contains_key("access-control-allow-origin"),
        "{preflight:#?}"
    );
}

#[test]
fn the_gateway_answers_only_for_its_allowed_hosts() {
    let shop = Shop::options().flag("--allowed-hosts", "shop.example,other.example").open();
    let status = |host: &str| {
        let mut connection = shop.raw_connection();
        connection
            .say(format!("GET /api/v1/products HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"))
            .listen()
            .status
    };
    for own in [
        "localhost",
        "localhost:8080",
        "LOCALHOST",
        "127.0.0.1",
        "[::1]:80",
        "shop.example",
        "Shop.Example:443",
        "other.example",
    ] {
        assert_eq!(status(own), Some(200), "{own}");
    }
    for foreign in [
        "example.com",
        "evil.shop.example",
        "localhost.evil.example",
        "shop.example.evil",
        "127.0.0.1.evil.example",
        "",
        ":80",
        "x@localhost",
        "localhost:evil.example",
        "[::1]evil.example",
        "[::1]:80:80",
    ] {
        assert_eq!(status(foreign), Some(421), "{foreign}");
    }
}

#[test]
fn an_absolute_target_names_the_host_and_http_1_0_needs_none() {
    let shop = Shop::open();
    let status = |head: &str| shop.raw_connection().say(format!("{head}\r\n\r\n")).listen().text[9..12].to_owned();
    let own = "host: localhost\r\nconnection: close";
    assert_eq!(status(&format!("GET http://evil.example/livez HTTP/1.1\r\n{own}")), "421");
    assert_eq!(status(&format!("GET http://localhost/livez HTTP/1.1\r\n{own}")), "200");
    assert_eq!(status("GET http://localhost/livez HTTP/1.1\r\nhost: evil.example\r\nconnection: close"), "200");
    assert_eq!(status("GET /livez HTTP/1.0"), "200");
    assert_eq!(status("GET /livez HTTP/1.0\r\nhost: evil.example"), "421");
}

#[test]
fn a_request_with_another_authentication_scheme_is_a_guest() {
    let shop = Shop::options().demo().open();
    let ada = shop.shopper();
    let guest = shop.anonymous();
    let with = |value: &str, path: &str| guest.send("GET", path, &[("authorization", value)], None);
    for path in ["/livez", "/readyz", "/", "/favicon.ico", "/api/v1/products", "/.well-known/jwks.json"] {
        for value in ["Basic YWRhOnNlY3JldA==", "Digest x", ""] {
            with(value, path).ok();
        }
    }
    for value in ["Basic YWRhOnNlY3JldA==", ""] {
        with(value, "/api/v1/users/me").problem(401, "unauthorized");
    }
    for value in ["Bearer", "Bearer ", "Bearer x"] {
        with(value, "/api/v1/products").problem(401, "invalid_token");
        with(value, "/api/v1/users/me").problem(401, "invalid_token");
    }
    // With two credentials it would be unclear which one counts.
    let own = format!("authorization: Bearer {}\r\n", ada.token());
    let twice = shop.raw_connection().head("GET /api/v1/users/me", &format!("{own}{own}")).listen();
    assert_eq!(twice.status, Some(401));
    // A browser sends Basic and Digest credentials by itself, like cookies: they do not exempt a
    // cross-site request.
    let foreign = [("authorization", "Basic YWRhOnNlY3JldA=="), ("sec-fetch-site", "cross-site")];
    guest.send("DELETE", "/api/v1/cart", &foreign, None).problem(403, "cross_site");
}

#[test]
fn many_bad_tokens_are_limited_and_valid_tokens_still_work() {
    let shop = Shop::options().throttled().open();
    let ada = shop.shopper();
    let liar = ada.bearing(Some("made.up.token"));
    let refused = (0..1000).map(|_| liar.me()).find(|answer| answer.status != 401).expect("an end to patience");
    let refused = refused.problem(429, "too_many_requests");
    assert_eq!(refused["violated-policies"], json!(["bad-token"]));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    ada.me().ok();
}

#[test]
fn sign_ins_are_counted_by_client_address_and_not_by_account() {
    let shop = Shop::options().throttled().open();
    let (ada, bob) = (shop.shopper(), shop.shopper());
    let try_token = |who: &crate::harness::Client| {
        who.post("/api/v1/sessions/refresh", &json!({"refresh_token": "made up"})).header("ratelimit").to_owned()
    };
    let left = |field: String| field.split_once("r=").unwrap().1.split(';').next().unwrap().parse::<i64>().unwrap();
    let first = left(try_token(&ada));
    for _ in 0..20 {
        try_token(&ada);
    }
    assert!(left(try_token(&bob)) < first - 15, "another account is no other bucket");
}

#[test]
fn each_wrong_password_makes_the_next_guess_wait_longer() {
    let shop = Shop::open();
    let mut owner = shop.shopper();
    let email = owner.email.clone();
    let guest = shop.anonymous();
    for account in [&*email, "nobody@example.com"] {
        let guess = || guest.post("/api/v1/sessions", &json!({"email": account, "password": "coffee & biscuits"}));
        // All requests of the test come from one network, from which the owner has signed in. That
        // network has its own counter, and is limited nevertheless.
        let refused = (0..20).map(|_| guess()).find(|answer| answer.status != 401).expect("an end to patience");
        let wait = refused.problem(429, "too_many_guesses").header("retry-after").parse::<u64>().unwrap();
        assert!(wait >= 1);
        std::thread::sleep(std::time::Duration::from_secs(wait));
        guess().problem(401, "invalid_credentials");
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    owner.sign_in(&email, crate::harness::GOOD_PASSWORD).created();
}

#[test]
fn a_client_over_its_limit_gets_retry_after_and_other_clients_are_served() {
    let shop = Shop::options().throttled().open();
    let user = shop.shopper();
    let guest = shop.anonymous();
    let try_token = || guest.post("/api/v1/sessions/refresh", &json!({"refresh_token": "made up"}));
    let first = try_token().problem(401, "refresh_token_invalid");
    assert!(first.header("ratelimit-policy").starts_with("\"sign-in\";q="), "{first:#?}");
    let told: u64 =
        first.header("ratelimit").split_once("r=").and_then(|(_, rest)| rest.split(';').next()?.parse().ok()).unwrap();
    let refused = (0..=told + 20).map(|_| try_token()).find(|answer| answer.status == 429).expect("an end to patience");
    let refused = refused.problem(429, "too_many_requests");
    assert_eq!(refused["violated-policies"], json!(["sign-in"]));
    assert!(refused.header("ratelimit").contains(";r=0;"), "{refused:#?}");
    assert!(
        refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=60).contains(&seconds)),
        "{refused:#?}"
    );
    // Other classes and other clients have their own buckets; probes have none.
    guest.get("/api/v1/products").ok();
    user.post(
        "/api/v1/users/me/password",
        &json!({"current_password": "it is not this", "new_password": "a short walk at dusk"}),
    )
    .invalid("/current_password");
    assert!(!guest.get("/livez").ok().headers.contains_key("ratelimit"));
    // A client cannot choose its own address by a header. A few tokens were added meanwhile, and
    // not more.
    for header in ["x-forwarded-for", "x-real-ip", "forwarded"] {
        let body = json!({"refresh_token": "made up"});
        let ask = || guest.send("POST", "/api/v1/sessions/refresh", &[(header, "10.9.8.7")], Some(&body)).status;
        assert!((0..told / 2).any(|_| ask() == 429), "{header} makes another client of this one");
    }
}

#[test]
fn clients_behind_a_trusted_proxy_are_counted_separately() {
    let shop = Shop::options().throttled().flag("--trusted-proxies", "127.0.0.0/8, 10.0.0.0/8").open();
    let proxy = shop.anonymous();
    let left = |header: &str, value: &str| {
        let answer = proxy.send("GET", "/api/v1/categories", &[(header, value)], None).ok();
        let (_, rest) = answer.header("ratelimit").split_once("r=").expect("a count");
        rest.split(';').next().and_then(|count| count.parse::<u32>().ok()).expect("a number")
    };
    let full = left("x-forwarded-for", "203.0.113.1");
    for _ in 0..40 {
        left("x-forwarded-for", "198.51.100.1, 203.0.113.9, 10.0.0.7");
    }
    assert!(left("x-forwarded-for", "203.0.113.9") < full, "a client is counted whatever its headers say");
    assert_eq!(left("x-forwarded-for", "203.0.113.2"), full, "and no other client is limited");
    assert_eq!(left("forwarded", "for=\"[2001:db8::1]:80\";proto=https"), full);
    assert!(shop.log().contains("client=203.0.113.9"), "the access log names the client, not the proxy");
}

#[test]
fn a_trace_that_a_client_started_is_continued() {
    let shop = Shop::open();
    let guest = shop.anonymous();
    let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = guest.send("GET", "/api/v1/products", &[("traceparent", sent)], None).ok();
    assert_eq!(answer.header("x-request-id"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_ne!(answer.header("traceparent"), sent, "with a span of the shop's own");
    for bad in ["", "00-x", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
        let answer = guest.send("GET", "/nowhere", &[("traceparent", bad)], None).problem(404, "not_found");
        assert_ne!(answer.header("x-request-id"), "00000000000000000000000000000000");
    }
    assert!(shop.log().contains("4bf92f3577b34da6a3ce929d0e0e4736"), "the log names the trace");
}
