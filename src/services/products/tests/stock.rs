//! The state machines of stock and reservations.

use super::super::{
    messages::*,
    records::{Reservation, ReservationState::*},
    stock::Stock,
};
use crate::types::{Id, OrderId, ProductId, Quantity, RefundId, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

fn order(n: u8) -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(n.into()))
}

fn pieces(n: u32) -> Quantity {
    n.try_into().unwrap()
}

#[test]
fn no_more_is_promised_than_is_on_hand() {
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
    assert_eq!(stock.reconcile(ProductId::from_uuid(Uuid::nil())).received, 4);
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
    assert_eq!(Reservation::never(order(1), Timestamp::UNIX_EPOCH).answer(), Err(ProductsError::ReservationReleased));
}

#[derive(Debug, Clone)]
enum StockOp {
    Set(StockChange),
    Promise(u8, u32),
    Sell(u8),
    Release(u8),
    TakeBack(u8, u32),
    Forget(u8),
}

fn stock_op() -> impl Strategy<Value = StockOp> {
    prop_oneof![
        (0u32..50).prop_map(|n| StockOp::Set(StockChange::OnHand(n))),
        (-50i64..50).prop_map(|n| StockOp::Set(StockChange::AdjustBy(n))),
        (0u8..4, 1u32..20).prop_map(|(order, n)| StockOp::Promise(order, n)),
        (0u8..4).prop_map(StockOp::Sell),
        (0u8..4).prop_map(StockOp::Release),
        (0u8..4, 1u32..20).prop_map(|(id, n)| StockOp::TakeBack(id, n)),
        (0u8..4).prop_map(StockOp::Forget),
    ]
}

proptest! {
    #[test]
    fn the_invariants_of_the_stock_always_hold(steps in prop::collection::vec(stock_op(), 0..60)) {
        let refund = |n: u8| RefundId::from_uuid(Uuid::from_u128(n.into()));
        let mut stock = Stock::default();
        for step in steps {
            match step {
                StockOp::Set(change) => drop(stock.set(change)),
                StockOp::Promise(n, _) if stock.is_promised_to(order(n)) => {}
                StockOp::Promise(n, quantity) => drop(stock.promise(order(n), pieces(quantity))),
                StockOp::Sell(n) => drop(stock.sell(order(n))),
                StockOp::Release(n) => stock.release(order(n)),
                StockOp::TakeBack(n, quantity) => stock.take_back(refund(n), pieces(quantity)),
                StockOp::Forget(n) => drop(stock.forget(refund(n))),
            }
            let reconcile = stock.reconcile(ProductId::from_uuid(Uuid::nil()));
            prop_assert_eq!(reconcile.available + reconcile.reserved + reconcile.sold - reconcile.returned, reconcile.received);
            prop_assert!(reconcile.available >= 0);
        }
    }
}
