//! The life of a payment, as a state machine of intents and outcomes.
//!
//! ```text
//! Authorizing ─→ Authorized ─→ Capturing ─→ Captured, then refunds: Pending ─→ Succeeded ─→ Failed
//!      │             └───────→ Voiding ───→ Voided                      └───→ Failed
//!      └───────→ Declined
//! ```
//!
//! A command ([`Charge::capture`], …) only ever writes an intent; the provider is asked for what [`Charge::next`] says, and
//! [`Charge::settle`] writes what came of it. Whoever finds an intent, a second later or after a crash, can so bring it to its end.

use super::{
    messages::{PaymentEvent, PaymentEventKind, PaymentsError, Refund, RefundStatus},
    provider::{AuthorizationId, Outcome, Refusal, Step, Token},
};
use crate::types::{Id, Money, OrderId, PaymentId, PaymentMethodId, RefundId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// What is charged for an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    pub order_id: OrderId,
    pub user_id: UserId,
    pub method: Method,
    pub amount: Money,
    pub stage: Stage,
    pub refunds: Vec<RefundEntry>,
    pub events: Vec<PaymentEvent>,
    pub created_at: Timestamp,
    /// When the last intent was written.
    pub asked_at: Timestamp,
}

/// What is kept of a card that can be charged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    pub id: PaymentMethodId,
    pub token: Token,
    pub brand: String,
    pub last4: String,
    pub exp_month: u8,
    pub exp_year: u16,
}

/// Where a payment stands. What ends in `…ing` is an intent: what came of it is not known yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Authorizing,
    Declined { code: String },
    Authorized(Hold),
    Capturing(Hold),
    Captured(Hold),
    Voiding(Hold),
    Voided,
}

/// Money that the provider has set aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    pub authorization: AuthorizationId,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefundEntry {
    pub id: RefundId,
    /// The caller's: the same key is the same refund.
    pub key: String,
    /// As the caller said it; all that was left where absent.
    pub asked: Option<Money>,
    pub amount: Money,
    pub reason: String,
    /// `None` while the provider's answer is not known.
    pub status: Option<RefundStatus>,
    pub created_at: Timestamp,
}

/// A refund that somebody asks for.
#[derive(Debug, Clone)]
pub struct RefundWish {
    /// Its id, should it be a new one.
    pub id: RefundId,
    pub key: String,
    pub amount: Option<Money>,
    pub reason: String,
}

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The provider has to be asked for what [`Charge::next`] says; then it is to be looked at again.
    Pending,
    Done,
}
use Progress::{Done, Pending};

/// What the provider is to be asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Instruction {
    Authorize { token: Token, amount: Money },
    Capture { authorization: AuthorizationId },
    Void { authorization: AuthorizationId },
    Refund { id: RefundId, authorization: AuthorizationId, amount: Money },
}

impl Instruction {
    pub fn step(&self) -> Step {
        match self {
            Self::Authorize { .. } => Step::Authorize,
            Self::Capture { .. } => Step::Capture,
            Self::Void { .. } => Step::Void,
            Self::Refund { id, .. } => Step::Refund(*id),
        }
    }
}

/// There is one payment an order, so the order's id is the payment's, too.
pub fn payment_id(order: OrderId) -> PaymentId {
    PaymentId::from_uuid(order.uuid())
}

pub fn order_id(payment: PaymentId) -> OrderId {
    OrderId::from_uuid(payment.uuid())
}

/// The commands: each is safe to be given again, and answers by where the payment stands.
impl Charge {
    /// The first command to authorize. A later one is [`Charge::authorize`].
    pub fn open(order_id: OrderId, user_id: UserId, method: Method, amount: Money, now: Timestamp) -> Self {
        let (refunds, events) = (Vec::new(), Vec::new());
        let stage = Stage::Authorizing;
        Self { order_id, user_id, method, amount, stage, refunds, events, created_at: now, asked_at: now }
    }

    /// The first outcome, whatever is asked for this time.
    pub fn authorize(&self) -> Result<Progress, PaymentsError> {
        match &self.stage {
            Stage::Authorizing => Ok(Pending),
            Stage::Authorized(_) | Stage::Capturing(_) | Stage::Captured(_) => Ok(Done),
            Stage::Declined { code } => Err(PaymentsError::Declined { code: code.clone() }),
            Stage::Voiding(_) | Stage::Voided => Err(PaymentsError::AlreadyVoided),
        }
    }

    pub fn capture(&mut self, now: Timestamp) -> Result<Progress, PaymentsError> {
        match &self.stage {
            Stage::Authorizing | Stage::Capturing(_) => Ok(Pending),
            Stage::Authorized(hold) => {
                self.intend(Stage::Capturing(hold.clone()), now);
                Ok(Pending)
            }
            Stage::Captured(_) => Ok(Done),
            Stage::Declined { code } => Err(PaymentsError::Declined { code: code.clone() }),
            Stage::Voiding(_) | Stage::Voided => Err(PaymentsError::AlreadyVoided),
        }
    }

    /// An authorization of unknown outcome is brought to its end first: what may have been set aside must be known to be given back.
    pub fn void(&mut self, now: Timestamp) -> Result<Progress, PaymentsError> {
        match &self.stage {
            Stage::Authorizing | Stage::Capturing(_) | Stage::Voiding(_) => Ok(Pending),
            Stage::Authorized(hold) => {
                self.intend(Stage::Voiding(hold.clone()), now);
                Ok(Pending)
            }
            Stage::Captured(_) => Err(PaymentsError::AlreadyCaptured),
            Stage::Declined { .. } | Stage::Voided => Ok(Done),
        }
    }

    pub fn refund(&mut self, wish: &RefundWish, now: Timestamp) -> Result<Progress, PaymentsError> {
        if let Some(entry) = self.refunds.iter().find(|entry| entry.key == wish.key) {
            return match entry.status {
                _ if entry.asked != wish.amount => Err(PaymentsError::KeyReused),
                None => Ok(Pending),
                Some(_) => Ok(Done),
            };
        }
        match self.stage {
            Stage::Captured(_) => {}
            Stage::Capturing(_) => return Ok(Pending),
            _ => return Err(PaymentsError::NotCaptured),
        }
        let amount = self.refundable(wish.amount)?;
        let RefundWish { id, key, amount: asked, reason } = wish.clone();
        self.refunds.push(RefundEntry { id, key, asked, amount, reason, status: None, created_at: now });
        self.asked_at = now;
        Ok(Pending)
    }

    /// What to give back: as much as was asked, or all that is left. Refunds of unknown outcome count as given.
    fn refundable(&self, asked: Option<Money>) -> Result<Money, PaymentsError> {
        let nothing = Money::zero(self.amount.currency());
        let left = self.amount.minus(self.given_back(|status| status != Some(RefundStatus::Failed))).unwrap_or(nothing);
        match asked {
            Some(amount) if amount.is_zero() || amount.currency() != left.currency() => {
                Err(PaymentsError::RefundAmount)
            }
            Some(amount) if amount.amount() > left.amount() => Err(PaymentsError::RefundTooLarge { left }),
            Some(amount) => Ok(amount),
            None if left.is_zero() => Err(PaymentsError::RefundTooLarge { left }),
            None => Ok(left),
        }
    }

    /// What the sweeper wants: that nothing is left hanging. An authorization that has lapsed is given back.
    pub fn sweep(&mut self, now: Timestamp) -> Progress {
        match &self.stage {
            Stage::Authorized(hold) if hold.expires_at <= now => self.intend(Stage::Voiding(hold.clone()), now),
            _ => {}
        }
        if self.next().is_some() { Pending } else { Done }
    }

    fn intend(&mut self, stage: Stage, now: Timestamp) {
        self.stage = stage;
        self.asked_at = now;
    }
}

/// Between the intents and the provider.
impl Charge {
    /// Whether money is on its way or set aside: nobody may forget this payment.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.stage, Stage::Authorized(_)) || self.next().is_some()
    }

    /// The first intent whose outcome is not known.
    pub fn next(&self) -> Option<Instruction> {
        match &self.stage {
            Stage::Authorizing => {
                Some(Instruction::Authorize { token: self.method.token.clone(), amount: self.amount })
            }
            Stage::Capturing(hold) => Some(Instruction::Capture { authorization: hold.authorization.clone() }),
            Stage::Voiding(hold) => Some(Instruction::Void { authorization: hold.authorization.clone() }),
            Stage::Captured(hold) => {
                let RefundEntry { id, amount, .. } = self.refunds.iter().find(|entry| entry.status.is_none())?;
                Some(Instruction::Refund { id: *id, authorization: hold.authorization.clone(), amount: *amount })
            }
            Stage::Declined { .. } | Stage::Authorized(_) | Stage::Voided => None,
        }
    }

    /// Writes down what came of a step; nothing where it is known already. Gives the refund that came to an end by it.
    ///
    /// The provider's books are the truth: what it refuses did not happen.
    pub fn settle(&mut self, step: Step, outcome: &Outcome, now: Timestamp) -> Option<Refund> {
        let stage = match (step, &self.stage, outcome) {
            (Step::Refund(id), ..) => return self.settle_refund(id, outcome, now),
            (Step::Authorize, Stage::Authorizing, outcome) => authorized(outcome),
            (Step::Capture, Stage::Capturing(hold), Outcome::Captured)
            | (Step::Capture, Stage::Capturing(hold), Outcome::Refused(Refusal::AlreadyCaptured))
            | (Step::Void, Stage::Voiding(hold), Outcome::Refused(Refusal::AlreadyCaptured)) => {
                Stage::Captured(hold.clone())
            }
            // Where it could not be captured there is nothing set aside any more: it has expired.
            (Step::Capture, Stage::Capturing(_), _) | (Step::Void, Stage::Voiding(_), _) => Stage::Voided,
            _ => return None,
        };
        let kind = match &stage {
            Stage::Declined { .. } => PaymentEventKind::Declined,
            Stage::Captured(_) => PaymentEventKind::Captured,
            Stage::Voided => PaymentEventKind::Voided,
            _ => PaymentEventKind::Authorized,
        };
        self.stage = stage;
        self.note(kind, self.amount, now);
        None
    }

    fn settle_refund(&mut self, id: RefundId, outcome: &Outcome, now: Timestamp) -> Option<Refund> {
        match outcome {
            Outcome::Refunded => self.end_refund(id, None, RefundStatus::Succeeded, now),
            _ => self.end_refund(id, None, RefundStatus::Failed, now),
        }
    }

    /// The provider found out later that a refund cannot be done.
    pub fn fail_refund(&mut self, id: RefundId, now: Timestamp) -> Option<Refund> {
        self.end_refund(id, Some(RefundStatus::Succeeded), RefundStatus::Failed, now)
    }

    fn end_refund(
        &mut self,
        id: RefundId,
        from: Option<RefundStatus>,
        to: RefundStatus,
        now: Timestamp,
    ) -> Option<Refund> {
        let entry = self.refunds.iter_mut().find(|entry| entry.id == id && entry.status == from)?;
        entry.status = Some(to);
        let amount = entry.amount;
        let ended = entry.view(self.order_id);
        let kind = match to {
            RefundStatus::Succeeded => PaymentEventKind::Refunded,
            RefundStatus::Failed => PaymentEventKind::RefundFailed,
        };
        self.note(kind, amount, now);
        ended
    }

    fn note(&mut self, kind: PaymentEventKind, amount: Money, at: Timestamp) {
        self.events.push(PaymentEvent { kind, amount, at });
    }

    /// The sum of the refunds whose status counts.
    pub fn given_back(&self, counts: impl Fn(Option<RefundStatus>) -> bool) -> Money {
        let counted = self.refunds.iter().filter(|entry| counts(entry.status)).map(|entry| entry.amount);
        // They never come to more than the amount, so the sum can be made; if not, there is nothing left to give.
        Money::sum(counted, self.amount.currency()).unwrap_or(self.amount)
    }
}

fn authorized(outcome: &Outcome) -> Stage {
    match outcome {
        Outcome::Authorized { authorization, expires_at } => {
            Stage::Authorized(Hold { authorization: authorization.clone(), expires_at: *expires_at })
        }
        Outcome::Declined { code } => Stage::Declined { code: code.clone() },
        _ => Stage::Declined { code: "processing_error".to_owned() },
    }
}

#[cfg(test)]
mod tests;
