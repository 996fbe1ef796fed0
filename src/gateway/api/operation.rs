//! For whoever runs the shop: is it alive, is it ready, what keys does it sign with.

use super::{Answer, ok};
use crate::{
    audit::{self, Audit},
    gateway::{
        answer::{Exposition, OpenApi, Plain, Told},
        body::Query,
        metrics, openapi,
        visit::Visit,
    },
    mesh::Context,
    services::{
        orders::messages::{CountNeedingAttention, CountUnfinished},
        users::messages::PublicKey,
    },
    types::Principal,
};
use futures_util::join;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// The process turns.
pub async fn livez() -> Answer<Plain> {
    Ok(Told::raw("alive\n"))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verbosity {
    /// Each check, and how many orders are under way and need attention.
    verbose: Option<String>,
}

/// Every service has an instance that is ready, the disk takes writes, and the shop is not closing.
pub async fn readyz(visit: Visit, Query(Verbosity { verbose }): Query<Verbosity>) -> Answer<Plain, 200, 503> {
    let gateway = &visit.gateway;
    let mut checks: Vec<(String, bool)> =
        gateway.mesh.pools().iter().map(|pool| (format!("service {}", pool.service()), pool.is_ready())).collect();
    checks.push(("storage".into(), (gateway.storage_is_healthy)()));
    checks.push(("open".into(), !gateway.is_draining()));
    let ready = checks.iter().all(|(_, good)| *good);
    let body = match verbose {
        None => if ready { "ready\n" } else { "not ready\n" }.to_owned(),
        Some(_) => {
            checks.extend(orders(&visit).await);
            checks.iter().map(|(name, good)| format!("[{}] {name}\n", if *good { '+' } else { '-' })).collect()
        }
    };
    Ok(Told::raw(body).or_if(!ready))
}

/// Orders that are under way, also after a restart, and those that people should look at. They make nobody unready: all others are
/// served.
async fn orders(visit: &Visit) -> [(String, bool); 2] {
    let context = Context { principal: Principal::System, ..visit.context().within(TROUBLE_WITHIN) };
    let mesh = &visit.gateway.mesh;
    let (open, trouble) = join!(mesh.call(&context, CountUnfinished {}), mesh.call(&context, CountNeedingAttention {}));
    let words = |count: Option<u64>| count.map_or("not known".to_owned(), |count| count.to_string());
    [
        (format!("orders that are under way: {}", words(open.as_ref().ok().copied())), open.is_ok()),
        (
            format!("orders that need attention: {}", words(trouble.as_ref().ok().copied())),
            trouble.is_ok_and(|it| it == 0),
        ),
    ]
}

/// A probe does not wait for long.
const TROUBLE_WITHIN: Duration = Duration::from_secs(1);

/// For Prometheus and its like.
pub async fn metrics(visit: Visit) -> Answer<Exposition> {
    let now = metrics::snapshot(&visit.gateway);
    let told = visit.gateway.mesh.tracer().metrics().map(|metrics| metrics.text(&now));
    Ok(Told::raw(told.unwrap_or_default()))
}

/// The books of the whole shop.
pub async fn audit(visit: Visit) -> Answer<Audit> {
    let gateway = &visit.gateway;
    // The equations look at everybody's records: asked on the program's own account, for an operator.
    let context = Context { principal: Principal::System, ..visit.context() };
    ok(audit::run(&gateway.mesh, &context, || gateway.env.now()).await?)
}

/// See [`crate::gateway::openapi`].
pub async fn openapi() -> Answer<OpenApi> {
    Ok(Told::raw(openapi::DOCUMENT.as_str()))
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

pub async fn jwks(visit: Visit) -> Answer<Jwks> {
    let keys = visit.gateway.keys.public_keys();
    let key = |key: &PublicKey| Jwk { kty: "OKP", crv: "Ed25519", usage: "sig", alg: "EdDSA", key: key.clone() };
    ok(Jwks { keys: keys.iter().map(key).collect() })
}
