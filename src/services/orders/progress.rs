//! How the saga of an order goes on, and what its ending makes of the order.

use super::{
    messages::*,
    record::{Changed, OrderRecord, ReturnRecord},
    rules,
    saga::{Answer, Due, Ending, Learned, Plan, Refusal, Return, Saga},
};
use crate::{
    mesh::Event,
    services::payments::messages::{Refund, RefundStatus},
    types::Timestamp,
};
use OrderStatus::*;

impl OrderRecord {
    /// The action to be sent.
    pub fn due(&self) -> Option<Due> {
        self.saga.as_ref().and_then(Saga::due)
    }

    /// Writes down the answer to an action, and what comes after it. `false` where the action is no longer due: somebody was faster.
    pub fn settle(&mut self, due: Due, answer: &Answer, now: Timestamp) -> Changed {
        let Some(saga) = self.saga.as_mut().filter(|saga| saga.due() == Some(due)) else { return Ok(false) };
        let ending = saga.settle(answer, now);
        self.needs_attention = false;
        if let Answer::Done(learned) = answer {
            self.learn(due.saga, learned, now);
        }
        if let Some((ending, saga)) = ending.and_then(|ending| Some((ending, self.saga.take()?))) {
            self.conclude(saga, ending, now)?;
        }
        Ok(true)
    }

    /// The action that is due fails and fails.
    pub fn call_for_attention(&mut self, due: Due, now: Timestamp) -> bool {
        let changed = !self.needs_attention && self.due() == Some(due);
        if changed {
            self.needs_attention = true;
            self.note("Something takes longer than it should; we are looking into it", now);
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
        self.note(format!("{} could not be given back; we will be in touch", refund.amount), now);
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
        self.enter(Confirmed, "It is paid for and will be packed", now)?;
        let lines = rules::lines_of(&self.order.items);
        OrderConfirmed { order: self.facts(), lines }.add_to(&mut self.outbox, now);
        Ok(())
    }

    fn reject(&mut self, refusal: Refusal, now: Timestamp) -> Result<(), OrdersError> {
        let reason = match refusal {
            Refusal::Rejected(reason) => reason,
            // Never said to an order that is being placed.
            Refusal::HandedOver | Refusal::RefundTooLarge { .. } => Reason::Unavailable,
        };
        self.enter(Rejected, reason.words(), now)?;
        self.order.reason = Some(reason.clone());
        OrderRejected { order: self.facts(), reason }.add_to(&mut self.outbox, now);
        Ok(())
    }

    fn conclude_cancel(&mut self, now: Timestamp) -> Result<(), OrdersError> {
        self.enter(Cancelled, "It was cancelled", now)?;
        self.order.reason = Some(Reason::Cancelled);
        OrderCancelled { order: self.facts() }.add_to(&mut self.outbox, now);
        Ok(())
    }

    fn conclude_ship(&mut self, now: Timestamp) -> Result<(), OrdersError> {
        let tracking_number = self.tracking_number.clone().unwrap_or_default();
        self.enter(Shipped, format!("It is with the carrier under {tracking_number}"), now)?;
        OrderShipped { order: self.facts(), tracking_number }.add_to(&mut self.outbox, now);
        Ok(())
    }

    fn conclude_return(&mut self, saga: u32, what: Return, now: Timestamp) -> Result<(), OrdersError> {
        let amount = what.amount;
        let pieces: u32 = what.lines.iter().map(|line| line.quantity.get()).sum();
        let words = format!("{pieces} {} came back", if pieces == 1 { "piece" } else { "pieces" });
        if rules::take_back(&mut self.order.items, &what.lines) {
            self.enter(Returned, words, now)?;
        } else {
            self.note(words, now);
        }
        self.returns.push(ReturnRecord { saga, what, at: now });
        OrderReturned { order: self.facts(), amount }.add_to(&mut self.outbox, now);
        Ok(())
    }

    /// The only way to another status.
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
    fn words(&self) -> String {
        match self {
            Self::OutOfStock { .. } => "There is not enough in stock; nothing was charged".into(),
            Self::PaymentDeclined { .. } => "The payment was declined; nothing was charged".into(),
            Self::Undeliverable { detail } => format!("It cannot be delivered ({detail}); nothing was charged"),
            Self::Unavailable => "It could not be done in time; no money was kept".into(),
            Self::Cancelled => "It was cancelled".into(),
        }
    }
}
