//! What payments keeps: a payment with its intents and its outbox, and a user's payment methods.

use super::{
    messages::{PaymentEvent, PaymentRefunded, Refund, RefundFailed, RefundStatus},
    provider::{AuthorizationId, CardToken, Operation, OperationOutcome},
};
use crate::{
    mesh::Event,
    storage::{Outbox, Record},
    types::{Money, OrderId, PaymentMethodId, RefundId, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentRecord {
    /// `None` is a tombstone: it was voided before anybody asked for it, and cannot be made any more.
    pub charge: Option<Charge>,
    outbox: Outbox,
}

impl PaymentRecord {
    pub fn of(charge: Charge) -> Self {
        Self { charge: Some(charge), outbox: Outbox::default() }
    }

    pub fn tombstone() -> Self {
        Self { charge: None, outbox: Outbox::default() }
    }

    pub fn apply_outcome(&mut self, operation: Operation, outcome: &OperationOutcome, now: Timestamp) {
        let ended = self.charge.as_mut().and_then(|charge| charge.apply_outcome(operation, outcome, now));
        self.add_to(ended, now);
    }

    pub fn fail_refund(&mut self, id: RefundId, now: Timestamp) {
        // A report can overtake the answer: then the refund was taken, and failed.
        self.apply_outcome(Operation::Refund(id), &OperationOutcome::Refunded, now);
        let failed = self.charge.as_mut().and_then(|charge| charge.fail_refund(id, now));
        self.add_to(failed, now);
    }

    fn add_to(&mut self, ended: Option<Refund>, now: Timestamp) {
        let (Some(refund), Some(charge)) = (ended, &self.charge) else { return };
        let (order_id, user_id) = (charge.order_id, charge.user_id);
        match refund.status {
            RefundStatus::Succeeded => PaymentRefunded { order_id, user_id, refund }.add_to(&mut self.outbox, now),
            RefundStatus::Failed => RefundFailed { order_id, user_id, refund }.add_to(&mut self.outbox, now),
        }
    }
}

impl Record for PaymentRecord {
    const TABLE: &'static str = "payment";
    type Key = OrderId;

    fn outbox(&self) -> Option<&Outbox> {
        Some(&self.outbox)
    }

    fn outbox_mut(&mut self) -> Option<&mut Outbox> {
        Some(&mut self.outbox)
    }

    fn is_open(&self) -> bool {
        !self.outbox.is_empty() || self.charge.as_ref().is_some_and(Charge::is_unfinished)
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct WalletRecord {
    /// In the order in which they were added.
    pub methods: Vec<Method>,
    /// Those last removed, so that removing one again is no error.
    pub removed: Vec<PaymentMethodId>,
}

impl Record for WalletRecord {
    const TABLE: &'static str = "wallet";
    type Key = UserId;
}

/// What is charged for an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    pub order_id: OrderId,
    pub user_id: UserId,
    pub method: Method,
    pub amount: Money,
    pub stage: PaymentStage,
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
    pub token: CardToken,
    pub brand: String,
    pub last4: String,
    pub exp_month: u8,
    pub exp_year: u16,
}

/// Where a payment stands. What ends in `…ing` is an intent: what came of it is not known yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStage {
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
