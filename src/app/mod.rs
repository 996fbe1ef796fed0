//! The composition root: opens the data folder, starts the services, opens the gateway. The only
//! room that knows all others.
//!
//! Read `shop.rs` (the services), then `open.rs` (the gateway over them). `gateway_tree.rs` is the
//! gateway's storage, `check.rs` is `galleria check`.
//!
//! ## Decisions
//!
//! - **One place puts the parts together.** Services, gateway and storage take what they need as
//!   arguments, so a test can start any part with doubles. Consequence: every other room is free of
//!   start-up code, and this room has no logic.
//! - **The socket outlives the data folder.** After a disk failure the folder is closed and opened
//!   again behind the same socket. Consequence: clients wait a moment instead of being refused.

mod check;
mod fatal;
mod gateway_tree;
mod open;
mod shop;

pub use check::CheckReport;
pub use fatal::Fatal;
pub use open::{Listener, OpenShop, open};
pub use shop::Shop;
