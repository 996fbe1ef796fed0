//! What was done in the last minutes: every request with every message that it caused.

use super::{Answer, ok, products::limit};
use crate::{
    gateway::{
        body::{PathId, Query},
        problem::Problem,
        visit::Visit,
    },
    telemetry::{Span, SpanKind, SpanStatus},
    types::{BadCursor, Cursor, Limit, OrderId, Page, Timestamp, TraceId, UserId},
};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};
use utoipa::ToSchema;

/// Which traces: those that fit all that is given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// A route's template, such as `/api/v1/orders`.
    route: Option<String>,
    #[schema(minimum = 100, maximum = 599)]
    status: Option<u16>,
    /// Those that took at least so long.
    min_ms: Option<u64>,
    /// Those in which something was asked, told or done about that order.
    order_id: Option<OrderId>,
    /// Those that this user began.
    user_id: Option<UserId>,
    #[schema(value_type = Option<Limit>)]
    limit: Option<u64>,
    cursor: Option<Cursor>,
}

/// A trace in a line.
#[derive(Serialize, ToSchema)]
pub struct TraceSummary {
    trace_id: TraceId,
    /// What began it, such as `POST /api/v1/orders`.
    #[schema(example = "POST /api/v1/orders")]
    name: String,
    started_at: Timestamp,
    /// How long what began it took; what it caused may go on longer.
    took_us: u64,
    #[serde(flatten)]
    outcome: SpanStatus,
    /// Of a request.
    #[schema(required)]
    status: Option<u16>,
    #[schema(required)]
    user_id: Option<UserId>,
    spans: usize,
    /// How many of its spans failed.
    failures: usize,
}

#[derive(Serialize, ToSchema)]
pub struct Trace {
    trace_id: TraceId,
    /// In the order in which they began.
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

/// The newest first.
pub async fn list(visit: Visit, Query(filter): Query<Filter>) -> Answer<Page<TraceSummary>> {
    let limit = limit(filter.limit)?.get();
    let bad_cursor = |error: BadCursor| Problem::bad_request("bad_cursor", format!("{error}."));
    let before: Option<(Timestamp, TraceId)> =
        filter.cursor.as_ref().map(|cursor| cursor.position(LIST)).transpose().map_err(bad_cursor)?;
    let mut traces: HashMap<TraceId, Vec<Arc<Span>>> = HashMap::new();
    for span in visit.gateway.mesh.tracer().ring().map(|ring| ring.all()).unwrap_or_default() {
        traces.entry(span.at.trace).or_default().push(span);
    }
    let mut found: Vec<TraceSummary> =
        traces.into_values().filter(|spans| filter.fits(spans)).filter_map(|spans| summary(&spans)).collect();
    found.sort_by_key(|trace| std::cmp::Reverse(trace.place()));
    found.retain(|trace| before.is_none_or(|(at, id)| trace.place() < (at, id.0)));
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next_cursor =
        found.last().filter(|_| has_more).map(|last| Cursor::after(LIST, &(last.started_at, last.trace_id)));
    ok(Page { items: found, next_cursor })
}

pub async fn get(visit: Visit, PathId(trace_id): PathId<TraceId>) -> Answer<Trace> {
    let spans = visit.gateway.mesh.tracer().ring().map(|ring| ring.trace(trace_id)).unwrap_or_default();
    if spans.is_empty() {
        return Err(Problem::not_found());
    }
    let spans = spans.into_iter().map(|span| NamedSpan { name: span.name(), span }).collect();
    ok(Trace { trace_id, spans })
}

impl Filter {
    fn fits(&self, spans: &[Arc<Span>]) -> bool {
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

/// What began it: the request, where there is one, else what began first.
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
    /// In the list.
    fn place(&self) -> (Timestamp, [u8; 16]) {
        (self.started_at, self.trace_id.0)
    }
}
