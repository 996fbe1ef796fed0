//! The record in carts' tree; [`super::store`] says where it is kept.

use crate::{
    storage::{KnownTable, record},
    types::{CartId, OrderId, ProductId, Quantity, Timestamp},
};
use serde::{Deserialize, Serialize};

/// A product and how many pieces of it.
pub type CartLine = (ProductId, Quantity);

/// The cart of a guest or a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CartRecord {
    pub id: CartId,
    pub lines: Vec<CartLine>,
    pub changed_at: Timestamp,
    /// The orders that were checked out last, so that each is checked out once.
    #[serde(default)]
    pub checked_out: Vec<OrderId>,
}

record! {
    // The key is the owner's id.
    CartRecord { table: "cart", key: String }
}

/// The tables of this tree, for `galleria check`.
pub fn tables() -> Vec<KnownTable> {
    vec![KnownTable::of::<CartRecord>("carts")]
}
