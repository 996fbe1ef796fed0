//! The records of orders, and the changes of an order. Each change is one compare-and-swap of the
//! order's record, which includes the saga's log and the pending events.

use super::{
    messages::*,
    rules,
    saga::{Plan, ReturnPlan, Saga, StepRefusal},
};
use crate::{
    mesh::Event,
    services::payments::messages::{Refund, RefundStatus},
    storage::{Outbox, record},
    types::{Money, MoneyError, OrderId, RefundId, Timestamp, UserId},
};
use OrderStatus::*;
use serde::{Deserialize, Serialize};

/// One order, with its running saga and its outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// What the customer sees, except for the fields that [`OrderRecord::into_view`] fills in.
    pub order: Order,
    /// The running saga.
    pub saga: Option<Saga>,
    /// Number of sagas begun so far.
    pub sagas: u32,
    /// The last saga that was refused, and why. A rejected order has its reason in `order`.
    #[serde(default)]
    pub refused: Option<(u32, StepRefusal)>,
    /// An action has failed for a long time; people should look at the order.
    #[serde(default)]
    pub needs_attention: bool,
    #[serde(default)]
    pub tracking_number: Option<String>,
    /// The refunds, with the number of the saga that made each.
    #[serde(default)]
    pub refunds: Vec<(u32, Refund)>,
    #[serde(default)]
    pub returns: Vec<ReturnRecord>,
    pub outbox: Outbox,
}

/// A completed return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReturnRecord {
    pub saga: u32,
    pub what: ReturnPlan,
    pub at: Timestamp,
}

record! {
    OrderRecord {
        table: "order",
        key: OrderId,
        outbox: outbox,
        open_while: |record| record.saga.is_some(),
        entries: |record| record.index_entries(),
    }
    // The key is the SHA-256 of user and idempotency key.
    Placing { table: "placed", key: String }
    CartOrder { table: "cart_order", key: UserId }
}

impl OrderRecord {
    fn index_entries(&self) -> Vec<String> {
        let Order { id, user_id, status, .. } = &self.order;
        let mut entries = vec![format!("by_user/{user_id}/{id}")];
        // A pending order is found by its open marker. An entry would be deleted again a moment
        // later.
        entries.extend((*status != Pending).then(|| format!("by_status/{status}/{id}")));
        entries.extend(self.needs_attention.then(|| format!("attention/{id}")));
        entries
    }
}

/// Which order an idempotency key places, and for which request. Written once, before the order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Placing {
    pub fingerprint: String,
    pub order_id: OrderId,
}

/// The last order of a user's cart. Written before the order. Two clicks can send two requests with
/// two keys for one cart; this record makes one of them wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CartOrder {
    pub order_id: OrderId,
    pub at: Timestamp,
}

/// Whether the record was changed.
pub type Changed = Result<bool, OrdersError>;

/// Commands: some change the order at once, the others begin a saga.
impl OrderRecord {
    /// A pending order with its saga begun.
    pub fn placed(order: Order, from_cart: bool) -> Self {
        let (saga, begun_at) = (Plan::Place { from_cart }, order.placed_at);
        let mut record = Self {
            order,
            saga: None,
            sagas: 0,
            refused: None,
            needs_attention: false,
            tracking_number: None,
            refunds: Vec::new(),
            returns: Vec::new(),
            outbox: Outbox::default(),
        };
        record.begin(saga, begun_at);
        record
    }

    /// `return_id` is the idempotency key for putting the pieces back in stock.
    pub fn cancel(&mut self, return_id: RefundId, now: Timestamp) -> Changed {
        let status = self.order.status;
        if status == Cancelled || self.is_at(|plan| matches!(plan, Plan::Cancel { .. })) {
            return Ok(false);
        }
        self.check_at_rest()?;
        rules::check_transition(status, Cancelled)
            .map_err(|_| OrdersError::NotCancellable { status: status.to_string() })?;
        self.begin(Plan::Cancel { return_id }, now);
        Ok(true)
    }

    pub fn pack(&mut self, now: Timestamp) -> Changed {
        self.check_at_rest()?;
        if self.has_been(Packed) {
            return Ok(false);
        }
        self.enter(Packed, "Packed; waiting for the carrier", now)?;
        Ok(true)
    }

    pub fn ship(&mut self, now: Timestamp) -> Changed {
        if self.has_been(Shipped) || self.is_at(|plan| *plan == Plan::Ship) {
            return Ok(false);
        }
        self.check_at_rest()?;
        rules::check_transition(self.order.status, Shipped)?;
        self.begin(Plan::Ship, now);
        Ok(true)
    }

    /// Whether the order is or was in this status. A client that repeats a request whose reply was
    /// lost may find the order in a later status. A cancelled order never counts.
    fn has_been(&self, status: OrderStatus) -> bool {
        self.order.status != Cancelled && self.order.timeline.iter().any(|entry| entry.status == status)
    }

    /// Refused while the order is being handed over: `shipped` comes first.
    pub fn deliver(&mut self, now: Timestamp) -> Changed {
        if matches!(self.order.status, Delivered | Returned) {
            return Ok(false);
        }
        self.enter(Delivered, "Delivered", now)?;
        OrderDelivered { order: self.facts() }.add_to(&mut self.outbox, now);
        Ok(true)
    }

    pub fn take_back(&mut self, request: &ReturnItems, return_id: RefundId, now: Timestamp) -> Changed {
        let ReturnItems { key, lines, reason, .. } = request;
        let under_way = self.saga.as_ref().and_then(|saga| match &saga.plan {
            Plan::Return(what) => Some(what),
            _ => None,
        });
        let done = self.returns.iter().map(|done| &done.what);
        if let Some(same) = done.chain(under_way).find(|what| what.key == *key) {
            let is_same = same.lines == *lines && same.reason == *reason;
            return if is_same { Ok(false) } else { Err(OrdersError::KeyReused) };
        }
        self.check_at_rest()?;
        if self.order.status != Delivered {
            return Err(OrdersError::NotReturnable { status: self.order.status.to_string() });
        }
        let amount = rules::refund_for(&self.order.items, lines)?;
        let what = ReturnPlan { key: key.clone(), return_id, lines: lines.clone(), reason: reason.clone(), amount };
        self.begin(Plan::Return(what), now);
        Ok(true)
    }

    /// The provider reported later that this refund failed. Refunds that no saga of this order made
    /// are ignored.
    pub fn fail_refund(&mut self, failed: &Refund, now: Timestamp) -> Changed {
        // The running saga may have made it, with a reply that is not received or not saved yet.
        let is_awaited = self.saga.as_ref().is_some_and(Saga::may_refund);
        match self.refunds.iter_mut().map(|(_, refund)| refund).find(|refund| refund.id == failed.id) {
            Some(refund) if refund.status != RefundStatus::Failed => refund.status = RefundStatus::Failed,
            None if is_awaited => return Err(OrdersError::Busy),
            Some(_) | None => return Ok(false),
        }
        self.note_failed(failed, now);
        Ok(true)
    }

    fn begin(&mut self, plan: Plan, now: Timestamp) {
        self.sagas += 1;
        self.saga = Some(Saga::begin(self.sagas, plan, now));
    }

    fn is_at(&self, plan: impl Fn(&Plan) -> bool) -> bool {
        self.saga.as_ref().is_some_and(|saga| plan(&saga.plan))
    }

    fn check_at_rest(&self) -> Result<(), OrdersError> {
        if self.saga.is_some() { Err(OrdersError::Busy) } else { Ok(()) }
    }
}

/// Queries.
impl OrderRecord {
    /// Whether its saga may go on before this record is saved.
    pub fn may_go_on(&self) -> bool {
        self.saga.as_ref().is_some_and(Saga::may_go_on)
    }

    pub fn into_view(self) -> Order {
        let in_progress = self.due().map(|due| match self.needs_attention {
            false => due.action.message().to_owned(),
            true => format!("{}; this takes longer than it should, and we are looking into it", due.action.message()),
        });
        let returns = self.returns.into_iter().map(
            |ReturnRecord { what: ReturnPlan { lines, reason, amount, .. }, at, .. }| ReturnEntry {
                lines,
                reason,
                amount,
                at,
            },
        );
        Order { in_progress, returns: returns.collect(), ..self.order }
    }

    /// Number of sagas (place, cancel, return, …) of this order that have ended.
    pub fn concluded(&self) -> u32 {
        self.sagas - u32::from(self.saga.is_some())
    }

    /// Why that saga was refused, if it was.
    pub fn refusal_of(&self, saga: u32) -> Option<&StepRefusal> {
        self.refused.as_ref().filter(|(refused, _)| *refused == saga).map(|(_, refusal)| refusal)
    }

    /// The refund of the return with that key; `None` until the return is completed.
    pub fn refund_under(&self, key: &str) -> Option<&Refund> {
        let done = self.returns.iter().find(|done| done.what.key == key)?;
        self.refunds.iter().find(|(saga, _)| *saga == done.saga).map(|(_, refund)| refund)
    }

    pub fn reconciliation(&self) -> Result<OrderReconciliation, MoneyError> {
        let Order { id: order_id, status, total, items, version, placed_at, timeline, shipping_cost, .. } = &self.order;
        let sold = matches!(status, Confirmed | Packed | Shipped | Delivered | Returned);
        let kept = items.iter().filter(|_| sold).map(|item| (item.product_id, item.quantity.get() - item.returned));
        let given_back = self.refunds.iter().filter(|(_, refund)| refund.status == RefundStatus::Succeeded);
        Ok(OrderReconciliation {
            order_id: *order_id,
            status: *status,
            total: *total,
            lines: Money::sum(items.iter().map(|item| item.line_total), total.currency())?.amount(),
            shipping: shipping_cost.amount(),
            illegal_steps: rules::illegal_steps(timeline),
            needs_attention: self.needs_attention,
            refunded: Money::sum(given_back.map(|(_, refund)| refund.amount), total.currency())?,
            pieces: kept.collect(),
            asked_for: items.iter().map(|item| (item.product_id, item.quantity.get())).collect(),
            version: *version,
            changed_at: timeline.last().map_or(*placed_at, |entry| entry.at),
            unfinished_since: self.saga.as_ref().map(|saga| saga.begun_at),
        })
    }
}
