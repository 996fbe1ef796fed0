//! For operators and monitoring: liveness, readiness, metrics, reconciliation, the OpenAPI
//! document, public keys.

use crate::{
    audit::{self, Audit},
    gateway::{
        context::RequestContext,
        extract::Query,
        filters::{
            admission::concurrency_limit::ConcurrencyLimit, authentication::token_verifier::TokenVerifier,
            cache::store::ResponseCache, in_flight::RequestsInFlight,
        },
        metrics,
        respond::{
            Reply, ReplyResult,
            reply::{Exposition, OpenApi, Plain, ok},
        },
    },
    mesh::Context,
    services::{
        orders::messages::{CountNeedingAttention, CountUnfinished},
        users::messages::PublicKey,
    },
    types::Principal,
};
use actix_web::web::Data;
use futures_util::join;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Liveness: 200 as long as the process handles requests.
pub async fn livez() -> ReplyResult<Plain> {
    Ok(Reply::raw("alive\n"))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verbosity {
    /// If present, the response lists each check, the number of unfinished orders, and the number
    /// of orders that need attention.
    verbose: Option<String>,
}

/// Readiness: 200 if each service has a ready instance, the disk accepts writes, and the shop is
/// not shutting down.
pub async fn readyz(
    context: RequestContext,
    Query(Verbosity { verbose }): Query<Verbosity>,
) -> ReplyResult<Plain, 200, 503> {
    let gateway = &context.gateway;
    let mut checks: Vec<(String, bool)> =
        gateway.mesh.pools().iter().map(|pool| (format!("service {}", pool.service()), pool.is_ready())).collect();
    checks.push(("storage".into(), (gateway.storage_is_healthy)()));
    checks.push(("open".into(), !gateway.is_draining()));
    let ready = checks.iter().all(|(_, good)| *good);
    let body = match verbose {
        None => if ready { "ready\n" } else { "not ready\n" }.to_owned(),
        Some(_) => {
            checks.extend(orders(&context).await);
            checks.iter().map(|(name, good)| format!("[{}] {name}\n", if *good { '+' } else { '-' })).collect()
        }
    };
    Ok(Reply::raw(body).or_if(!ready))
}

/// The number of unfinished orders and of orders that need attention, for the verbose response.
/// They do not change the readiness, because all other orders are served.
async fn orders(context: &RequestContext) -> [(String, bool); 2] {
    let call_context = Context { principal: Principal::System, ..context.call_context().within(COUNT_DEADLINE) };
    let mesh = &context.gateway.mesh;
    let (unfinished, attention) =
        join!(mesh.call(&call_context, CountUnfinished {}), mesh.call(&call_context, CountNeedingAttention {}));
    let text = |count: Option<u64>| count.map_or("unknown".to_owned(), |count| count.to_string());
    [
        (format!("unfinished orders: {}", text(unfinished.as_ref().ok().copied())), unfinished.is_ok()),
        (
            format!("orders that need attention: {}", text(attention.as_ref().ok().copied())),
            attention.is_ok_and(|it| it == 0),
        ),
    ]
}

/// A probe must not wait long for the counts.
const COUNT_DEADLINE: Duration = Duration::from_secs(1);

/// The metrics in the text format of Prometheus.
pub async fn metrics(
    context: RequestContext,
    in_flight: Data<RequestsInFlight>,
    concurrency: Data<ConcurrencyLimit>,
    cache: Data<ResponseCache>,
) -> ReplyResult<Exposition> {
    let now = metrics::snapshot(&context.gateway, &in_flight, &concurrency, &cache);
    let text = context.gateway.mesh.tracer().metrics().map(|metrics| metrics.text(&now));
    Ok(Reply::raw(text.unwrap_or_default()))
}

/// The reconciliation of all services. See [`crate::audit`].
pub async fn audit(context: RequestContext) -> ReplyResult<Audit> {
    let gateway = &context.gateway;
    // The equations need the records of all users. The route has checked that the caller is an
    // operator, so the messages are sent as `System`.
    let call_context = Context { principal: Principal::System, ..context.call_context() };
    ok(audit::run(&gateway.mesh, &call_context, || gateway.env.now()).await?)
}

/// Makes the OpenAPI document. The server provides it, because the document is made from the route
/// table, and the route table from the handlers.
pub struct OpenApiDocument(pub fn() -> &'static str);

/// See [`crate::gateway::openapi`].
pub async fn openapi(document: Data<OpenApiDocument>) -> ReplyResult<OpenApi> {
    Ok(Reply::raw((document.0)()))
}

/// The public keys of the access tokens (RFC 7517, RFC 8037).
#[derive(Serialize, ToSchema)]
pub struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Serialize, ToSchema)]
pub struct Jwk {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: &'static str,
    #[schema(example = "EdDSA")]
    alg: &'static str,
    #[serde(flatten)]
    key: PublicKey,
}

pub async fn jwks(verifier: Data<TokenVerifier>) -> ReplyResult<Jwks> {
    let keys = verifier.public_keys();
    let key = |key: &PublicKey| Jwk { kty: "OKP", crv: "Ed25519", usage: "sig", alg: "EdDSA", key: key.clone() };
    ok(Jwks { keys: keys.iter().map(key).collect() })
}
