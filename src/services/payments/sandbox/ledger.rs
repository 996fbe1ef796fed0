//! The sandbox's ledger: one record per authorization, with all operations on it by their keys.
//!
//! | key | record |
//! |---|---|
//! | `token/tok_…` | a stored card: its behaviour, never its number |
//! | `authorization/ord_…:authorize` | an authorization and the operations on it |
//!
//! The amounts held, captured and refunded are not stored. They are computed from the operations,
//! so they cannot contradict them.

use super::{
    super::{
        brand::Brand,
        messages::Ledger,
        provider::{AuthorizationId, CardToken, IdempotencyKey, OperationOutcome, OperationRefusal},
    },
    behaviour::CardBehaviour,
};
use crate::{
    env::later,
    storage::{KnownTable, record},
    types::{Money, OrderId, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long an amount is held, as with most card schemes.
pub const AUTHORIZATION_LASTS: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long after the refund the failure is reported, for a card that fails refunds.
pub const REFUND_FAILS_AFTER: Duration = Duration::from_secs(2);

/// A stored card.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VaultRecord {
    pub behaviour: CardBehaviour,
    pub brand: Brand,
    pub last4: String,
}

/// An authorization, with the operations on it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuthorizationRecord {
    /// The key of the request. It is also the id, so one key makes one authorization.
    pub key: IdempotencyKey,
    behaviour: CardBehaviour,
    operations: Vec<PerformedOperation>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct PerformedOperation {
    key: IdempotencyKey,
    request: OperationRequest,
    outcome: OperationOutcome,
    at: Timestamp,
    /// Set if the operation is a refund that failed after it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<RefundFailure>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct RefundFailure {
    at: Timestamp,
    /// The shop has recorded it.
    acknowledged: bool,
}

/// A request for an operation. A key with another request than the first time is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationRequest {
    Authorize { token: CardToken, amount: Money },
    Capture,
    Void,
    Refund { amount: Money },
}

impl AuthorizationRecord {
    pub fn new(key: IdempotencyKey, behaviour: CardBehaviour) -> Self {
        Self { key, behaviour, operations: Vec::new() }
    }

    pub fn id_for(key: IdempotencyKey) -> AuthorizationId {
        AuthorizationId(key.to_string())
    }

    /// The prefix of the ids of an order's authorizations.
    pub fn keys_of(order_id: OrderId) -> String {
        format!("{order_id}:")
    }

    /// Does the operation, once per key.
    pub fn perform(&mut self, key: IdempotencyKey, request: &OperationRequest, now: Timestamp) -> OperationOutcome {
        if let Some(done) = self.operations.iter().find(|done| done.key == key) {
            return if done.request == *request {
                done.outcome.clone()
            } else {
                OperationOutcome::Refused(OperationRefusal::KeyReused)
            };
        }
        let outcome = self.decide(request, now);
        let fails = outcome == OperationOutcome::Refunded && self.behaviour == CardBehaviour::FailsRefunds;
        let failure = fails.then(|| RefundFailure { at: later(now, REFUND_FAILS_AFTER), acknowledged: false });
        self.operations.push(PerformedOperation {
            key,
            request: request.clone(),
            outcome: outcome.clone(),
            at: now,
            failure,
        });
        outcome
    }

    fn decide(&self, request: &OperationRequest, now: Timestamp) -> OperationOutcome {
        let ledger = self.ledger(now);
        let captured = ledger.captures > 0;
        match (request, self.behaviour) {
            (OperationRequest::Authorize { .. }, CardBehaviour::Declines(code)) => {
                OperationOutcome::Declined { code: code.name().to_owned() }
            }
            (OperationRequest::Authorize { .. }, _) => OperationOutcome::Authorized {
                authorization: Self::id_for(self.key),
                expires_at: later(now, AUTHORIZATION_LASTS),
            },
            (OperationRequest::Capture | OperationRequest::Void, _) if captured => {
                OperationOutcome::Refused(OperationRefusal::AlreadyCaptured)
            }
            (OperationRequest::Capture, _) if !self.is_held(now) => {
                OperationOutcome::Refused(OperationRefusal::NotHeld)
            }
            (OperationRequest::Capture, _) => OperationOutcome::Captured,
            (OperationRequest::Void, _) => OperationOutcome::Voided,
            (OperationRequest::Refund { .. }, _) if !captured => {
                OperationOutcome::Refused(OperationRefusal::NotCaptured)
            }
            (OperationRequest::Refund { amount }, _) if amount.amount() > ledger.captured - ledger.refunded => {
                OperationOutcome::Refused(OperationRefusal::TooMuch)
            }
            (OperationRequest::Refund { .. }, _) => OperationOutcome::Refunded,
        }
    }

    pub fn find(&self, key: IdempotencyKey) -> Option<&OperationOutcome> {
        self.operations.iter().find(|done| done.key == key).map(|done| &done.outcome)
    }

    /// The refunds that have failed and are not acknowledged.
    pub fn failed_refunds(&self, now: Timestamp) -> impl Iterator<Item = IdempotencyKey> {
        self.operations.iter().filter(move |done| done.has_failed(now) && done.is_unacknowledged()).map(|done| done.key)
    }

    pub fn acknowledge(&mut self, refund: IdempotencyKey) {
        let failures = self.operations.iter_mut().filter(|done| done.key == refund);
        failures.filter_map(|done| done.failure.as_mut()).for_each(|failure| failure.acknowledged = true);
    }

    pub fn ledger(&self, now: Timestamp) -> Ledger {
        let mut ledger = Ledger::default();
        for done in &self.operations {
            match (&done.request, &done.outcome) {
                (OperationRequest::Authorize { .. }, OperationOutcome::Authorized { .. }) => ledger.authorizations += 1,
                (OperationRequest::Capture, OperationOutcome::Captured) => {
                    ledger.captures += 1;
                    ledger.captured += self.amount();
                }
                (OperationRequest::Refund { amount }, OperationOutcome::Refunded) if !done.has_failed(now) => {
                    ledger.refunded += amount.amount()
                }
                _ => {}
            }
        }
        ledger.held = if self.is_held(now) { self.amount() } else { 0 };
        ledger
    }

    /// Whether the amount is held: authorized, and neither captured, released nor expired.
    fn is_held(&self, now: Timestamp) -> bool {
        let mut outcomes = self.operations.iter().map(|done| &done.outcome);
        let good = |outcome: &OperationOutcome| matches!(outcome, OperationOutcome::Authorized { expires_at, .. } if now < *expires_at);
        outcomes.clone().any(good)
            && !outcomes.any(|outcome| matches!(outcome, OperationOutcome::Captured | OperationOutcome::Voided))
    }

    /// The amount that was to be held, in minor units.
    fn amount(&self) -> i64 {
        let asked = self.operations.iter().find_map(|done| match &done.request {
            OperationRequest::Authorize { amount, .. } => Some(amount.amount()),
            _ => None,
        });
        asked.unwrap_or_default()
    }
}

impl PerformedOperation {
    fn has_failed(&self, now: Timestamp) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.at <= now)
    }

    fn is_unacknowledged(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| !failure.acknowledged)
    }
}

record! {
    // The key is the token.
    VaultRecord { table: "token", key: String }
    // The key is the authorization's id. Open while the shop has not acknowledged a failure.
    AuthorizationRecord {
        table: "authorization",
        key: String,
        open_while: |record| record.operations.iter().any(PerformedOperation::is_unacknowledged),
    }
}

/// The tables of the sandbox's tree, for `galleria check`.
pub fn tables() -> Vec<KnownTable> {
    vec![KnownTable::of::<VaultRecord>("provider"), KnownTable::of::<AuthorizationRecord>("provider")]
}

#[cfg(test)]
mod tests {
    use super::{super::super::provider::Operation, *};
    use crate::{
        storage::Record,
        types::{Currency, Id, RefundId},
    };
    use uuid::Uuid;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn key(operation: Operation) -> IdempotencyKey {
        IdempotencyKey { order_id: OrderId::from_uuid(Uuid::from_u128(1)), operation }
    }

    fn refund(n: u128) -> IdempotencyKey {
        key(Operation::Refund(RefundId::from_uuid(Uuid::from_u128(n))))
    }

    fn euro(amount: i64) -> Money {
        Money::new(amount, Currency::EUR).unwrap()
    }

    fn request(amount: i64) -> OperationRequest {
        OperationRequest::Authorize { token: CardToken("tok".into()), amount: euro(amount) }
    }

    fn authorized(behaviour: CardBehaviour) -> AuthorizationRecord {
        let mut authorization = AuthorizationRecord::new(key(Operation::Authorize), behaviour);
        authorization.perform(key(Operation::Authorize), &request(1000), START);
        authorization
    }

    fn captured(behaviour: CardBehaviour) -> AuthorizationRecord {
        let mut authorization = authorized(behaviour);
        assert_eq!(
            authorization.perform(key(Operation::Capture), &OperationRequest::Capture, START),
            OperationOutcome::Captured
        );
        authorization
    }

    #[test]
    fn the_same_key_gives_the_same_outcome_and_another_request_is_refused() {
        let mut books = authorized(CardBehaviour::Approves);
        let first = books.find(key(Operation::Authorize)).cloned().unwrap();
        assert_eq!(
            books.perform(key(Operation::Authorize), &request(1000), later(START, Duration::from_secs(9))),
            first
        );
        let reused = books.perform(key(Operation::Authorize), &request(1001), START);
        assert_eq!((reused, books.ledger(START).held), (OperationOutcome::Refused(OperationRefusal::KeyReused), 1000));
    }

    #[test]
    fn money_is_held_for_seven_days_and_then_cannot_be_captured() {
        let mut books = authorized(CardBehaviour::Approves);
        let end = later(START, AUTHORIZATION_LASTS);
        assert_eq!((books.ledger(START).held, books.ledger(end).held), (1000, 0));
        let late = books.perform(key(Operation::Capture), &OperationRequest::Capture, end);
        assert_eq!(late, OperationOutcome::Refused(OperationRefusal::NotHeld));
    }

    #[test]
    fn refunds_never_exceed_the_captured_amount() {
        let mut books = captured(CardBehaviour::Approves);
        assert_eq!(
            books.perform(refund(1), &OperationRequest::Refund { amount: euro(600) }, START),
            OperationOutcome::Refunded
        );
        let more = books.perform(refund(2), &OperationRequest::Refund { amount: euro(401) }, START);
        assert_eq!((more, books.ledger(START).refunded), (OperationOutcome::Refused(OperationRefusal::TooMuch), 600));
        let void = books.perform(key(Operation::Void), &OperationRequest::Void, START);
        assert_eq!(void, OperationOutcome::Refused(OperationRefusal::AlreadyCaptured));
    }

    #[test]
    fn a_refund_that_fails_later_is_reported_until_it_is_acknowledged() {
        let mut books = captured(CardBehaviour::FailsRefunds);
        books.perform(refund(1), &OperationRequest::Refund { amount: euro(600) }, START);
        assert_eq!((books.ledger(START).refunded, books.failed_refunds(START).count()), (600, 0));
        let end = later(START, REFUND_FAILS_AFTER);
        assert_eq!(books.failed_refunds(end).collect::<Vec<_>>(), [refund(1)]);
        assert!(books.is_open() && books.ledger(end).refunded == 0);
        books.acknowledge(refund(1));
        assert!(!books.is_open() && books.failed_refunds(end).count() == 0);
    }
}
