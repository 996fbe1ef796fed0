//! The gateway: the only way into the shop. It routes, authenticates, authorizes, limits and composes; it holds no business logic.
//!
//! Reading order:
//!
//! 1. `routes.rs`: the route table, the API at a glance.
//! 2. `filters/chain.rs`: the list of the filters. A request runs through them in this order, then its
//!    handler under `api/` calls services by messages; the response runs back through the filters.
//! 3. `context.rs`: what filters and handlers know about one request.
//! 4. `serve/router.rs`: how the table and the filters become an actix-web app.
//!
//! What may import what, from the bottom up: `state` and `routing`; `respond`; `context`; `extract`;
//! `filters`; `controls`; `api`; `routes`; `openapi` and `statics`; `serve`. No two files import each other.

mod api;
mod client_address;
mod context;
pub mod controls;
mod extract;
mod filters;
mod metrics;
mod openapi;
mod respond;
pub mod routes;
mod routing;
mod serve;
mod state;
mod statics;

pub use filters::idempotency::store::tables;
pub use filters::rate_limit::policy::{Class, Rate, Throttling};
pub use openapi::document as openapi_document;
pub use routing::{Access, CachePolicy, KeyUse, Route};
pub use serve::{
    router::filter_names,
    server::{GatewaySettings, HttpServer, open},
    tls::{BadCertificate, CertificateSource, Certificates},
    workers::Workers,
};
pub use state::Trust;

/// The targets of the fuzz tests in `tests/fuzz/`.
#[cfg(fuzzing)]
pub mod fuzzed {
    pub use super::filters::{
        cache::key::CacheKey,
        conditional::entity_tags::{is_listed, is_matched, tag_of},
    };
}
