//! The gateway: the only way into the shop. It routes, authenticates, authorizes, limits and
//! composes; it holds no business logic.
//!
//! Reading order:
//!
//! 1. `routes.rs`: the route table, the API at a glance.
//! 2. `filters/chain.rs`: the list of the filters. A request runs through them in this order, then
//!    its handler under `api/` calls services by messages; the response runs back through them.
//! 3. `context.rs`: what filters and handlers know about one request.
//! 4. `serve/router.rs`: how the table and the filters become an actix-web app.
//!
//! What may import what, from the bottom up: `state` and `routing`; `respond`; `context`;
//! `extract`; `filters`; `controls`; `api`; `routes`; `openapi` and `statics`; `serve`. No two
//! files import each other.
//!
//! ## Decisions
//!
//! - **An API gateway inside the binary** (Richardson, *Microservices Patterns*, chapter 8). The
//!   services know no HTTP, so one place must translate. A proxy in front of the shop could not
//!   show filters, composition and messages in one trace. Consequence: the gateway is our own code;
//!   a proxy may still stand in front of it, and is trusted only if the operator names it.
//! - **The route table is data.** Filters, router, OpenAPI document and tests read the same rows,
//!   so none of them can contradict another. Consequence: a new route is one row and one handler.
//! - **API composition, no joins.** A page that needs several services is composed by one handler,
//!   with a deadline. Consequence: a part may be missing, and then the response says so
//!   (`X-Completed`) and is not stored.
//! - **What the gateway keeps on disk is HTTP only**: responses of idempotency keys, and what an
//!   operator has changed. Consequence: a tree of its own, and no record of a service.

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
