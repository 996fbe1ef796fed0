//! Applies the replies of a saga to the order's record, and the saga's ending to the order.

use super::{
    messages::*,
    records::{Changed, OrderRecord, ReturnRecord},
    rules,
    saga::{DueAction, Ending, Learned, Plan, ReturnPlan, Saga, StepRefusal, StepReply},
};
use crate::{
    mesh::Event,
    services::payments::messages::{Refund, RefundStatus},
    types::Timestamp,
};
use OrderStatus::*;

impl OrderRecord {
    /// The action to be sent.
    pub fn due(&self) -> Option<DueAction> {
        self.saga.as_ref().and_then(Saga::due)
    }

    /// Applies the reply to an action. `false` if the action is no longer due, because another
    /// execution applied a reply first.
    pub fn apply_reply(&mut self, due: DueAction, reply: &StepReply, now: Timestamp) -> Changed {
        let Some(saga) = self.saga.as_mut().filter(|saga| saga.due() == Some(due)) else { return Ok(false) };
        let ending = saga.apply_reply(reply, now);
        self.needs_attention = false;
        if let StepReply::Done(learned) = reply {
            self.learn(due.saga, learned, now);
        }
        if let Some((ending, saga)) = ending.and_then(|ending| Some((ending, self.saga.take()?))) {
            self.conclude(saga, ending, now)?;
        }
        Ok(true)
    }

    /// Marks that the action that is due has failed for a long time.
    pub fn call_for_attention(&mut self, due: DueAction, now: Timestamp) -> bool {
        let changed = !self.needs_attention && self.due() == Some(due);
        if changed {
            self.needs_attention = true;
            self.note("This takes longer than it should; we are looking into it", now);
        }
        changed
    }

    fn learn(&mut self, saga: u32, learned: &Learned, now: Timestamp) {
        match learned {
            Learned::Nothing => {}
            Learned::TrackingNumber(number) => self.tracking_number = Some(number.clone()),
            Learned::Refund(refund) => {
                self.refunds.push((saga, refund.clone()));
                if refund.status == RefundStatus::Failed {
                    self.note_failed(refund, now);
                }
            }
        }
    }

    pub fn note_failed(&mut self, refund: &Refund, now: Timestamp) {
        self.note(format!("{} could not be refunded; we will contact you", refund.amount), now);
    }

    fn conclude(&mut self, saga: Saga, ending: Ending, now: Timestamp) -> Result<(), OrdersError> {
        match (saga.plan, ending) {
            (Plan::Place { .. }, Ok(())) => self.confirm(now),
            (Plan::Place { .. }, Err(refusal)) => self.reject(refusal, now),
            (Plan::Cancel { .. }, Ok(())) => self.conclude_cancel(now),
            (Plan::Ship, Ok(())) => self.conclude_ship(now),
            (Plan::Return(what), Ok(())) => self.conclude_return(saga.number, what, now),
            (Plan::Cancel { .. } | Plan::Ship | Plan::Return(_), Err(refusal)) => {
                self.refused = Some((saga.number, refusal));
                Ok(())
            }
        }
    }

    fn confirm(&mut self, now: Timestamp) -> Result<(), OrdersError> {
        self.enter(Confirmed, "Paid; we will pack it", now)?;
        let lines = rules::lines_of(&self.order.items);
        OrderConfirmed { order: self.facts(), lines }.add_to(&mut self.outbox, now);
        Ok(())
    }

    fn reject(&mut self, refusal: StepRefusal, now: Timestamp) -> Result<(), OrdersError> {
        let reason = match refusal {
            StepRefusal::Rejected(reason) => reason,
            // No step of placing gives these refusals.
            StepRefusal::HandedOver | StepRefusal::RefundTooLarge { .. } => Reason::Unavailable,
        };
        self.enter(Rejected, reason.message(), now)?;
        self.order.reason = Some(reason.clone());
        OrderRejected { order: self.facts(), reason }.add_to(&mut self.outbox, now);
        Ok(())
    }

    fn conclude_cancel(&mut self, now: Timestamp) -> Result<(), OrdersError> {
        self.enter(Cancelled, "Cancelled", now)?;
        self.order.reason = Some(Reason::Cancelled);
        OrderCancelled { order: self.facts() }.add_to(&mut self.outbox, now);
        Ok(())
    }

    fn conclude_ship(&mut self, now: Timestamp) -> Result<(), OrdersError> {
        let tracking_number = self.tracking_number.clone().unwrap_or_default();
        self.enter(Shipped, format!("Handed over to the carrier; tracking number {tracking_number}"), now)?;
        OrderShipped { order: self.facts(), tracking_number }.add_to(&mut self.outbox, now);
        Ok(())
    }

    fn conclude_return(&mut self, saga: u32, what: ReturnPlan, now: Timestamp) -> Result<(), OrdersError> {
        let amount = what.amount;
        let pieces: u32 = what.lines.iter().map(|line| line.quantity.get()).sum();
        let note = format!("{pieces} {} returned", if pieces == 1 { "item" } else { "items" });
        if rules::take_back(&mut self.order.items, &what.lines) {
            self.enter(Returned, note, now)?;
        } else {
            self.note(note, now);
        }
        self.returns.push(ReturnRecord { saga, what, at: now });
        OrderReturned { order: self.facts(), amount }.add_to(&mut self.outbox, now);
        Ok(())
    }

    /// Changes the status. There is no other way to change it.
    pub fn enter(&mut self, status: OrderStatus, note: impl Into<String>, now: Timestamp) -> Result<(), OrdersError> {
        rules::check_transition(self.order.status, status)?;
        self.order.status = status;
        self.note(note, now);
        Ok(())
    }

    pub fn note(&mut self, note: impl Into<String>, at: Timestamp) {
        self.order.timeline.push(TimelineEntry { status: self.order.status, at, note: Some(note.into()) });
    }

    pub fn facts(&self) -> OrderFacts {
        OrderFacts { order_id: self.order.id, user_id: self.order.user_id, total: self.order.total }
    }
}

impl Reason {
    fn message(&self) -> String {
        match self {
            Self::OutOfStock { .. } => "Not enough in stock; nothing was charged".into(),
            Self::PaymentDeclined { .. } => "The payment was declined; nothing was charged".into(),
            Self::Undeliverable { detail } => format!("We cannot deliver it ({detail}); nothing was charged"),
            Self::Unavailable => "We could not complete the order in time; no money was kept".into(),
            Self::Cancelled => "Cancelled".into(),
        }
    }
}
