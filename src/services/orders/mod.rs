//! Orders: what customers have bought, and the sagas that carry an order through the other services.
//!
//! Read `saga.rs` first: the lists of steps, and the decision what comes next. Then `driver.rs` (what drives a saga, through
//! crashes too), `record.rs` and `progress.rs` (an order as it is written down, and what a saga makes of it), `participants.rs` (what
//! each action asks of whom) and `draft.rs` (what must be known before an order is placed).

mod actor;
mod draft;
mod driver;
pub mod messages;
mod participants;
mod progress;
mod record;
mod rules;
mod saga;
mod store;
#[cfg(test)]
mod tests;
mod watch;

pub use actor::launch;
pub use store::tables;
