//! Products: the catalogue, the stock, and what is promised to orders that are being placed.
//!
//! The tree is the truth; `catalogue.rs` holds what searches need of it in memory, for all instances. Beside the usual rooms:
//!
//! - `listings.rs`: products come, change and go; each slug is one product's.
//! - `reservations.rs`: reserve → commit or release over many products, whatever crashes in between. The heart of the service.
//! - `stock.rs`: the pieces of a product and the decision about a reservation, as pure state machines.
//! - `catalogue.rs`, `search.rs` and `inverted_index.rs`: finding products.
//! - `records.rs`: what the store writes down of a product.

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

/// What the functions behind the handlers give: a reply, an error of this service, or a fault.
type ProductsResult<T> = Result<T, Failure<ProductsError>>;
