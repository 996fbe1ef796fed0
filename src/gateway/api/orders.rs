//! Orders.

use super::{Answer, composed, ok, products::limit};
use crate::{
    gateway::{
        Gateway, InFlight,
        body::{Body, PathId, Query},
        duties::idempotency::Held,
        problem::Problem,
        visit::Visit,
    },
    services::{orders::messages::*, products::messages::StockLine, shipping::messages::ShippingService},
    types::{Address, AddressId, Cursor, OrderId, PaymentMethodId, RefundId, Text, UserId},
};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Bytes};
use futures_util::{
    future::{Either, select},
    stream,
};
use serde::Deserialize;
use serde_json::json;
use std::{pin::pin, time::Duration};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// The cart where absent.
    items: Option<Vec<StockLine>>,
    address_id: Option<AddressId>,
    address: Option<Address>,
    shipping_service: ShippingService,
    payment_method_id: PaymentMethodId,
}

pub async fn place(visit: Visit, Body(new): Body<NewOrder>) -> Answer {
    let destination = match (new.address_id, new.address) {
        (Some(id), None) => Destination::Saved(id),
        (None, Some(address)) => Destination::Given(address),
        _ => return Err(Problem::invalid("/address_id", "give either address_id or address")),
    };
    let key = visit.noted::<Held>().map(|held| held.key).unwrap_or_default();
    let order = visit
        .call(PlaceOrder {
            user_id: visit.user()?,
            key,
            items: new.items,
            destination,
            shipping_service: new.shipping_service,
            payment_method_id: new.payment_method_id,
        })
        .await?;
    let status = match (order.status, &order.reason) {
        (OrderStatus::Rejected, Some(reason)) => return Err(rejected(&order, reason)),
        (OrderStatus::Pending, _) => StatusCode::ACCEPTED,
        _ => StatusCode::CREATED,
    };
    let location = format!("/api/v1/orders/{}", order.id);
    Ok(HttpResponse::build(status)
        .insert_header(("Location", location))
        .json(composed::order_page(&visit, order).await.body))
}

fn rejected(order: &Order, reason: &Reason) -> Problem {
    let problem = match reason {
        Reason::OutOfStock { lines } => {
            Problem::conflict("out_of_stock", "There is not enough in stock of something in this order.")
                .with("lines", lines)
        }
        Reason::PaymentDeclined { decline_code } => Problem::declined(decline_code),
        Reason::Undeliverable { detail } => {
            Problem::unprocessable("undeliverable", format!("We do not deliver there: {detail}."))
        }
        Reason::Unavailable | Reason::Cancelled => Problem::unavailable(
            "order_not_possible",
            "A part of the shop that is needed for an order was not available. Nothing was charged. Try again with a new key.",
            5,
        ),
    };
    problem.with("order_id", order.id)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    status: Option<OrderStatus>,
    user_id: Option<UserId>,
    all: Option<bool>,
    limit: Option<u64>,
    cursor: Option<Cursor>,
}

pub async fn list(visit: Visit, Query(filter): Query<Filter>) -> Answer {
    let asks_for_others = filter.all == Some(true) || filter.user_id.is_some();
    if asks_for_others && !visit.principal.get().is_staff() {
        return Err(Problem::forbidden("forbidden", "Only operators may look at other people's orders."));
    }
    let user_id = match (filter.all, filter.user_id) {
        (_, Some(user)) => Some(user),
        (Some(true), None) => None,
        _ => Some(visit.user()?),
    };
    let list = ListOrders { user_id, status: filter.status, limit: limit(filter.limit)?, cursor: filter.cursor };
    ok(visit.call(list).await?)
}

pub async fn get(visit: Visit, PathId(order_id): PathId<OrderId>) -> Answer {
    let order = visit.call(GetOrder { order_id }).await?;
    composed::order_page(&visit, order).await.answer()
}

pub async fn cancel(visit: Visit, PathId(order_id): PathId<OrderId>) -> Answer {
    let order = visit.call(CancelOrder { order_id }).await?;
    composed::order_page(&visit, order).await.answer()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Return {
    lines: Vec<StockLine>,
    reason: Text<1, 200>,
}

pub async fn return_items(
    visit: Visit,
    PathId(order_id): PathId<OrderId>,
    Body(Return { lines, reason }): Body<Return>,
) -> Answer {
    let given = visit.noted::<Held>().map(|held| format!("{}:{}", held.scope, held.key));
    // Without a key of the client's, each request is a return of its own. Its trace would not do: the client names that.
    let key = given.unwrap_or_else(|| visit.gateway.env.id::<RefundId>().to_string());
    let refund = visit.call(ReturnItems { order_id, key, lines, reason }).await?;
    Ok(HttpResponse::Created()
        .insert_header(("Location", format!("/api/v1/payments/{}", refund.payment_id)))
        .json(refund))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fulfil {
    to: Fulfilment,
}

pub async fn fulfil(visit: Visit, PathId(order_id): PathId<OrderId>, Body(Fulfil { to }): Body<Fulfil>) -> Answer {
    let order = visit.call(FulfilOrder { order_id, to }).await?;
    composed::order_page(&visit, order).await.answer()
}

/// A comment this often, so that whoever is between does not take silence for death.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Server-sent events: one `status` event for each entry of the order's timeline, from after `Last-Event-ID`, until the
/// order is at rest. The id of an event is its place in the timeline, from 1.
pub async fn events(visit: Visit, request: HttpRequest, PathId(order_id): PathId<OrderId>) -> Answer {
    let order = visit.call(GetOrder { order_id }).await?;
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<usize>().ok());
    // Whoever only listens takes nobody's place, and does not keep the shop from closing.
    drop(visit.take_note::<InFlight>());
    let told = Told { visit, order, next: last.unwrap_or(0), first: true };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(stream::unfold(Some(told), |told| async {
            let (text, told) = told?.go_on().await;
            Some((Ok::<_, std::io::Error>(Bytes::from(text)), told))
        })))
}

struct Told {
    visit: Visit,
    order: Order,
    /// How many entries of the timeline the client has.
    next: usize,
    first: bool,
}

impl Told {
    /// The next piece of the stream, and what comes after it.
    async fn go_on(mut self) -> (String, Option<Self>) {
        let mut text = String::new();
        if !std::mem::take(&mut self.first) {
            let gateway = &self.visit.gateway;
            let context = crate::mesh::Context::new(self.visit.principal.get(), HEARTBEAT, self.visit.trace);
            let change = AwaitChange { order_id: self.order.id, after: self.order.version };
            match or_closing(gateway, gateway.mesh.call(&context, change)).await {
                Some(Ok(order)) => self.order = order,
                // The service is away: the client may go on waiting, the next look will tell.
                Some(Err(_)) => _ = or_closing(gateway, tokio::time::sleep(Duration::from_secs(1))).await,
                None => {}
            }
        }
        for (at, entry) in self.order.timeline.iter().enumerate().skip(self.next) {
            let data = json!({"order_id": self.order.id, "status": entry.status, "at": entry.at, "note": entry.note});
            text += &format!("id: {}\nevent: status\ndata: {data}\n\n", at + 1);
        }
        self.next = self.next.max(self.order.timeline.len());
        if text.is_empty() {
            text = ": still here\n\n".into();
        }
        let over = is_at_rest(self.order.status) || self.visit.gateway.is_draining();
        (text, (!over).then_some(self))
    }
}

/// `None` where the shop closes first: the stream ends in good order then, and the browser comes again.
async fn or_closing<F: Future>(gateway: &Gateway, waiting: F) -> Option<F::Output> {
    match select(pin!(waiting), pin!(gateway.closing())).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

fn is_at_rest(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Delivered | OrderStatus::Rejected | OrderStatus::Cancelled | OrderStatus::Returned)
}
