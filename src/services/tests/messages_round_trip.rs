//! Every message of every service is encoded to bytes and decoded again without a change.
//!
//! The tables have one row per message. A failure names the message.

use crate::{
    env::Env,
    mesh::{
        CallError, Context, Envelope, Event, Failure, HandlerResult, Handlers, InjectedFault, Link, Mesh, Ping,
        Request, TraceId,
    },
    services::{
        ALLOWED_CALLS, SUBSCRIPTIONS, carts::messages::*, notifications::messages::*, orders::messages::*,
        payments::messages::*, products::messages::*, shipping::messages::*, users::messages::*,
    },
    types::Principal,
};
use actix::{Actor, Handler};
use futures_util::future::LocalBoxFuture;
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Stands in for a service: gives a prepared answer, and keeps the request.
struct Double<R: Request> {
    answer: Option<Result<R::Reply, R::Error>>,
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
        let (_, request, _, _place) = envelope.open().expect("the caller waits");
        *self.asked.lock() = Some(request);
        self.answer.take().expect("it is called once").map_err(Failure::Domain)
    }
}

/// Sends the request over a serialized link to a double with this answer. Gives what arrived at the
/// double, and what came back.
async fn carried<R: Request>(
    request: &R,
    prepared: Result<R::Reply, R::Error>,
) -> (Option<R>, Result<R::Reply, CallError<R::Error>>)
where
    Double<R>: Unpin,
{
    let mesh = Mesh::new(Env::system(), ALLOWED_CALLS, SUBSCRIPTIONS);
    mesh.set_links(Some(Link { serialised: true, ..Link::default() }));
    let asked = Arc::new(Mutex::new(None));
    let double = Double { answer: Some(prepared), asked: asked.clone() }.start();
    mesh.register(R::SERVICE, Handlers::of(&double).handles::<R>(double.clone().recipient()));
    let context = Context::new(Principal::Anonymous, Duration::from_secs(20), TraceId([7; 16]));
    let answer = mesh.call(&context, request.clone()).await;
    mesh.stop();
    let asked = asked.lock().take();
    (asked, answer)
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone())
        .map_err(|error| format!("not a {}: {error}: {value:#}", std::any::type_name::<T>()))
}

/// All of a value as bytes, with its secrets: two values with the same bytes are equal.
fn bytes(of: &impl Serialize) -> Vec<u8> {
    minicbor_serde::to_vec(of).expect("bytes")
}

/// One message of the table, and how it is checked.
struct Row {
    name: &'static str,
    check: LocalBoxFuture<'static, Result<(), String>>,
}

/// A request with its reply.
fn call<R: Request>(request: Value, reply: Value) -> Row
where
    Double<R>: Unpin,
{
    let check = async move {
        let (request, reply): (R, R::Reply) = (read(&request)?, read(&reply)?);
        let expected = bytes(&reply);
        let (arrived, answer) = carried(&request, Ok(reply)).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let arrived = arrived.ok_or("the request did not arrive")?;
        same(&bytes(&arrived), &bytes(&request), "the request")?;
        same(&bytes(&answer), &expected, "the reply")
    };
    Row { name: R::NAME, check: Box::pin(check) }
}

/// An event. Its payload travels as JSON.
fn event<E: Event>(event: Value) -> Row {
    let check = async move {
        let event = read::<E>(&event)?;
        let payload = serde_json::to_value(&event).map_err(|error| error.to_string())?;
        let arrived: E = serde_json::from_str(&payload.to_string()).map_err(|error| error.to_string())?;
        same(&bytes(&arrived), &bytes(&event), "the event")
    };
    Row { name: E::NAME, check: Box::pin(check) }
}

/// A request that is answered with each of these errors.
fn errors<R: Request>(request: Value, errors: Value) -> Row
where
    Double<R>: Unpin,
{
    let check = async move {
        for error in errors.as_array().ok_or("not a list")? {
            let (_, answer) = carried::<R>(&read(&request)?, Err(read(error)?)).await;
            match answer {
                Err(CallError::Domain(arrived)) if serde_json::to_value(&arrived).ok().as_ref() == Some(error) => {}
                Err(other) => return Err(format!("{error} arrived as {other}")),
                Ok(_) => return Err(format!("{error} arrived as a reply")),
            }
        }
        Ok(())
    };
    Row { name: R::NAME, check: Box::pin(check) }
}

fn same(arrived: &[u8], sent: &[u8], what: &str) -> Result<(), String> {
    if arrived == sent { Ok(()) } else { Err(format!("{what} arrived changed")) }
}

/// Checks all rows; gives their names. Panics with the names of all rows that fail.
async fn checked(rows: Vec<Row>) -> BTreeSet<&'static str> {
    let (mut names, mut failed) = (BTreeSet::new(), Vec::new());
    for Row { name, check } in rows {
        names.insert(name);
        failed.extend(check.await.err().map(|error| format!("{name}: {error}")));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    names
}

#[actix::test]
async fn every_message_arrives_unchanged() {
    let tables = [users(), products(), carts(), orders(), payments(), shipping(), notifications()];
    let names = checked(tables.into_iter().flatten().collect()).await;
    assert_eq!(names, listed(), "rows here, then messages that are declared");
}

/// The names in the tables of requests and events at the beginning of each `messages.rs`.
fn listed() -> BTreeSet<&'static str> {
    let texts = [
        include_str!("../carts/messages.rs"),
        include_str!("../notifications/messages.rs"),
        include_str!("../orders/messages.rs"),
        include_str!("../payments/messages.rs"),
        include_str!("../products/messages.rs"),
        include_str!("../shipping/messages.rs"),
        include_str!("../users/messages.rs"),
    ];
    let rows = texts.into_iter().flat_map(str::lines).filter(|line| line.starts_with("    ") && line.ends_with(','));
    let named = |row: &'static str| row.split('"').nth(1).filter(|name| name.contains('.'));
    rows.filter_map(named).collect()
}

#[rustfmt::skip]
fn errors_of_every_service() -> Vec<Row> {
    let (ord, prd) = (id("ord"), id("prd"));
    vec![
        errors::<ListRevoked>(json!({}), json!([
            "email_taken", "password_length", "password_too_common", "invalid_credentials", "wrong_password", "refresh_token_invalid",
            {"refresh_token_reused": {"session_id": id("ses")}}, "user_not_found", "address_not_found", {"address_book_full": {"most": 20}},
            "setup_token_invalid", "busy", {"too_many_guesses": {"wait": {"secs": 30, "nanos": 5}}}, "forbidden",
        ])),
        errors::<ListCategories>(json!({}), json!([
            "product_not_found", "slug_taken", {"invalid": {"field": "/price", "reason": "is too high"}}, {"version_conflict": {"actual": 7}},
            {"below_reserved": {"reserved": 2}}, {"out_of_stock": {"lines": [{"product_id": prd, "requested": 2, "available": 1}]}},
            "reservation_released", "reservation_committed", "reservation_not_found", "bad_cursor", "forbidden",
        ])),
        errors::<CountCarts>(json!({"since": AT}), json!(["product_not_found", {"cart_full": {"most": 50}}, "too_expensive"])),
        errors::<CountUnfinished>(json!({}), json!([
            "order_not_found", "empty_order", {"cart_in_checkout": {"order_id": ord}}, {"bad_lines": {"most": 50}},
            {"product_not_found": {"product_id": prd}}, "address_not_found", "method_not_found", {"undeliverable": {"reason": "no road"}},
            "too_expensive", {"not_cancellable": {"status": "shipped"}}, {"not_returnable": {"status": "packed"}},
            {"too_many_returned": {"product_id": prd, "left": 1}}, {"refund_too_large": {"left": euro(1)}},
            {"illegal_transition": {"from": "shipped", "to": "packed"}}, "busy", "key_reused", "bad_cursor", "forbidden",
        ])),
        errors::<GetPaymentOfOrder>(json!({"order_id": ord}), json!([
            {"invalid_card": {"field": "cvc", "code": "incorrect_cvc", "reason": "is too short"}}, "method_not_found",
            {"too_many_methods": {"most": 20}}, {"declined": {"code": "card_declined"}}, "payment_not_found", "already_voided", "already_captured",
            "not_captured", {"refund_too_large": {"left": euro(1)}}, "refund_amount", "key_reused",
        ])),
        errors::<GetNetwork>(json!({}), json!([
            {"undeliverable": {"reason": "no road"}}, "shipment_not_found", "already_cancelled", "already_handed_over",
        ])),
        errors::<CountUnread>(json!({"user_id": id("usr")}), json!(["notification_not_found", "bad_cursor"])),
    ]
}

#[actix::test]
async fn every_error_of_a_service_arrives_unchanged() {
    checked(errors_of_every_service()).await;
}

#[actix::test]
async fn a_password_arrives_although_its_type_masks_it_in_logs() {
    let sign_in: SignIn =
        read(&json!({"email": "ada@example.com", "password": "a long walk at dawn", "from": null})).unwrap();
    let (asked, answer) = carried(&sign_in, Ok(read(&signed_in()).unwrap())).await;
    assert_eq!(asked.unwrap().password.expose(), "a long walk at dawn");
    let answer = answer.unwrap();
    assert_eq!(answer.refresh_token.expose(), "mJ3vWq0c2f");
    assert_eq!(serde_json::to_value(&answer).unwrap()["refresh_token"], "•••");
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

/// As it is read. Its secrets are masked when it is written.
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

/// The fields of the reason are among those of the order.
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

fn saved() -> Value {
    let mut saved = address();
    saved["id"] = id("adr");
    saved
}

fn page(item: Value) -> Value {
    json!({"items": [item], "next_cursor": "c1Wm9yJvcmRfMDE5"})
}

#[rustfmt::skip]
fn users() -> Vec<Row> {
    let (usr, ses, adr) = (id("usr"), id("ses"), id("adr"));
    let of_user = || json!({"user_id": id("usr")});
    let register = json!({
        "email": "ada@example.com", "password": "a long walk at dawn", "name": "Ada", "key": "k-1", "from": "192.0.2.7",
    });
    let sign_in = json!({"email": "ada@example.com", "password": "a long walk at dawn", "from": "2001:db8::"});
    let session = json!({"id": ses, "created_at": AT, "last_used_at": AT});
    let password =
        json!({"user_id": usr, "session_id": ses, "current_password": "a long walk", "new_password": "a short walk"});
    let operator = json!({"email": "ada@example.com", "password": "a long walk at dawn", "name": "Ada"});
    let setup =
        json!({"token": "9f2c51", "email": "ada@example.com", "password": "a long walk at dawn", "name": "Ada"});
    vec![
        call::<RegisterUser>(register, json!({"signed_in": signed_in(), "is_repeated": true})),
        call::<SignIn>(sign_in, signed_in()),
        call::<RefreshSession>(json!({"refresh_token": "mJ3vWq0c2f"}), signed_in()),
        call::<EndSession>(json!({"user_id": usr, "session_id": null}), json!({"sessions": [ses]})),
        call::<ListSessions>(of_user(), json!([session])),
        call::<ListRevoked>(json!({}), json!([{"session_id": ses, "until": AT}])),
        call::<GetKeys>(json!({}), json!([{"kid": "2026-05-04", "x": "11qYAYKxCrfVS"}])),
        call::<GetUser>(of_user(), user()),
        call::<UpdateUser>(json!({"user_id": usr, "name": "Ada King", "email": null}), user()),
        call::<ChangePassword>(password, json!({"sessions": []})),
        call::<ListAddresses>(of_user(), json!([saved()])),
        call::<GetAddress>(json!({"user_id": usr, "address_id": adr}), saved()),
        call::<AddAddress>(json!({"user_id": usr, "address": address()}), saved()),
        call::<ReplaceAddress>(json!({"user_id": usr, "address_id": adr, "address": address()}), saved()),
        call::<RemoveAddress>(json!({"user_id": usr, "address_id": adr}), json!(null)),
        call::<HasOperator>(json!({}), json!(true)),
        call::<CreateOperator>(operator, user()),
        call::<IssueSetupToken>(json!({}), json!({"token": "9f2c51", "expires_at": AT})),
        call::<RedeemSetupToken>(setup, signed_in()),
        event::<UserRegistered>(json!({"user_id": usr, "name": "Ada"})),
    ]
}

#[rustfmt::skip]
fn products() -> Vec<Row> {
    let (prd, ord) = (id("prd"), id("ord"));
    let of_order = || json!({"order_id": id("ord")});
    let page_of_audit = || json!({"after": id("ord"), "limit": 100});
    let find = json!({
        "q": "kettle", "category": "kitchen", "min_price": 1, "max_price": i64::MAX, "in_stock": true, "featured": false, "sort": "-price",
        "limit": 24, "cursor": "c1Wm9yJvcmRfMDE5",
    });
    let changes = json!({"name": "Copper kettle", "price": euro(1), "tags": [], "featured": false});
    let level = json!({"on_hand": 40, "reserved": 2, "available": 38});
    let set = json!({"product_id": prd, "seen": {"version": 7, "available": 38}, "change": {"adjust_by": -3}});
    let stock = json!({"product_id": prd, "available": 1, "reserved": 2, "sold": 3, "returned": 4, "received": -5});
    vec![
        call::<FindProducts>(find, page(product())),
        call::<GetProduct>(json!({"product": prd}), product()),
        call::<GetProduct>(json!({"product": "steel-kettle"}), product()),
        call::<GetProducts>(json!({"ids": [prd]}), json!([product()])),
        call::<ListCategories>(json!({}), json!([{"slug": "kitchen", "name": "Kitchen", "product_count": 12}])),
        call::<CreateProduct>(new_product(), product()),
        call::<UpdateProduct>(json!({"product_id": prd, "expected_version": 7, "changes": changes}), product()),
        call::<RetireProduct>(json!({"product_id": prd, "expected_version": null}), json!(null)),
        call::<SetStock>(set, level.clone()),
        call::<SetStock>(json!({"product_id": prd, "seen": null, "change": {"on_hand": 40}}), level),
        call::<ReserveStock>(json!({"order_id": ord, "lines": lines(), "until": AT}), json!(null)),
        call::<ReleaseStock>(of_order(), json!(null)),
        call::<CommitStock>(of_order(), json!(null)),
        call::<ReturnStock>(json!({"return_id": id("rfd"), "lines": lines()}), json!(null)),
        call::<StockCatalogue>(json!({"products": [new_product()]}), json!(1)),
        call::<ReconcileStock>(json!({"after": prd, "limit": 100}), json!([stock])),
        call::<ReconcileReservations>(page_of_audit(), json!([{"order_id": ord, "until": AT}])),
        event::<ProductChanged>(json!({"product_id": prd, "slug": "steel-kettle"})),
    ]
}

#[rustfmt::skip]
fn carts() -> Vec<Row> {
    let (usr, prd, ord) = (id("usr"), id("prd"), id("ord"));
    vec![
        call::<GetCart>(json!({"owner": {"guest": id("crt")}}), cart()),
        call::<SetItem>(json!({"owner": {"user": usr}, "product_id": prd, "quantity": 2}), cart()),
        call::<ClearCart>(json!({"owner": {"user": usr}}), cart()),
        call::<MergeCarts>(json!({"guest": id("crt"), "user_id": usr}), cart()),
        call::<CheckOut>(json!({"user_id": usr, "order_id": ord, "lines": [[prd, 2]]}), json!(null)),
        call::<CountCarts>(json!({"since": AT}), json!({"filled": 5, "ordered": 3})),
    ]
}

#[rustfmt::skip]
fn orders() -> Vec<Row> {
    let (usr, adr, prd, ord) = (id("usr"), id("adr"), id("prd"), id("ord"));
    let of_order = || json!({"order_id": id("ord")});
    let page_of_audit = || json!({"after": id("ord"), "limit": 100});
    let short = json!({"reason": "out_of_stock", "shortages": [{"product_id": prd, "requested": 2, "available": 1}]});
    let place = |destination: Value| json!({
        "user_id": usr, "key": "k-1", "items": lines(), "destination": destination, "shipping_service": "economy",
        "payment_method_id": id("pm"),
    });
    let (saved, given) = (|| place(json!({"saved": adr})), || place(json!({"given": address()})));
    let plain = || order(json!({"reason": "unavailable"}));
    let list = json!({"user_id": usr, "status": "delivered", "limit": 100, "cursor": null});
    let back = json!({"order_id": ord, "key": "k-2", "lines": lines(), "reason": "It is too loud."});
    let sides = json!({
        "order_id": ord, "status": "confirmed", "total": euro(10470), "lines": 9980, "shipping": 490, "illegal_steps": 0,
        "needs_attention": true, "refunded": euro(0), "pieces": [[prd, 2]], "asked_for": [[prd, 3]], "version": 7, "changed_at": AT,
        "unfinished_since": AT,
    });
    let event_of = |more: Value| {
        let mut facts = json!({"order_id": id("ord"), "user_id": id("usr"), "total": euro(10470)});
        facts.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        facts
    };
    vec![
        call::<PlaceOrder>(saved(), order(json!({}))),
        call::<PlaceOrder>(given(), order(json!({"reason": "cancelled"}))),
        call::<PlaceOrder>(saved(), order(json!({"reason": "payment_declined", "decline_code": "insufficient_funds"}))),
        call::<PlaceOrder>(given(), order(json!({"reason": "undeliverable", "detail": "There is no road."}))),
        call::<PlaceOrder>(saved(), order(short)),
        call::<GetOrder>(of_order(), plain()),
        call::<AwaitChange>(json!({"order_id": ord, "after": 6}), plain()),
        call::<ListOrders>(list, page(plain())),
        call::<CancelOrder>(of_order(), plain()),
        call::<ReturnItems>(back, refund()),
        call::<FulfilOrder>(json!({"order_id": ord, "to": "packed"}), plain()),
        call::<ReconcileOrders>(page_of_audit(), json!([sides])),
        call::<CountUnfinished>(json!({}), json!(3)),
        call::<CountNeedingAttention>(json!({}), json!(0)),
        event::<OrderConfirmed>(event_of(json!({"lines": lines()}))),
        event::<OrderRejected>(event_of(json!({"reason": {"reason": "unavailable"}}))),
        event::<OrderShipped>(event_of(json!({"tracking_number": "GL123456785DE"}))),
        event::<OrderDelivered>(event_of(json!({}))),
        event::<OrderCancelled>(event_of(json!({}))),
        event::<OrderReturned>(event_of(json!({"amount": euro(4990)}))),
    ]
}

#[rustfmt::skip]
fn payments() -> Vec<Row> {
    let (usr, ord) = (id("usr"), id("ord"));
    let of_user = || json!({"user_id": id("usr")});
    let of_order = || json!({"order_id": id("ord")});
    let page_of_audit = || json!({"after": id("ord"), "limit": 100});
    let card = json!({"number": "4242 4242 4242 4242", "exp_month": 12, "exp_year": 2040, "cvc": "123", "name": "Ada"});
    let authorize = json!({"order_id": ord, "user_id": usr, "method_id": id("pm"), "amount": euro(10470)});
    let refund_of = |payment| json!({"payment": payment, "key": "k-3", "amount": euro(1), "reason": "A scratch."});
    let ledger = json!({"authorizations": 1, "captures": 1, "held": -1, "captured": 10470, "refunded": 1});
    let both =
        json!({"order_id": ord, "status": "captured", "ours": ledger, "provider": ledger, "unfinished_since": AT});
    vec![
        call::<AddMethod>(json!({"user_id": usr, "card": card}), method()),
        call::<ListMethods>(of_user(), json!([method()])),
        call::<RemoveMethod>(json!({"user_id": usr, "method_id": id("pm")}), json!(null)),
        call::<Authorize>(authorize, payment()),
        call::<Capture>(of_order(), payment()),
        call::<Void>(of_order(), json!(null)),
        call::<IssueRefund>(refund_of(json!({"id": id("pay")})), refund()),
        call::<IssueRefund>(refund_of(json!({"of_order": ord})), refund()),
        call::<GetPayment>(json!({"payment_id": id("pay")}), payment()),
        call::<GetPaymentOfOrder>(of_order(), payment()),
        call::<ReconcilePayments>(page_of_audit(), json!([both])),
        event::<PaymentRefunded>(json!({"order_id": ord, "user_id": usr, "refund": refund()})),
        event::<RefundFailed>(json!({"order_id": ord, "user_id": usr, "refund": refund()})),
    ]
}

#[rustfmt::skip]
fn shipping() -> Vec<Row> {
    let (usr, ord) = (id("usr"), id("ord"));
    let of_order = || json!({"order_id": id("ord")});
    let page_of_audit = || json!({"after": id("ord"), "limit": 100});
    let parcel = json!({"country": "DE", "postal_code": "10115", "city": "Berlin", "weight_grams": 900});
    let quote = json!({"service": "express", "cost": euro(990), "delivery_by": AT, "route": ["Hamburg", "Berlin"]});
    let book =
        json!({"order_id": ord, "user_id": usr, "address": address(), "weight_grams": 900, "service": "economy"});
    let moved = json!({
        "order_id": ord, "user_id": usr, "shipment_id": id("shp"), "tracking_number": "GL123456785DE",
        "event": {"status": "exception", "hub": null, "at": AT},
    });
    vec![
        call::<QuoteParcel>(parcel, json!([quote])),
        call::<BookShipment>(book, shipment()),
        call::<CancelShipment>(of_order(), json!(null)),
        call::<HandOver>(of_order(), shipment()),
        call::<GetShipment>(json!({"shipment_id": id("shp")}), shipment()),
        call::<GetShipmentOfOrder>(of_order(), shipment()),
        call::<DrawLabel>(json!({"shipment_id": id("shp")}), json!({"svg": "<svg/>"})),
        call::<Track>(json!({"tracking_number": "GL123456785DE"}), shipment()),
        call::<GetNetwork>(json!({}), json!([hub()])),
        call::<ReconcileShipments>(page_of_audit(), json!([{"order_id": ord, "status": "label_created"}])),
        event::<ShipmentMoved>(moved),
        event::<ShipmentDelivered>(json!({"order_id": ord, "user_id": usr, "shipment_id": id("shp"), "at": AT})),
    ]
}

#[rustfmt::skip]
fn notifications() -> Vec<Row> {
    let usr = id("usr");
    let of_user = || json!({"user_id": id("usr")});
    let message =
        json!({"id": id("ntf"), "title": "On its way", "body": "Soon.", "link": "/o", "created_at": AT, "read": false});
    vec![
        call::<ListNotifications>(json!({"user_id": usr, "limit": 1, "cursor": null}), page(message.clone())),
        call::<CountUnread>(of_user(), json!(1000)),
        call::<MarkRead>(json!({"user_id": usr, "notification_id": id("ntf")}), message),
    ]
}
