//! The pieces of one product: how many there are, and to which orders they are promised.
//!
//! A pure state machine; [`super::reservations`] says in which order its states are stored.

use super::{
    messages::{ProductsError, StockChange, StockLevel, StockReconciliation},
    rules::invalid,
};
use crate::types::{OrderId, ProductId, Quantity, RefundId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most pieces of one product in the warehouse.
pub const MOST_ON_HAND: u64 = 1_000_000;

/// The pieces of one product.
///
/// Invariants: on hand + sold − returned = received, and at most the pieces on hand are promised.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    on_hand: u64,
    sold: u64,
    returned: u64,
    /// Pieces that ever arrived, less those that were written off.
    received: i64,
    /// The promises to orders that are being placed. An order in this map has a decision that was
    /// not applied to this product yet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    reservations: BTreeMap<OrderId, Quantity>,
    /// Returns that this product has counted, while other products have not.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    returning: BTreeSet<RefundId>,
}

impl Stock {
    pub fn delivered(pieces: u32) -> Result<Self, ProductsError> {
        let mut stock = Self::default();
        stock.set(StockChange::OnHand(pieces))?;
        Ok(stock)
    }

    pub fn reserved(&self) -> u64 {
        self.reservations.values().map(|quantity| u64::from(quantity.get())).sum()
    }

    pub fn available(&self) -> u64 {
        self.on_hand.saturating_sub(self.reserved())
    }

    pub fn is_promised_to(&self, order: OrderId) -> bool {
        self.reservations.contains_key(&order)
    }

    /// Promises pieces to an order. `Err` with the available pieces if they are too few.
    pub fn promise(&mut self, order: OrderId, quantity: Quantity) -> Result<(), u64> {
        let available = self.available();
        if available < quantity.get().into() {
            return Err(available);
        }
        self.reservations.insert(order, quantity);
        Ok(())
    }

    /// Sells the pieces that were promised to the order. `false` if none were: they are sold
    /// already.
    pub fn sell(&mut self, order: OrderId) -> bool {
        let Some(quantity) = self.reservations.remove(&order) else { return false };
        self.on_hand -= u64::from(quantity.get());
        self.sold += u64::from(quantity.get());
        true
    }

    pub fn release(&mut self, order: OrderId) {
        self.reservations.remove(&order);
    }

    pub fn is_returning(&self, id: RefundId) -> bool {
        self.returning.contains(&id)
    }

    pub fn take_back(&mut self, id: RefundId, quantity: Quantity) {
        if self.returning.insert(id) {
            self.on_hand += u64::from(quantity.get());
            self.returned += u64::from(quantity.get());
        }
    }

    /// Forgets the return, because it cannot be counted again. `false` if it was not remembered.
    pub fn forget(&mut self, id: RefundId) -> bool {
        self.returning.remove(&id)
    }

    /// Applies a count or an adjustment by an operator. Errors: `Invalid`, `BelowReserved`.
    pub fn set(&mut self, change: StockChange) -> Result<(), ProductsError> {
        let (field, on_hand) = match change {
            StockChange::OnHand(pieces) => ("on_hand", Some(u64::from(pieces))),
            StockChange::AdjustBy(pieces) => ("adjust_by", self.on_hand.checked_add_signed(pieces)),
        };
        let Some(on_hand) = on_hand.filter(|on_hand| *on_hand <= MOST_ON_HAND) else {
            return Err(invalid(field, format!("must leave between 0 and {MOST_ON_HAND} pieces on hand")));
        };
        let reserved = self.reserved();
        if on_hand < reserved {
            return Err(ProductsError::BelowReserved { reserved: shown(reserved) });
        }
        self.received += on_hand as i64 - self.on_hand as i64;
        self.on_hand = on_hand;
        Ok(())
    }

    pub fn level(&self) -> StockLevel {
        let (reserved, available) = (shown(self.reserved()), shown(self.available()));
        StockLevel { on_hand: shown(self.on_hand), reserved, available }
    }

    pub fn reconcile(&self, product_id: ProductId) -> StockReconciliation {
        StockReconciliation {
            product_id,
            // Not limited to 0, so that the audit sees it if more is promised than is on hand.
            available: self.on_hand as i64 - self.reserved() as i64,
            reserved: self.reserved() as i64,
            sold: self.sold as i64,
            returned: self.returned as i64,
            received: self.received,
        }
    }
}

/// A number of pieces, as messages carry it.
pub fn shown(pieces: u64) -> u32 {
    pieces.try_into().unwrap_or(u32::MAX)
}
