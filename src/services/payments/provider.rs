//! The interface of the payment provider, which is outside of the shop.
//!
//! The provider has a ledger of its own. Calls to it can fail or time out. It is idempotent: an
//! [`IdempotencyKey`] names one operation forever, and the same key gives the first outcome again.

use super::{brand::Brand, card::ValidCard, messages::Ledger};
use crate::types::{Money, OrderId, RefundId, Timestamp};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A call to the provider. It may never end: callers set a timeout.
pub type ProviderFuture<'a, T> = BoxFuture<'a, Result<T, ProviderError>>;

/// What payments needs from a payment provider.
pub trait PaymentProvider: Send + Sync {
    /// Stores the card at the provider and gives a token for it. No other call carries a card
    /// number.
    fn tokenize(&self, card: &ValidCard) -> ProviderFuture<'_, VaultedCard>;

    /// Holds the amount on the card: [`OperationOutcome::Authorized`] or
    /// [`OperationOutcome::Declined`].
    fn authorize(&self, key: IdempotencyKey, token: &CardToken, amount: Money) -> ProviderFuture<'_, OperationOutcome>;

    /// Takes the whole amount that the authorization holds: [`OperationOutcome::Captured`].
    fn capture(&self, key: IdempotencyKey, authorization: &AuthorizationId) -> ProviderFuture<'_, OperationOutcome>;

    /// Releases the amount that the authorization holds: [`OperationOutcome::Voided`].
    fn void(&self, key: IdempotencyKey, authorization: &AuthorizationId) -> ProviderFuture<'_, OperationOutcome>;

    /// Refunds some of the captured amount: [`OperationOutcome::Refunded`].
    fn refund(
        &self,
        key: IdempotencyKey,
        authorization: &AuthorizationId,
        amount: Money,
    ) -> ProviderFuture<'_, OperationOutcome>;

    /// The outcome of an operation; `None` if the provider does not know the key.
    fn find(&self, key: IdempotencyKey) -> ProviderFuture<'_, Option<OperationOutcome>>;

    /// The refunds that failed after they were accepted, until each is acknowledged.
    fn failed_refunds(&self) -> ProviderFuture<'_, Vec<IdempotencyKey>>;

    /// Tells the provider that the shop has recorded this failed refund.
    fn acknowledge(&self, refund: IdempotencyKey) -> ProviderFuture<'_, ()>;

    /// The provider's ledger of each order, in the order of `orders`.
    fn ledgers(&self, orders: &[OrderId]) -> ProviderFuture<'_, Vec<Ledger>>;
}

/// Names one operation on the payment of one order, forever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyKey {
    pub order_id: OrderId,
    pub operation: Operation,
}

/// The operations on a payment: one of each kind, and any number of refunds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Authorize,
    Capture,
    Void,
    Refund(RefundId),
}

/// For example `ord_…:capture` or `ord_…:rfd_…`.
impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Operation::Authorize => write!(f, "{}:authorize", self.order_id),
            Operation::Capture => write!(f, "{}:capture", self.order_id),
            Operation::Void => write!(f, "{}:void", self.order_id),
            Operation::Refund(id) => write!(f, "{}:{id}", self.order_id),
        }
    }
}

/// Stands for a card that the provider stores. The holder of a token can have the card charged, and
/// cannot learn its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CardToken(pub String);

/// The provider's id of an authorization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuthorizationId(pub String);

/// The reply to tokenizing a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultedCard {
    pub token: CardToken,
    pub brand: Brand,
    pub last4: String,
}

/// The final outcome of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationOutcome {
    Authorized {
        authorization: AuthorizationId,
        /// From then on the amount is no longer held.
        expires_at: Timestamp,
    },
    Declined {
        code: String,
    },
    Captured,
    Voided,
    Refunded,
    Refused(OperationRefusal),
}

/// Why the provider refused an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationRefusal {
    /// The key was used for another operation.
    KeyReused,
    /// There is no such token or authorization.
    Unknown,
    /// No amount is held: declined, released or expired.
    NotHeld,
    AlreadyCaptured,
    NotCaptured,
    /// More than is left of the captured amount.
    TooMuch,
}

/// A call without an outcome. [`PaymentProvider::find`] tells whether the operation was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    #[error("the payment provider did not answer in time")]
    TimedOut,
    #[error("the payment provider is unavailable")]
    Unavailable,
}
