//! The mesh: how a caller finds and reaches a service.
//!
//! A [`Request`]'s type names the service that handles it, and the reply. A caller writes
//! `mesh.call(&context, request).await` and does not learn which instance answered. An error of the
//! mesh ([`MeshError`]) is never mixed up with an error of the service's domain
//! ([`CallError::Domain`]).
//!
//! A call passes these layers, from the outside in. Each layer is one file:
//!
//! | layer | files | what it does |
//! |---|---|---|
//! | retry | `call.rs`, `retry.rs` | checks allowed calls and deadline; up to three attempts |
//! | span | `attempt.rs` | records each attempt |
//! | breaker | `client_policy.rs`, `breaker.rs`, `window.rs` | refuses calls while too many fail |
//! | link | `link.rs`, `wire.rs` | injected faults: latency, loss, copies, bytes |
//! | balancer | `pool.rs`, `balance.rs`, `permit.rs` | picks an instance and takes a slot there |
//! | actor | `instance.rs`, `handlers.rs`, `service.rs` | runs the handler |
//!
//! Read on in this order: `message.rs`, `declare.rs`, `error.rs`, `handle.rs`, `call.rs`,
//! `attempt.rs`.
//!
//! - Instances: `supervise.rs` starts, watches and replaces them, `autoscale.rs` decides how many
//!   there are, `outlier.rs` and `latency.rs` judge them by their calls, `node.rs` has the threads
//!   on which they run.
//! - Events: `relay.rs` takes them from the outboxes, `deliver.rs` delivers them, `dead_letters.rs`
//!   and `replay.rs` keep those that failed too often.
//! - `settings/` has everything that can be changed while the shop runs.
//!
//! # Examples
//!
//! [`requests!`], [`events!`] and [`service!`] declare a service. The example of [`service!`] is a
//! complete one.
//!
//! # Decisions
//!
//! **Actors on nodes.** Context: a service should run in several instances with separate failures,
//! but a thread for each instance made most of a message's cost on few cores. Decision: an instance
//! is an actix actor on a node, a thread that runs one instance of every service; the balancer
//! prefers the caller's own node. Consequence: a call on one node wakes no thread; a handler that
//! blocks delays its whole node, so blocking work goes to
//! [`Env::blocking`](crate::env::Env::blocking).
//!
//! **At-least-once delivery, with processed events.** Context: an event must not be lost in a
//! crash, and a delivery whose answer is lost cannot be told from one that failed. Decision: the
//! event is stored in the record that it is about, the relay repeats deliveries, and each
//! subscriber stores which events it has handled ([`ProcessedEvents`]). Consequence: an event takes
//! effect once; the order of events is kept for each record only.
//!
//! **Retries only with a key and a budget.** Context: after a failed call the request may have been
//! carried out, and retries of all callers together can keep a service down. Decision: only queries
//! and commands with a key are retried, up to three attempts within the deadline, and at most a
//! fifth of the calls (three a second in any case). Consequence: a command without a key can fail
//! with an unknown result, and its caller must ask for the state.
//!
//! **Type-erased recipients.** Context: callers must not name a service's actor, which is private,
//! and tests replace services by doubles. Decision: an instance has a map from the type of a
//! request to its recipient. Consequence: a missing handler is found when it is called, not by the
//! compiler; tests walk the tables of all messages.

#![deny(missing_docs)]

mod attempt;
mod autoscale;
mod balance;
mod breaker;
mod call;
mod call_result;
mod client_policy;
mod control_messages;
mod dead_letters;
mod declare;
mod deliver;
mod error;
mod handle;
mod handlers;
mod instance;
mod latency;
mod link;
mod message;
mod node;
mod outboxes;
mod outlier;
mod permit;
mod pool;
mod processed_events;
mod relay;
mod replay;
mod retry;
mod service;
mod settings;
mod supervise;
#[cfg(test)]
mod tests;
mod window;
mod wire;

pub use crate::types::TraceId;
pub use breaker::BreakerState;
pub use client_policy::ClientPolicyReport;
pub use control_messages::{InjectedFault, Ping};
pub use dead_letters::{DeadLetter, DeadLetterId};
pub use declare::{affinity_to, events, requests};
pub use error::{CallError, Failure, MeshError};
pub use handle::{AllowedCalls, Mesh, Subscriptions};
pub use handlers::Handlers;
pub use instance::{InstanceReport, InstanceState};
pub use link::Link;
pub use message::{Audience, Caller, Context, Delivery, Envelope, Event, EventId, Request, RequestKind};
pub use pool::{Pool, PoolReport};
pub use processed_events::ProcessedEvents;
pub use relay::PendingEvent;
pub use replay::ReplayError;
pub use service::{HandlerFuture, HandlerResult, service};
pub use settings::{
    Autoscale, BreakerSettings, ClientPolicySettings, Forced, InstanceSettings, MOST_INSTANCES, OutlierSettings,
    PoolSettings, Strategy,
};
