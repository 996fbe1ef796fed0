//! A small model of the services that orders calls: the effect of each request, which happens once,
//! and what must hold when no saga runs.

use crate::{
    services::{
        orders::messages::{Order, OrderStatus},
        payments::messages::{PaymentsError, Refund, RefundStatus},
        products::messages::{ProductsError, Shortage, StockLine},
        shipping::messages::ShippingError,
    },
    types::{Currency, Id, Money, OrderId, PaymentId, ProductId, RefundId, Timestamp},
};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

#[derive(Default)]
pub struct World {
    pub on_shelf: BTreeMap<ProductId, u32>,
    pub received: BTreeMap<ProductId, u32>,
    pub reservations: HashMap<OrderId, Reservation>,
    pub put_back: HashMap<RefundId, Vec<StockLine>>,
    pub accounts: HashMap<OrderId, Account>,
    pub parcels: HashMap<OrderId, Parcel>,
    pub emptied_for: HashSet<OrderId>,
    pub declines: Option<&'static str>,
    pub is_undeliverable: bool,
    /// Retired since the catalogue was read.
    pub off_sale: HashSet<ProductId>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Reservation {
    Held { lines: Vec<StockLine>, until: Timestamp },
    Released,
    Committed(Vec<StockLine>),
}

/// An order's payment, in minor units.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    pub held: i64,
    pub captured: i64,
    pub captures: u32,
    pub is_voided: bool,
    pub refunds: Vec<(String, Refund)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parcel {
    Booked,
    HandedOver,
    Cancelled,
}

pub fn euro(cents: i64) -> Money {
    Money::new(cents, Currency::EUR).unwrap()
}

impl World {
    pub fn with_stock(stock: impl IntoIterator<Item = (ProductId, u32)>) -> Self {
        let on_shelf: BTreeMap<_, _> = stock.into_iter().collect();
        Self { received: on_shelf.clone(), on_shelf, ..Self::default() }
    }

    pub fn reserve(&mut self, order: OrderId, lines: &[StockLine], until: Timestamp) -> Result<(), ProductsError> {
        match self.reservations.get(&order) {
            Some(Reservation::Released) => return Err(ProductsError::ReservationReleased),
            Some(_) => return Ok(()),
            None if lines.iter().any(|line| self.off_sale.contains(&line.product_id)) => {
                return Err(ProductsError::ProductNotFound);
            }
            None => {}
        }
        let short = lines.iter().filter_map(|line| {
            let available = *self.on_shelf.get(&line.product_id)?;
            let requested = line.quantity.get();
            (requested > available).then_some(Shortage { product_id: line.product_id, requested, available })
        });
        let short: Vec<Shortage> = short.collect();
        if !short.is_empty() {
            return Err(ProductsError::OutOfStock { lines: short });
        }
        lines.iter().for_each(|line| *self.on_shelf.get_mut(&line.product_id).unwrap() -= line.quantity.get());
        self.reservations.insert(order, Reservation::Held { lines: lines.to_vec(), until });
        Ok(())
    }

    pub fn release(&mut self, order: OrderId) -> Result<(), ProductsError> {
        match self.reservations.insert(order, Reservation::Released) {
            Some(Reservation::Held { lines, .. }) => self.shelve(&lines),
            Some(Reservation::Committed(_)) => panic!("{order}: what is sold cannot be released"),
            Some(Reservation::Released) | None => {}
        }
        Ok(())
    }

    pub fn commit(&mut self, order: OrderId) -> Result<(), ProductsError> {
        match self.reservations.get(&order).cloned() {
            Some(Reservation::Held { lines, .. }) => {
                self.reservations.insert(order, Reservation::Committed(lines));
                Ok(())
            }
            Some(Reservation::Committed(_)) => Ok(()),
            Some(Reservation::Released) => Err(ProductsError::ReservationReleased),
            None => Err(ProductsError::ReservationNotFound),
        }
    }

    pub fn put_back(&mut self, return_id: RefundId, lines: &[StockLine]) -> Result<(), ProductsError> {
        if self.put_back.insert(return_id, lines.to_vec()).is_none() {
            self.shelve(lines);
        }
        Ok(())
    }

    fn shelve(&mut self, lines: &[StockLine]) {
        lines.iter().for_each(|line| *self.on_shelf.get_mut(&line.product_id).unwrap() += line.quantity.get());
    }

    /// Releases the expired reservations.
    pub fn lapse(&mut self, now: Timestamp) {
        let lapsed = self.reservations.iter().filter_map(|(order, reservation)| match reservation {
            Reservation::Held { until, .. } if *until <= now => Some(*order),
            _ => None,
        });
        for order in lapsed.collect::<Vec<_>>() {
            self.release(order).unwrap();
        }
    }

    pub fn authorize(&mut self, order: OrderId, amount: Money) -> Result<(), PaymentsError> {
        let declines = self.declines;
        let account = self.accounts.entry(order).or_default();
        match declines {
            _ if account.is_voided => Err(PaymentsError::AlreadyVoided),
            Some(code) => Err(PaymentsError::Declined { code: code.to_owned() }),
            None => {
                account.held = if account.captures == 0 { amount.amount() } else { 0 };
                Ok(())
            }
        }
    }

    pub fn void(&mut self, order: OrderId) -> Result<(), PaymentsError> {
        let account = self.accounts.entry(order).or_default();
        if account.captures > 0 {
            return Err(PaymentsError::AlreadyCaptured);
        }
        (account.is_voided, account.held) = (true, 0);
        Ok(())
    }

    pub fn capture(&mut self, order: OrderId) -> Result<(), PaymentsError> {
        let account = self.accounts.get_mut(&order).ok_or(PaymentsError::PaymentNotFound)?;
        if account.is_voided {
            return Err(PaymentsError::AlreadyVoided);
        }
        if account.held > 0 {
            account.captures += 1;
            account.captured += std::mem::take(&mut account.held);
        }
        Ok(())
    }

    pub fn refund(&mut self, order: OrderId, key: &str, amount: Option<Money>) -> Result<Refund, PaymentsError> {
        let account = self.accounts.get_mut(&order).ok_or(PaymentsError::PaymentNotFound)?;
        if let Some((_, refund)) = account.refunds.iter().find(|(known, _)| known == key) {
            return Ok(refund.clone());
        }
        if account.captures == 0 {
            return Err(PaymentsError::NotCaptured);
        }
        let left = euro(account.captured - account.refunded());
        let amount = amount.unwrap_or(left);
        if amount.amount() > left.amount() || left.is_zero() {
            return Err(PaymentsError::RefundTooLarge { left });
        }
        let refund = Refund {
            id: RefundId::from_uuid(Uuid::from_u128(order.uuid().as_u128() + account.refunds.len() as u128)),
            payment_id: PaymentId::from_uuid(order.uuid()),
            order_id: order,
            amount,
            reason: "as you like".into(),
            status: RefundStatus::Succeeded,
            created_at: Timestamp::UNIX_EPOCH,
        };
        account.refunds.push((key.to_owned(), refund.clone()));
        Ok(refund)
    }

    pub fn book(&mut self, order: OrderId) -> Result<(), ShippingError> {
        if self.is_undeliverable {
            return Err(ShippingError::Undeliverable { reason: "the bridge is out".into() });
        }
        match self.parcels.entry(order).or_insert(Parcel::Booked) {
            Parcel::Cancelled => Err(ShippingError::AlreadyCancelled),
            Parcel::Booked | Parcel::HandedOver => Ok(()),
        }
    }

    pub fn cancel_shipment(&mut self, order: OrderId) -> Result<(), ShippingError> {
        match self.parcels.entry(order).or_insert(Parcel::Cancelled) {
            Parcel::HandedOver => Err(ShippingError::AlreadyHandedOver),
            parcel => {
                *parcel = Parcel::Cancelled;
                Ok(())
            }
        }
    }

    pub fn hand_over(&mut self, order: OrderId) -> Result<(), ShippingError> {
        match self.parcels.get_mut(&order) {
            None => Err(ShippingError::ShipmentNotFound),
            Some(Parcel::Cancelled) => Err(ShippingError::AlreadyCancelled),
            Some(parcel) => {
                *parcel = Parcel::HandedOver;
                Ok(())
            }
        }
    }

    pub fn empty_cart(&mut self, order: OrderId) {
        self.emptied_for.insert(order);
    }

    /// All or nothing: every effect that belongs to the status has happened once, and no other has.
    pub fn assert_agrees_with(&self, order: &Order) {
        let (id, status) = (order.id, order.status);
        let reservation = self.reservations.get(&id);
        let account = self.accounts.get(&id).cloned().unwrap_or_default();
        let parcel = self.parcels.get(&id).copied();
        let is_committed = matches!(reservation, Some(Reservation::Committed(_)));
        let seen = format!("{status}: {reservation:?}, {account:?}, {parcel:?}");
        assert_eq!(account.held, 0, "{seen}");
        assert!(!matches!(reservation, Some(Reservation::Held { .. })), "{seen}");
        match status {
            OrderStatus::Pending => panic!("{id} is not at rest"),
            OrderStatus::Rejected => {
                assert!(!is_committed && matches!(parcel, None | Some(Parcel::Cancelled)), "{seen}");
                assert_eq!(account.captured, account.refunded(), "{seen}");
            }
            OrderStatus::Cancelled => {
                assert!(is_committed && parcel == Some(Parcel::Cancelled), "{seen}");
                assert_eq!(account.refunded(), order.total.amount(), "{seen}");
            }
            sold => {
                let is_with_carrier = !matches!(sold, OrderStatus::Confirmed | OrderStatus::Packed);
                let expected = if is_with_carrier { Parcel::HandedOver } else { Parcel::Booked };
                assert!(is_committed && parcel == Some(expected), "{seen}");
                assert_eq!((account.captures, account.captured), (1, order.total.amount()), "{seen}");
                let returned: i64 = order.returns.iter().map(|entry| entry.amount.amount()).sum();
                assert_eq!(account.refunded(), returned, "{seen}");
            }
        }
        self.assert_no_piece_is_lost();
    }

    /// Pieces in stock, reserved, and sold but not returned add up to the pieces received.
    fn assert_no_piece_is_lost(&self) {
        for (product, received) in &self.received {
            let of = |lines: &[StockLine]| -> u32 {
                lines.iter().filter(|line| line.product_id == *product).map(|line| line.quantity.get()).sum()
            };
            let promised = self.reservations.values().map(|reservation| match reservation {
                Reservation::Held { lines, .. } | Reservation::Committed(lines) => of(lines),
                Reservation::Released => 0,
            });
            let promised: u32 = promised.sum();
            let back: u32 = self.put_back.values().map(|lines| of(lines)).sum();
            assert_eq!(self.on_shelf[product] + promised - back, *received, "{product}");
        }
    }
}

impl Account {
    pub fn refunded(&self) -> i64 {
        self.refunds.iter().map(|(_, refund)| refund.amount.amount()).sum()
    }
}
