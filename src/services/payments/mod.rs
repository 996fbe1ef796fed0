//! Payments: the customers' cards, and the money that orders take from them and give back.
//!
//! Money is moved by a [`PaymentProvider`], the world outside, whose answers may be late or lost. So each payment writes down what it is about to ask for
//! before it asks (`rules.rs`), and is driven to an end from there (`driver.rs`). A card number is only ever on its way from the customer to the
//! provider, who gives a token for it (`card.rs`); the provider here is a [`Sandbox`] that takes nothing but test cards (`test_cards.rs`).

mod actor;
mod card;
mod driver;
pub mod messages;
mod provider;
mod rules;
mod sandbox;
mod store;
mod test_cards;
#[cfg(test)]
mod tests;
mod view;

pub use crate::types::Faults;
pub use actor::launch;
pub use provider::PaymentProvider;
pub use sandbox::Sandbox;
pub use store::tables;
