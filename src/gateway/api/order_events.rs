//! The status of an order as server-sent events (WHATWG HTML §9.2).

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

/// The time between two comments in a silent stream. Proxies close connections that are silent for
/// too long.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// The time between two attempts to reach a service that is not available.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Sends one `status` event for each entry of the order's timeline after `Last-Event-ID`, until the
/// order is in a final state. The id of an event is its position in the timeline, from 1. 204 if
/// the client has all events of an order in a final state: a browser then does not connect again.
///
/// The stream ends when the session ends and when the token that opened it expires.
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
    let following = Following { context, verifier, bearer, order, seen, is_first: true, _open: open };
    let events = stream::unfold(Some(following), |following| async {
        let (text, following) = following?.next().await;
        Some((Ok::<_, std::io::Error>(Bytes::from(text)), following))
    });
    Ok(Reply::of(HttpResponse::Ok().content_type(Events::MEDIA_TYPE).streaming(events))
        .with(("Cache-Control", "no-store"))
        .with(("X-Accel-Buffering", "no")))
}

/// The number of timeline entries that the client has. 0 if `Last-Event-ID` is no id of this
/// order's events.
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
    /// The number of timeline entries that the client has.
    seen: usize,
    is_first: bool,
    _open: OpenStream,
}

impl Following {
    /// The next part of the stream, and the state after it; `None` if the stream has ended.
    async fn next(mut self) -> (String, Option<Self>) {
        let is_over = !std::mem::take(&mut self.is_first) && self.wait().await.is_none();
        let mut text = String::new();
        for (at, entry) in self.order.timeline.iter().enumerate().skip(self.seen) {
            let data = json!({"order_id": self.order.id, "status": entry.status, "at": entry.at, "note": entry.note});
            text += &format!("id: {}\nevent: status\ndata: {data}\n\n", at + 1);
        }
        self.seen = self.order.timeline.len();
        if text.is_empty() {
            text = ": heartbeat\n\n".into();
        }
        (text, (!is_over && !is_at_rest(self.order.status)).then_some(self))
    }

    /// Waits until the order has changed, at most for one heartbeat. `None` if the stream ends
    /// before.
    async fn wait(&mut self) -> Option<()> {
        let gateway = &self.context.gateway;
        // With its own deadline in the place of the route's, in the span of the request that opened
        // the stream.
        let call_context = Context::new(self.context.principal.get(), HEARTBEAT, self.context.trace)
            .in_span(self.context.span_id.get());
        let change = AwaitChange { order_id: self.order.id, after: self.order.version };
        match self.or_end(gateway.mesh.call(&call_context, change)).await? {
            Ok(order) => self.order = order,
            // The service is not available. The client keeps the stream, and the next attempt may
            // succeed.
            Err(_) => self.or_end(tokio::time::sleep(RETRY_DELAY)).await?,
        }
        Some(())
    }

    /// Waits for the future. `None` if the gateway starts to drain before, or the token becomes
    /// invalid. The stream then ends regularly, and the browser connects again, with a new cookie
    /// if it has one.
    async fn or_end<F: Future>(&self, future: F) -> Option<F::Output> {
        let closing = pin!(self.context.gateway.closing());
        let end = pin!(self.verifier.end_of(&self.bearer));
        match select(pin!(future), select(closing, end)).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => None,
        }
    }
}

fn is_at_rest(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Delivered | OrderStatus::Rejected | OrderStatus::Cancelled | OrderStatus::Returned)
}
