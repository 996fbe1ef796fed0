//! The equations.

use super::{
    books::{Books, OrderBooks},
    reconciliation::Reconciliation,
};
use crate::{
    env,
    mesh::PendingEvent,
    services::{
        orders::messages::{OrderReconciliation, OrderStatus},
        payments::messages::PaymentStatus,
        shipping::messages::ShipmentStatus,
    },
    types::{OrderId, ProductId, Timestamp},
};
use std::{collections::HashMap, time::Duration};

/// An unfinished saga that is older is a fault: orders gives up placing an order after a minute
/// (`PATIENCE` in `orders/saga.rs`), and its compensations need some seconds.
const MOST_UNFINISHED: Duration = Duration::from_secs(60 + 15);
/// A reservation that expired longer ago is a fault: products should have released it.
const MOST_LAPSED: Duration = Duration::from_secs(60);

impl Books {
    /// The equations that one look decides, and the result for each suspect: an order with an
    /// equation that does not hold.
    pub fn reconcile(self, began: Timestamp, now: Timestamp) -> (Reconciliation, Vec<(OrderId, Reconciliation)>) {
        let (mut reconciliation, mut suspects) = (Reconciliation::default(), Vec::new());
        self.reconcile_stock(&mut reconciliation);
        self.reconcile_sales(began, &mut reconciliation);
        for books in self.by_order() {
            let found = books.reconcile(now);
            if found.broken.is_empty() {
                reconciliation.add(found);
            } else {
                suspects.push((books.id, found));
            }
        }
        (reconciliation, suspects)
    }

    fn reconcile_stock(&self, reconciliation: &mut Reconciliation) {
        for product in &self.stock {
            let left = product.available + product.reserved + product.sold - product.returned;
            reconciliation.same(
                "available + reserved + sold - returned = received",
                product.product_id,
                left,
                product.received,
            );
            let least = product.available.min(product.reserved).min(product.sold).min(product.returned);
            reconciliation.same("no count of a product is negative", product.product_id, least.min(0), 0);
        }
    }

    /// The pieces that products sold by `began` against the pieces that orders bought by then.
    fn reconcile_sales(&self, began: Timestamp, reconciliation: &mut Reconciliation) {
        // The least and the most pieces of each product.
        let mut bought: HashMap<ProductId, (i64, i64)> = HashMap::new();
        for order in &self.orders {
            let has_moved = order.unfinished_since.is_some() || order.changed_at >= began;
            for (product, pieces) in if has_moved { &order.asked_for } else { &order.pieces } {
                let (least, most) = bought.entry(*product).or_default();
                *least += if has_moved { 0 } else { i64::from(*pieces) };
                *most += i64::from(*pieces);
            }
        }
        for product in &self.stock {
            let (least, most) = bought.get(&product.product_id).copied().unwrap_or_default();
            let sold = product.sold - product.returned;
            reconciliation.same(
                "sold - returned = pieces in orders",
                product.product_id,
                sold,
                sold.clamp(least, most),
            );
        }
    }
}

impl OrderBooks {
    pub fn reconcile(&self, now: Timestamp) -> Reconciliation {
        let mut reconciliation = Reconciliation::default();
        self.reconcile_payment(&mut reconciliation);
        self.reconcile_stray(&mut reconciliation);
        self.reconcile_reservation(now, &mut reconciliation);
        if let Some(order) = &self.order {
            self.reconcile_order(order, now, &mut reconciliation);
        }
        reconciliation
    }

    /// The equations of a payment, whatever the state of its order.
    fn reconcile_payment(&self, reconciliation: &mut Reconciliation) {
        let Some(payment) = &self.payment else { return };
        let (id, provider) = (self.id, payment.provider);
        let often = (provider.authorizations.min(1), provider.captures.min(1));
        reconciliation.same(
            "an order is authorized and captured at most once",
            id,
            (provider.authorizations, provider.captures),
            often,
        );
        if payment.unfinished_since.is_some() {
            return;
        }
        reconciliation.same(
            "the payment is what the provider's ledger says",
            id,
            format!("{:?}", payment.ours),
            format!("{provider:?}"),
        );
        reconciliation.same(
            "refunded is at most captured",
            id,
            (payment.ours.refunded - payment.ours.captured).max(0),
            0,
        );
    }

    /// A payment or a shipment that belongs to no order.
    fn reconcile_stray(&self, reconciliation: &mut Reconciliation) {
        let is_stray = self.order.is_none();
        if let Some(payment) = &self.payment {
            let costs = payment.ours.held > 0 || payment.status == PaymentStatus::Captured;
            reconciliation.same("no payment without an order", self.id, is_stray && costs, false);
        }
        if let Some(status) = self.shipment {
            let moves = status != ShipmentStatus::Cancelled;
            reconciliation.same("no shipment without an order", self.id, is_stray && moves, false);
        }
    }

    fn reconcile_reservation(&self, now: Timestamp, reconciliation: &mut Reconciliation) {
        let Some(reservation) = &self.reservation else { return };
        reconciliation.same("no reservation without an order", self.id, self.order.is_none(), false);
        let late = env::since(now, reservation.until);
        let late = if late > MOST_LAPSED { late.as_secs() } else { 0 };
        reconciliation.same("no reservation outlives its time", self.id, late, 0);
    }

    fn reconcile_order(&self, order: &OrderReconciliation, now: Timestamp, reconciliation: &mut Reconciliation) {
        let id = self.id;
        let sum = order.lines.checked_add(order.shipping);
        reconciliation.same("an order's total = its lines + shipping", id, Some(order.total.amount()), sum);
        reconciliation.same("an order goes from state to state as it may", id, order.illegal_steps, 0);
        reconciliation.same("no order needs attention", id, order.needs_attention, false);
        if let Some(since) = order.unfinished_since {
            let age = env::since(now, since);
            let old = if age > MOST_UNFINISHED { age.as_secs() } else { 0 };
            reconciliation.same("no saga is unfinished for more than a minute", id, old, 0);
            // The saga may change every record below at any moment.
            return;
        }
        let paid = self.payment.as_ref().map(|payment| payment.ours).unwrap_or_default();
        reconciliation.same("nothing is promised to an order at rest", id, self.reservation.is_some(), false);
        let too_much = (paid.held + paid.captured - order.total.amount()).max(0);
        reconciliation.same("held + captured is at most an order's total", id, too_much, 0);
        let not_paid_out = (order.refunded.amount() - paid.refunded).max(0);
        reconciliation.same("what an order gave back its payment gave back", id, not_paid_out, 0);
        let moving = self.shipment.is_some_and(|status| status != ShipmentStatus::Cancelled);
        match order.status {
            OrderStatus::Pending => reconciliation.same("a pending order has a saga under way", id, "none", "one"),
            OrderStatus::Rejected | OrderStatus::Cancelled => {
                reconciliation.same("nothing is held for an order that came to nothing", id, paid.held, 0);
                // A cancelled order was captured and refunded. If the bank refused the refund
                // later, the payment shows it.
                let kept = if order.status == OrderStatus::Rejected { paid.captured - paid.refunded } else { 0 };
                reconciliation.same("a rejected order costs nothing", id, kept, 0);
                reconciliation.same("no shipment without a confirmed order", id, moving, false);
            }
            _ => {
                reconciliation.same(
                    "a confirmed order has one authorization and one capture",
                    id,
                    (paid.authorizations, paid.captures),
                    (1, 1),
                );
                reconciliation.same("a confirmed order was paid in full", id, paid.captured, order.total.amount());
                reconciliation.same("a confirmed order has a shipment", id, moving, true);
                let fulfilled = matches!(order.status, OrderStatus::Delivered | OrderStatus::Returned);
                let arrived = self.shipment == Some(ShipmentStatus::Delivered);
                reconciliation.same("a delivered order's parcel has arrived", id, fulfilled && !arrived, false);
            }
        }
    }
}

/// Events that are neither delivered nor put aside as dead letters. `pending` holds the ones that
/// are too old.
pub fn reconcile_pending_events(pending: &[PendingEvent], now: Timestamp) -> Reconciliation {
    let mut reconciliation = Reconciliation::default();
    for PendingEvent { publisher, record, event } in pending {
        let subject = format!("{publisher}/{record}/{} ({})", event.seq, event.name);
        let age = env::since(now, event.at).as_secs();
        reconciliation.same(
            "every event is delivered or put aside",
            subject,
            format!("pending for {age} s"),
            "0".to_owned(),
        );
    }
    if pending.is_empty() {
        reconciliation.same("every event is delivered or put aside", "", 0, 0);
    }
    reconciliation
}
