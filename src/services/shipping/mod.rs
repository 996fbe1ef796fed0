//! Shipping: what a parcel costs, where it is, and when it arrives.
//!
//! Beside the files that every service has:
//!
//! - `network.rs`: the hubs, and the legs between them.
//! - `coverage.rs`: the countries of delivery, and the hub that serves an address.
//! - `routes.rs`: the best route to each hub, for each service and weight.
//! - `tariff.rs`: the price and the delivery time of a route.
//! - `tracking_number.rs`: tracking numbers by the standard UPU S10.
//! - `label/`: the label on the parcel, with its barcode.
//! - `carrier.rs`: the carrier, which scans parcels on their way.
//!
//! ## Decisions
//!
//! - **Routes are computed once, with Dijkstra's algorithm.** The network is a constant of the
//!   program. The cheapest, the fastest and a balanced route to each of the 38 hubs are found for
//!   every weight at the first quote (`petgraph`). Consequence: a quote is a lookup, and a change
//!   of the network needs a new version of the program.
//! - **All scans of a parcel are planned at hand-over, in the shipment's record.** Consequence: the
//!   carrier has no state of its own. After a crash it makes up for missed scans, each with its
//!   planned time, and a change of the network moves no parcel that is on its way.
//! - **The carrier's clock can run faster than real time** (`carrier_speed`), because a demo cannot
//!   wait for days. It is the one setting of a service that changes what it does, so `launch` takes
//!   it as a parameter.

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
