//! An order, live: server-sent events (WHATWG HTML §9.2).

use super::Answer;
use crate::{
    gateway::{
        Gateway, InFlight,
        answer::{Content, Events, Told},
        body::PathId,
        keys::Bearer,
        problem::Problem,
        streams::OpenStream,
        visit::Visit,
    },
    mesh::Context,
    services::orders::messages::{AwaitChange, GetOrder, Order, OrderStatus},
    types::OrderId,
};
use actix_web::{HttpRequest, HttpResponse, web::Bytes};
use futures_util::{
    future::{Either, select},
    stream,
};
use serde_json::json;
use std::{pin::pin, time::Duration};

/// A comment this often, so that whoever is between does not take silence for death.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Between two looks for a service that is away.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// One `status` event for each entry of the order's timeline, from after `Last-Event-ID`, until the order is at rest. The id of
/// an event is its place in the timeline, from 1. To whoever has them all, 204 says that there is nothing to come back for.
///
/// The stream is as good as the token that opened it: it ends with the session, and when the token's time is over.
pub async fn follow(visit: Visit, request: HttpRequest, PathId(order_id): PathId<OrderId>) -> Answer<Events, 200, 204> {
    let order = visit.call(GetOrder { order_id }).await?;
    let seen = seen(&request, &order);
    if is_at_rest(order.status) && seen == order.timeline.len() {
        return Ok(Told::of(HttpResponse::Ok().finish()).or_if(true));
    }
    let bearer: Bearer = visit.noted().ok_or_else(Problem::not_found)?;
    let place = visit.gateway.streams.open(bearer.user_id)?;
    // Whoever only listens takes nobody's place, and does not keep the shop from closing.
    drop(visit.take_note::<InFlight>());
    let told = Following { visit, bearer, order, seen, is_first: true, _place: place };
    let events = stream::unfold(Some(told), |told| async {
        let (text, told) = told?.go_on().await;
        Some((Ok::<_, std::io::Error>(Bytes::from(text)), told))
    });
    Ok(Told::of(HttpResponse::Ok().content_type(Events::MEDIA_TYPE).streaming(events))
        .with(("Cache-Control", "no-store"))
        .with(("X-Accel-Buffering", "no")))
}

/// How many entries of the timeline the client has. An id that this order has never given out says nothing: then it has none.
fn seen(request: &HttpRequest, order: &Order) -> usize {
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    last.filter(|last| *last <= order.timeline.len()).unwrap_or(0)
}

struct Following {
    visit: Visit,
    /// Whose token opened it.
    bearer: Bearer,
    order: Order,
    /// How many entries of the timeline the client has.
    seen: usize,
    is_first: bool,
    _place: OpenStream,
}

impl Following {
    /// The next piece of the stream, and what comes after it.
    async fn go_on(mut self) -> (String, Option<Self>) {
        let is_over = !std::mem::take(&mut self.is_first) && self.wait().await.is_none();
        let mut text = String::new();
        for (at, entry) in self.order.timeline.iter().enumerate().skip(self.seen) {
            let data = json!({"order_id": self.order.id, "status": entry.status, "at": entry.at, "note": entry.note});
            text += &format!("id: {}\nevent: status\ndata: {data}\n\n", at + 1);
        }
        self.seen = self.order.timeline.len();
        if text.is_empty() {
            text = ": still here\n\n".into();
        }
        (text, (!is_over && !is_at_rest(self.order.status)).then_some(self))
    }

    /// Until the order has changed, or for a heartbeat; `None` where the stream is over first.
    async fn wait(&mut self) -> Option<()> {
        let gateway = &self.visit.gateway;
        // Its own deadline, not the route's, in the span of the request that opened the stream.
        let context = Context::new(self.visit.principal.get(), HEARTBEAT, self.visit.trace).in_span(self.visit.span_id);
        let change = AwaitChange { order_id: self.order.id, after: self.order.version };
        match self.or_over(gateway.mesh.call(&context, change)).await? {
            Ok(order) => self.order = order,
            // The service is away: the client may go on waiting, the next look will tell.
            Err(_) => self.or_over(tokio::time::sleep(LOOK_AGAIN)).await?,
        }
        Some(())
    }

    /// `None` where the shop closes first, or the token is good no longer: the stream ends in good order then, and the browser comes
    /// again, with another cookie if it has one.
    async fn or_over<F: Future>(&self, waiting: F) -> Option<F::Output> {
        let gateway: &Gateway = &self.visit.gateway;
        let (closing, end) = (pin!(gateway.closing()), pin!(gateway.keys.end_of(&self.bearer)));
        match select(pin!(waiting), select(closing, end)).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => None,
        }
    }
}

fn is_at_rest(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Delivered | OrderStatus::Rejected | OrderStatus::Cancelled | OrderStatus::Returned)
}
