//! Orders: what customers have bought, and the sagas that carry an order through the other
//! services.
//!
//! Reading order: `saga.rs` (the lists of steps, and the decision what comes next),
//! `orchestrator.rs` (executes a saga, also across crashes), `records.rs` and `progress.rs` (the
//! order's record, and how a saga changes it), `participants.rs` (the message of each action) and
//! `draft.rs` (what is looked up before an order is placed).
//!
//! ## Decisions
//!
//! **Orchestration instead of choreography.** *Context:* placing an order takes six steps at four
//! services, with compensations. *Decision:* one orchestrator, here, sends each command and records
//! each reply. *Consequence:* the whole saga is one table in `saga.rs` and can be tested as a pure
//! function, and the other services know nothing of orders' steps. In exchange, orders calls five
//! services (*Microservices Patterns*, §4.2).
//!
//! **Capturing the payment is the pivot.** *Context:* a captured payment can only be refunded, and
//! a refund takes days and can fail. *Decision:* the capture comes after all steps that are likely
//! to be refused (stock, authorization, shipping). Before it, each step has a compensation; after
//! it, each step is repeated until it succeeds. *Consequence:* a rejected order was never charged,
//! with one exception: a shop that was down for longer than the stock reservation holds (15
//! minutes) refunds.
//!
//! **The order's record carries its saga log and its outbox.** *Context:* a status, the progress of
//! a saga and an event must not contradict each other after a crash, and the storage has no
//! transactions across records. *Decision:* all three are fields of one record, changed by one
//! compare-and-swap. *Consequence:* no two-phase protocol and no separate saga table. The record
//! grows with the saga, and one order runs one saga at a time.

mod actor;
mod draft;
pub mod messages;
mod orchestrator;
mod order_locks;
mod participants;
mod progress;
mod records;
mod rules;
mod saga;
mod store;
#[cfg(test)]
mod tests;
mod watch;

pub use actor::launch;
pub use store::tables;
