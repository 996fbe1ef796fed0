//! The seven services: one folder per business capability.
//!
//! Each folder has the same files: `messages.rs` (the public interface: requests, replies, errors,
//! events), `records.rs` (what is stored), `rules.rs` (decisions as pure functions), `store.rs`
//! (the service's tree), `actor.rs` (one short handler per request), `mod.rs` (what the service is,
//! and `launch`) and `tests/`.
//!
//! ## Decisions
//!
//! **Each service owns one tree.** *Context:* services that share tables depend on each other's
//! columns. *Decision:* a service gets its own tree in [`ServiceDeps`], and no handle on another
//! one (the pattern *Database per service*). *Consequence:* a service can change
//! its records alone. What it needs from another service it must ask for, and a change at several
//! services is a saga.
//!
//! **No service knows HTTP.** *Context:* status codes, headers and cookies belong to one way of
//! reaching the shop. *Decision:* services speak in typed requests and errors; the gateway
//! translates them. *Consequence:* the command line, the audit and the tests use the same services
//! without HTTP, and the table of error codes is in one place.
//!
//! **Events instead of calls back.** *Context:* orders calls shipping, and must learn later that a
//! parcel was delivered. *Decision:* the graph of calls has no circle; news travel the other way as
//! events. *Consequence:* calls never wait for each other in a circle, and the publisher does not
//! know its subscribers. In exchange, events arrive later, and at least once.

pub mod carts;
pub mod notifications;
pub mod orders;
pub mod payments;
pub mod products;
pub mod shipping;
#[cfg(test)]
mod tests;
pub mod users;

use self::{
    orders::messages::{OrderCancelled, OrderConfirmed, OrderDelivered, OrderRejected, OrderReturned, OrderShipped},
    payments::messages::RefundFailed,
    shipping::messages::ShipmentDelivered,
    users::messages::UserRegistered,
};
use crate::{
    env::Env,
    mesh::{Event, Mesh},
    storage::Tree,
    types::Service::{self, *},
};

/// The services that each service may call. The mesh refuses every other call.
#[rustfmt::skip]
pub const ALLOWED_CALLS: &[(Service, &[Service])] = &[
    (Users,         &[]),
    (Products,      &[]),
    (Payments,      &[]),
    (Shipping,      &[]),
    (Notifications, &[]),
    (Carts,         &[Products]),
    (Orders,        &[Users, Products, Carts, Payments, Shipping]),
];

/// The events that each service subscribes to. The list is known before any service runs, so an
/// event also waits for a subscriber that has not started yet or has just crashed.
pub const SUBSCRIPTIONS: &[(Service, &[&str])] = &[
    (Orders, &[ShipmentDelivered::NAME, RefundFailed::NAME]),
    (
        Notifications,
        &[
            UserRegistered::NAME,
            OrderConfirmed::NAME,
            OrderRejected::NAME,
            OrderShipped::NAME,
            OrderDelivered::NAME,
            OrderCancelled::NAME,
            OrderReturned::NAME,
            RefundFailed::NAME,
        ],
    ),
];

/// The dependencies of a service, given to its `launch`.
#[derive(Clone)]
pub struct ServiceDeps {
    /// Clock, random numbers and ids.
    pub env: Env,
    /// A handle whose calls are calls by this service.
    pub mesh: Mesh,
    /// The service's own tree. No other service has a handle on it.
    pub tree: Tree,
    /// Number of instances to start, at least 1.
    pub instances: usize,
}
