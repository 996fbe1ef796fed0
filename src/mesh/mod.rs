//! How any caller finds and reaches a service.
//!
//! A [`Request`]'s type says which service answers it, and with what. A caller says `mesh.call(&context, request).await`
//! and never learns which instance it was. A call goes: may this caller call that service? → is there time left? → the
//! circuit breaker → the link → pick an instance → its bound on calls in flight → the actor → back; and once more, where that is worth
//! while. What can go wrong on the way is a [`MeshError`], which is never mixed up with what the service itself had to say
//! ([`CallError::Domain`]).
//!
//! Read on in this order: `message.rs` (what travels), `error.rs`, `handle.rs` (what a caller has in hand), `call.rs` (the way there and back).
//!
//! - Between a caller and a service, `policy.rs`: `breaker.rs` (when not to call at all), `retry.rs` (when to call again), both by what
//!   `window.rs` counts; `link.rs` (what can go wrong on the way), `wire.rs` (what
//!   travels, as bytes).
//! - On the side of the service, `pool.rs` (who is there): `balance.rs` (whom to pick), `instance.rs` with `latency.rs` and `outlier.rs` (what
//!   is known of each), `node.rs` (the threads that they live on), `supervise.rs` (who watches), `autoscale.rs` (how many there should be), `service.rs` and `handlers.rs`
//!   (how a service says what it answers).
//! - Events: `relay.rs` (how they reach their subscribers), `dead_letters.rs` (those that did not).

mod autoscale;
mod balance;
mod breaker;
mod call;
mod client_policy;
mod dead_letters;
mod error;
mod handle;
mod handlers;
mod instance;
mod latency;
mod link;
mod message;
mod node;
mod outlier;
mod permit;
mod pool;
mod relay;
mod retry;
mod service;
mod supervise;
#[cfg(test)]
mod tests;
mod window;
mod wire;

pub use crate::types::TraceId;
pub use autoscale::Autoscale;
pub use balance::Strategy;
pub use breaker::{BreakerSettings, BreakerState, Forced};
pub use client_policy::{ClientPolicyReport, ClientPolicySettings};
pub use dead_letters::{DeadLetter, DeadLetterId, ReplayError};
pub use error::{CallError, Failure, MeshError};
pub use handle::{AllowedCalls, Mesh, Subscriptions};
pub use handlers::Handlers;
pub use instance::{InstanceReport, InstanceSettings, State};
pub use link::Link;
pub use message::{Audience, Caller, Context, Delivery, Envelope, Event, EventId, Kind, Request};
pub(crate) use message::{affinity_to, events, requests};
pub use outlier::OutlierSettings;
pub use pool::{MOST_INSTANCES, Pool, PoolReport, PoolSettings};
pub use relay::PendingEvent;
pub(crate) use service::service;
pub use service::{HandlerFuture, HandlerResult, InjectedFault, Ping, ProcessedEvents};
