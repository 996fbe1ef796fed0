//! The sagas of an order: which action is sent to which service, in which order, and what happens
//! when an action is refused or gets no reply.
//!
//! No transaction spans two services. Each step is small, and each step before the pivot can be
//! undone by a compensation. The log of a saga is part of the order's record, so after a crash at
//! any point the saga can go on or be compensated. The terms are those of Chris Richardson
//! (*Microservices Patterns*, chapter 4). Five rules make it safe:
//!
//! 1. The intent of an action is saved before the action is sent. If it were saved afterwards, an
//!    action whose reply is lost in a crash would never be compensated. One write records a reply
//!    and the next intent. Before the pivot even that write can wait ([`Saga::may_go_on`]): the
//!    order itself is on disk, and after a crash every compensatable step counts as begun
//!    ([`Saga::doubt`]).
//! 2. A missing reply is not a refusal. An action whose outcome is unknown is sent again. The
//!    action names its order, so the participant does it once.
//! 3. Before the pivot, a refusal or the end of [`TIMEOUT`] turns the saga back: the compensations
//!    of all steps that were *begun* are sent, the last step first.
//! 4. Once the pivot is sent, it is repeated until its outcome is known. After the pivot all
//!    further steps are repeated until they succeed.
//! 5. A compensation cannot be refused. It is repeated until it succeeds; if that takes long, the
//!    order needs attention.
//!
//! This file is pure: [`Saga::next`] decides from the log. `orchestrator.rs` sends the actions.

use super::messages::Reason;
use crate::{
    env::since,
    services::{payments::messages::Refund, products::messages::StockLine},
    telemetry,
    types::{Money, RefundId, SpanRef, Text, Timestamp},
};
use Action::*;
use StepKind::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `pending → confirmed`, or `pending → rejected` if it is compensated.
#[rustfmt::skip]
const PLACE: &[SagaStep] = &[
    SagaStep(ReserveStock,     Compensatable(ReleaseStock)),
    SagaStep(AuthorizePayment, Compensatable(VoidPayment)),
    SagaStep(BookShipment,     Compensatable(CancelShipment)),
    SagaStep(CapturePayment,   Pivot),
    // If the shop was down for longer than the reservation holds, the pieces may be gone although
    // they are paid.
    SagaStep(CommitStock,      RetriableUnless(&[CancelShipment, RefundPayment])),
    SagaStep(EmptyCart,        Retriable),
];

/// `confirmed | packed → cancelled`, unless the carrier has the parcel already.
#[rustfmt::skip]
const CANCEL: &[SagaStep] = &[
    SagaStep(CancelShipment,   Pivot),
    SagaStep(RefundPayment,    Retriable),
    SagaStep(ReturnStock,      Retriable),
];

/// `packed → shipped`
#[rustfmt::skip]
const SHIP: &[SagaStep] = &[
    SagaStep(HandOver,         Pivot),
];

/// Pieces of a `delivered` order come back; `delivered → returned` when all pieces are back.
#[rustfmt::skip]
const RETURN: &[SagaStep] = &[
    SagaStep(RefundPayment,    Pivot),
    SagaStep(ReturnStock,      Retriable),
];

/// One step: its action, and what happens when the action cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SagaStep(pub Action, pub StepKind);

/// The kinds of step of *Microservices Patterns*, §4.3.1 (the structure of a saga).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// This action undoes the step. Without a reply in time, the saga turns back.
    Compensatable(Action),
    /// The point of no return. It can be refused, and then has no effect. Without a reply it is
    /// repeated.
    Pivot,
    /// Cannot be refused; is repeated until it succeeds.
    Retriable,
    /// Retriable, with one exception: if it is refused, these actions undo the saga.
    RetriableUnless(&'static [Action]),
}

/// A request to a participant of the saga. `participants.rs` maps it to a message.
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

/// The longest time that placing an order may take before the pivot. Less than [`RESERVED_FOR`].
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// How long products holds the reservation of an order's pieces.
pub const RESERVED_FOR: Duration = Duration::from_secs(15 * 60);

/// A running saga, stored in the record of its order. An order has at most one at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saga {
    /// Numbers the sagas of an order: 1, 2, 3, …
    pub number: u32,
    pub plan: Plan,
    pub begun_at: Timestamp,
    /// The span in which it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<SpanRef>,
    /// Why it is being compensated; `None` while it goes forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    turned_back: Option<StepRefusal>,
    /// Its execution was interrupted, so more actions may have been sent than the log shows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_in_doubt: bool,
    /// In the order of the intents. Only the last entry can be without a result.
    log: Vec<LogEntry>,
}

/// What the saga is for, with the data that its actions need beside the order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    Place { from_cart: bool },
    Cancel { return_id: RefundId },
    Ship,
    Return(ReturnPlan),
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

/// What a return takes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReturnPlan {
    /// The customer's idempotency key: the same key is the same return.
    pub key: String,
    pub return_id: RefundId,
    pub lines: Vec<StockLine>,
    pub reason: Text<1, 200>,
    pub amount: Money,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LogEntry {
    action: Action,
    intended_at: Timestamp,
    result: Option<StepResult>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StepResult {
    Done,
    Refused,
    /// Given up without a reply; it may have been done.
    Unknown,
}

/// The action to be sent, with its position in the log, so that a late reply is not taken for the
/// reply to another action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueAction {
    pub action: Action,
    pub saga: u32,
    place: usize,
}

/// The reply to the action that was due.
#[derive(Debug, Clone, PartialEq)]
pub enum StepReply {
    Done(Learned),
    Refused(StepRefusal),
    /// No reply came in time.
    Missing,
}

/// The part of a reply that the order has to keep.
#[derive(Debug, Clone, PartialEq)]
pub enum Learned {
    Nothing,
    TrackingNumber(String),
    Refund(Refund),
}

/// A definite refusal: the action had no effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepRefusal {
    /// The order cannot be placed.
    Rejected(Reason),
    /// The carrier has the parcel, so the order cannot be cancelled.
    HandedOver,
    /// More than is left of the payment: an operator has refunded some of it.
    RefundTooLarge { left: Money },
}

/// How a saga ended: all steps are done, or all compensations are.
pub type Ending = Result<(), StepRefusal>;

/// The next move of a saga.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Save the intent of this action, then send it.
    Intend(Action),
    TurnBack(StepRefusal),
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

    /// Decides the next move from the log. Every entry of the log has a result.
    pub fn next(&self, now: Timestamp) -> Next {
        if let Some(refusal) = &self.turned_back {
            let left = self.compensations().into_iter().find(|action| !self.was_begun(*action));
            return left.map_or_else(|| Next::End(Err(refusal.clone())), Next::Intend);
        }
        match self.steps().find(|SagaStep(action, _)| !self.was_begun(*action)) {
            None => Next::End(Ok(())),
            Some(SagaStep(_, Compensatable(_) | Pivot)) if self.is_overdue(now) => Next::TurnBack(OVERDUE),
            Some(SagaStep(action, _)) => Next::Intend(action),
        }
    }

    /// The action to be sent, for the first time or again.
    pub fn due(&self) -> Option<DueAction> {
        let place = self.log.len().checked_sub(1)?;
        let open = self.log.last().filter(|entry| entry.result.is_none())?;
        Some(DueAction { action: open.action, saga: self.number, place })
    }

    /// Records the reply to the action that is due, and the next intent. `Some` if the saga ends.
    pub fn apply_reply(&mut self, reply: &StepReply, now: Timestamp) -> Option<Ending> {
        let (result, refusal) = match reply {
            StepReply::Done(_) => (StepResult::Done, None),
            StepReply::Refused(refusal) => (StepResult::Refused, Some(refusal.clone())),
            StepReply::Missing => (StepResult::Unknown, Some(OVERDUE)),
        };
        if let Some(open) = self.log.last_mut() {
            open.result = Some(result);
        }
        self.turned_back = self.turned_back.take().or(refusal);
        self.advance(now)
    }

    /// Whether the action that is due may be sent before its intent is saved. After a crash such an
    /// action is only sent again. That does not hold for the pivot: a crash would make the saga
    /// compensate although the pivot was sent. Nor for a compensation: a crash would make the saga
    /// go forward again.
    pub fn may_go_on(&self) -> bool {
        !matches!(self.due_kind(), None | Some(Pivot))
    }

    /// Marks the saga as interrupted. `false` if it was marked already.
    pub fn doubt(&mut self) -> bool {
        !std::mem::replace(&mut self.is_in_doubt, true)
    }

    /// Whether the action that is due may be refused. Otherwise a refusal is a contradiction.
    pub fn may_be_refused(&self) -> bool {
        matches!(self.due_kind(), Some(Compensatable(_) | Pivot | RetriableUnless(_)))
    }

    /// Whether the action that is due has run out of time, so that the saga turns back.
    pub fn gives_up(&self, now: Timestamp) -> bool {
        matches!(self.due_kind(), Some(Compensatable(_))) && self.is_overdue(now)
    }

    /// Whether the action that is due is repeated until it succeeds.
    pub fn must_succeed(&self) -> bool {
        !matches!(self.due_kind(), Some(Compensatable(_)))
    }

    /// Whether one of its actions can be a refund.
    pub fn may_refund(&self) -> bool {
        !matches!(self.plan, Plan::Ship)
    }

    fn advance(&mut self, now: Timestamp) -> Option<Ending> {
        loop {
            match self.next(now) {
                Next::Intend(action) => {
                    self.log.push(LogEntry { action, intended_at: now, result: None });
                    return None;
                }
                Next::TurnBack(refusal) => self.turned_back = Some(refusal),
                Next::End(ending) => return Some(ending),
            }
        }
    }

    fn steps(&self) -> impl DoubleEndedIterator<Item = SagaStep> {
        let (steps, with_cart) = match &self.plan {
            Plan::Place { from_cart } => (PLACE, *from_cart),
            Plan::Cancel { .. } => (CANCEL, false),
            Plan::Ship => (SHIP, false),
            Plan::Return(_) => (RETURN, false),
        };
        steps.iter().copied().filter(move |SagaStep(action, _)| *action != EmptyCart || with_cart)
    }

    /// The compensations of every step that was begun or may have been, the last step first. The
    /// refused step is compensated, too: an earlier attempt that timed out may still arrive, and
    /// must then be rejected.
    fn compensations(&self) -> Vec<Action> {
        let may_have_begun = |kind| self.is_in_doubt && matches!(kind, Compensatable(_));
        let begun =
            self.steps().rev().filter(|SagaStep(action, kind)| self.was_begun(*action) || may_have_begun(*kind));
        let mut compensations = Vec::new();
        for SagaStep(_, kind) in begun {
            match kind {
                Compensatable(action) => compensations.push(action),
                RetriableUnless(actions) => return actions.to_vec(),
                Pivot | Retriable => {}
            }
        }
        compensations
    }

    /// The kind of the step that is due; `None` if nothing is due, or a compensation is.
    fn due_kind(&self) -> Option<StepKind> {
        let due = self.due().filter(|_| self.turned_back.is_none())?;
        self.steps().find(|SagaStep(action, _)| *action == due.action).map(|SagaStep(_, kind)| kind)
    }

    fn was_begun(&self, action: Action) -> bool {
        self.log.iter().any(|entry| entry.action == action)
    }

    /// Only placing has a time limit. The work of a later saga is wanted, however late.
    fn is_overdue(&self, now: Timestamp) -> bool {
        matches!(self.plan, Plan::Place { .. }) && since(now, self.begun_at) >= TIMEOUT
    }
}

const OVERDUE: StepRefusal = StepRefusal::Rejected(Reason::Unavailable);

impl Action {
    /// What is under way, as a text for people.
    pub const fn message(self) -> &'static str {
        match self {
            ReserveStock => "the items are being reserved",
            ReleaseStock => "the reservation is being released",
            AuthorizePayment => "the payment is being authorized",
            VoidPayment => "the payment authorization is being voided",
            BookShipment => "the shipment is being booked",
            CancelShipment => "the shipment is being cancelled",
            CapturePayment => "the payment is being taken",
            CommitStock => "the items are being taken out of stock",
            EmptyCart => "the cart is being emptied",
            HandOver => "the parcel is being handed over to the carrier",
            RefundPayment => "the money is being refunded",
            ReturnStock => "the items are being put back in stock",
        }
    }
}
