//! The filters of the gateway: one file or folder for each, and the chain that runs them.
//!
//! Read `chain.rs` first: the list, its order, and why filters are values (`## Decisions` there).
//! What a filter needs lies in its own folder, and no filter reads the state of another.
//!
//! ## Decisions
//!
//! - **One concern, one filter, one file or folder.** A concern that the project teaches can be
//!   found by its name. Consequence: seventeen filters, most of them with fewer than a hundred
//!   lines.
//! - **Business rules are no filters.** A filter knows the route and the caller, never a record.
//!   Consequence: whether an order belongs to the caller is checked by the orders service.

pub mod access_log;
pub mod admission;
pub mod allowed_hosts;
pub mod authentication;
pub mod authorization;
pub mod body;
pub mod cache;
pub mod chain;
pub mod conditional;
pub mod cors;
pub mod cross_site;
pub mod disabled_routes;
pub mod filter;
pub mod headers;
pub mod idempotency;
pub mod in_flight;
pub mod problems;
pub mod rate_limit;
pub mod unexpected_input;
