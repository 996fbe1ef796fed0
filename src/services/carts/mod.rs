//! Carts: what guests and customers are about to buy.
//!
//! A cart remembers products and quantities, nothing else: names, prices and stock are asked of products whenever a cart
//! is read, so that what a customer sees is what they will pay.

mod actor;
pub mod messages;
mod records;
mod rules;
mod store;

pub use actor::launch;
pub use records::tables;
