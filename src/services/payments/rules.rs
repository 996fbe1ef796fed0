//! The rules of a payment: a state machine of intents and outcomes. Pure functions.
//!
//! ```text
//! Authorizing ─→ Authorized ─→ Capturing ─→ Captured, then refunds: Pending ─→ Succeeded ─→ Failed
//!      │             └───────→ Voiding ───→ Voided                      └───→ Failed
//!      └───────→ Declined
//! ```
//!
//! A command ([`Charge::capture`], …) only records an intent. [`Charge::next`] says what to ask the
//! provider for, and [`Charge::apply_outcome`] records the outcome. So an intent that is found
//! later, by another task or after a crash, can be completed.

use super::{
    messages::{PaymentEvent, PaymentEventKind, PaymentsError, Refund, RefundStatus},
    provider::{AuthorizationId, CardToken, Operation, OperationOutcome, OperationRefusal},
    records::{Charge, Hold, Method, PaymentStage, RefundEntry, WalletRecord},
};
use crate::types::{Id, Money, OrderId, PaymentId, PaymentMethodId, RefundId, Timestamp, UserId};

/// A request for a refund.
#[derive(Debug, Clone)]
pub struct RefundRequest {
    /// The id of the refund, if the key is new.
    pub id: RefundId,
    pub key: String,
    /// `None` asks for all that is left.
    pub amount: Option<Money>,
    pub reason: String,
}

/// The progress of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The provider must do what [`Charge::next`] says; then the command runs again.
    Pending,
    Done,
}
use Progress::{Done, Pending};

/// What the provider is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Instruction {
    Authorize { token: CardToken, amount: Money },
    Capture { authorization: AuthorizationId },
    Void { authorization: AuthorizationId },
    Refund { id: RefundId, authorization: AuthorizationId, amount: Money },
}

impl Instruction {
    pub fn operation(&self) -> Operation {
        match self {
            Self::Authorize { .. } => Operation::Authorize,
            Self::Capture { .. } => Operation::Capture,
            Self::Void { .. } => Operation::Void,
            Self::Refund { id, .. } => Operation::Refund(*id),
        }
    }
}

/// An order has one payment, so the payment has the order's id with another prefix.
pub fn payment_id(order: OrderId) -> PaymentId {
    PaymentId::from_uuid(order.uuid())
}

pub fn order_id(payment: PaymentId) -> OrderId {
    OrderId::from_uuid(payment.uuid())
}

/// The commands. Each can be repeated; the result depends on the state of the payment.
impl Charge {
    /// The first command to authorize. Later ones are [`Charge::authorize`].
    pub fn open(order_id: OrderId, user_id: UserId, method: Method, amount: Money, now: Timestamp) -> Self {
        let (refunds, events) = (Vec::new(), Vec::new());
        let stage = PaymentStage::Authorizing;
        Self { order_id, user_id, method, amount, stage, refunds, events, created_at: now, asked_at: now }
    }

    /// Gives the first outcome, also when this request differs from the first.
    pub fn authorize(&self) -> Result<Progress, PaymentsError> {
        match &self.stage {
            PaymentStage::Authorizing => Ok(Pending),
            PaymentStage::Authorized(_) | PaymentStage::Capturing(_) | PaymentStage::Captured(_) => Ok(Done),
            PaymentStage::Declined { code } => Err(PaymentsError::Declined { code: code.clone() }),
            PaymentStage::Voiding(_) | PaymentStage::Voided => Err(PaymentsError::AlreadyVoided),
        }
    }

    pub fn capture(&mut self, now: Timestamp) -> Result<Progress, PaymentsError> {
        match &self.stage {
            PaymentStage::Authorizing | PaymentStage::Capturing(_) => Ok(Pending),
            PaymentStage::Authorized(hold) => {
                self.intend(PaymentStage::Capturing(hold.clone()), now);
                Ok(Pending)
            }
            PaymentStage::Captured(_) => Ok(Done),
            PaymentStage::Declined { code } => Err(PaymentsError::Declined { code: code.clone() }),
            PaymentStage::Voiding(_) | PaymentStage::Voided => Err(PaymentsError::AlreadyVoided),
        }
    }

    /// An authorization with an unknown outcome is completed first: only then is it known what to
    /// release.
    pub fn void(&mut self, now: Timestamp) -> Result<Progress, PaymentsError> {
        match &self.stage {
            PaymentStage::Authorizing | PaymentStage::Capturing(_) | PaymentStage::Voiding(_) => Ok(Pending),
            PaymentStage::Authorized(hold) => {
                self.intend(PaymentStage::Voiding(hold.clone()), now);
                Ok(Pending)
            }
            PaymentStage::Captured(_) => Err(PaymentsError::AlreadyCaptured),
            PaymentStage::Declined { .. } | PaymentStage::Voided => Ok(Done),
        }
    }

    pub fn refund(&mut self, request: &RefundRequest, now: Timestamp) -> Result<Progress, PaymentsError> {
        if let Some(entry) = self.refunds.iter().find(|entry| entry.key == request.key) {
            return match entry.status {
                _ if entry.asked != request.amount => Err(PaymentsError::KeyReused),
                None => Ok(Pending),
                Some(_) => Ok(Done),
            };
        }
        match self.stage {
            PaymentStage::Captured(_) => {}
            PaymentStage::Capturing(_) => return Ok(Pending),
            _ => return Err(PaymentsError::NotCaptured),
        }
        let amount = self.refundable(request.amount)?;
        let RefundRequest { id, key, amount: asked, reason } = request.clone();
        self.refunds.push(RefundEntry { id, key, asked, amount, reason, status: None, created_at: now });
        self.asked_at = now;
        Ok(Pending)
    }

    /// The amount to refund: the amount asked for, or all that is left. Refunds with an unknown
    /// outcome count as refunded.
    fn refundable(&self, asked: Option<Money>) -> Result<Money, PaymentsError> {
        let nothing = Money::zero(self.amount.currency());
        let left =
            self.amount.minus(self.refunded_where(|status| status != Some(RefundStatus::Failed))).unwrap_or(nothing);
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

    /// The command of the sweeper: completes what is unfinished, and voids an expired
    /// authorization.
    pub fn sweep(&mut self, now: Timestamp) -> Progress {
        match &self.stage {
            PaymentStage::Authorized(hold) if hold.expires_at <= now => {
                self.intend(PaymentStage::Voiding(hold.clone()), now)
            }
            _ => {}
        }
        if self.next().is_some() { Pending } else { Done }
    }

    fn intend(&mut self, stage: PaymentStage, now: Timestamp) {
        self.stage = stage;
        self.asked_at = now;
    }
}

/// From intents to operations, and from outcomes to states.
impl Charge {
    /// Whether an amount is held or an outcome is unknown, so that the sweeper must find the
    /// payment.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.stage, PaymentStage::Authorized(_)) || self.next().is_some()
    }

    /// The operation of the first intent without a known outcome.
    pub fn next(&self) -> Option<Instruction> {
        match &self.stage {
            PaymentStage::Authorizing => {
                Some(Instruction::Authorize { token: self.method.token.clone(), amount: self.amount })
            }
            PaymentStage::Capturing(hold) => Some(Instruction::Capture { authorization: hold.authorization.clone() }),
            PaymentStage::Voiding(hold) => Some(Instruction::Void { authorization: hold.authorization.clone() }),
            PaymentStage::Captured(hold) => {
                let RefundEntry { id, amount, .. } = self.refunds.iter().find(|entry| entry.status.is_none())?;
                Some(Instruction::Refund { id: *id, authorization: hold.authorization.clone(), amount: *amount })
            }
            PaymentStage::Declined { .. } | PaymentStage::Authorized(_) | PaymentStage::Voided => None,
        }
    }

    /// Records the outcome of an operation, unless it is known already. Gives the refund that ended
    /// by it. The provider's ledger decides: an operation that it refuses did not happen.
    pub fn apply_outcome(
        &mut self,
        operation: Operation,
        outcome: &OperationOutcome,
        now: Timestamp,
    ) -> Option<Refund> {
        let stage = match (operation, &self.stage, outcome) {
            (Operation::Refund(id), ..) => return self.apply_refund_outcome(id, outcome, now),
            (Operation::Authorize, PaymentStage::Authorizing, outcome) => authorized(outcome),
            (Operation::Capture, PaymentStage::Capturing(hold), OperationOutcome::Captured)
            | (
                Operation::Capture,
                PaymentStage::Capturing(hold),
                OperationOutcome::Refused(OperationRefusal::AlreadyCaptured),
            )
            | (
                Operation::Void,
                PaymentStage::Voiding(hold),
                OperationOutcome::Refused(OperationRefusal::AlreadyCaptured),
            ) => PaymentStage::Captured(hold.clone()),
            // The capture was refused because the authorization has expired: no amount is held.
            (Operation::Capture, PaymentStage::Capturing(_), _) | (Operation::Void, PaymentStage::Voiding(_), _) => {
                PaymentStage::Voided
            }
            _ => return None,
        };
        let kind = match &stage {
            PaymentStage::Declined { .. } => PaymentEventKind::Declined,
            PaymentStage::Captured(_) => PaymentEventKind::Captured,
            PaymentStage::Voided => PaymentEventKind::Voided,
            _ => PaymentEventKind::Authorized,
        };
        self.stage = stage;
        self.note(kind, self.amount, now);
        None
    }

    fn apply_refund_outcome(&mut self, id: RefundId, outcome: &OperationOutcome, now: Timestamp) -> Option<Refund> {
        match outcome {
            OperationOutcome::Refunded => self.end_refund(id, None, RefundStatus::Succeeded, now),
            _ => self.end_refund(id, None, RefundStatus::Failed, now),
        }
    }

    /// Records that a refund failed after it was accepted.
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
    pub fn refunded_where(&self, counts: impl Fn(Option<RefundStatus>) -> bool) -> Money {
        let counted = self.refunds.iter().filter(|entry| counts(entry.status)).map(|entry| entry.amount);
        // The sum never exceeds the amount, so it cannot overflow. If it did, nothing would be
        // left.
        Money::sum(counted, self.amount.currency()).unwrap_or(self.amount)
    }
}

fn authorized(outcome: &OperationOutcome) -> PaymentStage {
    match outcome {
        OperationOutcome::Authorized { authorization, expires_at } => {
            PaymentStage::Authorized(Hold { authorization: authorization.clone(), expires_at: *expires_at })
        }
        OperationOutcome::Declined { code } => PaymentStage::Declined { code: code.clone() },
        _ => PaymentStage::Declined { code: "processing_error".to_owned() },
    }
}

/// The most payment methods of a user.
pub const MOST_METHODS: usize = 20;
/// Removed methods that are remembered per user.
const REMEMBERED_REMOVALS: usize = 20;

impl WalletRecord {
    pub fn has_room(&self) -> Result<(), PaymentsError> {
        if self.methods.len() < MOST_METHODS {
            Ok(())
        } else {
            Err(PaymentsError::TooManyMethods { most: MOST_METHODS })
        }
    }

    pub fn remove(&mut self, id: PaymentMethodId) -> Result<(), PaymentsError> {
        if self.removed.contains(&id) {
            return Ok(());
        }
        let at = self.methods.iter().position(|method| method.id == id).ok_or(PaymentsError::MethodNotFound)?;
        self.methods.remove(at);
        self.removed.push(id);
        self.removed.drain(..self.removed.len().saturating_sub(REMEMBERED_REMOVALS));
        Ok(())
    }
}
