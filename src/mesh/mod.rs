//! How any caller finds and reaches a service.
//!
//! A [`Request`]'s type says which service answers it, and with what. A caller says `mesh.call(&context, request).await`
//! and never learns which instance it was. A call goes: may this caller call that service? → is there time left? → pick
//! an instance → its bound on calls in flight → the actor → back. What can go wrong on the way is a [`MeshError`], which is
//! never mixed up with what the service itself had to say ([`CallError::Domain`]).
//!
//! Read on in this order: `message.rs` (what travels), `error.rs`, `call.rs` (the way there and back), `link.rs` (what can go wrong on it), `registry.rs` (who is there),
//! `balance.rs` (whom to pick), `supervise.rs` (who watches), `service.rs` (how a service says what it answers),
//! `relay.rs` (how events reach their subscribers), `dead_letters.rs` (those that did not).

mod balance;
mod call;
mod dead_letters;
mod error;
mod link;
mod message;
mod permit;
mod registry;
mod relay;
mod service;
mod supervise;
#[cfg(test)]
mod tests;

pub use balance::Strategy;
pub use call::{Calls, Hearers, Mesh};
pub use dead_letters::{DeadLetter, DeadLetterId, ReplayError};
pub use error::{CallError, Failure, MeshError};
pub use link::Link;
pub use message::{Caller, Context, Delivery, Envelope, Event, EventId, Kind, Request, TraceId};
pub(crate) use message::{events, requests};
pub use registry::{Answers, InstanceReport, State};
pub use relay::OwedEvent;
pub(crate) use service::service;
pub use service::{Answer, Crash, Heard, Ping};
pub use supervise::Pool;
