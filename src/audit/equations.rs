//! The equations: what must be the same as what.

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

/// An unfinished saga older than this is a fault: the minute after which an order that is being placed is given up (`PATIENCE` in
/// `orders/saga.rs`), and the time that it then needs to undo what it has begun.
const MOST_UNFINISHED: Duration = Duration::from_secs(60 + 15);
/// A reservation is released so soon after its time, or nobody does it.
const MOST_LAPSED: Duration = Duration::from_secs(60);

impl Books {
    /// What can be told at once, and what was found about each order for which something does not hold.
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
        for tally in &self.stock {
            let left = tally.available + tally.reserved + tally.sold - tally.returned;
            reconciliation.same(
                "available + reserved + sold - returned = received",
                tally.product_id,
                left,
                tally.received,
            );
            let least = tally.available.min(tally.reserved).min(tally.sold).min(tally.returned);
            reconciliation.same("no count of a product is negative", tally.product_id, least.min(0), 0);
        }
    }

    /// What products sold, when the books were begun, is what orders had bought by then.
    fn reconcile_sales(&self, began: Timestamp, reconciliation: &mut Reconciliation) {
        // At least so many pieces of each product, and at most so many.
        let mut bought: HashMap<ProductId, (i64, i64)> = HashMap::new();
        for order in &self.orders {
            let has_moved = order.unfinished_since.is_some() || order.changed_at >= began;
            for (product, pieces) in if has_moved { &order.asked_for } else { &order.pieces } {
                let (least, most) = bought.entry(*product).or_default();
                *least += if has_moved { 0 } else { i64::from(*pieces) };
                *most += i64::from(*pieces);
            }
        }
        for tally in &self.stock {
            let (least, most) = bought.get(&tally.product_id).copied().unwrap_or_default();
            let sold = tally.sold - tally.returned;
            reconciliation.same("sold - returned = pieces in orders", tally.product_id, sold, sold.clamp(least, most));
        }
    }
}

impl OrderBooks {
    pub fn reconcile(&self, now: Timestamp) -> Reconciliation {
        let mut reconciliation = Reconciliation::default();
        self.reckon_payment(&mut reconciliation);
        self.reckon_stray(&mut reconciliation);
        self.reckon_reservation(now, &mut reconciliation);
        if let Some(order) = &self.order {
            self.reckon_order(order, now, &mut reconciliation);
        }
        reconciliation
    }

    /// Of every payment, whatever its order is doing.
    fn reckon_payment(&self, reconciliation: &mut Reconciliation) {
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
    fn reckon_stray(&self, reconciliation: &mut Reconciliation) {
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

    fn reckon_reservation(&self, now: Timestamp, reconciliation: &mut Reconciliation) {
        let Some(reservation) = &self.reservation else { return };
        reconciliation.same("no reservation without an order", self.id, self.order.is_none(), false);
        let late = env::since(now, reservation.until);
        let late = if late > MOST_LAPSED { late.as_secs() } else { 0 };
        reconciliation.same("no reservation outlives its time", self.id, late, 0);
    }

    fn reckon_order(&self, order: &OrderReconciliation, now: Timestamp, reconciliation: &mut Reconciliation) {
        let id = self.id;
        let sum = order.lines.checked_add(order.shipping);
        reconciliation.same("an order's total = its lines + shipping", id, Some(order.total.amount()), sum);
        reconciliation.same("an order goes from state to state as it may", id, order.illegal_steps, 0);
        reconciliation.same("no order needs attention", id, order.needs_attention, false);
        if let Some(since) = order.unfinished_since {
            let age = env::since(now, since);
            let old = if age > MOST_UNFINISHED { age.as_secs() } else { 0 };
            reconciliation.same("no saga is unfinished for more than a minute", id, old, 0);
            // While its saga runs, an order's books are open.
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
                // A cancelled order was captured and given back; a refund that its bank refused later is told by the payment.
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

/// Events that nobody took, and nobody put aside.
pub fn reckon_owed(owed: &[PendingEvent], now: Timestamp) -> Reconciliation {
    let mut reconciliation = Reconciliation::default();
    for PendingEvent { publisher, record, event } in owed {
        let subject = format!("{publisher}/{record}/{} ({})", event.seq, event.name);
        let age = env::since(now, event.at).as_secs();
        reconciliation.same(
            "every event is delivered or put aside",
            subject,
            format!("owed for {age} s"),
            "0".to_owned(),
        );
    }
    if owed.is_empty() {
        reconciliation.same("every event is delivered or put aside", "", 0, 0);
    }
    reconciliation
}
