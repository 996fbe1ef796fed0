//! Every message of every service goes over a link of bytes, and arrives as it was.

use super::{
    carts::messages::*, notifications::messages::*, orders::messages::*, payments::messages::*, products::messages::*,
    shipping::messages::*, users::messages::*, *,
};
use crate::{
    mesh::{
        CallError, Context, Envelope, Failure, HandlerResult, Handlers, InjectedFault, Link, Ping, Request, TraceId,
    },
    types::Principal,
};
use actix::{Actor, Handler};
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Stands in a service's place: says what it was given to say, and keeps what it was asked.
struct Double<R: Request> {
    says: Option<Result<R::Reply, R::Error>>,
    asked: Arc<Mutex<Option<R>>>,
}

impl<R: Request> Actor for Double<R>
where
    Self: Unpin,
{
    type Context = actix::Context<Self>;
}

impl<R: Request> Handler<Ping> for Double<R>
where
    Self: Unpin,
{
    type Result = ();
    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl<R: Request> Handler<InjectedFault> for Double<R>
where
    Self: Unpin,
{
    type Result = ();
    fn handle(&mut self, _: InjectedFault, _: &mut Self::Context) {}
}

impl<R: Request> Handler<Envelope<R>> for Double<R>
where
    Self: Unpin,
{
    type Result = HandlerResult<R>;
    fn handle(&mut self, envelope: Envelope<R>, _: &mut Self::Context) -> HandlerResult<R> {
        let (_, request, _, _place) = envelope.open().expect("it is waited for");
        *self.asked.lock() = Some(request);
        self.says.take().expect("it is asked once").map_err(Failure::Domain)
    }
}

/// Sends it over a link of bytes to a double that says this: what arrived there, and what came back.
async fn carried<R: Request>(
    request: &R,
    says: Result<R::Reply, R::Error>,
) -> (Option<R>, Result<R::Reply, CallError<R::Error>>)
where
    Double<R>: Unpin,
{
    let mesh = Mesh::new(Env::system(), ALLOWED_CALLS, SUBSCRIPTIONS);
    mesh.set_links(Some(Link { serialised: true, ..Link::default() }));
    let asked = Arc::new(Mutex::new(None));
    let double = Double { says: Some(says), asked: asked.clone() }.start();
    mesh.register(R::SERVICE, Handlers::of(&double).handles::<R>(double.clone().recipient()));
    let context = Context::new(Principal::Anonymous, Duration::from_secs(20), TraceId([7; 16]));
    let answer = mesh.call(&context, request.clone()).await;
    mesh.stop();
    let asked = asked.lock().take();
    (asked, answer)
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    let read = serde_json::from_value(value.clone());
    read.unwrap_or_else(|error| panic!("no {}: {error}: {value:#}", std::any::type_name::<T>()))
}

/// All of it, secrets too: what has the same bytes is the same.
fn bytes(of: &impl Serialize) -> Vec<u8> {
    minicbor_serde::to_vec(of).expect("bytes")
}

/// What went over the link so far, by name.
#[derive(Default)]
struct Crossed(BTreeSet<&'static str>);

impl Crossed {
    async fn call<R: Request>(&mut self, request: Value, reply: Value)
    where
        Double<R>: Unpin,
    {
        let (request, reply): (R, R::Reply) = (read(&request), read(&reply));
        let said = bytes(&reply);
        let (asked, answer) = carried(&request, Ok(reply)).await;
        let asked = asked.unwrap_or_else(|| panic!("{} did not arrive: {:?}", R::NAME, answer.as_ref().err()));
        assert!(bytes(&asked) == bytes(&request), "{} arrived as another", R::NAME);
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", R::NAME));
        assert!(bytes(&answer) == said, "the reply to {} came back as another", R::NAME);
        self.0.insert(R::NAME);
    }

    /// Each of these errors of the service comes back as what the service says.
    async fn errors<R: Request>(&mut self, request: Value, errors: Value)
    where
        Double<R>: Unpin,
    {
        for error in errors.as_array().expect("a list") {
            let (_, answer) = carried::<R>(&read(&request), Err(read(error))).await;
            match answer {
                Err(CallError::Domain(said)) => assert_eq!(&serde_json::to_value(&said).unwrap(), error),
                Err(CallError::Mesh(fault)) => panic!("{error}: {fault}"),
                Ok(_) => panic!("{error} came back as a reply"),
            }
        }
    }

    /// Of an event its payload travels, and who hears it reads that.
    fn event<E: Event>(&mut self, event: Value) {
        let payload = serde_json::to_value(read::<E>(&event)).unwrap();
        let arrived: Value = serde_json::from_str(&payload.to_string()).unwrap();
        assert_eq!(arrived, payload);
        assert_eq!(bytes(&read::<E>(&arrived)), bytes(&read::<E>(&event)), "{} arrived as another", E::NAME);
        self.0.insert(E::NAME);
    }
}

fn id(prefix: &str) -> Value {
    json!(format!("{prefix}_019a52b46b7a7d0c8f3e5a1b2c3d4e5f"))
}

fn euro(cents: u32) -> Value {
    json!({"amount": cents, "currency": "EUR"})
}

const AT: &str = "2026-05-04T09:30:00.125Z";

fn address() -> Value {
    json!({
        "name": "Zoë Lovelace", "line1": "12 St James's Square", "line2": "Second floor", "city": "Berlin", "postal_code": "10115",
        "country": "DE", "phone": "+49 30 123456",
    })
}

fn lines() -> Value {
    json!([{"product_id": id("prd"), "quantity": 999}])
}

fn user() -> Value {
    json!({"id": id("usr"), "email": "ada@example.com", "name": "Ada", "role": "customer", "created_at": AT})
}

/// As it is read; it is not what one would see written.
fn signed_in() -> Value {
    json!({
        "user": user(), "session_id": id("ses"), "access_token": "eyJhbGciOiJFZERTQSJ9", "expires_in": 900, "refresh_token": "mJ3vWq0c2f",
        "ended": [id("ses")],
    })
}

fn product() -> Value {
    json!({
        "id": id("prd"), "slug": "steel-kettle", "name": "Steel kettle", "description": "It whistles.\u{1f600}", "category": "kitchen",
        "price": euro(4990), "image": "/pictures/kettle.svg", "stock": {"available": 40}, "weight_grams": 900, "tags": ["steel"],
        "featured": true, "retired": false, "created_at": AT, "updated_at": AT, "version": u64::MAX,
    })
}

fn new_product() -> Value {
    json!({
        "slug": "steel-kettle", "name": "Steel kettle", "description": "It whistles.", "category": "kitchen", "category_name": "Kitchen",
        "price": euro(4990), "image": "/pictures/kettle.svg", "weight_grams": 900, "tags": ["steel"], "featured": true, "on_hand": 40,
    })
}

fn cart() -> Value {
    json!({
        "id": id("crt"), "subtotal": euro(9980), "item_count": 2,
        "items": [{
            "product_id": id("prd"), "name": "Steel kettle", "image": "/k.svg", "unit_price": euro(4990), "quantity": 2, "line_total": euro(9980),
            "available": 40,
        }],
    })
}

/// What it was rejected for stands among its own fields.
fn order(reason: Value) -> Value {
    let mut order = json!({
        "id": id("ord"), "user_id": id("usr"), "status": "rejected", "subtotal": euro(9980), "shipping_cost": euro(490), "total": euro(10470),
        "items": [{
            "product_id": id("prd"), "name": "Steel kettle", "image": "/k.svg", "unit_price": euro(4990), "quantity": 2, "line_total": euro(9980),
            "weight_grams": 900, "returned": 1,
        }],
        "address": address(), "shipping_service": "express", "payment_method_id": id("pm"), "placed_at": AT,
        "timeline": [{"status": "pending", "at": AT}, {"status": "rejected", "at": AT, "note": "Out of stock"}],
        "returns": [{"lines": lines(), "reason": "It is too loud.", "amount": euro(4990), "at": AT}],
        "in_progress": "The money is given back.", "version": 7,
    });
    order.as_object_mut().unwrap().extend(reason.as_object().unwrap().clone());
    order
}

fn refund() -> Value {
    json!({
        "id": id("rfd"), "payment_id": id("pay"), "order_id": id("ord"), "amount": euro(1), "reason": "It is too loud.", "status": "failed",
        "created_at": AT,
    })
}

fn method() -> Value {
    json!({"id": id("pm"), "brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2040})
}

fn payment() -> Value {
    json!({
        "id": id("pay"), "order_id": id("ord"), "user_id": id("usr"), "amount": euro(10470), "captured": euro(10470), "refunded": euro(1),
        "status": "partially_refunded", "decline_code": "insufficient_funds", "method": {"brand": "visa", "last4": "4242"},
        "refunds": [refund()], "events": [{"kind": "captured", "amount": euro(10470), "at": AT}], "created_at": AT,
    })
}

fn hub() -> Value {
    json!({"code": "BER", "city": "Berlin", "country": "DE", "latitude": 52.52, "longitude": -13.0})
}

fn shipment() -> Value {
    json!({
        "id": id("shp"), "order_id": id("ord"), "user_id": id("usr"), "status": "in_transit", "service": "standard", "cost": euro(490),
        "weight_grams": 900, "tracking_number": "GL123456785DE", "address": address(), "delivery_by": AT,
        "route": [
            {"hub": hub(), "planned_at": AT, "by": null},
            {"hub": hub(), "planned_at": AT, "by": {"carrier": "Northern Rail", "mode": "rail"}},
        ],
        "events": [{"status": "at_hub", "hub": "Berlin", "at": AT}], "created_at": AT,
    })
}

#[actix::test]
async fn every_message_arrives_as_it_was() {
    let mut all = Crossed::default();
    let (usr, ses, adr, prd, ord) = (id("usr"), id("ses"), id("adr"), id("prd"), id("ord"));
    let saved = || {
        let mut saved = address();
        saved["id"] = id("adr");
        saved
    };
    let page = |item: Value| json!({"items": [item], "next_cursor": "c1Wm9yJvcmRfMDE5"});
    let tally = json!({"after": ord, "limit": 100});
    let of_user = json!({"user_id": usr});
    let of_order = json!({"order_id": ord});

    let register = json!({
        "email": "ada@example.com", "password": "a long walk at dawn", "name": "Ada", "key": "k-1", "from": "192.0.2.7",
    });
    all.call::<RegisterUser>(register, json!({"signed_in": signed_in(), "is_repeated": true})).await;
    let sign_in = json!({"email": "ada@example.com", "password": "a long walk at dawn", "from": "2001:db8::"});
    all.call::<SignIn>(sign_in, signed_in()).await;
    all.call::<RefreshSession>(json!({"refresh_token": "mJ3vWq0c2f"}), signed_in()).await;
    all.call::<EndSession>(json!({"user_id": usr, "session_id": null}), json!({"sessions": [ses]})).await;
    let session = json!({"id": ses, "created_at": AT, "last_used_at": AT});
    all.call::<ListSessions>(of_user.clone(), json!([session])).await;
    all.call::<ListRevoked>(json!({}), json!([{"session_id": ses, "until": AT}])).await;
    all.call::<GetKeys>(json!({}), json!([{"kid": "2026-05-04", "x": "11qYAYKxCrfVS"}])).await;
    all.call::<GetUser>(of_user.clone(), user()).await;
    all.call::<UpdateUser>(json!({"user_id": usr, "name": "Ada King", "email": null}), user()).await;
    let password =
        json!({"user_id": usr, "session_id": ses, "current_password": "a long walk", "new_password": "a short walk"});
    all.call::<ChangePassword>(password, json!({"sessions": []})).await;
    all.call::<ListAddresses>(of_user.clone(), json!([saved()])).await;
    all.call::<GetAddress>(json!({"user_id": usr, "address_id": adr}), saved()).await;
    all.call::<AddAddress>(json!({"user_id": usr, "address": address()}), saved()).await;
    all.call::<ReplaceAddress>(json!({"user_id": usr, "address_id": adr, "address": address()}), saved()).await;
    all.call::<RemoveAddress>(json!({"user_id": usr, "address_id": adr}), json!(null)).await;
    all.call::<HasOperator>(json!({}), json!(true)).await;
    let operator = json!({"email": "ada@example.com", "password": "a long walk at dawn", "name": "Ada"});
    all.call::<CreateOperator>(operator, user()).await;
    all.call::<IssueSetupToken>(json!({}), json!({"token": "9f2c51", "expires_at": AT})).await;
    let setup =
        json!({"token": "9f2c51", "email": "ada@example.com", "password": "a long walk at dawn", "name": "Ada"});
    all.call::<RedeemSetupToken>(setup, signed_in()).await;
    all.event::<UserRegistered>(json!({"user_id": usr, "name": "Ada"}));

    let find = json!({
        "q": "kettle", "category": "kitchen", "min_price": 1, "max_price": i64::MAX, "in_stock": true, "featured": false, "sort": "-price",
        "limit": 24, "cursor": "c1Wm9yJvcmRfMDE5",
    });
    all.call::<FindProducts>(find, page(product())).await;
    all.call::<GetProduct>(json!({"product": prd}), product()).await;
    all.call::<GetProduct>(json!({"product": "steel-kettle"}), product()).await;
    all.call::<GetProducts>(json!({"ids": [prd]}), json!([product()])).await;
    all.call::<ListCategories>(json!({}), json!([{"slug": "kitchen", "name": "Kitchen", "product_count": 12}])).await;
    all.call::<CreateProduct>(new_product(), product()).await;
    let changes = json!({"name": "Copper kettle", "price": euro(1), "tags": [], "featured": false});
    all.call::<UpdateProduct>(json!({"product_id": prd, "expected_version": 7, "changes": changes}), product()).await;
    all.call::<RetireProduct>(json!({"product_id": prd, "expected_version": null}), json!(null)).await;
    let level = json!({"on_hand": 40, "reserved": 2, "available": 38});
    let set = json!({"product_id": prd, "seen": {"version": 7, "available": 38}, "change": {"adjust_by": -3}});
    all.call::<SetStock>(set, level.clone()).await;
    all.call::<SetStock>(json!({"product_id": prd, "seen": null, "change": {"on_hand": 40}}), level).await;
    all.call::<ReserveStock>(json!({"order_id": ord, "lines": lines(), "until": AT}), json!(null)).await;
    all.call::<ReleaseStock>(of_order.clone(), json!(null)).await;
    all.call::<CommitStock>(of_order.clone(), json!(null)).await;
    all.call::<ReturnStock>(json!({"return_id": id("rfd"), "lines": lines()}), json!(null)).await;
    all.call::<StockCatalogue>(json!({"products": [new_product()]}), json!(1)).await;
    let stock = json!({"product_id": prd, "available": 1, "reserved": 2, "sold": 3, "returned": 4, "received": -5});
    all.call::<ReconcileStock>(json!({"after": prd, "limit": 100}), json!([stock])).await;
    all.call::<ReconcileReservations>(tally.clone(), json!([{"order_id": ord, "until": AT}])).await;
    all.event::<ProductChanged>(json!({"product_id": prd, "slug": "steel-kettle"}));

    all.call::<GetCart>(json!({"owner": {"guest": id("crt")}}), cart()).await;
    all.call::<SetItem>(json!({"owner": {"user": usr}, "product_id": prd, "quantity": 2}), cart()).await;
    all.call::<ClearCart>(json!({"owner": {"user": usr}}), cart()).await;
    all.call::<MergeCarts>(json!({"guest": id("crt"), "user_id": usr}), cart()).await;
    all.call::<CheckOut>(json!({"user_id": usr, "order_id": ord, "lines": [[prd, 2]]}), json!(null)).await;
    all.call::<CountCarts>(json!({"since": AT}), json!({"filled": 5, "ordered": 3})).await;

    let reasons = [
        json!({}),
        json!({"reason": "cancelled"}),
        json!({"reason": "payment_declined", "decline_code": "insufficient_funds"}),
        json!({"reason": "undeliverable", "detail": "There is no road."}),
        json!({"reason": "out_of_stock", "shortages": [{"product_id": prd, "requested": 2, "available": 1}]}),
    ];
    for (reason, destination) in
        reasons.into_iter().zip([json!({"saved": adr}), json!({"given": address()})].iter().cycle())
    {
        let place = json!({
            "user_id": usr, "key": "k-1", "items": lines(), "destination": destination, "shipping_service": "economy",
            "payment_method_id": id("pm"),
        });
        all.call::<PlaceOrder>(place, order(reason)).await;
    }
    let plain = || order(json!({"reason": "unavailable"}));
    all.call::<GetOrder>(of_order.clone(), plain()).await;
    all.call::<AwaitChange>(json!({"order_id": ord, "after": 6}), plain()).await;
    let list = json!({"user_id": usr, "status": "delivered", "limit": 100, "cursor": null});
    all.call::<ListOrders>(list, page(plain())).await;
    all.call::<CancelOrder>(of_order.clone(), plain()).await;
    let back = json!({"order_id": ord, "key": "k-2", "lines": lines(), "reason": "It is too loud."});
    all.call::<ReturnItems>(back, refund()).await;
    all.call::<FulfilOrder>(json!({"order_id": ord, "to": "packed"}), plain()).await;
    let sides = json!({
        "order_id": ord, "status": "confirmed", "total": euro(10470), "lines": 9980, "shipping": 490, "illegal_steps": 0,
        "needs_attention": true, "refunded": euro(0), "pieces": [[prd, 2]], "asked_for": [[prd, 3]], "version": 7, "changed_at": AT,
        "unfinished_since": AT,
    });
    all.call::<ReconcileOrders>(tally.clone(), json!([sides])).await;
    all.call::<CountUnfinished>(json!({}), json!(3)).await;
    all.call::<CountNeedingAttention>(json!({}), json!(0)).await;
    let told = |more: Value| {
        let mut facts = json!({"order_id": id("ord"), "user_id": id("usr"), "total": euro(10470)});
        facts.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        facts
    };
    all.event::<OrderConfirmed>(told(json!({"lines": lines()})));
    all.event::<OrderRejected>(told(json!({"reason": {"reason": "unavailable"}})));
    all.event::<OrderShipped>(told(json!({"tracking_number": "GL123456785DE"})));
    all.event::<OrderDelivered>(told(json!({})));
    all.event::<OrderCancelled>(told(json!({})));
    all.event::<OrderReturned>(told(json!({"amount": euro(4990)})));

    let card = json!({"number": "4242 4242 4242 4242", "exp_month": 12, "exp_year": 2040, "cvc": "123", "name": "Ada"});
    all.call::<AddMethod>(json!({"user_id": usr, "card": card}), method()).await;
    all.call::<ListMethods>(of_user.clone(), json!([method()])).await;
    all.call::<RemoveMethod>(json!({"user_id": usr, "method_id": id("pm")}), json!(null)).await;
    let authorize = json!({"order_id": ord, "user_id": usr, "method_id": id("pm"), "amount": euro(10470)});
    all.call::<Authorize>(authorize, payment()).await;
    all.call::<Capture>(of_order.clone(), payment()).await;
    all.call::<Void>(of_order.clone(), json!(null)).await;
    for of in [json!({"id": id("pay")}), json!({"of_order": ord})] {
        let wanted = json!({"payment": of, "key": "k-3", "amount": euro(1), "reason": "A scratch."});
        all.call::<IssueRefund>(wanted, refund()).await;
    }
    all.call::<GetPayment>(json!({"payment_id": id("pay")}), payment()).await;
    all.call::<GetPaymentOfOrder>(of_order.clone(), payment()).await;
    let ledger = json!({"authorizations": 1, "captures": 1, "held": -1, "captured": 10470, "refunded": 1});
    let both =
        json!({"order_id": ord, "status": "captured", "ours": ledger, "provider": ledger, "unfinished_since": AT});
    all.call::<ReconcilePayments>(tally.clone(), json!([both])).await;
    all.event::<PaymentRefunded>(json!({"order_id": ord, "user_id": usr, "refund": refund()}));
    all.event::<RefundFailed>(json!({"order_id": ord, "user_id": usr, "refund": refund()}));

    let parcel = json!({"country": "DE", "postal_code": "10115", "city": "Berlin", "weight_grams": 900});
    let quote = json!({"service": "express", "cost": euro(990), "delivery_by": AT, "route": ["Hamburg", "Berlin"]});
    all.call::<QuoteParcel>(parcel, json!([quote])).await;
    let book =
        json!({"order_id": ord, "user_id": usr, "address": address(), "weight_grams": 900, "service": "economy"});
    all.call::<BookShipment>(book, shipment()).await;
    all.call::<CancelShipment>(of_order.clone(), json!(null)).await;
    all.call::<HandOver>(of_order.clone(), shipment()).await;
    all.call::<GetShipment>(json!({"shipment_id": id("shp")}), shipment()).await;
    all.call::<GetShipmentOfOrder>(of_order, shipment()).await;
    all.call::<DrawLabel>(json!({"shipment_id": id("shp")}), json!({"svg": "<svg/>"})).await;
    all.call::<Track>(json!({"tracking_number": "GL123456785DE"}), shipment()).await;
    all.call::<GetNetwork>(json!({}), json!([hub()])).await;
    all.call::<ReconcileShipments>(tally, json!([{"order_id": ord, "status": "label_created"}])).await;
    let moved = json!({
        "order_id": ord, "user_id": usr, "shipment_id": id("shp"), "tracking_number": "GL123456785DE",
        "event": {"status": "exception", "hub": null, "at": AT},
    });
    all.event::<ShipmentMoved>(moved);
    all.event::<ShipmentDelivered>(json!({"order_id": ord, "user_id": usr, "shipment_id": id("shp"), "at": AT}));

    let message =
        json!({"id": id("ntf"), "title": "On its way", "body": "Soon.", "link": "/o", "created_at": AT, "read": false});
    all.call::<ListNotifications>(json!({"user_id": usr, "limit": 1, "cursor": null}), page(message.clone())).await;
    all.call::<CountUnread>(of_user, json!(1000)).await;
    all.call::<MarkRead>(json!({"user_id": usr, "notification_id": id("ntf")}), message).await;

    assert_eq!(all.0, listed(), "what is listed must be sent here, too");
}

/// The names in the lists of requests and events that `messages.rs` of each service begins with.
fn listed() -> BTreeSet<&'static str> {
    let texts = [
        include_str!("carts/messages.rs"),
        include_str!("notifications/messages.rs"),
        include_str!("orders/messages.rs"),
        include_str!("payments/messages.rs"),
        include_str!("products/messages.rs"),
        include_str!("shipping/messages.rs"),
        include_str!("users/messages.rs"),
    ];
    let rows = texts.into_iter().flat_map(str::lines).filter(|line| line.starts_with("    ") && line.ends_with(','));
    let named = |row: &'static str| row.split('"').nth(1).filter(|name| name.contains('.'));
    rows.filter_map(named).collect()
}

#[actix::test]
async fn every_word_of_a_service_comes_back_as_its_own() {
    let mut all = Crossed::default();
    let (ord, prd) = (id("ord"), id("prd"));
    #[rustfmt::skip]
    let users = json!([
        "email_taken", "password_length", "password_too_common", "invalid_credentials", "wrong_password", "refresh_token_invalid",
        {"refresh_token_reused": {"session_id": id("ses")}}, "user_not_found", "address_not_found", {"address_book_full": {"most": 20}},
        "setup_token_invalid", "busy", {"too_many_guesses": {"wait": {"secs": 30, "nanos": 5}}}, "forbidden",
    ]);
    all.errors::<ListRevoked>(json!({}), users).await;
    #[rustfmt::skip]
    let products = json!([
        "product_not_found", "slug_taken", {"invalid": {"field": "/price", "reason": "is too high"}}, {"version_conflict": {"actual": 7}},
        {"below_reserved": {"reserved": 2}}, {"out_of_stock": {"lines": [{"product_id": prd, "requested": 2, "available": 1}]}},
        "reservation_released", "reservation_committed", "reservation_not_found", "bad_cursor", "forbidden",
    ]);
    all.errors::<ListCategories>(json!({}), products).await;
    let carts = json!(["product_not_found", {"cart_full": {"most": 50}}, "too_expensive"]);
    all.errors::<CountCarts>(json!({"since": AT}), carts).await;
    #[rustfmt::skip]
    let orders = json!([
        "order_not_found", "empty_order", {"cart_in_checkout": {"order_id": ord}}, {"bad_lines": {"most": 50}},
        {"product_not_found": {"product_id": prd}}, "address_not_found", "method_not_found", {"undeliverable": {"reason": "no road"}},
        "too_expensive", {"not_cancellable": {"status": "shipped"}}, {"not_returnable": {"status": "packed"}},
        {"too_many_returned": {"product_id": prd, "left": 1}}, {"refund_too_large": {"left": euro(1)}},
        {"illegal_transition": {"from": "shipped", "to": "packed"}}, "busy", "key_reused", "bad_cursor", "forbidden",
    ]);
    all.errors::<CountUnfinished>(json!({}), orders).await;
    #[rustfmt::skip]
    let payments = json!([
        {"invalid_card": {"field": "cvc", "code": "incorrect_cvc", "reason": "is too short"}}, "method_not_found",
        {"too_many_methods": {"most": 20}}, {"declined": {"code": "card_declined"}}, "payment_not_found", "already_voided", "already_captured",
        "not_captured", {"refund_too_large": {"left": euro(1)}}, "refund_amount", "key_reused",
    ]);
    all.errors::<GetPaymentOfOrder>(json!({"order_id": ord}), payments).await;
    let shipping = json!([
        {"undeliverable": {"reason": "no road"}}, "shipment_not_found", "already_cancelled", "already_handed_over",
    ]);
    all.errors::<GetNetwork>(json!({}), shipping).await;
    all.errors::<CountUnread>(json!({"user_id": id("usr")}), json!(["notification_not_found", "bad_cursor"])).await;
}

#[actix::test]
async fn a_password_arrives_though_nobody_may_see_it() {
    let sign_in: SignIn = read(&json!({"email": "ada@example.com", "password": "a long walk at dawn", "from": null}));
    let (asked, answer) = carried(&sign_in, Ok(read(&signed_in()))).await;
    assert_eq!(asked.unwrap().password.expose(), "a long walk at dawn");
    let answer = answer.unwrap();
    assert_eq!(answer.refresh_token.expose(), "mJ3vWq0c2f");
    assert_eq!(serde_json::to_value(&answer).unwrap()["refresh_token"], "•••");
}
