//! The traces of the last minutes: each request with all messages that it caused.

use super::paging::{limit, position};
use crate::{
    gateway::{
        context::RequestContext,
        extract::{PathId, Query},
        respond::{Problem, ReplyResult, reply::ok},
    },
    telemetry::{Span, SpanKind, SpanStatus},
    types::{Cursor, Limit, OrderId, Page, Timestamp, TraceId, UserId},
};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};
use utoipa::ToSchema;

/// The traces that match all given parameters.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceQuery {
    /// A route's template, such as `/api/v1/orders`.
    route: Option<String>,
    #[schema(minimum = 100, maximum = 599)]
    status: Option<u16>,
    /// Traces whose first span took at least this many milliseconds.
    min_ms: Option<u64>,
    /// Traces with a span that mentions this order.
    order_id: Option<OrderId>,
    /// Traces of requests of this user.
    user_id: Option<UserId>,
    #[schema(value_type = Option<Limit>)]
    limit: Option<u64>,
    cursor: Option<Cursor>,
}

/// The summary of a trace.
#[derive(Serialize, ToSchema)]
pub struct TraceSummary {
    trace_id: TraceId,
    /// The name of the first span, such as `POST /api/v1/orders`.
    #[schema(example = "POST /api/v1/orders")]
    name: String,
    started_at: Timestamp,
    /// The duration of the first span in microseconds. Later spans of the trace may end after it.
    took_us: u64,
    #[serde(flatten)]
    outcome: SpanStatus,
    /// The status of the response; `null` if the trace did not start with a request.
    #[schema(required)]
    status: Option<u16>,
    /// The user that sent the request; `null` for a guest.
    #[schema(required)]
    user_id: Option<UserId>,
    /// The number of spans.
    spans: usize,
    /// The number of failed spans.
    failures: usize,
}

#[derive(Serialize, ToSchema)]
pub struct Trace {
    trace_id: TraceId,
    /// By their start times, the earliest first.
    spans: Vec<NamedSpan>,
}

#[derive(Serialize, ToSchema)]
pub struct NamedSpan {
    /// Such as `products.reserve_stock`.
    name: String,
    #[serde(flatten)]
    span: Arc<Span>,
}

const LIST: &str = "traces";

/// Lists the traces, newest first.
pub async fn list(context: RequestContext, Query(filter): Query<TraceQuery>) -> ReplyResult<Page<TraceSummary>> {
    let limit = limit(filter.limit)?.get();
    let before: Option<(Timestamp, TraceId)> = position(LIST, filter.cursor.as_ref())?;
    let mut traces: HashMap<TraceId, Vec<Arc<Span>>> = HashMap::new();
    for span in context.gateway.mesh.tracer().ring().map(|ring| ring.all()).unwrap_or_default() {
        traces.entry(span.at.trace).or_default().push(span);
    }
    let mut found: Vec<TraceSummary> =
        traces.into_values().filter(|spans| filter.matches(spans)).filter_map(|spans| summary(&spans)).collect();
    found.sort_by_key(|trace| std::cmp::Reverse(trace.position()));
    found.retain(|trace| before.is_none_or(|(at, id)| trace.position() < (at, id.0)));
    ok(Page::cut(found, limit, |last| Cursor::after(LIST, &(last.started_at, last.trace_id))))
}

pub async fn get(context: RequestContext, PathId(trace_id): PathId<TraceId>) -> ReplyResult<Trace> {
    let spans = context.gateway.mesh.tracer().ring().map(|ring| ring.trace(trace_id)).unwrap_or_default();
    if spans.is_empty() {
        return Err(Problem::not_found());
    }
    let spans = spans.into_iter().map(|span| NamedSpan { name: span.name(), span }).collect();
    ok(Trace { trace_id, spans })
}

impl TraceQuery {
    fn matches(&self, spans: &[Arc<Span>]) -> bool {
        let any = |is: &dyn Fn(&Span) -> bool| spans.iter().any(|span| is(span));
        let request = |is: &dyn Fn(&str, u16, Option<UserId>) -> bool| {
            any(
                &|span| matches!(&span.what, SpanKind::Request { route, status, user_id, .. } if is(route, *status, *user_id)),
            )
        };
        let order = self.order_id.map(|id| id.to_string());
        self.route.as_deref().is_none_or(|wanted| request(&|route, _, _| route == wanted))
            && self.status.is_none_or(|wanted| request(&|_, status, _| status == wanted))
            && self.user_id.is_none_or(|wanted| request(&|_, _, user| user == Some(wanted)))
            && self.min_ms.is_none_or(|least| root(spans).is_some_and(|root| root.took.as_millis() >= least.into()))
            && order.is_none_or(|id| any(&|span| span.mentions(&id)))
    }
}

/// The first span of the trace: the earliest request, or the earliest span of a trace without a
/// request.
fn root(spans: &[Arc<Span>]) -> Option<&Arc<Span>> {
    let requests = spans.iter().filter(|span| matches!(span.what, SpanKind::Request { .. }));
    requests.min_by_key(|span| span.started_at).or_else(|| spans.iter().min_by_key(|span| span.started_at))
}

fn summary(spans: &[Arc<Span>]) -> Option<TraceSummary> {
    let root = root(spans)?;
    let (status, user_id) = match root.what {
        SpanKind::Request { status, user_id, .. } => (Some(status), user_id),
        _ => (None, None),
    };
    Some(TraceSummary {
        trace_id: root.at.trace,
        name: root.name(),
        started_at: root.started_at,
        took_us: root.took.as_micros() as u64,
        outcome: root.outcome.clone(),
        status,
        user_id,
        spans: spans.len(),
        failures: spans.iter().filter(|span| span.outcome.is_failure()).count(),
    })
}

impl TraceSummary {
    /// The position in the list.
    fn position(&self) -> (Timestamp, [u8; 16]) {
        (self.started_at, self.trace_id.0)
    }
}
