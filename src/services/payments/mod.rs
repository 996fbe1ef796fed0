//! Payments: the customers' cards, and the money that orders take from them and give back.
//!
//! Money is moved by a [`PaymentProvider`], the world outside, whose answers may be late or lost. So each payment writes down what it is about to ask for
//! before it asks (`rules.rs`), and is driven to an end from there (`operations.rs`). A card number is only ever on its way from the customer to the
//! provider, who gives a token for it (`card.rs`); the provider here is a [`Sandbox`] that takes nothing but test cards (`test_cards.rs`).

mod actor;
mod brand;
mod card;
pub mod messages;
mod operations;
mod provider;
mod records;
mod rules;
mod sandbox;
mod store;
#[cfg(test)]
mod tests;
mod view;

pub use actor::launch;
pub use provider::PaymentProvider;
pub use sandbox::{Sandbox, faults::ProviderFaults};
pub use store::tables;
