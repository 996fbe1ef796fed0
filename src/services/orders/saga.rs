//! The sagas of an order: what is done for it at other services, in which order, and what happens when it cannot be done.
//!
//! No transaction spans two services. Instead each step is small and, until the pivot, can be undone by another; what has been
//! begun is written in the order's record, so that a crash at any point leaves enough to go on, or back.
//! The terms are Chris Richardson's (*Microservices Patterns*, chapter 4); what makes it safe are five rules:
//!
//! 1. The duty to undo an action is on disk before it is sent: registered afterwards, an unknown outcome would never be undone. One
//!    write closes an action and intends the next. On the way to the pivot not even that is needed ([`Saga::may_go_on`]): the order
//!    itself is on disk, and whoever goes on after a crash takes every step that can be undone for begun ([`Saga::doubt`]).
//! 2. No answer is no refusal. An action whose outcome is unknown is sent again; it names its order, so the other side does it once.
//! 3. Before the pivot, a refusal or the end of [`PATIENCE`] turns the saga back: every step that was *begun* is undone, the last one first.
//! 4. Once the pivot is sent, its outcome must be learnt; after it there is only forward.
//! 5. An undoing cannot be refused. It is sent until it succeeds, and people hear of it if that takes long.
//!
//! All of this file is pure: given the log, what next ([`Saga::next`]). `driver.rs` does it.

use super::messages::Reason;
use crate::{
    env::since,
    services::{payments::messages::Refund, products::messages::StockLine},
    telemetry,
    types::{Money, RefundId, SpanRef, Text, Timestamp},
};
use Action::*;
use Kind::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `pending → confirmed`, or back to `rejected`.
#[rustfmt::skip]
const PLACE: &[Step] = &[
    Step(ReserveStock,     Compensatable(ReleaseStock)),
    Step(AuthorizePayment, Compensatable(VoidPayment)),
    Step(BookShipment,     Compensatable(CancelShipment)),
    Step(CapturePayment,   Pivot),
    // Where the shop was down in between for longer than the reservation held, paid pieces may be gone: there is a way out.
    Step(CommitStock,      RetriableUnless(&[CancelShipment, RefundPayment])),
    Step(EmptyCart,        Retriable),
];

/// `confirmed | packed → cancelled`, unless the carrier has the parcel.
#[rustfmt::skip]
const CANCEL: &[Step] = &[
    Step(CancelShipment,   Pivot),
    Step(RefundPayment,    Retriable),
    Step(ReturnStock,      Retriable),
];

/// `packed → shipped`
#[rustfmt::skip]
const SHIP: &[Step] = &[
    Step(HandOver,         Pivot),
];

/// Pieces of a `delivered` order come back; `→ returned` when all have.
#[rustfmt::skip]
const RETURN: &[Step] = &[
    Step(RefundPayment,    Pivot),
    Step(ReturnStock,      Retriable),
];

/// An action, and what if it cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step(pub Action, pub Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Can be undone, by this action. Given up when it gets no answer in time.
    Compensatable(Action),
    /// The point of no return. Can be refused, and then nothing came of it; but an answer there must be.
    Pivot,
    /// Cannot be refused, only be late.
    Retriable,
    /// The same, but for one case that has this way out.
    RetriableUnless(&'static [Action]),
}

/// Something that another service is asked to do for an order. `participants.rs` says with which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    ReserveStock,
    ReleaseStock,
    AuthorizePayment,
    VoidPayment,
    BookShipment,
    CancelShipment,
    CapturePayment,
    CommitStock,
    EmptyCart,
    HandOver,
    RefundPayment,
    ReturnStock,
}

/// How long placing an order may take before it is given up. Less than a reservation holds ([`RESERVED_FOR`]).
pub const PATIENCE: Duration = Duration::from_secs(60);
/// After so long the pieces are somebody else's to buy.
pub const RESERVED_FOR: Duration = Duration::from_secs(15 * 60);

/// A saga under way, as it is written in the record of its order. One at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saga {
    /// Counts the sagas of its order from 1.
    pub number: u32,
    pub plan: Plan,
    pub begun_at: Timestamp,
    /// What was being done when it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<SpanRef>,
    /// Why it goes back, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    turned_back: Option<Refusal>,
    /// Its driver ended while it was under way: more may have been sent than is written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_in_doubt: bool,
    /// In the order in which they were intended; only the last can still be without an outcome.
    log: Vec<Entry>,
}

/// What the saga is for, with what its actions need and the order does not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    Place { from_cart: bool },
    Cancel { return_id: RefundId },
    Ship,
    Return(Return),
}

impl Plan {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Place { .. } => "place",
            Self::Cancel { .. } => "cancel",
            Self::Ship => "ship",
            Self::Return(_) => "return",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Return {
    /// The customer's, so that the same request is the same return.
    pub key: String,
    pub return_id: RefundId,
    pub lines: Vec<StockLine>,
    pub reason: Text<1, 200>,
    pub amount: Money,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    action: Action,
    intended_at: Timestamp,
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Done,
    Refused,
    /// Given up; perhaps it was done all the same.
    Unknown,
}

/// Whose turn it is: the action to be sent, and its place, so that an answer that comes late is not taken for another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub action: Action,
    pub saga: u32,
    place: usize,
}

/// What became of the action that was due.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Done(Learned),
    Refused(Refusal),
    /// None came in time.
    Missing,
}

/// What an action's reply tells that the order has to keep.
#[derive(Debug, Clone, PartialEq)]
pub enum Learned {
    Nothing,
    TrackingNumber(String),
    Refund(Refund),
}

/// A definite no.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Of the order that is being placed.
    Rejected(Reason),
    /// Too late to cancel.
    HandedOver,
    /// More than is left of what was paid: an operator has given some back already.
    RefundTooLarge { left: Money },
}

/// How a saga ended: all steps are done, or it went back.
pub type Ending = Result<(), Refusal>;

#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Write down the intent of this, then send it.
    Intend(Action),
    TurnBack(Refusal),
    End(Ending),
}

impl Saga {
    pub fn begin(number: u32, plan: Plan, now: Timestamp) -> Self {
        let cause = telemetry::current_span().at();
        let mut saga =
            Self { number, plan, begun_at: now, cause, turned_back: None, is_in_doubt: false, log: Vec::new() };
        saga.advance(now);
        saga
    }

    /// Given the log, in which nothing is open: what next?
    pub fn next(&self, now: Timestamp) -> Next {
        if let Some(refusal) = &self.turned_back {
            let left = self.way_back().into_iter().find(|action| !self.was_begun(*action));
            return left.map_or_else(|| Next::End(Err(refusal.clone())), Next::Intend);
        }
        match self.steps().find(|Step(action, _)| !self.was_begun(*action)) {
            None => Next::End(Ok(())),
            Some(Step(_, Compensatable(_) | Pivot)) if self.is_overdue(now) => Next::TurnBack(OVERDUE),
            Some(Step(action, _)) => Next::Intend(action),
        }
    }

    /// The action to be sent, for the first time or again.
    pub fn due(&self) -> Option<Due> {
        let place = self.log.len().checked_sub(1)?;
        let open = self.log.last().filter(|entry| entry.outcome.is_none())?;
        Some(Due { action: open.action, saga: self.number, place })
    }

    /// Writes down how the action that is due came out, and the intent of the next one; gives the ending where there is none.
    pub fn settle(&mut self, answer: &Answer, now: Timestamp) -> Option<Ending> {
        let (outcome, refusal) = match answer {
            Answer::Done(_) => (Outcome::Done, None),
            Answer::Refused(refusal) => (Outcome::Refused, Some(refusal.clone())),
            Answer::Missing => (Outcome::Unknown, Some(OVERDUE)),
        };
        if let Some(open) = self.log.last_mut() {
            open.outcome = Some(outcome);
        }
        self.turned_back = self.turned_back.take().or(refusal);
        self.advance(now)
    }

    /// Whether the action that is due may be sent before its intent is written: where a crash in between comes to no more than that what
    /// was done is asked for again. Not the pivot, which would be undone as if it had not been sent; nor what undoes, for after a crash
    /// what it has undone would be done anew.
    pub fn may_go_on(&self) -> bool {
        !matches!(self.due_kind(), None | Some(Pivot))
    }

    /// Its driver, or the whole program, has ended meanwhile. `false` where that is written already.
    pub fn doubt(&mut self) -> bool {
        !std::mem::replace(&mut self.is_in_doubt, true)
    }

    /// Whether a definite no to the action that is due is an answer; a contradiction otherwise.
    pub fn may_be_refused(&self) -> bool {
        matches!(self.due_kind(), Some(Compensatable(_) | Pivot | RetriableUnless(_)))
    }

    /// Whether it is time to do without an answer to the action that is due.
    pub fn gives_up(&self, now: Timestamp) -> bool {
        matches!(self.due_kind(), Some(Compensatable(_))) && self.is_overdue(now)
    }

    /// Whether the action that is due is to be sent until it succeeds, however long that takes.
    pub fn must_succeed(&self) -> bool {
        !matches!(self.due_kind(), Some(Compensatable(_)))
    }

    /// Whether money may be given back by it.
    pub fn may_refund(&self) -> bool {
        !matches!(self.plan, Plan::Ship)
    }

    fn advance(&mut self, now: Timestamp) -> Option<Ending> {
        loop {
            match self.next(now) {
                Next::Intend(action) => {
                    self.log.push(Entry { action, intended_at: now, outcome: None });
                    return None;
                }
                Next::TurnBack(refusal) => self.turned_back = Some(refusal),
                Next::End(ending) => return Some(ending),
            }
        }
    }

    fn steps(&self) -> impl DoubleEndedIterator<Item = Step> {
        let (steps, with_cart) = match &self.plan {
            Plan::Place { from_cart } => (PLACE, *from_cart),
            Plan::Cancel { .. } => (CANCEL, false),
            Plan::Ship => (SHIP, false),
            Plan::Return(_) => (RETURN, false),
        };
        steps.iter().copied().filter(move |Step(action, _)| *action != EmptyCart || with_cart)
    }

    /// What undoes every step that was begun, or may have been, the last one first. The step that was refused, too: an attempt
    /// at it that was taken for lost may still be on its way, and finds the door shut then.
    fn way_back(&self) -> Vec<Action> {
        let may_have_begun = |kind| self.is_in_doubt && matches!(kind, Compensatable(_));
        let begun = self.steps().rev().filter(|Step(action, kind)| self.was_begun(*action) || may_have_begun(*kind));
        let mut undoings = Vec::new();
        for Step(_, kind) in begun {
            match kind {
                Compensatable(undoing) => undoings.push(undoing),
                RetriableUnless(way_out) => return way_out.to_vec(),
                Pivot | Retriable => {}
            }
        }
        undoings
    }

    /// The kind of the step that is due; `None` where nothing is due, or the saga is on its way back.
    fn due_kind(&self) -> Option<Kind> {
        let due = self.due().filter(|_| self.turned_back.is_none())?;
        self.steps().find(|Step(action, _)| *action == due.action).map(|Step(_, kind)| kind)
    }

    fn was_begun(&self, action: Action) -> bool {
        self.log.iter().any(|entry| entry.action == action)
    }

    /// Only placing has an end to its patience: what a later saga undertakes is wanted, however late.
    fn is_overdue(&self, now: Timestamp) -> bool {
        matches!(self.plan, Plan::Place { .. }) && since(now, self.begun_at) >= PATIENCE
    }
}

const OVERDUE: Refusal = Refusal::Rejected(Reason::Unavailable);

impl Action {
    /// For people who wait for it.
    pub const fn words(self) -> &'static str {
        match self {
            ReserveStock => "the items are being reserved",
            ReleaseStock => "the reservation is being taken back",
            AuthorizePayment => "the payment is being authorized",
            VoidPayment => "the authorization of the payment is being given back",
            BookShipment => "the shipment is being booked",
            CancelShipment => "the shipment is being cancelled",
            CapturePayment => "the payment is being taken",
            CommitStock => "the items are being taken from the shelf",
            EmptyCart => "the cart is being emptied",
            HandOver => "the parcel is being handed over to the carrier",
            RefundPayment => "the money is being given back",
            ReturnStock => "the items are being put back on the shelf",
        }
    }
}
