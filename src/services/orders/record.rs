//! An order as it is written down, and how it changes: each change is one swap of this record, with the events that it owes.

use super::{
    messages::*,
    rules,
    saga::{Plan, Refusal, Return, Saga},
};
use crate::{
    mesh::Event,
    services::payments::messages::{Refund, RefundStatus},
    storage::{Outbox, Record},
    types::{Money, MoneyError, OrderId, RefundId, Timestamp},
};
use OrderStatus::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// As its customer sees it, but for what [`OrderRecord::into_view`] fills in.
    pub order: Order,
    /// The saga under way.
    pub saga: Option<Saga>,
    /// How many were ever begun.
    pub sagas: u32,
    /// The last saga that came to nothing, and why. A rejected order tells its own reason.
    #[serde(default)]
    pub refused: Option<(u32, Refusal)>,
    /// The saga has tried for long and cannot go on: people should look.
    #[serde(default)]
    pub needs_attention: bool,
    #[serde(default)]
    pub tracking_number: Option<String>,
    /// What was given back, by which saga.
    #[serde(default)]
    pub refunds: Vec<(u32, Refund)>,
    #[serde(default)]
    pub returns: Vec<ReturnRecord>,
    pub outbox: Outbox,
}

/// A return that is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReturnRecord {
    pub saga: u32,
    pub what: Return,
    pub at: Timestamp,
}

impl Record for OrderRecord {
    const TABLE: &'static str = "order";
    type Key = OrderId;

    fn entries(&self) -> Vec<String> {
        let Order { id, user_id, status, .. } = &self.order;
        let mut entries = vec![format!("by_user/{user_id}/{id}")];
        // One that is being placed is found among the open ones: an entry would be gone again in a moment.
        entries.extend((*status != Pending).then(|| format!("by_status/{status}/{id}")));
        entries.extend(self.needs_attention.then(|| format!("attention/{id}")));
        entries
    }

    fn outbox(&self) -> Option<&Outbox> {
        Some(&self.outbox)
    }

    fn outbox_mut(&mut self) -> Option<&mut Outbox> {
        Some(&mut self.outbox)
    }

    fn is_open(&self) -> bool {
        self.saga.is_some() || !self.outbox.is_empty()
    }
}

/// What a change comes to: whether anything is another than before.
pub type Changed = Result<bool, OrdersError>;

/// What is begun, and what is done at once.
impl OrderRecord {
    /// A pending order, its saga begun.
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

    /// `return_id` names the pieces that come back to the shelf.
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
        self.enter(Packed, "It is packed and waits for the carrier", now)?;
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

    /// Whoever asks again because the answer was lost may find the order further on; only what was cancelled is not on its way there.
    fn has_been(&self, status: OrderStatus) -> bool {
        self.order.status != Cancelled && self.order.timeline.iter().any(|entry| entry.status == status)
    }

    /// An order that is only just being handed over has to be shipped first.
    pub fn deliver(&mut self, now: Timestamp) -> Changed {
        if matches!(self.order.status, Delivered | Returned) {
            return Ok(false);
        }
        self.enter(Delivered, "It was delivered", now)?;
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
        let what = Return { key: key.clone(), return_id, lines: lines.clone(), reason: reason.clone(), amount };
        self.begin(Plan::Return(what), now);
        Ok(true)
    }

    /// The provider found later that it could not give this money back. Refunds that were none of ours are not noted.
    pub fn fail_refund(&mut self, failed: &Refund, now: Timestamp) -> Changed {
        // It may be one of the saga under way, whose answer has not come in yet, or is not written yet.
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

/// What is told of it.
impl OrderRecord {
    /// Whether it may go on before this is written.
    pub fn may_go_on(&self) -> bool {
        self.saga.as_ref().is_some_and(Saga::may_go_on)
    }

    pub fn into_view(self) -> Order {
        let in_progress = self.due().map(|due| match self.needs_attention {
            false => due.action.words().to_owned(),
            true => format!("{}; it takes longer than it should, and we are looking into it", due.action.words()),
        });
        let returns =
            self.returns.into_iter().map(|ReturnRecord { what: Return { lines, reason, amount, .. }, at, .. }| {
                ReturnEntry { lines, reason, amount, at }
            });
        Order { in_progress, returns: returns.collect(), ..self.order }
    }

    /// How many of its sagas are over.
    pub fn concluded(&self) -> u32 {
        self.sagas - u32::from(self.saga.is_some())
    }

    /// Why that saga came to nothing, if it did.
    pub fn refusal_of(&self, saga: u32) -> Option<&Refusal> {
        self.refused.as_ref().filter(|(refused, _)| *refused == saga).map(|(_, refusal)| refusal)
    }

    /// What was given back for the return with that key, once it is done.
    pub fn refund_under(&self, key: &str) -> Option<&Refund> {
        let done = self.returns.iter().find(|done| done.what.key == key)?;
        self.refunds.iter().find(|(saga, _)| *saga == done.saga).map(|(_, refund)| refund)
    }

    pub fn tally(&self) -> Result<OrderReconciliation, MoneyError> {
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
