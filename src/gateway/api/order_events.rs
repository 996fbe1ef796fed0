//! An order, live: server-sent events (WHATWG HTML §9.2).

use crate::{
    gateway::{
        context::{Bearer, RequestContext},
        extract::PathId,
        filters::{
            admission::open_streams::{OpenStream, OpenStreams},
            authentication::token_verifier::TokenVerifier,
        },
        respond::{
            Problem, Reply, ReplyResult,
            reply::{Content, Events},
        },
    },
    mesh::Context,
    services::orders::messages::{AwaitChange, GetOrder, Order, OrderStatus},
    types::OrderId,
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Data},
};
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
pub async fn follow(
    context: RequestContext,
    request: HttpRequest,
    verifier: Data<TokenVerifier>,
    streams: Data<OpenStreams>,
    PathId(order_id): PathId<OrderId>,
) -> ReplyResult<Events, 200, 204> {
    let order = context.call(GetOrder { order_id }).await?;
    let seen = seen(&request, &order);
    if is_at_rest(order.status) && seen == order.timeline.len() {
        return Ok(Reply::of(HttpResponse::Ok().finish()).or_if(true));
    }
    let bearer = context.bearer.get().ok_or_else(Problem::not_found)?;
    let open = streams.open(bearer.user_id)?;
    let told = Following { context, verifier, bearer, order, seen, is_first: true, _open: open };
    let events = stream::unfold(Some(told), |told| async {
        let (text, told) = told?.go_on().await;
        Some((Ok::<_, std::io::Error>(Bytes::from(text)), told))
    });
    Ok(Reply::of(HttpResponse::Ok().content_type(Events::MEDIA_TYPE).streaming(events))
        .with(("Cache-Control", "no-store"))
        .with(("X-Accel-Buffering", "no")))
}

/// How many entries of the timeline the client has. An id that this order has never given out says nothing: then it has none.
fn seen(request: &HttpRequest, order: &Order) -> usize {
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    last.filter(|last| *last <= order.timeline.len()).unwrap_or(0)
}

struct Following {
    context: RequestContext,
    verifier: Data<TokenVerifier>,
    /// The token that opened the stream.
    bearer: Bearer,
    order: Order,
    /// How many entries of the timeline the client has.
    seen: usize,
    is_first: bool,
    _open: OpenStream,
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
        let gateway = &self.context.gateway;
        // A deadline of its own, not the route's, in the span of the request that opened the stream.
        let call_context = Context::new(self.context.principal.get(), HEARTBEAT, self.context.trace)
            .in_span(self.context.span_id.get());
        let change = AwaitChange { order_id: self.order.id, after: self.order.version };
        match self.or_over(gateway.mesh.call(&call_context, change)).await? {
            Ok(order) => self.order = order,
            // The service is away: the client may go on waiting, the next look will tell.
            Err(_) => self.or_over(tokio::time::sleep(LOOK_AGAIN)).await?,
        }
        Some(())
    }

    /// `None` if the gateway drains first, or the token is no longer valid. Then the stream ends in good order,
    /// and the browser connects again, with a new cookie if it has one.
    async fn or_over<F: Future>(&self, waiting: F) -> Option<F::Output> {
        let closing = pin!(self.context.gateway.closing());
        let end = pin!(self.verifier.end_of(&self.bearer));
        match select(pin!(waiting), select(closing, end)).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => None,
        }
    }
}

fn is_at_rest(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Delivered | OrderStatus::Rejected | OrderStatus::Cancelled | OrderStatus::Returned)
}
