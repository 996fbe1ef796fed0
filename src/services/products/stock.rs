//! Pieces: how many there are, to which orders they are promised, and what was decided about a promise.
//!
//! Pure state machines; [`super::reservations`] says in which order they are written down.

use super::{
    messages::{ProductsError, ReserveStock, ReturnStock, StockChange, StockLevel, StockLine, StockReconciliation},
    rules::invalid,
};
use crate::types::{OrderId, ProductId, Quantity, RefundId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Pieces that an operator may count on a shelf.
pub const MOST_ON_HAND: u64 = 1_000_000;

/// The pieces of one product. Whatever happens: on hand + sold − returned = received, and no more is promised than is on hand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    on_hand: u64,
    sold: u64,
    returned: u64,
    /// All that ever came, less what was written off.
    received: i64,
    /// Orders that are being placed. That an order is in here says that its decision has not been applied yet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    reservations: BTreeMap<OrderId, Quantity>,
    /// Returns that are being put on the shelf and are counted already.
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

    /// Fails with what is available where that is too little.
    pub fn promise(&mut self, order: OrderId, quantity: Quantity) -> Result<(), u64> {
        let available = self.available();
        if available < quantity.get().into() {
            return Err(available);
        }
        self.reservations.insert(order, quantity);
        Ok(())
    }

    /// What was promised to the order leaves the shelf. `false` where nothing was: it has left before.
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

    /// The return cannot be counted again: nobody needs to remember that it was. `false` where nobody did.
    pub fn forget(&mut self, id: RefundId) -> bool {
        self.returning.remove(&id)
    }

    /// What an operator counted, or wrote on or off.
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

    pub fn tally(&self, product_id: ProductId) -> StockReconciliation {
        StockReconciliation {
            product_id,
            // Not held at zero: the audit is to see it, should more ever be promised than is there.
            available: self.on_hand as i64 - self.reserved() as i64,
            reserved: self.reserved() as i64,
            sold: self.sold as i64,
            returned: self.returned as i64,
            received: self.received,
        }
    }
}

/// A number of pieces as messages carry it.
pub fn shown(pieces: u64) -> u32 {
    pieces.try_into().unwrap_or(u32::MAX)
}

/// What was decided about the pieces that an order asked for.
///
/// ```text
/// Placing ──▶ Held ──▶ Committed
///    └──────────┴────▶ Released
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    pub order_id: OrderId,
    pub lines: Vec<StockLine>,
    pub until: Timestamp,
    pub state: ReservationState,
    /// Every product knows of the decision.
    pub applied: bool,
    /// Why nothing could be promised: the first answer, for those who ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<ProductsError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationState {
    /// Pieces are being promised, one product after the other.
    Placing,
    /// All are promised.
    Held,
    Committed,
    Released,
}
use ReservationState::*;

impl Reservation {
    pub fn asked_for(request: ReserveStock) -> Self {
        let ReserveStock { order_id, lines, until } = request;
        Self { order_id, lines, until, state: Placing, applied: false, refusal: None }
    }

    /// Stands where a reservation was released before it was asked for.
    pub fn never(order_id: OrderId, at: Timestamp) -> Self {
        Self { order_id, lines: Vec::new(), until: at, state: Released, applied: true, refusal: None }
    }

    pub fn hold(&mut self) {
        if self.state == Placing {
            self.state = Held;
        }
    }

    /// The order gives it up, or its time is over.
    pub fn release(&mut self) {
        if !self.is_decided() {
            self.state = Released;
        }
    }

    /// It could not be held.
    pub fn refuse(&mut self, why: ProductsError) {
        if self.state == Placing {
            self.state = Released;
            self.refusal = Some(why);
        }
    }

    pub fn commit(&mut self) {
        if self.state == Held {
            self.state = Committed;
        }
    }

    pub fn is_decided(&self) -> bool {
        matches!(self.state, Committed | Released)
    }

    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        !self.is_decided() && self.until < now
    }

    /// What whoever asked for it hears.
    pub fn answer(&self) -> Result<(), ProductsError> {
        match (self.state, &self.refusal) {
            (Released, Some(refusal)) => Err(refusal.clone()),
            (Released, None) => Err(ProductsError::ReservationReleased),
            _ => Ok(()),
        }
    }
}

/// Pieces that come back to the shelf, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restock {
    pub return_id: RefundId,
    pub lines: Vec<StockLine>,
    pub state: RestockState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestockState {
    /// Products are counting their pieces, one after the other.
    Counting,
    /// All have; they may forget the return.
    Counted,
    /// All have forgotten it.
    Closed,
}

impl Restock {
    pub fn of(request: ReturnStock) -> Self {
        Self { return_id: request.return_id, lines: request.lines, state: RestockState::Counting }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Id;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn order(n: u8) -> OrderId {
        OrderId::from_uuid(Uuid::from_u128(n.into()))
    }

    fn pieces(n: u32) -> Quantity {
        n.try_into().unwrap()
    }

    #[test]
    fn no_more_is_promised_than_is_there() {
        let mut stock = Stock::delivered(5).unwrap();
        assert_eq!(stock.promise(order(1), pieces(3)), Ok(()));
        assert_eq!(stock.promise(order(2), pieces(3)), Err(2));
        stock.release(order(1));
        assert_eq!(stock.promise(order(2), pieces(5)), Ok(()));
        assert!(stock.sell(order(2)));
        assert!(!stock.sell(order(2)));
        assert_eq!(stock.level(), StockLevel { on_hand: 0, reserved: 0, available: 0 });
    }

    #[test]
    fn stock_is_never_set_below_what_is_promised_or_out_of_bounds() {
        let mut stock = Stock::delivered(10).unwrap();
        stock.promise(order(1), pieces(4)).unwrap();
        assert_eq!(stock.set(StockChange::OnHand(3)), Err(ProductsError::BelowReserved { reserved: 4 }));
        assert_eq!(stock.set(StockChange::AdjustBy(-7)), Err(ProductsError::BelowReserved { reserved: 4 }));
        for change in [
            StockChange::AdjustBy(-11),
            StockChange::AdjustBy(i64::MIN),
            StockChange::AdjustBy(i64::MAX),
            StockChange::OnHand(1_000_001),
        ] {
            assert!(matches!(stock.set(change), Err(ProductsError::Invalid { .. })), "{change:?}");
        }
        assert_eq!(stock.set(StockChange::AdjustBy(-6)), Ok(()));
        assert_eq!(stock.tally(ProductId::from_uuid(Uuid::nil())).received, 4);
    }

    #[test]
    fn the_first_decision_stands() {
        let mut reservation =
            Reservation::asked_for(ReserveStock { order_id: order(1), lines: vec![], until: Timestamp::UNIX_EPOCH });
        reservation.commit();
        assert_eq!(reservation.state, Placing, "only what is held can be committed");
        reservation.hold();
        reservation.commit();
        reservation.release();
        reservation.refuse(ProductsError::ProductNotFound);
        assert_eq!((reservation.state, reservation.answer()), (Committed, Ok(())));
    }

    #[test]
    fn a_refusal_is_repeated() {
        let mut reservation =
            Reservation::asked_for(ReserveStock { order_id: order(1), lines: vec![], until: Timestamp::UNIX_EPOCH });
        reservation.refuse(ProductsError::ProductNotFound);
        reservation.release();
        assert_eq!(reservation.answer(), Err(ProductsError::ProductNotFound));
        assert_eq!(
            Reservation::never(order(1), Timestamp::UNIX_EPOCH).answer(),
            Err(ProductsError::ReservationReleased)
        );
    }

    #[derive(Debug, Clone)]
    enum Step {
        Set(StockChange),
        Promise(u8, u32),
        Sell(u8),
        Release(u8),
        TakeBack(u8, u32),
        Forget(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u32..50).prop_map(|n| Step::Set(StockChange::OnHand(n))),
            (-50i64..50).prop_map(|n| Step::Set(StockChange::AdjustBy(n))),
            (0u8..4, 1u32..20).prop_map(|(order, n)| Step::Promise(order, n)),
            (0u8..4).prop_map(Step::Sell),
            (0u8..4).prop_map(Step::Release),
            (0u8..4, 1u32..20).prop_map(|(id, n)| Step::TakeBack(id, n)),
            (0u8..4).prop_map(Step::Forget),
        ]
    }

    proptest! {
        #[test]
        fn the_equation_of_the_stock_always_holds(steps in prop::collection::vec(step(), 0..60)) {
            let refund = |n: u8| RefundId::from_uuid(Uuid::from_u128(n.into()));
            let mut stock = Stock::default();
            for step in steps {
                match step {
                    Step::Set(change) => drop(stock.set(change)),
                    Step::Promise(n, _) if stock.is_promised_to(order(n)) => {}
                    Step::Promise(n, quantity) => drop(stock.promise(order(n), pieces(quantity))),
                    Step::Sell(n) => drop(stock.sell(order(n))),
                    Step::Release(n) => stock.release(order(n)),
                    Step::TakeBack(n, quantity) => stock.take_back(refund(n), pieces(quantity)),
                    Step::Forget(n) => drop(stock.forget(refund(n))),
                }
                let tally = stock.tally(ProductId::from_uuid(Uuid::nil()));
                prop_assert_eq!(tally.available + tally.reserved + tally.sold - tally.returned, tally.received);
                prop_assert!(tally.available >= 0);
            }
        }
    }
}
