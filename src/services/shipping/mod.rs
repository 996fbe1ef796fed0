//! Shipping: what sending a parcel costs, where it is, and that it arrives.
//!
//! A quote is a route over the network of hubs: economy the cheapest, express the fastest, standard the best balanced. A booking
//! keeps its route, so that a parcel under way knows all of its scans. The carrier, which stands for the world outside, makes
//! them when their time has come.
//!
//! Beside the rooms that every service has: `network.rs` (hubs and legs), `coverage.rs` (where we deliver), `routes.rs` (the best
//! ways there), `tariff.rs` (what they cost and how long they take), `tracking_number.rs`, `label.rs` with its `typesetting.rs`,
//! and `carrier.rs`.

mod actor;
mod carrier;
mod coverage;
mod label;
pub mod messages;
mod network;
mod records;
mod routes;
mod rules;
mod store;
mod tariff;
#[cfg(test)]
mod tests;
mod tracking_number;

pub use actor::launch;
pub use records::tables;
