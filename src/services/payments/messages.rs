//! What payments can be asked, what it answers, and what it tells.

use crate::{
    mesh::{events, requests},
    types::{Money, OrderId, PaymentId, PaymentMethodId, RefundId, Secret, Service, Text, Timestamp, UserId},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[rustfmt::skip]
requests! { Service::Payments, PaymentsError,
    command owner                  AddMethod         "payments.add_method" by user_id    -> PaymentMethod,
    query   owner                  ListMethods       "payments.list_methods" by user_id  -> Vec<PaymentMethod>,
    keyed   owner                  RemoveMethod      "payments.remove_method" by user_id -> (),
    keyed   owner                  Authorize         "payments.authorize" by order_id    -> Payment,
    keyed   owner                  Capture           "payments.capture" by order_id      -> Payment,
    keyed   owner                  Void              "payments.void" by order_id         -> (),
    keyed   staff(PaymentNotFound) IssueRefund       "payments.refund"                   -> Refund,
    query   owner                  GetPayment        "payments.get" by payment_id        -> Payment,
    query   owner                  GetPaymentOfOrder "payments.get_of_order" by order_id -> Payment,
    query   staff(PaymentNotFound) ReconcilePayments "payments.reconcile"                -> Vec<PaymentReconciliation>,
}

#[rustfmt::skip]
events! { Service::Payments,
    PaymentRefunded "payments.refunded",
    RefundFailed    "payments.refund_failed",
}

/// A card as it is typed. Its number exists only inside the tokenise call: it is never stored, logged, traced or echoed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Digits, with spaces or dashes where people put them.
    pub number: Secret,
    pub exp_month: u8,
    /// Four digits.
    pub exp_year: u16,
    pub cvc: Secret,
    pub name: Text<1, 100>,
}

/// What is kept of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentMethod {
    pub id: PaymentMethodId,
    /// `visa`, `mastercard`, `amex`, `discover`, `diners`, `jcb`.
    pub brand: String,
    pub last4: String,
    pub exp_month: u8,
    pub exp_year: u16,
}

/// Turns a card into a payment method of the user's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddMethod {
    pub user_id: UserId,
    pub card: Card,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListMethods {
    pub user_id: UserId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveMethod {
    pub user_id: UserId,
    pub method_id: PaymentMethodId,
}

/// Sets the amount aside on the customer's card: one payment an order. Asking again gives the first answer, a decline too;
/// asking after a [`Void`] is refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Authorize {
    pub order_id: OrderId,
    pub user_id: UserId,
    pub method_id: PaymentMethodId,
    pub amount: Money,
}

/// Takes the whole of what was authorized, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Capture {
    pub order_id: OrderId,
}

/// Gives an authorization back, also one that has not been made yet: then a late [`Authorize`] is refused. A captured payment is not voided.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Void {
    pub order_id: OrderId,
}

/// Gives money back, once per `key`; never more than was captured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IssueRefund {
    pub payment: PaymentRef,
    /// The same key gives the first answer.
    pub key: String,
    /// All that is left where absent.
    pub amount: Option<Money>,
    pub reason: Text<1, 200>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentRef {
    Id(PaymentId),
    OfOrder(OrderId),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Refund {
    pub id: RefundId,
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub amount: Money,
    pub reason: String,
    pub status: RefundStatus,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    Succeeded,
    /// The provider took it and found later that it could not be done: the money is with the shop.
    Failed,
}

/// A payment of the principal's own (or anybody's, for staff).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetPayment {
    pub payment_id: PaymentId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetPaymentOfOrder {
    pub order_id: OrderId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    pub id: PaymentId,
    pub order_id: OrderId,
    pub user_id: UserId,
    pub amount: Money,
    pub captured: Money,
    pub refunded: Money,
    pub status: PaymentStatus,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decline_code: Option<String>,
    pub method: MethodSummary,
    pub refunds: Vec<Refund>,
    pub events: Vec<PaymentEvent>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// The provider was asked to authorize it; its answer is not known yet.
    Pending,
    Declined,
    Authorized,
    Voided,
    Captured,
    PartiallyRefunded,
    Refunded,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MethodSummary {
    pub brand: String,
    pub last4: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentEvent {
    pub kind: PaymentEventKind,
    pub amount: Money,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentEventKind {
    Declined,
    Authorized,
    Voided,
    Captured,
    Refunded,
    RefundFailed,
}

/// For the audit: payments in the order of their orders' ids, from after `after`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReconcilePayments {
    pub after: Option<OrderId>,
    pub limit: usize,
}

/// What payments wrote down about an order, beside what the provider's own ledger says. In minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentReconciliation {
    pub order_id: OrderId,
    pub status: PaymentStatus,
    pub ours: Ledger,
    pub provider: Ledger,
    /// Since when something was asked of the provider whose outcome is not written down yet: until it is, the two may differ.
    pub unfinished_since: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// How many authorizations were ever granted.
    pub authorizations: u32,
    /// How many captures were ever made.
    pub captures: u32,
    /// Set aside and neither captured nor given back.
    pub held: i64,
    pub captured: i64,
    pub refunded: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentsError {
    /// `field` is `number`, `exp_month`, `exp_year` or `cvc`.
    #[error("{reason}")]
    InvalidCard { field: String, code: String, reason: String },
    #[error("there is no such payment method")]
    MethodNotFound,
    #[error("an account keeps at most {most} payment methods")]
    TooManyMethods { most: usize },
    /// The code is one of the provider's: `card_declined`, `insufficient_funds`, …
    #[error("the card was declined ({code})")]
    Declined { code: String },
    #[error("there is no such payment")]
    PaymentNotFound,
    #[error("the payment was voided")]
    AlreadyVoided,
    #[error("the payment was captured and can only be refunded")]
    AlreadyCaptured,
    #[error("nothing was captured that could be given back")]
    NotCaptured,
    #[error("at most {left} can be given back")]
    RefundTooLarge { left: Money },
    #[error("a refund must be of at least one minor unit, in the payment's currency")]
    RefundAmount,
    #[error("the key was used for another refund")]
    KeyReused,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentRefunded {
    pub order_id: OrderId,
    pub user_id: UserId,
    pub refund: Refund,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefundFailed {
    pub order_id: OrderId,
    pub user_id: UserId,
    pub refund: Refund,
}
