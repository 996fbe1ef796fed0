//! Sales and traffic of the shop.

use crate::{
    audit::{Conversion, Day, Sales},
    gateway::{
        context::RequestContext,
        extract::Query,
        respond::{Problem, ReplyResult, reply::ok},
    },
    mesh::Context,
    services::products::messages::GetProducts,
    telemetry::{Span, SpanKind},
    types::{Principal, ProductId, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// How many days of sales: 1 to 90. The default is 7.
    #[schema(minimum = 1, maximum = 90, default = 7)]
    days: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub struct Analytics {
    sales: SalesReport,
    traffic: Traffic,
}

/// Sales, computed from the orders.
#[derive(Serialize, ToSchema)]
pub struct SalesReport {
    since: Timestamp,
    /// Orders that were paid.
    orders: u64,
    /// Orders that were rejected.
    rejected: u64,
    /// Newest first. Days without sales are left out.
    revenue_per_day: Vec<Day>,
    top_products: Vec<TopProduct>,
    conversion: Conversion,
}

#[derive(Serialize, ToSchema)]
pub struct TopProduct {
    product_id: ProductId,
    name: String,
    /// The number of items sold.
    pieces: u64,
}

/// Traffic, computed from the spans in memory: of the last 15 minutes at most.
#[derive(Default, Serialize, ToSchema)]
pub struct Traffic {
    /// The time of the oldest request that is counted; `null` if there is none.
    #[schema(required)]
    since: Option<Timestamp>,
    requests: u64,
    /// The route with the most requests first.
    routes: Vec<RouteTraffic>,
    /// The route with the longest 99th percentile first: at most 10.
    slowest: Vec<RouteTraffic>,
    /// Clients above their rate limit, the client with the most rejected requests first: at most
    /// 20.
    throttled_clients: Vec<ThrottledClient>,
}

#[derive(Clone, Serialize, ToSchema)]
pub struct RouteTraffic {
    method: &'static str,
    route: &'static str,
    requests: u64,
    /// Responses with a status from 500.
    errors: u64,
    /// Responses with a status from 400 to 499.
    refused: u64,
    /// The median response time in microseconds.
    p50_us: u64,
    /// The 99th percentile of the response times in microseconds.
    p99_us: u64,
}

#[derive(Serialize, ToSchema)]
pub struct ThrottledClient {
    #[schema(value_type = String, example = "192.0.2.1")]
    client: IpAddr,
    /// Requests that were rejected with 429.
    requests: u64,
}

const MOST_DAYS: u64 = 90;
const SLOWEST: usize = 10;
const MOST_CLIENTS: usize = 20;
const A_DAY: Duration = Duration::from_secs(24 * 3600);

pub async fn analytics(context: RequestContext, Query(Period { days }): Query<Period>) -> ReplyResult<Analytics> {
    let days = days.unwrap_or(7);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Problem::bad_request("bad_query", format!("`days` must be from 1 to {MOST_DAYS}.")));
    }
    let gateway = &context.gateway;
    let since = crate::env::earlier(gateway.env.now(), A_DAY * days as u32);
    // The sales need the orders and carts of all users. The route has checked that the caller is an
    // operator, so the messages are sent as `System`.
    let call_context = Context { principal: Principal::System, ..context.call_context() };
    let sales = Sales::since(&gateway.mesh, &call_context, since).await?;
    let names = names(&context, sales.products.iter().map(|product| product.product_id).collect()).await?;
    let top_products = sales.products.iter().map(|product| TopProduct {
        product_id: product.product_id,
        name: names.get(&product.product_id).cloned().unwrap_or_default(),
        pieces: product.pieces,
    });
    let spans = gateway.mesh.tracer().ring().map(|ring| ring.all()).unwrap_or_default();
    ok(Analytics {
        traffic: Traffic::of(&spans),
        sales: SalesReport {
            since: sales.since,
            orders: sales.orders,
            rejected: sales.rejected,
            top_products: top_products.collect(),
            revenue_per_day: sales.days,
            conversion: sales.conversion,
        },
    })
}

async fn names(context: &RequestContext, ids: Vec<ProductId>) -> Result<HashMap<ProductId, String>, Problem> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let products = context.call(GetProducts { ids }).await?;
    Ok(products.into_iter().map(|product| (product.id, product.name.to_string())).collect())
}

impl Traffic {
    fn of(spans: &[Arc<Span>]) -> Self {
        let mut took: BTreeMap<(&'static str, &'static str), Vec<Duration>> = BTreeMap::new();
        let mut routes: BTreeMap<(&'static str, &'static str), (u64, u64)> = BTreeMap::new();
        let mut throttled: HashMap<IpAddr, u64> = HashMap::new();
        let mut traffic = Self::default();
        for span in spans {
            let SpanKind::Request { method, route, status, client, .. } = &span.what else { continue };
            traffic.requests += 1;
            traffic.since = Some(traffic.since.map_or(span.started_at, |since| since.min(span.started_at)));
            took.entry((route, method)).or_default().push(span.took);
            let (errors, refused) = routes.entry((route, method)).or_default();
            *errors += u64::from(*status >= 500);
            *refused += u64::from((400..500).contains(status));
            *throttled.entry(*client).or_default() += u64::from(*status == 429);
        }
        for ((route, method), mut took) in took {
            took.sort_unstable();
            let at = |share: f64| took[((took.len() as f64 * share) as usize).min(took.len() - 1)].as_micros() as u64;
            let (errors, refused) = routes.get(&(route, method)).copied().unwrap_or_default();
            let (p50_us, p99_us) = (at(0.5), at(0.99));
            let requests = took.len() as u64;
            traffic.routes.push(RouteTraffic { method, route, requests, errors, refused, p50_us, p99_us });
        }
        traffic.slowest = traffic.routes.clone();
        traffic.slowest.sort_by_key(|route| Reverse(route.p99_us));
        traffic.slowest.truncate(SLOWEST);
        traffic.routes.sort_by_key(|route| Reverse(route.requests));
        let clients = throttled.into_iter().filter(|(_, requests)| *requests > 0);
        traffic.throttled_clients = clients.map(|(client, requests)| ThrottledClient { client, requests }).collect();
        traffic.throttled_clients.sort_by_key(|client| (Reverse(client.requests), client.client));
        traffic.throttled_clients.truncate(MOST_CLIENTS);
        traffic
    }
}
