//! The public interface of payments: its requests, replies, errors and events.

#![deny(missing_docs)]

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
    keyed   staff(PaymentNotFound) Capture           "payments.capture" by order_id      -> Payment,
    keyed   staff(PaymentNotFound) Void              "payments.void" by order_id         -> (),
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

/// A card as its holder types it. The number exists only while the card is tokenized: it is never
/// stored, logged, traced or sent back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// 12 to 19 digits (ISO/IEC 7812-1); spaces and dashes are ignored. Only the published test
    /// cards are accepted.
    pub number: Secret,
    /// Month of expiry, 1 to 12. The card is valid to the end of that month.
    pub exp_month: u8,
    /// Year of expiry, four digits: this year to 50 years ahead.
    pub exp_year: u16,
    /// Card verification code: four digits for American Express, three for other brands. Never
    /// stored (PCI DSS 4.0.1, 3.3.1).
    pub cvc: Secret,
    /// The card holder's name, 1 to 100 characters.
    pub name: Text<1, 100>,
}

/// A saved card, without its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentMethod {
    /// Given by payments.
    pub id: PaymentMethodId,
    /// `visa`, `mastercard`, `amex`, `discover`, `diners` or `jcb`.
    pub brand: String,
    /// The last four digits of the number.
    pub last4: String,
    /// Month of expiry, 1 to 12.
    pub exp_month: u8,
    /// Year of expiry, four digits.
    pub exp_year: u16,
}

/// Saves a card as a payment method of a user: the provider tokenizes it, payments keeps the token.
/// Not idempotent: sent twice, it adds two methods.
///
/// Errors: [`PaymentsError::InvalidCard`], [`PaymentsError::TooManyMethods`], and
/// [`PaymentsError::MethodNotFound`] for another user's wallet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddMethod {
    /// The user who owns the method.
    pub user_id: UserId,
    /// The card as typed.
    pub card: Card,
}

/// Lists a user's payment methods, oldest first, at most 20. Errors:
/// [`PaymentsError::MethodNotFound`] for another user's wallet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListMethods {
    /// The user.
    pub user_id: UserId,
}

/// Removes a payment method. Removing it again changes nothing. Payments that were made with it can
/// still be captured and refunded.
///
/// Errors: [`PaymentsError::MethodNotFound`], also for another user's wallet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveMethod {
    /// The user who owns the method.
    pub user_id: UserId,
    /// The method.
    pub method_id: PaymentMethodId,
}

/// Holds the amount on the customer's card, for seven days at most. One payment per order: sent
/// again, it gives the first outcome, also when that was a decline.
///
/// Errors: [`PaymentsError::Declined`], [`PaymentsError::MethodNotFound`],
/// [`PaymentsError::PaymentNotFound`] when the order's payment belongs to another user, and
/// [`PaymentsError::AlreadyVoided`] after a [`Void`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Authorize {
    /// The order to be paid; orders owns it.
    pub order_id: OrderId,
    /// The user who pays.
    pub user_id: UserId,
    /// A payment method of that user.
    pub method_id: PaymentMethodId,
    /// The amount to hold, at least one minor unit.
    pub amount: Money,
}

/// Takes the whole amount that was authorized, once.
///
/// Errors: [`PaymentsError::PaymentNotFound`], also for other principals than staff;
/// [`PaymentsError::Declined`], [`PaymentsError::AlreadyVoided`], also when the authorization has
/// expired.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Capture {
    /// The order that is paid.
    pub order_id: OrderId,
}

/// Releases an authorization. Sent before the [`Authorize`] of the order, it makes that one fail
/// with [`PaymentsError::AlreadyVoided`].
///
/// Errors: [`PaymentsError::AlreadyCaptured`], and [`PaymentsError::PaymentNotFound`] for other
/// principals than staff.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Void {
    /// The order whose payment is voided.
    pub order_id: OrderId,
}

/// Refunds money of a captured payment, once per `key`. The sum of all refunds never exceeds the
/// captured amount.
///
/// Errors: [`PaymentsError::PaymentNotFound`], also for other principals than staff;
/// [`PaymentsError::NotCaptured`], [`PaymentsError::RefundTooLarge`],
/// [`PaymentsError::RefundAmount`], [`PaymentsError::KeyReused`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IssueRefund {
    /// The payment to refund.
    pub payment: PaymentRef,
    /// The idempotency key, chosen by the caller; unique per payment. The same key gives the same
    /// refund.
    pub key: String,
    /// At least one minor unit, in the payment's currency. `None` refunds all that is left.
    pub amount: Option<Money>,
    /// Why, 1 to 200 characters.
    pub reason: Text<1, 200>,
}

/// Names a payment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentRef {
    /// By its own id.
    Id(PaymentId),
    /// By the id of its order.
    OfOrder(OrderId),
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Refund {
    /// Given by payments.
    pub id: RefundId,
    /// The refunded payment.
    pub payment_id: PaymentId,
    /// The order that was paid.
    pub order_id: OrderId,
    /// The amount, at least one minor unit.
    pub amount: Money,
    /// Why, 1 to 200 characters.
    pub reason: String,
    /// Whether the money reached the card.
    pub status: RefundStatus,
    /// When it was requested.
    pub created_at: Timestamp,
}

/// The outcome of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// The provider accepted it. It can still become `failed` later.
    Succeeded,
    /// The provider refused it, or reported later that it failed. The shop keeps the money.
    Failed,
}

/// Gives one payment. Errors: [`PaymentsError::PaymentNotFound`], also for another user's payment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetPayment {
    /// The payment.
    pub payment_id: PaymentId,
}

/// Gives the payment of an order. Errors: [`PaymentsError::PaymentNotFound`], also for another
/// user's payment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetPaymentOfOrder {
    /// The order; orders owns it.
    pub order_id: OrderId,
}

/// The payment of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    /// The order's id with another prefix.
    pub id: PaymentId,
    /// The order that is paid; orders owns it.
    pub order_id: OrderId,
    /// The customer who pays.
    pub user_id: UserId,
    /// The amount to pay.
    pub amount: Money,
    /// The amount taken: zero or `amount`.
    pub captured: Money,
    /// Sum of the successful refunds: zero to `captured`.
    pub refunded: Money,
    /// Where the payment stands.
    pub status: PaymentStatus,
    /// Stripe's decline code, such as `insufficient_funds`; only for a declined payment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decline_code: Option<String>,
    /// The card that is charged.
    pub method: MethodSummary,
    /// The refunds with a known outcome, oldest first.
    pub refunds: Vec<Refund>,
    /// What happened, oldest first.
    pub events: Vec<PaymentEvent>,
    /// When the authorization was requested.
    pub created_at: Timestamp,
}

/// The states of a payment. `rules.rs` has the state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// The authorization was requested; its outcome is not known yet.
    Pending,
    /// The provider declined it.
    Declined,
    /// The amount is held on the card.
    Authorized,
    /// The authorization was released, or has expired.
    Voided,
    /// The amount was taken.
    Captured,
    /// Some of the amount was refunded.
    PartiallyRefunded,
    /// The whole amount was refunded.
    Refunded,
}

/// The card of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MethodSummary {
    /// As in [`PaymentMethod::brand`].
    pub brand: String,
    /// The last four digits of the number.
    pub last4: String,
}

/// One entry of a payment's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentEvent {
    /// What happened.
    pub kind: PaymentEventKind,
    /// The amount that it is about.
    pub amount: Money,
    /// When payments recorded it.
    pub at: Timestamp,
}

/// What can happen to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentEventKind {
    /// The provider declined the authorization.
    Declined,
    /// The amount was held.
    Authorized,
    /// The authorization was released, or has expired.
    Voided,
    /// The amount was taken.
    Captured,
    /// An amount was refunded.
    Refunded,
    /// A refund was refused, or failed after it had been accepted.
    RefundFailed,
}

/// For the audit: payments with the provider's ledger, by order id. Calls the provider.
///
/// Errors: [`PaymentsError::PaymentNotFound`] for other principals than staff.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReconcilePayments {
    /// Starts after this order; `None` starts with the first.
    pub after: Option<OrderId>,
    /// The most payments in the reply; above 1000 it counts as 1000.
    pub limit: usize,
}

/// The payment of one order in the books of both sides. Two sides that are at rest must be equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentReconciliation {
    /// The order.
    pub order_id: OrderId,
    /// The status as payments knows it.
    pub status: PaymentStatus,
    /// The books of payments.
    pub ours: Ledger,
    /// The books of the provider.
    pub provider: Ledger,
    /// When the last operation was requested, if its outcome is not known yet. Until it is, the two
    /// ledgers may differ.
    pub unfinished_since: Option<Timestamp>,
}

/// The books about one payment. Amounts are in minor units of the payment's currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Number of authorizations ever granted: 0 or 1.
    pub authorizations: u32,
    /// Number of captures ever made: 0 or 1.
    pub captures: u32,
    /// Held, and neither captured nor released.
    pub held: i64,
    /// Captured.
    pub captured: i64,
    /// Refunded successfully.
    pub refunded: i64,
}

/// Why payments refuses a request. The texts are shown to customers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentsError {
    /// The card has a mistake, or is not a test card.
    #[error("{reason}")]
    InvalidCard {
        /// `number`, `exp_month`, `exp_year` or `cvc`.
        field: String,
        /// Stripe's error code, or `not_a_test_card`.
        code: String,
        /// What is wrong, as a text for people.
        reason: String,
    },
    /// The user has no such payment method, or the wallet belongs to another user.
    #[error("there is no such payment method")]
    MethodNotFound,
    /// The user's wallet is full.
    #[error("you can save at most {most} payment methods")]
    TooManyMethods {
        /// The most methods: 20.
        most: usize,
    },
    /// The provider declined the authorization.
    #[error("the card was declined ({code})")]
    Declined {
        /// Stripe's decline code, such as `insufficient_funds`.
        code: String,
    },
    /// The order has no payment, or the principal may not see it.
    #[error("there is no such payment")]
    PaymentNotFound,
    /// The authorization was released or has expired.
    #[error("the payment was voided")]
    AlreadyVoided,
    /// A captured payment cannot be voided.
    #[error("the payment was already taken; it can only be refunded")]
    AlreadyCaptured,
    /// Only a captured payment can be refunded.
    #[error("this payment was not taken, so it cannot be refunded")]
    NotCaptured,
    /// The refund would exceed the captured amount.
    #[error("at most {left} can be refunded")]
    RefundTooLarge {
        /// The amount that can still be refunded.
        left: Money,
    },
    /// The refund is zero or in another currency.
    #[error("a refund must be at least one minor unit, in the payment's currency")]
    RefundAmount,
    /// The idempotency key belongs to another refund.
    #[error("this key was used for another refund")]
    KeyReused,
}

/// A refund succeeded. Published at least once per refund.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentRefunded {
    /// The order that was paid.
    pub order_id: OrderId,
    /// The customer who paid.
    pub user_id: UserId,
    /// The refund.
    pub refund: Refund,
}

/// A refund was refused, or failed after [`PaymentRefunded`]. Published at least once per refund.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefundFailed {
    /// The order that was paid.
    pub order_id: OrderId,
    /// The customer who paid.
    pub user_id: UserId,
    /// The refund.
    pub refund: Refund,
}
