//! Notifications: each user's inbox.
//!
//! No service sends a message here. Notifications subscribes to the events of other services, and
//! writes a text for the customer.
//!
//! ## Decisions
//!
//! - **Idempotent by the id of what is written.** Events arrive at least once. The id of a message
//!   is computed from the id of its event, and an existing message is never overwritten. So the
//!   message itself proves that the event was handled, and no list of processed events is needed
//!   (Richardson, *Microservices Patterns*, ch. 3). Consequence: one event writes at most one
//!   message.
//! - **The text is written when the event arrives.** Consequence: a message never changes, and
//!   needs no other service when it is read.

mod actor;
pub mod messages;
mod records;
mod rules;
mod store;

pub use actor::launch;
pub use records::tables;
