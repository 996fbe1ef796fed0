//! The record in carts' tree; [`super::store`] says where it is kept.

use crate::{
    storage::{KnownTable, Record},
    types::{CartId, OrderId, ProductId, Quantity, Timestamp},
};
use serde::{Deserialize, Serialize};

pub type CartLine = (ProductId, Quantity);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CartRecord {
    pub id: CartId,
    pub lines: Vec<CartLine>,
    pub changed_at: Timestamp,
    /// The orders that were last taken out of it, so that each is taken out once.
    #[serde(default)]
    pub checked_out: Vec<OrderId>,
}

impl Record for CartRecord {
    const TABLE: &'static str = "cart";
    /// The owner's id.
    type Key = String;
}

/// The tables of this tree, for a check that knows what is in them.
pub fn tables() -> Vec<KnownTable> {
    vec![KnownTable::of::<CartRecord>("carts")]
}
