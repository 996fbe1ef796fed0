//! Payments: the customers' saved cards, and the money that orders take and refund.
//!
//! A [`PaymentProvider`] moves the money. It is outside of the shop, so its answers can be late or
//! lost. Each payment therefore saves what it will ask for before it asks (`rules.rs`), and
//! `operations.rs` completes it. A card number only passes through, from the customer to the
//! provider, which gives a token for it (`card.rs`). The provider here is a [`Sandbox`] that
//! accepts nothing but test cards (`brand.rs`).
//!
//! ## Decisions
//!
//! **The provider has a ledger of its own.** *Context:* a shop must compare its books with its
//! bank's. *Decision:* the sandbox keeps its operations in a tree that payments never reads, behind
//! the same interface as a real provider. *Consequence:* the audit compares two independent ledgers
//! and finds a payment that was made twice or lost. A real provider needs only another
//! implementation of [`PaymentProvider`].
//!
//! **An unknown outcome is looked up by its key.** *Context:* a timeout does not say whether the
//! provider did the operation. *Decision:* each operation has an idempotency key that is derived
//! from the order. After a timeout or a crash payments first asks what became of the key, and sends
//! the operation again only if the provider does not know it. *Consequence:* no customer pays
//! twice. Each retry after a fault costs one more request.

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
