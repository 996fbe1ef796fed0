//! Products: the catalogue, the stock, and the reservations of orders that are being placed.
//!
//! Beside the files that every service has:
//!
//! - `listings.rs`: adds, changes and retires products; each slug belongs to one product.
//! - `reservations.rs`: reserve, then commit or release, over many products and through crashes.
//!   The heart of the service.
//! - `stock.rs`: the pieces of one product, as a pure state machine.
//! - `catalogue.rs`: the products on sale in memory, sorted and indexed for searches.
//! - `search.rs`, `inverted_index.rs`, `tokenizer.rs`: what a search asks for, and how terms are
//!   found.
//!
//! ## Decisions
//!
//! - **A product's record holds the orders that its pieces are reserved for.** Storage changes one
//!   record at a time. So reserving is one compare-and-swap of the product, and two instances can
//!   never promise the same piece twice. Consequence: an order of several products needs a
//!   reservation record that decides for all of them, and a sweeper that applies the decision after
//!   a crash.
//! - **An inverted index of our own** instead of a search engine. Tantivy brings a large dependency
//!   tree and a second file format beside storage. The index holds what a shop needs: prefixes,
//!   accents, fields with weights. It is built from the records at start-up. Consequence: no
//!   stemming and no typo tolerance, and the catalogue must fit into memory.
//! - **`ProductChanged` is not in an outbox.** It only invalidates caches in this process, and a
//!   new process has empty caches.

mod actor;
mod catalogue;
mod inverted_index;
mod listings;
pub mod messages;
mod records;
mod reservations;
mod rules;
mod search;
mod stock;
mod store;
mod tokenizer;

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;

use self::messages::ProductsError;
use crate::mesh::Failure;

pub use actor::launch;
pub use records::tables;

/// The result of the functions behind the handlers: a reply, an error of this service, or a fault.
type ProductsResult<T> = Result<T, Failure<ProductsError>>;
