//! The filters of the gateway: one file or folder for each, and the chain that runs them.
//!
//! Read `chain.rs` first: the list. A filter's machinery lies in its own folder, and no filter reads another one's state.

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
