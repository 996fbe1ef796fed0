//! What payments keeps: a payment with its intents and its outbox, and a user's payment methods.

use super::{
    messages::{PaymentEvent, PaymentRefunded, Refund, RefundFailed, RefundStatus},
    provider::{AuthorizationId, CardToken, Operation, OperationOutcome},
};
use crate::{
    mesh::Event,
    storage::{Outbox, record},
    types::{Money, OrderId, PaymentMethodId, RefundId, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};

/// The payment of one order, with its outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentRecord {
    /// `None` is a tombstone: the payment was voided before it was authorized, and can no longer be
    /// authorized.
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
        self.publish(ended, now);
    }

    pub fn fail_refund(&mut self, id: RefundId, now: Timestamp) {
        // The report of the failure can arrive before the outcome. Then both are recorded.
        self.apply_outcome(Operation::Refund(id), &OperationOutcome::Refunded, now);
        let failed = self.charge.as_mut().and_then(|charge| charge.fail_refund(id, now));
        self.publish(failed, now);
    }

    /// Adds the event of a refund that has ended to the outbox.
    fn publish(&mut self, ended: Option<Refund>, now: Timestamp) {
        let (Some(refund), Some(charge)) = (ended, &self.charge) else { return };
        let (order_id, user_id) = (charge.order_id, charge.user_id);
        match refund.status {
            RefundStatus::Succeeded => PaymentRefunded { order_id, user_id, refund }.add_to(&mut self.outbox, now),
            RefundStatus::Failed => RefundFailed { order_id, user_id, refund }.add_to(&mut self.outbox, now),
        }
    }
}

record! {
    PaymentRecord {
        table: "payment",
        key: OrderId,
        outbox: outbox,
        open_while: |record| record.charge.as_ref().is_some_and(Charge::is_unfinished),
    }
    WalletRecord { table: "wallet", key: UserId }
}

/// The payment methods of one user.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct WalletRecord {
    /// Oldest first.
    pub methods: Vec<Method>,
    /// The methods that were removed last, so that removing one again is not an error.
    pub removed: Vec<PaymentMethodId>,
}

/// The payment of an order. `rules.rs` has its state machine.
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
    /// When the last intent was recorded.
    pub asked_at: Timestamp,
}

/// A saved card: its token, and what may be shown of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    pub id: PaymentMethodId,
    pub token: CardToken,
    pub brand: String,
    pub last4: String,
    pub exp_month: u8,
    pub exp_year: u16,
}

/// The states of a payment. A name that ends in `…ing` is an intent, whose outcome is not known
/// yet.
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

/// An amount that the provider holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    pub authorization: AuthorizationId,
    pub expires_at: Timestamp,
}

/// A refund, with or without a known outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefundEntry {
    pub id: RefundId,
    /// The caller's idempotency key: the same key is the same refund.
    pub key: String,
    /// The amount in the request; `None` asked for all that was left.
    pub asked: Option<Money>,
    pub amount: Money,
    pub reason: String,
    /// `None` while the outcome is not known.
    pub status: Option<RefundStatus>,
    pub created_at: Timestamp,
}
