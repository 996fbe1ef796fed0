//! For whoever runs the shop: is it alive, is it ready, what keys does it sign with.

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

/// The process turns.
pub async fn livez() -> ReplyResult<Plain> {
    Ok(Reply::raw("alive\n"))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verbosity {
    /// Each check, and how many orders are under way and need attention.
    verbose: Option<String>,
}

/// Every service has an instance that is ready, the disk takes writes, and the shop is not closing.
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

/// Orders that are under way, also after a restart, and those that people should look at. They make nobody unready: all others are
/// served.
async fn orders(context: &RequestContext) -> [(String, bool); 2] {
    let call_context = Context { principal: Principal::System, ..context.call_context().within(TROUBLE_WITHIN) };
    let mesh = &context.gateway.mesh;
    let (open, trouble) =
        join!(mesh.call(&call_context, CountUnfinished {}), mesh.call(&call_context, CountNeedingAttention {}));
    let text = |count: Option<u64>| count.map_or("not known".to_owned(), |count| count.to_string());
    [
        (format!("orders that are under way: {}", text(open.as_ref().ok().copied())), open.is_ok()),
        (
            format!("orders that need attention: {}", text(trouble.as_ref().ok().copied())),
            trouble.is_ok_and(|it| it == 0),
        ),
    ]
}

/// A probe does not wait for long.
const TROUBLE_WITHIN: Duration = Duration::from_secs(1);

/// For Prometheus and its like.
pub async fn metrics(
    context: RequestContext,
    in_flight: Data<RequestsInFlight>,
    concurrency: Data<ConcurrencyLimit>,
    cache: Data<ResponseCache>,
) -> ReplyResult<Exposition> {
    let now = metrics::snapshot(&context.gateway, &in_flight, &concurrency, &cache);
    let told = context.gateway.mesh.tracer().metrics().map(|metrics| metrics.text(&now));
    Ok(Reply::raw(told.unwrap_or_default()))
}

/// The books of the whole shop.
pub async fn audit(context: RequestContext) -> ReplyResult<Audit> {
    let gateway = &context.gateway;
    // The equations look at everybody's records: asked on the program's own account, for an operator.
    let call_context = Context { principal: Principal::System, ..context.call_context() };
    ok(audit::run(&gateway.mesh, &call_context, || gateway.env.now()).await?)
}

/// Makes the OpenAPI document. The server provides it, because the document is made from the route table,
/// and the route table from the handlers.
pub struct OpenApiDocument(pub fn() -> &'static str);

/// See [`crate::gateway::openapi`].
pub async fn openapi(document: Data<OpenApiDocument>) -> ReplyResult<OpenApi> {
    Ok(Reply::raw((document.0)()))
}

/// RFC 7517, RFC 8037.
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
