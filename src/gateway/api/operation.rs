//! For whoever runs the shop: is it alive, is it ready, what keys does it sign with.

use super::{Answer, ok};
use crate::{
    audit,
    gateway::{body::Query, visit::Visit},
    mesh::Context,
    services::orders::messages::CountNeedingAttention,
    types::Principal,
};
use actix_web::{HttpResponse, http::StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// The process turns.
pub async fn livez() -> Answer {
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verbosity {
    verbose: Option<String>,
}

/// Every service has an instance that is ready, the disk takes writes, and the shop is not closing.
pub async fn readyz(visit: Visit, Query(Verbosity { verbose }): Query<Verbosity>) -> Answer {
    let gateway = &visit.gateway;
    let mut checks: Vec<(String, bool)> =
        gateway.mesh.pools().iter().map(|pool| (format!("service {}", pool.service()), pool.is_ready())).collect();
    checks.push(("storage".into(), (gateway.storage_is_healthy)()));
    checks.push(("open".into(), !gateway.is_draining()));
    let ready = checks.iter().all(|(_, good)| *good);
    let body = match verbose {
        None => if ready { "ready\n" } else { "not ready\n" }.to_owned(),
        Some(_) => {
            checks.push(trouble(&visit).await);
            checks.iter().map(|(name, good)| format!("[{}] {name}\n", if *good { '+' } else { '-' })).collect()
        }
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(body))
}

/// Orders that people should look at. They make nobody unready: all others are served.
async fn trouble(visit: &Visit) -> (String, bool) {
    let context = Context { principal: Principal::System, ..visit.context().within(TROUBLE_WITHIN) };
    match visit.gateway.mesh.call(&context, CountNeedingAttention {}).await {
        Ok(count) => (format!("orders that need attention: {count}"), count == 0),
        Err(_) => ("orders that need attention: not known".into(), false),
    }
}

/// A probe does not wait for long.
const TROUBLE_WITHIN: Duration = Duration::from_secs(1);

/// The books of the whole shop.
pub async fn audit(visit: Visit) -> Answer {
    let gateway = &visit.gateway;
    // The equations look at everybody's records: asked on the program's own account, for an operator.
    let context = Context { principal: Principal::System, ..visit.context() };
    ok(audit::run(&gateway.mesh, &context, || gateway.env.now()).await?)
}

/// RFC 7517, RFC 8037.
pub async fn jwks(visit: Visit) -> Answer {
    let keys = visit.gateway.keys.public_keys();
    let key = |key: &crate::services::users::messages::PublicKey| json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.kid, "x": key.x});
    ok(json!({"keys": keys.iter().map(key).collect::<Vec<_>>()}))
}
