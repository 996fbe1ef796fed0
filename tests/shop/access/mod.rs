//! Access control: every row of the route table is tried as a guest, as a customer, as another
//! customer and as the owner.

mod requests;
mod tokens;

use crate::harness::{Answer, Card, Client, Customer, Shop, eventually, fresh, home_address, routes};
use Access::*;
use RecordOf::*;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Public,
    SignedIn,
    Operator,
}

/// Whose record a row concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecordOf {
    /// A public record, or the caller's own record.
    Anyones,
    /// A record of one customer: for another customer it does not exist.
    Theirs,
}

/// The expected access of each row. A row that is missing here fails the test: a new route needs a
/// line in this table.
#[rustfmt::skip]
const EXPECTED: &[(&str, &str, Access, RecordOf)] = &[
    ("POST",   "/api/v1/users",                         Public,   Anyones),
    ("POST",   "/api/v1/sessions",                      Public,   Anyones),
    ("POST",   "/api/v1/sessions/refresh",              Public,   Anyones),
    ("DELETE", "/api/v1/sessions/current",              SignedIn, Anyones),
    ("GET",    "/api/v1/users/me",                      SignedIn, Anyones),
    ("PATCH",  "/api/v1/users/me",                      SignedIn, Anyones),
    ("POST",   "/api/v1/users/me/password",             SignedIn, Anyones),
    ("GET",    "/api/v1/users/me/sessions",             SignedIn, Anyones),
    ("DELETE", "/api/v1/users/me/sessions",             SignedIn, Anyones),
    ("DELETE", "/api/v1/users/me/sessions/{id}",        SignedIn, Theirs),
    ("GET",    "/api/v1/users/me/addresses",            SignedIn, Anyones),
    ("POST",   "/api/v1/users/me/addresses",            SignedIn, Anyones),
    ("GET",    "/api/v1/users/me/addresses/{id}",       SignedIn, Theirs),
    ("PUT",    "/api/v1/users/me/addresses/{id}",       SignedIn, Theirs),
    ("DELETE", "/api/v1/users/me/addresses/{id}",       SignedIn, Theirs),
    ("GET",    "/api/v1/users/me/payment_methods",      SignedIn, Anyones),
    ("POST",   "/api/v1/users/me/payment_methods",      SignedIn, Anyones),
    ("DELETE", "/api/v1/users/me/payment_methods/{id}", SignedIn, Theirs),
    ("POST",   "/api/v1/setup",                         Public,   Anyones),
    ("GET",    "/api/v1/products",                      Public,   Anyones),
    ("POST",   "/api/v1/products",                      Operator, Anyones),
    ("GET",    "/api/v1/products/{id}",                 Public,   Anyones),
    ("PATCH",  "/api/v1/products/{id}",                 Operator, Anyones),
    ("DELETE", "/api/v1/products/{id}",                 Operator, Anyones),
    ("PUT",    "/api/v1/products/{id}/stock",           Operator, Anyones),
    ("GET",    "/api/v1/categories",                    Public,   Anyones),
    ("GET",    "/api/v1/cart",                          Public,   Anyones),
    ("DELETE", "/api/v1/cart",                          Public,   Anyones),
    ("PUT",    "/api/v1/cart/items/{id}",               Public,   Anyones),
    ("DELETE", "/api/v1/cart/items/{id}",               Public,   Anyones),
    ("POST",   "/api/v1/orders",                        SignedIn, Anyones),
    ("GET",    "/api/v1/orders",                        SignedIn, Anyones),
    ("GET",    "/api/v1/orders/{id}",                   SignedIn, Theirs),
    ("POST",   "/api/v1/orders/{id}/cancel",            SignedIn, Theirs),
    ("POST",   "/api/v1/orders/{id}/returns",           SignedIn, Theirs),
    ("POST",   "/api/v1/orders/{id}/fulfil",            Operator, Anyones),
    ("GET",    "/api/v1/orders/{id}/events",            SignedIn, Theirs),
    ("GET",    "/api/v1/payments/{id}",                 SignedIn, Theirs),
    ("POST",   "/api/v1/payments/{id}/refunds",         Operator, Anyones),
    ("POST",   "/api/v1/shipping/quotes",               Public,   Anyones),
    ("GET",    "/api/v1/shipping/network",              Public,   Anyones),
    ("GET",    "/api/v1/shipments/{id}",                SignedIn, Theirs),
    ("GET",    "/api/v1/shipments/{id}/label.svg",      SignedIn, Theirs),
    ("GET",    "/api/v1/tracking/{id}",                 Public,   Anyones),
    ("GET",    "/api/v1/storefront",                    Public,   Anyones),
    ("GET",    "/api/v1/account",                       SignedIn, Anyones),
    ("GET",    "/api/v1/notifications",                 SignedIn, Anyones),
    ("POST",   "/api/v1/notifications/{id}/read",       SignedIn, Theirs),
    ("GET",    "/api/v1/gateway/routes",                Operator, Anyones),
    ("PATCH",  "/api/v1/gateway/routes/{id}",           Operator, Anyones),
    ("GET",    "/api/v1/gateway/services",              Operator, Anyones),
    ("PATCH",  "/api/v1/gateway/services/{id}",         Operator, Anyones),
    ("PATCH",  "/api/v1/gateway/instances/{id}",        Operator, Anyones),
    ("GET",    "/api/v1/gateway/breakers",              Operator, Anyones),
    ("GET",    "/api/v1/gateway/limits",                Operator, Anyones),
    ("PATCH",  "/api/v1/gateway/limits/{id}",           Operator, Anyones),
    ("PATCH",  "/api/v1/gateway/breakers/{id}",         Operator, Anyones),
    ("GET",    "/api/v1/lab/services",                  Operator, Anyones),
    ("POST",   "/api/v1/lab/instances/{id}/crash",      Operator, Anyones),
    ("POST",   "/api/v1/lab/instances/{id}/pause",      Operator, Anyones),
    ("PUT",    "/api/v1/lab/links/{id}",                Operator, Anyones),
    ("DELETE", "/api/v1/lab/links/{id}",                Operator, Anyones),
    ("GET",    "/api/v1/audit",                         Operator, Anyones),
    ("GET",    "/api/v1/events/dead",                   Operator, Anyones),
    ("GET",    "/api/v1/analytics",                     Operator, Anyones),
    ("GET",    "/api/v1/traces",                        Operator, Anyones),
    ("GET",    "/api/v1/traces/{id}",                   Operator, Anyones),
    ("POST",   "/api/v1/events/dead/{id}/replay",       Operator, Anyones),
    ("GET",    "/livez",                                Public,   Anyones),
    ("GET",    "/readyz",                               Public,   Anyones),
    ("GET",    "/metrics",                              Public,   Anyones),
    ("GET",    "/.well-known/jwks.json",                Public,   Anyones),
    ("GET",    "/api/openapi.json",                     Public,   Anyones),
];

#[test]
fn the_route_table_has_exactly_the_expected_rows() {
    let name = |access| match access {
        Public => "public",
        SignedIn => "signed-in",
        Operator => "operator",
    };
    let expected = EXPECTED
        .iter()
        .map(|(method, path, access, _)| (method.to_string(), path.to_string(), name(*access).to_owned()));
    let rows = routes().into_iter().map(|row| (row.method, row.path, row.access));
    let (mut expected, mut rows): (Vec<_>, Vec<_>) = (expected.collect(), rows.collect());
    expected.sort();
    rows.sort();
    assert_eq!(rows, expected);
}

/// A customer with a record of each kind.
struct World {
    owner: Customer,
    product: String,
    order: Value,
    notification: String,
    session: String,
}

impl World {
    /// The order is delivered, so that it can be returned.
    fn in_shop(shop: &Shop) -> Self {
        let operator = shop.operator();
        let product = operator.stock_up(4990, 50);
        let owner = shop.customer();
        let id = owner.buys(&product, 3).created().id();
        operator.fulfil(&id, "packed").ok();
        operator.fulfil(&id, "shipped").ok();
        let order =
            eventually("it arrives", || Some(owner.order(&id).ok().body).filter(|it| it["status"] == "delivered"));
        let notification =
            eventually("there is news", || Some(owner.inbox().ok().items().first()?["id"].as_str()?.to_owned()));
        let session = owner.get("/api/v1/users/me/sessions").ok().items()[0]["id"].as_str().unwrap().to_owned();
        Self { owner, product, order, notification, session }
    }

    /// The path with the id of the owner's record.
    fn path(&self, template: &str) -> String {
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        let id = match template.trim_start_matches("/api/v1/").split('/').collect::<Vec<_>>()[..] {
            ["users", "me", "sessions", ..] => self.session.clone(),
            ["users", "me", "addresses", ..] => self.owner.address_id.clone(),
            ["users", "me", "payment_methods", ..] => self.owner.payment_method_id.clone(),
            ["orders", ..] => text(&self.order["id"]),
            ["payments", ..] => text(&self.order["payment"]["id"]),
            ["shipments", ..] => text(&self.order["shipment"]["id"]),
            ["tracking", ..] => text(&self.order["shipment"]["tracking_number"]),
            ["notifications", ..] => self.notification.clone(),
            ["gateway", "routes", ..] => "products.get".to_owned(),
            ["gateway", "limits", ..] => "browse".to_owned(),
            ["gateway", "services", ..] => "products".to_owned(),
            ["gateway", "instances", ..] => "products-1".to_owned(),
            ["gateway", "breakers", ..] => "gateway.products".to_owned(),
            ["lab", "links", ..] => "any.notifications".to_owned(),
            ["lab", ..] => "nobody-1".to_owned(),
            _ => self.product.clone(),
        };
        template.replace("{id}", &id)
    }

    /// The path of a record that does not exist.
    fn path_of_nothing(&self, template: &str) -> String {
        let path = self.path(template);
        let is_id = |part: &&str| part.split_once('_').is_some_and(|(_, digits)| digits.len() == 32);
        let id = path.split('/').find(is_id).expect("an id");
        let kind = id.split_once('_').expect("a kind").0;
        path.replace(id, &format!("{kind}_{}", "0".repeat(32)))
    }

    /// A valid body for the route, so that only the caller can be the reason of a refusal.
    fn body(&self, method: &str, template: &str) -> Option<Value> {
        let lines = json!([{"product_id": self.product, "quantity": 1}]);
        Some(match (method, template.trim_start_matches("/api/v1/")) {
            ("POST", "users") => {
                json!({"email": format!("{}@example.com", fresh("new")), "password": crate::harness::GOOD_PASSWORD, "name": "Ada"})
            }
            ("POST", "sessions") => json!({"email": self.owner.email, "password": crate::harness::GOOD_PASSWORD}),
            ("PATCH", "users/me") => json!({"name": "Ada King"}),
            ("POST", "users/me/password") => {
                json!({"current_password": "it is not this", "new_password": "a short walk at dusk"})
            }
            (_, "users/me/addresses" | "users/me/addresses/{id}") if method != "GET" && method != "DELETE" => {
                home_address()
            }
            ("POST", "users/me/payment_methods") => Card::GOOD.json(),
            ("POST", "products") => json!({
                "slug": fresh("cup"), "name": "Cup", "category": "kitchen", "price": {"amount": 100, "currency": "EUR"}, "weight_grams": 1,
            }),
            ("PATCH", "products/{id}") => json!({"name": "Another name"}),
            ("PUT", "products/{id}/stock") => json!({"adjust_by": 1}),
            ("PUT", "cart/items/{id}") => json!({"quantity": 1}),
            ("POST", "orders") => self.owner.order_of(&[(&self.product, 1)]),
            ("POST", "orders/{id}/returns") => json!({"lines": lines, "reason": "It is too loud."}),
            ("POST", "orders/{id}/fulfil") => json!({"to": "packed"}),
            ("POST", "payments/{id}/refunds") => {
                json!({"amount": {"amount": 1, "currency": "EUR"}, "reason": "Sorry."})
            }
            ("POST", "lab/instances/{id}/pause") => json!({"ms": 1}),
            ("PUT", "lab/links/{id}") => json!({}),
            ("PATCH", path) if path.starts_with("gateway/") => json!({}),
            ("POST", "shipping/quotes") => json!({"address": home_address(), "items": lines}),
            _ => return None,
        })
    }

    #[track_caller]
    fn ask(&self, who: &Client, method: &str, template: &str, path: &str) -> Answer {
        let key = fresh("key");
        let headers = if (method, template) == ("POST", "/api/v1/orders") {
            vec![("idempotency-key", key.as_str())]
        } else {
            vec![]
        };
        who.send(method, path, &headers, self.body(method, template).as_ref())
    }
}

#[test]
fn every_route_admits_only_the_callers_that_its_row_lists() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let (guest, stranger, operator) = (shop.anonymous(), shop.shopper(), shop.operator());
    let ask = |who: &Client, method, template| world.ask(who, method, template, &world.path(template));
    for (method, template, access, whose) in EXPECTED {
        if *access != Public {
            let refused = ask(&guest, method, template).problem(401, "unauthorized");
            assert_eq!(refused.header("www-authenticate"), r#"Bearer realm="galleria""#, "{refused:#?}");
        }
        if *access == Operator {
            ask(&stranger, method, template).problem(403, "forbidden");
            ask(&world.owner, method, template).problem(403, "forbidden");
        }
        if *whose == Theirs {
            let theirs = ask(&stranger, method, template).problem(404, "not_found");
            let nothing =
                world.ask(&stranger, method, template, &world.path_of_nothing(template)).problem(404, "not_found");
            assert_eq!(
                without_place(theirs),
                without_place(nothing),
                "{method} {template}: it can be told from nothing"
            );
        }
    }
    // Permitted callers are admitted: the refusals above were due to the caller. The rows that end
    // sessions come last.
    let (ending, rest): (Vec<_>, Vec<_>) =
        EXPECTED.iter().partition(|(method, template, ..)| *method == "DELETE" && template.contains("session"));
    for (method, template, access, _) in rest.into_iter().chain(ending.into_iter().rev()) {
        let answer = match access {
            Public => ask(&guest, method, template),
            SignedIn if template.contains("session") => {
                let mut device = shop.anonymous();
                device.sign_in(&world.owner.email, crate::harness::GOOD_PASSWORD).created();
                ask(&device, method, template)
            }
            SignedIn => ask(&world.owner, method, template),
            Operator => ask(&operator, method, template),
        };
        let may_be_nothing = ["/api/v1/lab/instances", "/api/v1/cart/items", "/api/v1/events/dead/", "/api/v1/traces/"]
            .iter()
            .any(|start| template.starts_with(start));
        assert!(![401, 403].contains(&answer.status) || is_about_credentials(&answer), "{answer:#?}");
        assert!(answer.status != 404 || may_be_nothing, "{answer:#?}");
    }
    operator.audit();
}

/// Routes whose answer with this status concerns the submitted credentials, and not the caller.
fn is_about_credentials(answer: &Answer) -> bool {
    ["invalid_credentials", "refresh_token_invalid", "setup_token_invalid"].iter().any(|code| answer["code"] == *code)
}

fn without_place(mut answer: Answer) -> Value {
    let fields = answer.body.as_object_mut().expect("a problem");
    fields.remove("instance");
    fields.remove("trace_id");
    answer.body
}

#[test]
fn an_order_cannot_name_the_address_or_card_of_another_customer() {
    let shop = Shop::open();
    let kettle = shop.operator().stock_up(4990, 5);
    let (ada, bob) = (shop.customer(), shop.customer());
    for (field, id) in [("address_id", &ada.address_id), ("payment_method_id", &ada.payment_method_id)] {
        let mut order = bob.order_of(&[(&kettle, 1)]);
        order[field] = json!(id);
        bob.place_order(&fresh("key"), &order).invalid(&format!("/{field}"));
    }
    assert!(bob.get("/api/v1/orders").ok().items().is_empty());
}

#[test]
fn an_operator_sees_every_order_payment_and_parcel_but_no_account_of_a_customer() {
    let shop = Shop::options().fast_carrier().open();
    let world = World::in_shop(&shop);
    let operator = shop.operator();
    for template in
        ["/api/v1/orders/{id}", "/api/v1/payments/{id}", "/api/v1/shipments/{id}", "/api/v1/shipments/{id}/label.svg"]
    {
        operator.get(&world.path(template)).ok();
    }
    for template in
        ["/api/v1/users/me/addresses/{id}", "/api/v1/users/me/payment_methods/{id}", "/api/v1/users/me/sessions/{id}"]
    {
        world.ask(&operator, "DELETE", template, &world.path(template)).problem(404, "not_found");
    }
    world.ask(&operator, "POST", "", &world.path("/api/v1/notifications/{id}/read")).problem(404, "not_found");
}
