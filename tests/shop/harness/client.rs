//! Clients as values, with a method for each request.

use super::{answer::Answer, shop::ShopAddress, within};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    ops::Deref,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use ureq::{
    Agent,
    http::{HeaderMap, Request, Response},
};

pub const GOOD_PASSWORD: &str = "a long walk at dawn";

/// One client, with its own cart and connections.
#[derive(Clone)]
pub struct Client {
    address: ShopAddress,
    agent: Agent,
    token: Option<String>,
    /// The only cookie that the client keeps. The client authenticates by its token.
    cart: Arc<Mutex<String>>,
    pub email: String,
    pub user_id: String,
    pub refresh_token: String,
}

/// A name that is unique in the test run.
pub fn fresh(kind: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{kind}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The published test cards.
#[derive(Clone, Copy)]
pub struct Card(pub &'static str);

impl Card {
    pub const GOOD: Self = Self("4242 4242 4242 4242");

    pub fn json(self) -> Value {
        json!({"card": {"number": self.0, "exp_month": 12, "exp_year": 2040, "cvc": "123", "name": "Ada Lovelace"}})
    }
}

pub fn home_address() -> Value {
    json!({"name": "Ada Lovelace", "line1": "12 St James's Square", "city": "Berlin", "postal_code": "10115", "country": "DE"})
}

impl Client {
    pub fn new(address: &ShopAddress) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self {
            address: address.clone(),
            agent: agent.into(),
            token: None,
            cart: Arc::default(),
            email: String::new(),
            user_id: String::new(),
            refresh_token: String::new(),
        }
    }

    /// The same client with another token, or without one.
    pub fn bearing(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    pub fn token(&self) -> &str {
        self.token.as_deref().expect("a client that is signed in")
    }

    // General requests.

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], Some(body))
    }

    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[], Some(body))
    }

    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, &[], Some(body))
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None)
    }

    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let answer = self.try_send(method, path, headers, body);
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// As [`Client::send`]. An error where the shop does not run, or ends meanwhile.
    #[track_caller]
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, ureq::Error> {
        match body {
            None => self.try_send_text(method, path, headers, None),
            Some(body) => {
                let headers: Vec<_> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
                self.try_send_text(method, path, &headers, Some(body.to_string().as_bytes()))
            }
        }
    }

    #[track_caller]
    pub fn try_send_text(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let mut response = self.open(method, path, headers, body)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        self.keep_cart(&headers);
        let text = response.body_mut().read_to_string()?;
        Ok(Answer::new(format!("{method} {path}"), body, status, headers, text))
    }

    fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        let address = *self.address.read().expect("no panic while the address was locked");
        let mut request = Request::builder().method(method).uri(format!("http://{address}{path}"));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let cart = self.cart.lock().expect("a cookie").clone();
        if !cart.is_empty() && headers.iter().all(|(name, _)| *name != "cookie") {
            request = request.header("cookie", format!("cart={cart}"));
        }
        if method == "HEAD" {
            // The HTTP client would try to decompress the absent body of a HEAD answer.
            request = request.header("accept-encoding", "identity");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match body {
            None => self.agent.run(request.body(()).expect("a request")),
            Some(body) => self.agent.run(request.body(body).expect("a request")),
        }
    }

    fn keep_cart(&self, headers: &HeaderMap) {
        for line in headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok()) {
            if let Some(cart) = line.strip_prefix("cart=") {
                *self.cart.lock().expect("a cookie") = cart.split(';').next().unwrap_or_default().to_owned();
            }
        }
    }

    /// The id, the kind and the data of each event of a stream, until the stream ends.
    #[track_caller]
    pub fn events(&self, path: &str, last: Option<&str>) -> Vec<(String, String, Value)> {
        let headers: Vec<_> = last.map(|id| ("last-event-id", id)).into_iter().collect();
        let response = self.open("GET", path, &headers, None).expect("a stream");
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        let mut events = Vec::new();
        let (mut id, mut kind) = (String::new(), String::new());
        for line in BufReader::new(response.into_body().into_reader()).lines().map(|line| line.expect("a line")) {
            match line.split_once(": ") {
                Some(("id", value)) => id = value.to_owned(),
                Some(("event", value)) => kind = value.to_owned(),
                Some(("data", value)) => {
                    events.push((id.clone(), kind.clone(), serde_json::from_str(value).expect("JSON")))
                }
                _ => assert!(line.is_empty() || line.starts_with(':'), "{line}"),
            }
        }
        events
    }

    // Accounts and sessions.

    #[track_caller]
    pub fn register(&mut self, email: &str) -> Answer {
        let body = json!({"email": email, "password": GOOD_PASSWORD, "name": "Ada Lovelace"});
        let answer = retry_while_busy(|| self.post("/api/v1/users", &body));
        self.keep_tokens(answer)
    }

    #[track_caller]
    pub fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        let answer = retry_while_busy(|| self.post("/api/v1/sessions", &json!({"email": email, "password": password})));
        self.keep_tokens(answer)
    }

    #[track_caller]
    pub fn refresh(&mut self) -> Answer {
        let answer = self.post("/api/v1/sessions/refresh", &json!({"refresh_token": self.refresh_token}));
        self.keep_tokens(answer)
    }

    /// Stores the tokens of the answer.
    fn keep_tokens(&mut self, answer: Answer) -> Answer {
        if answer.status == 201 {
            assert_eq!(answer["token_type"], "Bearer");
            self.token = Some(answer.text_of("access_token"));
            self.refresh_token = answer.text_of("refresh_token");
            self.email = answer["user"]["email"].as_str().expect("an address").to_owned();
            self.user_id = answer["user"]["id"].as_str().expect("an id").to_owned();
        }
        answer
    }

    #[track_caller]
    pub fn sign_out(&self) -> Answer {
        self.delete("/api/v1/sessions/current")
    }

    #[track_caller]
    pub fn me(&self) -> Answer {
        self.get("/api/v1/users/me")
    }

    #[track_caller]
    pub fn add_address(&self, address: &Value) -> Answer {
        self.post("/api/v1/users/me/addresses", address)
    }

    #[track_caller]
    pub fn add_card(&self, card: Card) -> Answer {
        self.post("/api/v1/users/me/payment_methods", &card.json())
    }

    // The catalogue.

    #[track_caller]
    pub fn product(&self, id: &str) -> Answer {
        self.get(&format!("/api/v1/products/{id}"))
    }

    /// Creates a product with this price and stock. Gives its id.
    #[track_caller]
    pub fn stock_up(&self, price: i64, on_hand: u32) -> String {
        let name = fresh("kettle");
        let product = json!({
            "slug": name, "name": name, "description": "It whistles.", "category": "kitchen",
            "price": {"amount": price, "currency": "EUR"}, "weight_grams": 900, "tags": ["steel"], "on_hand": on_hand,
        });
        self.post("/api/v1/products", &product).created().id()
    }

    /// As `stock_up`, and waits until the subscribers of product events, such as the cache, have
    /// received the event.
    #[track_caller]
    pub fn stock_up_and_tell(&self, price: i64, on_hand: u32) -> String {
        let product = self.stock_up(price, on_hand);
        within(Duration::from_secs(10), "all subscribers have received the event", || {
            self.get("/metrics").ok().text.contains("galleria_outbox_records 0.0\n").then_some(())
        });
        product
    }

    #[track_caller]
    pub fn set_stock(&self, product: &str, change: Value) -> Answer {
        self.put(&format!("/api/v1/products/{product}/stock"), &change)
    }

    #[track_caller]
    pub fn available(&self, product: &str) -> u64 {
        self.product(product).ok()["stock"]["available"].as_u64().expect("a number")
    }

    // The cart.

    #[track_caller]
    /// The shipping quotes for one piece to the home address.
    pub fn quotes(&self, product: &str) -> Answer {
        let lines = json!([{"product_id": product, "quantity": 1}]);
        self.post("/api/v1/shipping/quotes", &json!({"address": home_address(), "items": lines}))
    }

    pub fn cart(&self) -> Answer {
        self.get("/api/v1/cart")
    }

    #[track_caller]
    pub fn put_in_cart(&self, product: &str, quantity: u64) -> Answer {
        self.put(&format!("/api/v1/cart/items/{product}"), &json!({"quantity": quantity}))
    }

    // Orders.

    #[track_caller]
    pub fn place_order(&self, key: &str, order: &Value) -> Answer {
        self.send("POST", "/api/v1/orders", &[("idempotency-key", key)], Some(order))
    }

    #[track_caller]
    pub fn order(&self, id: &str) -> Answer {
        self.get(&format!("/api/v1/orders/{id}"))
    }

    #[track_caller]
    pub fn cancel(&self, order: &str) -> Answer {
        self.send("POST", &format!("/api/v1/orders/{order}/cancel"), &[], None)
    }

    #[track_caller]
    pub fn fulfil(&self, order: &str, to: &str) -> Answer {
        self.post(&format!("/api/v1/orders/{order}/fulfil"), &json!({"to": to}))
    }

    #[track_caller]
    pub fn return_items(&self, order: &str, product: &str, quantity: u64) -> Answer {
        let lines = json!([{"product_id": product, "quantity": quantity}]);
        self.post(&format!("/api/v1/orders/{order}/returns"), &json!({"lines": lines, "reason": "It is too loud."}))
    }

    // Payments, parcels, inbox.

    #[track_caller]
    pub fn payment(&self, id: &str) -> Answer {
        self.get(&format!("/api/v1/payments/{id}"))
    }

    #[track_caller]
    pub fn refund(&self, payment: &str, refund: &Value) -> Answer {
        self.post(&format!("/api/v1/payments/{payment}/refunds"), refund)
    }

    #[track_caller]
    pub fn inbox(&self) -> Answer {
        self.get("/api/v1/notifications")
    }

    // Operation.

    /// Checks that the audit balances.
    #[track_caller]
    pub fn audit(&self) {
        let audit = self.get("/api/v1/audit").ok();
        assert_eq!(audit["balanced"], true, "{audit:#?}");
    }

    pub fn dead_letters(&self) -> Answer {
        self.get("/api/v1/events/dead")
    }

    pub fn replay(&self, dead_letter: &str) -> Answer {
        self.send("POST", &format!("/api/v1/events/dead/{dead_letter}/replay"), &[], None)
    }

    /// The settings that an operator can change at run time: routes, services, breakers.
    #[track_caller]
    pub fn controls(&self, kind: &str) -> Answer {
        self.get(&format!("/api/v1/gateway/{kind}"))
    }

    #[track_caller]
    pub fn change_control(&self, kind: &str, id: &str, patch: &Value) -> Answer {
        self.patch(&format!("/api/v1/gateway/{kind}/{id}"), patch)
    }

    #[track_caller]
    pub fn pause(&self, instance: &str, ms: u64) -> Answer {
        self.post(&format!("/api/v1/lab/instances/{instance}/pause"), &json!({"ms": ms}))
    }

    /// Sets the faults of a link: `gateway.products`, `any.products`, `any.any`.
    #[track_caller]
    pub fn set_link(&self, way: &str, faults: &Value) -> Answer {
        self.put(&format!("/api/v1/lab/links/{way}"), faults)
    }

    #[track_caller]
    pub fn clear_link(&self, way: &str) -> Answer {
        self.delete(&format!("/api/v1/lab/links/{way}"))
    }

    #[track_caller]
    pub fn crash(&self, instance: &str) -> Answer {
        self.send("POST", &format!("/api/v1/lab/instances/{instance}/crash"), &[], None)
    }
}

/// Repeats a request that got 503 `busy`: the number of concurrent password checks is limited.
#[track_caller]
fn retry_while_busy(mut ask: impl FnMut() -> Answer) -> Answer {
    loop {
        let answer = ask();
        if !(answer.status == 503 && answer["code"] == "busy") {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A client that can buy: signed in, with an address and a card.
#[derive(Clone)]
pub struct Customer {
    client: Client,
    pub address_id: String,
    pub payment_method_id: String,
}

impl Customer {
    #[track_caller]
    pub fn of(client: Client) -> Self {
        let address_id = client.add_address(&home_address()).created().id();
        let payment_method_id = client.add_card(Card::GOOD).created().id();
        Self { client, address_id, payment_method_id }
    }

    /// Makes this the card of later orders.
    #[track_caller]
    pub fn pays_with(&mut self, card: Card) {
        self.payment_method_id = self.client.add_card(card).created().id();
    }

    /// The body of an order of these products, or of the cart where the list is empty.
    pub fn order_of(&self, lines: &[(&str, u64)]) -> Value {
        let mut order = json!({
            "address_id": self.address_id, "shipping_service": "standard", "payment_method_id": self.payment_method_id,
        });
        if !lines.is_empty() {
            let line = |(product, quantity): &(&str, u64)| json!({"product_id": product, "quantity": quantity});
            order["items"] = lines.iter().map(line).collect();
        }
        order
    }

    #[track_caller]
    pub fn buys(&self, product: &str, quantity: u64) -> Answer {
        self.place_order(&fresh("key"), &self.order_of(&[(product, quantity)]))
    }
}

impl Deref for Customer {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}
