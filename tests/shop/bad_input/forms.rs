//! Every route that takes a body, each with a valid body.

use crate::harness::{Card, Client, Customer, GOOD_PASSWORD, Shop, eventually, fresh, home_address};
use Sender::*;
use serde_json::{Value, json};

/// One route, and a valid body for it.
pub struct Form {
    pub method: &'static str,
    pub template: &'static str,
    pub path: String,
    pub who: Client,
    pub body: Value,
    /// The pointers of the required fields.
    pub required: &'static [&'static str],
    /// The answer to the valid body. Every other answer is then due to the change of the body.
    pub good: u16,
}

#[derive(Clone, Copy)]
enum Sender {
    Guest,
    Owner,
    Boss,
}

#[rustfmt::skip]
const FORMS: &[(&str, &str, Sender, u16, &[&str])] = &[
    ("POST",  "/api/v1/users",                    Guest, 201, &["/email", "/password", "/name"]),
    ("POST",  "/api/v1/sessions",                 Guest, 401, &["/email", "/password"]),
    ("POST",  "/api/v1/sessions/refresh",         Guest, 401, &["/refresh_token"]),
    ("PATCH", "/api/v1/users/me",                 Owner, 200, &[]),
    ("POST",  "/api/v1/users/me/password",        Owner, 422, &["/current_password", "/new_password"]),
    ("POST",  "/api/v1/users/me/addresses",       Owner, 201, &["/name", "/line1", "/city", "/postal_code", "/country"]),
    ("PUT",   "/api/v1/users/me/addresses/{id}",  Owner, 200, &["/name", "/line1", "/city", "/postal_code", "/country"]),
    ("POST",  "/api/v1/users/me/payment_methods", Owner, 201, &["/card", "/card/number", "/card/exp_month", "/card/exp_year", "/card/cvc", "/card/name"]),
    ("POST",  "/api/v1/setup",                    Guest, 403, &["/token", "/email", "/password", "/name"]),
    ("POST",  "/api/v1/products",                 Boss,  201, &["/slug", "/name", "/category", "/price", "/price/amount", "/price/currency", "/weight_grams"]),
    ("PATCH", "/api/v1/products/{id}",            Boss,  200, &["/price/amount", "/price/currency"]),
    ("PUT",   "/api/v1/products/{id}/stock",      Boss,  200, &["/on_hand"]),
    ("PUT",   "/api/v1/cart/items/{id}",          Guest, 200, &["/quantity"]),
    ("POST",  "/api/v1/orders",                   Owner, 201, &["/items/0/product_id", "/items/0/quantity", "/address/name", "/shipping_service", "/payment_method_id"]),
    ("POST",  "/api/v1/orders/{id}/returns",      Owner, 201, &["/lines", "/lines/0/product_id", "/lines/0/quantity", "/reason"]),
    ("POST",  "/api/v1/orders/{id}/fulfil",       Boss,  200, &["/to"]),
    ("POST",  "/api/v1/payments/{id}/refunds",    Boss,  201, &["/amount/amount", "/amount/currency", "/reason"]),
    ("PATCH", "/api/v1/gateway/routes/{id}",      Boss,  200, &[]),
    ("PATCH", "/api/v1/gateway/services/{id}",    Boss,  200, &[]),
    ("PATCH", "/api/v1/gateway/instances/{id}",   Boss,  200, &[]),
    ("PATCH", "/api/v1/gateway/breakers/{id}",    Boss,  200, &[]),
    ("PATCH", "/api/v1/gateway/limits/{id}",      Boss,  200, &[]),
    ("POST",  "/api/v1/lab/instances/{id}/pause", Boss,  204, &["/ms"]),
    ("PUT",   "/api/v1/lab/links/{id}",           Boss,  204, &[]),
    ("POST",  "/api/v1/shipping/quotes",          Guest, 200, &["/address", "/address/country", "/items", "/items/0/product_id", "/items/0/quantity"]),
];

/// The method and the path template of each route.
pub fn templates() -> Vec<(&'static str, &'static str)> {
    FORMS.iter().map(|(method, template, ..)| (*method, *template)).collect()
}

/// A customer with a record of each kind, and an operator.
pub struct World {
    pub guest: Client,
    pub operator: Client,
    pub owner: Customer,
    pub product: String,
    pub order: String,
    pub payment: String,
}

impl World {
    pub fn in_shop(shop: &Shop) -> Self {
        let (operator, owner) = (shop.operator(), shop.customer());
        let product = operator.stock_up(4990, 500);
        let placed = owner.buys(&product, 200).created();
        let (order, payment) = (placed.id(), placed["payment"]["id"].as_str().expect("an id").to_owned());
        operator.fulfil(&order, "packed").ok();
        operator.fulfil(&order, "shipped").ok();
        eventually("it arrives", || (owner.order(&order).ok()["status"] == "delivered").then_some(()));
        let guest = shop.anonymous();
        guest.put_in_cart(&product, 2).ok();
        Self { guest, operator, owner, product, order, payment }
    }

    pub fn forms(&self) -> impl Iterator<Item = Form> + '_ {
        FORMS.iter().map(|(method, template, sender, good, required)| Form {
            method,
            template,
            path: self.path(template),
            who: match sender {
                Guest => self.guest.clone(),
                Owner => (*self.owner).clone(),
                Boss => self.operator.clone(),
            },
            body: self.body(method, template),
            required,
            good: *good,
        })
    }

    fn path(&self, template: &str) -> String {
        let id = match template {
            "/api/v1/users/me/addresses/{id}" => &self.owner.address_id,
            "/api/v1/payments/{id}/refunds" => &self.payment,
            "/api/v1/gateway/routes/{id}" => "carts.clear",
            "/api/v1/gateway/services/{id}" => "notifications",
            "/api/v1/lab/instances/{id}/pause" => "notifications-1",
            "/api/v1/lab/links/{id}" => "users.notifications",
            "/api/v1/gateway/instances/{id}" => "notifications-1",
            "/api/v1/gateway/limits/{id}" => "lab",
            "/api/v1/gateway/breakers/{id}" => "gateway.notifications",
            _ if template.starts_with("/api/v1/orders") => &self.order,
            _ => &self.product,
        };
        template.replace("{id}", id)
    }

    fn body(&self, method: &str, template: &str) -> Value {
        let email = format!("{}@example.com", fresh("new"));
        let lines = json!([{"product_id": self.product, "quantity": 1}]);
        let mut address = home_address();
        address["line2"] = json!("Second floor");
        address["phone"] = json!("+49 30 123456");
        match (method, template.trim_start_matches("/api/v1/")) {
            ("POST", "users") => json!({"email": email, "password": GOOD_PASSWORD, "name": "Ada"}),
            ("POST", "sessions") => json!({"email": email, "password": "it is not this"}),
            ("POST", "sessions/refresh") => json!({"refresh_token": "made up"}),
            ("PATCH", "users/me") => json!({"name": "Ada King", "email": self.owner.email}),
            ("POST", "users/me/password") => {
                json!({"current_password": "it is not this", "new_password": "a short walk at dusk"})
            }
            (_, "users/me/addresses" | "users/me/addresses/{id}") => address,
            ("POST", "users/me/payment_methods") => Card::GOOD.json(),
            ("POST", "setup") => json!({"token": "made up", "email": email, "password": GOOD_PASSWORD, "name": "Ada"}),
            ("POST", "products") => json!({
                "slug": fresh("cup"), "name": "Cup", "description": "It holds coffee.", "category": "kitchen", "category_name": "Kitchen",
                "price": {"amount": 100, "currency": "EUR"}, "image": "/pictures/cup.svg", "weight_grams": 1, "tags": ["china"],
                "featured": true, "on_hand": 5,
            }),
            ("PATCH", "products/{id}") => json!({
                "name": "Cup", "description": "It holds tea.", "category": "kitchen", "price": {"amount": 4990, "currency": "EUR"},
                "image": "/pictures/cup.svg", "weight_grams": 2, "tags": ["china"], "featured": false,
            }),
            ("PUT", "products/{id}/stock") => json!({"on_hand": 300}),
            ("PUT", "cart/items/{id}") => json!({"quantity": 1}),
            ("POST", "orders") => json!({
                "items": lines, "address": address, "shipping_service": "standard", "payment_method_id": self.owner.payment_method_id,
            }),
            ("POST", "orders/{id}/returns") => json!({"lines": lines, "reason": "It is too loud."}),
            ("POST", "orders/{id}/fulfil") => json!({"to": "packed"}),
            ("POST", "payments/{id}/refunds") => {
                json!({"amount": {"amount": 1, "currency": "EUR"}, "reason": "Sorry."})
            }
            ("POST", "lab/instances/{id}/pause") => json!({"ms": 1}),
            ("PUT", "lab/links/{id}") => {
                json!({
                    "latency_ms": 0.5, "jitter_ms": 0.5, "serialised": true, "lost_requests": 0, "lost_replies": 0, "duplicates": 1,
                })
            }
            ("PATCH", "gateway/routes/{id}") => json!({"enabled": true, "message": "Back soon.", "deadline_ms": 9000}),
            ("PATCH", "gateway/services/{id}") => json!({
                "strategy": "random", "count": 2, "outlier": {"failures": 6, "base_ms": 1000, "most_ms": 2000}, "warm_up_ms": 10,
                "autoscale": {"least": 2, "most": 3, "in_flight": 4000}, "instances": {"notifications-2": {"weight": 9}},
            }),
            ("PATCH", "gateway/instances/{id}") => json!({"weight": 10, "capacity": 20, "state": "ready"}),
            ("PATCH", "gateway/limits/{id}") => json!({"quota": 500, "window_seconds": 10}),
            ("PATCH", "gateway/breakers/{id}") => {
                json!({"breaker": {"least_calls": 30, "failure_percent": 60}, "forced": "closed"})
            }
            ("POST", "shipping/quotes") => json!({"address": address, "items": lines}),
            unknown => panic!("no body for {unknown:?}"),
        }
    }

    /// All visible records that a request could have changed.
    pub fn snapshot(&self) -> Vec<(String, Value)> {
        let seen = |who: &Client, path: &str| (path.to_owned(), who.get(path).ok().body);
        let product = format!("/api/v1/products/{}", self.product);
        vec![
            seen(&self.operator, "/api/v1/products?limit=100"),
            seen(&self.operator, &product),
            seen(&self.operator, "/api/v1/categories"),
            seen(&self.operator, "/api/v1/orders?all=true&limit=100"),
            seen(&self.operator, &format!("/api/v1/payments/{}", self.payment)),
            seen(&self.guest, "/api/v1/cart"),
            seen(&self.owner, "/api/v1/users/me"),
            seen(&self.owner, "/api/v1/users/me/addresses"),
            seen(&self.owner, "/api/v1/users/me/payment_methods"),
            seen(&self.owner, "/api/v1/users/me/sessions"),
        ]
    }

    /// Checks that no record has changed since the snapshot.
    #[track_caller]
    pub fn is_still(&self, before: &[(String, Value)]) {
        for ((path, now), (_, then)) in self.snapshot().iter().zip(before) {
            assert_eq!(now, then, "{path} has changed");
        }
    }
}
