//! The payment provider: the world outside, as payments sees it.
//!
//! It has books of its own, is reached over a way that can fail, and is idempotent: an [`IdempotencyKey`] names one operation for ever,
//! and asking with it again gives the first outcome.

use super::{
    card::{Brand, ValidCard},
    messages::Ledger,
};
use crate::types::{Money, OrderId, RefundId, Timestamp};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An answer under way. It may never come: callers put a limit to their patience.
pub type ProviderFuture<'a, T> = BoxFuture<'a, Result<T, ProviderError>>;

/// What payments needs of somebody who moves money.
pub trait PaymentProvider: Send + Sync {
    /// Vaults a card: the only time that its number is handed to anybody. What is answered holds nothing of it.
    fn tokenize(&self, card: &ValidCard) -> ProviderFuture<'_, VaultedCard>;

    /// Sets the amount aside: [`Outcome::Authorized`] or [`Outcome::Declined`].
    fn authorize(&self, key: IdempotencyKey, token: &Token, amount: Money) -> ProviderFuture<'_, Outcome>;

    /// Takes all that the authorization set aside: [`Outcome::Captured`].
    fn capture(&self, key: IdempotencyKey, authorization: &AuthorizationId) -> ProviderFuture<'_, Outcome>;

    /// Gives back what the authorization set aside: [`Outcome::Voided`].
    fn void(&self, key: IdempotencyKey, authorization: &AuthorizationId) -> ProviderFuture<'_, Outcome>;

    /// Gives back some of what was captured: [`Outcome::Refunded`].
    fn refund(
        &self,
        key: IdempotencyKey,
        authorization: &AuthorizationId,
        amount: Money,
    ) -> ProviderFuture<'_, Outcome>;

    /// What an operation came to; `None` where the provider never heard of it.
    fn find(&self, key: IdempotencyKey) -> ProviderFuture<'_, Option<Outcome>>;

    /// The refunds that failed after they had been taken, until each is acknowledged.
    fn failed_refunds(&self) -> ProviderFuture<'_, Vec<IdempotencyKey>>;

    /// The shop has written down that this refund failed.
    fn acknowledge(&self, refund: IdempotencyKey) -> ProviderFuture<'_, ()>;

    /// What its books say of each of the orders, in their order.
    fn ledgers(&self, orders: &[OrderId]) -> ProviderFuture<'_, Vec<Ledger>>;
}

/// Names one operation on the payment of one order, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyKey {
    pub order_id: OrderId,
    pub step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Authorize,
    Capture,
    Void,
    Refund(RefundId),
}

/// `ord_…:capture`, `ord_…:rfd_…`
impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Step::Authorize => write!(f, "{}:authorize", self.order_id),
            Step::Capture => write!(f, "{}:capture", self.order_id),
            Step::Void => write!(f, "{}:void", self.order_id),
            Step::Refund(id) => write!(f, "{}:{id}", self.order_id),
        }
    }
}

/// What stands for a vaulted card. Whoever has it can have the provider charge the card, and cannot learn its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

/// The provider's own name for an authorization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuthorizationId(pub String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultedCard {
    pub token: Token,
    pub brand: Brand,
    pub last4: String,
}

/// What an operation came to. It will not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Authorized {
        authorization: AuthorizationId,
        /// From then on nothing is set aside any more.
        expires_at: Timestamp,
    },
    Declined {
        code: String,
    },
    Captured,
    Voided,
    Refunded,
    Refused(Refusal),
}

/// Why the provider will not do an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The key was used for something else.
    KeyReused,
    /// No such token, or no such authorization.
    Unknown,
    /// Nothing is set aside: declined, given back or expired.
    NotHeld,
    AlreadyCaptured,
    NotCaptured,
    TooMuch,
}

/// No outcome. Whether the operation was done is known only by asking for it by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    #[error("the payment provider did not answer in time")]
    TimedOut,
    #[error("the payment provider is unavailable")]
    Unavailable,
}
