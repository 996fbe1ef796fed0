//! Accounts and sessions.

use crate::harness::{Client, Customer, GOOD_PASSWORD, OPERATOR_EMAIL, OPERATOR_PASSWORD, Shop, fresh, home_address};
use serde_json::json;

/// The same account, signed in on another device.
fn another_device(shop: &Shop, user: &Client) -> Client {
    let mut device = shop.anonymous();
    device.sign_in(&user.email, GOOD_PASSWORD).created();
    device
}

#[test]
fn an_account_has_a_profile_addresses_and_cards() {
    let shop = Shop::open();
    let mut user = shop.anonymous();
    let registered = user.register("Ada.Lovelace@Example.com").created();
    assert_eq!(registered.header("location"), "/api/v1/users/me");
    assert!(registered["expires_in"].as_u64().is_some_and(|seconds| (1..=900).contains(&seconds)), "{registered:#?}");
    let me = user.me().ok();
    assert_eq!(me.body, registered["user"]);
    assert_eq!((&me["email"], &me["role"]), (&json!("ada.lovelace@example.com"), &json!("customer")));
    shop.anonymous().register("ADA.LOVELACE@example.com").problem(409, "email_taken");

    assert_eq!(user.patch("/api/v1/users/me", &json!({"name": "Ada King"})).ok()["name"], "Ada King");
    user.patch("/api/v1/users/me", &json!({"email": "ada.king@example.com"})).ok();
    shop.anonymous().sign_in("ada.lovelace@example.com", GOOD_PASSWORD).problem(401, "invalid_credentials");
    shop.anonymous().sign_in("ada.king@example.com", GOOD_PASSWORD).created();
    // The email address that was given up is free again.
    shop.anonymous().register("ada.lovelace@example.com").created();
    user.patch("/api/v1/users/me", &json!({"email": "ada.lovelace@example.com"})).problem(409, "email_taken");

    let address = user.add_address(&home_address()).created();
    let path = address.header("location").to_owned();
    assert_eq!(user.get(&path).ok().body, address.body);
    let mut moved = home_address();
    moved["line1"] = json!("1 Ockham Park");
    moved["phone"] = json!("+49 30 123456");
    assert_eq!(user.put(&path, &moved).ok()["line1"], "1 Ockham Park");
    assert_eq!(user.get("/api/v1/users/me/addresses").ok().items().len(), 1);
    user.delete(&path).no_content();
    user.get(&path).problem(404, "not_found");
    user.delete(&path).no_content();
}

#[test]
fn a_stored_card_has_only_the_data_that_may_be_shown() {
    let shop = Shop::open();
    let customer = shop.customer();
    let methods = customer.get("/api/v1/users/me/payment_methods").ok();
    assert_eq!(methods.items().len(), 1);
    let method = methods.items()[0].as_object().unwrap();
    assert_eq!(method.keys().map(String::as_str).collect::<Vec<_>>().len(), 5, "{method:#?}");
    assert_eq!((&method["brand"], &method["last4"]), (&json!("visa"), &json!("4242")));
    let path = format!("/api/v1/users/me/payment_methods/{}", customer.payment_method_id);
    customer.delete(&path).no_content();
    assert!(customer.get("/api/v1/users/me/payment_methods").ok().items().is_empty());
    customer.buys("prd_00000000000000000000000000000000", 1).is(422);
}

#[test]
fn an_invalid_card_is_refused_with_the_name_of_the_field() {
    let shop = Shop::open();
    let user = shop.shopper();
    #[rustfmt::skip]
    let wrong: [(&str, serde_json::Value); 12] = [
        ("number",    json!("4242 4242 4242 4241")),
        ("number",    json!("4111 1111 1111 1111")),
        ("number",    json!("")),
        ("number",    json!("four")),
        ("exp_month", json!(0)),
        ("exp_month", json!(13)),
        ("exp_year",  json!(2001)),
        ("exp_year",  json!(9999)),
        ("cvc",       json!("12")),
        ("cvc",       json!("12345")),
        ("cvc",       json!("abc")),
        ("name",      json!(" ")),
    ];
    for (field, value) in wrong {
        let mut card = crate::harness::Card::GOOD.json();
        card["card"][field] = value;
        let answer = user.post("/api/v1/users/me/payment_methods", &card).invalid(&format!("/card/{field}"));
        // The trace id contains digits of its own.
        let said = answer.text.replace(answer["trace_id"].as_str().expect("a trace"), "");
        assert!(!said.contains("4241") && !said.contains("4111"), "no echo of a number: {answer:#?}");
    }
    assert!(user.get("/api/v1/users/me/payment_methods").ok().items().is_empty());
}

#[test]
fn a_wrong_password_and_an_unknown_email_address_get_the_same_answer() {
    let shop = Shop::open();
    let user = shop.shopper();
    let mut answers = [(user.email.as_str(), "not the password at all"), ("nobody@example.com", GOOD_PASSWORD)].map(
        |(email, password)| {
            let answer = shop.anonymous().sign_in(email, password).problem(401, "invalid_credentials");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:#?}");
            answer.body
        },
    );
    for answer in &mut answers {
        answer.as_object_mut().unwrap().remove("trace_id");
    }
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn a_weak_password_is_refused() {
    let shop = Shop::open();
    for password in ["short", "password1234", "123456789012", "qwertyuiop12", "aaaaaaaaaaaa", &"x".repeat(129)] {
        let body = json!({"email": "ada@example.com", "password": password, "name": "Ada"});
        shop.anonymous().post("/api/v1/users", &body).invalid("/password");
    }
    let long = "It is a truth universally acknowledged, 1813 ".repeat(2);
    let body = json!({"email": "ada@example.com", "password": long.trim(), "name": "Ada"});
    shop.anonymous().post("/api/v1/users", &body).created();
}

#[test]
fn a_refresh_token_is_good_for_one_use_and_using_an_old_one_ends_the_session() {
    let shop = Shop::open();
    let mut user = shop.shopper();
    let first = user.clone();
    user.refresh().created();
    let second = user.clone();
    user.refresh().created();
    assert!(first.refresh_token != second.refresh_token && second.refresh_token != user.refresh_token);
    user.me().ok();
    let bystander = another_device(&shop, &user);

    first.clone().refresh().problem(401, "refresh_token_reused");
    user.clone().refresh().is(401);
    user.me().problem(401, "invalid_token");
    first.me().problem(401, "invalid_token");
    bystander.me().ok();
    for made_up in ["", "x", "ses_00000000000000000000000000000000.abc"] {
        let body = json!({"refresh_token": made_up});
        shop.anonymous().post("/api/v1/sessions/refresh", &body).problem(401, "refresh_token_invalid");
    }
    // An access token is not a refresh token.
    let body = json!({"refresh_token": bystander.token()});
    shop.anonymous().post("/api/v1/sessions/refresh", &body).problem(401, "refresh_token_invalid");
}

#[test]
fn two_tabs_that_refresh_at_once_both_stay_signed_in() {
    let shop = Shop::open();
    let user = shop.shopper();
    let tabs: Vec<_> = std::thread::scope(|scope| {
        let refresh = || {
            let mut tab = user.clone();
            tab.refresh().created();
            tab
        };
        let tabs = [scope.spawn(refresh), scope.spawn(refresh)];
        tabs.map(|tab| tab.join().unwrap()).into()
    });
    for mut tab in tabs {
        tab.me().ok();
        tab.refresh().created();
    }
}

#[test]
fn signing_out_revokes_the_access_token_at_once_and_for_good() {
    let mut shop = Shop::open();
    let user = shop.shopper();
    let other = another_device(&shop, &user);
    let gone = user.sign_out().no_content();
    assert!(gone.header("clear-site-data").contains("storage"), "{gone:#?}");
    user.me().problem(401, "invalid_token");
    user.clone().refresh().is(401);
    other.me().ok();
    shop.kill();
    shop.start();
    user.me().problem(401, "invalid_token");
    other.me().ok();
}

#[test]
fn a_new_password_ends_all_other_sessions() {
    let shop = Shop::open();
    let user = shop.shopper();
    let other = another_device(&shop, &user);
    let change = |current: &str, new: &str| {
        user.post("/api/v1/users/me/password", &json!({"current_password": current, "new_password": new}))
    };
    change("not the password at all", "a short walk at dusk").invalid("/current_password");
    change(GOOD_PASSWORD, "short").invalid("/new_password");
    other.me().ok();
    change(GOOD_PASSWORD, "a short walk at dusk").no_content();
    user.me().ok();
    other.me().problem(401, "invalid_token");
    other.clone().refresh().is(401);
    shop.anonymous().sign_in(&user.email, GOOD_PASSWORD).problem(401, "invalid_credentials");
    shop.anonymous().sign_in(&user.email, "a short walk at dusk").created();
}

#[test]
fn sessions_are_listed_and_can_be_ended_one_by_one_or_all() {
    let shop = Shop::open();
    let user = shop.shopper();
    let (phone, tablet) = (another_device(&shop, &user), another_device(&shop, &user));
    let sessions = phone.get("/api/v1/users/me/sessions").ok();
    assert_eq!(sessions.items().len(), 3);
    let current: Vec<_> = sessions.items().iter().filter(|session| session["current"] == true).collect();
    assert_eq!(current.len(), 1);
    let path = format!("/api/v1/users/me/sessions/{}", current[0]["id"].as_str().unwrap());
    user.delete(&path).no_content();
    phone.me().problem(401, "invalid_token");
    tablet.me().ok();
    tablet.delete("/api/v1/users/me/sessions").no_content();
    for device in [user, tablet] {
        device.me().problem(401, "invalid_token");
    }
}

#[test]
fn a_browser_gets_its_tokens_in_http_only_cookies() {
    let shop = Shop::open();
    let user = shop.shopper();
    let browser = [("sec-fetch-site", "same-origin")];
    let body = json!({"email": user.email, "password": GOOD_PASSWORD});
    let answer = shop.anonymous().send("POST", "/api/v1/sessions", &browser, Some(&body)).created();
    assert!(answer.body.get("access_token").is_none() && answer.body.get("refresh_token").is_none(), "{answer:#?}");
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    let cookie = |name: &str| {
        let line = cookies.iter().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        for rule in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/"] {
            assert!(line.contains(rule), "{line}");
        }
        line.split(';').next().unwrap().to_owned()
    };
    let (access, refresh) = (cookie("__Host-access="), cookie("__Host-refresh="));
    let with = |cookie: &str, site| [("cookie", cookie.to_owned()), ("sec-fetch-site", String::from(site))];
    let ask = |method: &str, path: &str, headers: [(&str, String); 2]| {
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        shop.anonymous().send(method, path, &headers, None)
    };
    assert_eq!(ask("GET", "/api/v1/users/me", with(&access, "same-origin")).ok()["email"], user.email.as_str());
    ask("POST", "/api/v1/sessions/refresh", with(&refresh, "same-origin")).created();
    ask("DELETE", "/api/v1/sessions/current", with(&access, "cross-site")).problem(403, "cross_site");
    // A public route accepts a request with an expired cookie as a guest.
    ask("GET", "/api/v1/storefront", with("__Host-access=stale", "same-origin")).ok();
    ask("GET", "/api/v1/users/me", with("__Host-access=stale", "same-origin")).problem(401, "invalid_token");
    let gone = ask("DELETE", "/api/v1/sessions/current", with(&access, "same-origin")).no_content();
    let cleared =
        gone.headers.get_all("set-cookie").iter().filter(|line| line.to_str().unwrap().contains("Max-Age=0")).count();
    assert_eq!(cleared, 2, "{gone:#?}");
}

#[test]
fn the_set_up_link_makes_the_first_operator_once() {
    let mut shop = Shop::options().without_operator().open();
    let token = shop.setup_token.clone().expect("a link on the first run");
    let body =
        |token: &str| json!({"token": token, "email": "boss@example.com", "password": GOOD_PASSWORD, "name": "Grace"});
    shop.anonymous().post("/api/v1/setup", &body("not-the-token")).problem(403, "setup_token_invalid");
    assert_eq!(shop.anonymous().post("/api/v1/setup", &body(&token)).created()["user"]["role"], "operator");
    let mut again = body(&token);
    again["email"] = json!("mallory@example.com");
    shop.anonymous().post("/api/v1/setup", &again).problem(403, "setup_token_invalid");
    let mut boss = shop.anonymous();
    boss.sign_in("boss@example.com", GOOD_PASSWORD).created();
    boss.audit();
    shop.stop();
    assert!(!shop.log().contains(&token), "the token is for the operator, not for the log");
    shop.start();
    assert_eq!(shop.setup_token, None);
}

#[test]
fn a_set_up_link_that_was_not_used_is_replaced_at_the_next_start() {
    let mut shop = Shop::options().without_operator().open();
    let old = shop.setup_token.clone().expect("a link");
    shop.stop();
    shop.start();
    let new = shop.setup_token.clone().expect("another link");
    assert_ne!(old, new);
    let body = json!({"token": old, "email": "boss@example.com", "password": GOOD_PASSWORD, "name": "Grace"});
    shop.anonymous().post("/api/v1/setup", &body).problem(403, "setup_token_invalid");
}

#[test]
fn the_operators_account_from_the_environment_is_made_once_and_kept() {
    let mut shop = Shop::open();
    assert_eq!(shop.setup_token, None);
    assert_eq!(shop.operator().me().ok()["role"], "operator");
    shop.anonymous().register(OPERATOR_EMAIL).problem(409, "email_taken");
    shop.stop();
    shop.start();
    shop.anonymous().sign_in(OPERATOR_EMAIL, OPERATOR_PASSWORD).created();
}

/// Secrets, and personal data that no log needs.
#[test]
fn no_secret_is_written_to_a_file() {
    let mut shop = Shop::open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 5);
    let mut user = shop.anonymous();
    user.register(&format!("{}@example.com", fresh("secretive"))).created();
    let customer = Customer::of(user.clone());
    customer.buys(&kettle, 1).created();
    user.refresh().created();
    shop.stop();
    let log = shop.log();
    for (what, secret) in [
        ("a card number", "4242424242424242"),
        ("a card number", "4242 4242 4242 4242"),
        ("a password", GOOD_PASSWORD),
        ("the operator's password", OPERATOR_PASSWORD),
        ("an access token", customer.token()),
        ("a refresh token", &customer.refresh_token),
        ("a refresh token", &user.refresh_token),
    ] {
        assert!(!log.contains(secret), "{what} is in the log");
        for file in files(&shop.folder()) {
            let bytes = std::fs::read(&file).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{what} is in {}", file.display());
        }
    }
    assert!(!log.contains("St James"), "an address is in the log");
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
