//! Notifications: each user's inbox.
//!
//! Nobody tells it what to write: it hears what happened in other services, and puts it into words for the customer.

mod actor;
pub mod messages;
mod records;
mod rules;
mod store;

pub use actor::launch;
pub use records::tables;
