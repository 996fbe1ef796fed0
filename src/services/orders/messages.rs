//! What orders can be asked, what it answers, and what it tells.

use crate::{
    mesh::{events, requests},
    services::{
        payments::messages::Refund,
        products::messages::{Shortage, StockLine},
        shipping::messages::ShippingService,
    },
    types::{
        Address, AddressId, BadCursor, Cursor, Limit, Money, OrderId, Page, PaymentMethodId, ProductId, Quantity,
        Service, Text, Timestamp, UserId,
    },
};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

#[rustfmt::skip]
requests! { Service::Orders, OrdersError,
    keyed   owner            PlaceOrder            "orders.place" by user_id         -> Order,
    query   owner            GetOrder              "orders.get" by order_id          -> Order,
    poll    owner            AwaitChange           "orders.await_change" by order_id -> Order,
    query   owner            ListOrders            "orders.list"                     -> Page<Order>,
    keyed   owner            CancelOrder           "orders.cancel" by order_id       -> Order,
    keyed   owner            ReturnItems           "orders.return" by order_id       -> Refund,
    keyed   staff(Forbidden) FulfilOrder           "orders.fulfil" by order_id       -> Order,
    query   staff(Forbidden) ReconcileOrders       "orders.reconcile"                -> Vec<OrderReconciliation>,
    query   staff(Forbidden) CountUnfinished       "orders.count_unfinished"         -> u64,
    query   staff(Forbidden) CountNeedingAttention "orders.count_needing_attention"  -> u64,
}

#[rustfmt::skip]
events! { Service::Orders,
    OrderConfirmed "orders.confirmed",
    OrderRejected  "orders.rejected",
    OrderShipped   "orders.shipped",
    OrderDelivered "orders.delivered",
    OrderCancelled "orders.cancelled",
    OrderReturned  "orders.returned",
}

/// Places an order, once per user and `key`: asking again gives the same order. Answers when the saga is at rest, or with the
/// order still `pending` shortly before the context's deadline.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlaceOrder {
    pub user_id: UserId,
    pub key: String,
    /// The user's cart where absent.
    pub items: Option<Vec<StockLine>>,
    pub destination: Destination,
    pub shipping_service: ShippingService,
    pub payment_method_id: PaymentMethodId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    Saved(AddressId),
    Given(Address),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    pub id: OrderId,
    pub user_id: UserId,
    pub status: OrderStatus,
    /// Why it was rejected or cancelled.
    #[serde(flatten)]
    pub reason: Option<Reason>,
    pub items: Vec<OrderItem>,
    pub subtotal: Money,
    pub shipping_cost: Money,
    pub total: Money,
    pub address: Address,
    pub shipping_service: ShippingService,
    pub payment_method_id: PaymentMethodId,
    pub placed_at: Timestamp,
    pub timeline: Vec<TimelineEntry>,
    pub returns: Vec<ReturnEntry>,
    /// What is still being done for it in the background, in words for people; empty when it is at rest.
    pub in_progress: Option<String>,
    /// Goes up with every change.
    pub version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    Pending,
    Confirmed,
    Packed,
    Shipped,
    Delivered,
    Rejected,
    Cancelled,
    Returned,
}

impl OrderStatus {
    /// As in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Packed => "packed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
        }
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    OutOfStock {
        #[serde(rename = "shortages")]
        lines: Vec<Shortage>,
    },
    PaymentDeclined {
        decline_code: String,
    },
    Undeliverable {
        detail: String,
    },
    /// A service that is needed could not be reached in time.
    Unavailable,
    /// By the customer or an operator.
    Cancelled,
}

/// A line of an order, with the product as it was when it was bought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderItem {
    pub product_id: ProductId,
    pub name: String,
    pub image: String,
    pub unit_price: Money,
    pub quantity: Quantity,
    pub line_total: Money,
    pub weight_grams: u32,
    /// Pieces that came back.
    pub returned: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEntry {
    pub status: OrderStatus,
    pub at: Timestamp,
    /// What happened, in words for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReturnEntry {
    pub lines: Vec<StockLine>,
    pub reason: Text<1, 200>,
    pub amount: Money,
    pub at: Timestamp,
}

/// An order of the principal's own (or anybody's, for staff).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOrder {
    pub order_id: OrderId,
}

/// Answers when the order has a version above `after`, or shortly before the context's deadline as it is then.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AwaitChange {
    pub order_id: OrderId,
    pub after: u64,
}

/// Newest first. `user_id: None` is everybody's, for staff.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListOrders {
    pub user_id: Option<UserId>,
    pub status: Option<OrderStatus>,
    pub limit: Limit,
    pub cursor: Option<Cursor>,
}

/// `confirmed` or `packed` → `cancelled`: the shipment is cancelled, the money given back, the pieces put back.
/// Cancelling a cancelled order changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CancelOrder {
    pub order_id: OrderId,
}

/// Pieces of a delivered order come back: refunded at the price paid, and put back on the shelf. Once per `key`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReturnItems {
    pub order_id: OrderId,
    pub key: String,
    pub lines: Vec<StockLine>,
    pub reason: Text<1, 200>,
}

/// `confirmed → packed`, `packed → shipped`. For staff. To a state that it is in or has been in already, it changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FulfilOrder {
    pub order_id: OrderId,
    pub to: Fulfilment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fulfilment {
    Packed,
    Shipped,
}

/// For whoever runs the shop: how many orders have a saga under way, or events that are not delivered yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountUnfinished {}

/// For whoever runs the shop: how many orders have a saga that has failed for long, and is tried on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountNeedingAttention {}

/// For the audit: orders by id, from after `after`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReconcileOrders {
    pub after: Option<OrderId>,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderReconciliation {
    pub order_id: OrderId,
    pub status: OrderStatus,
    pub total: Money,
    /// What its lines come to, and what it costs to send: in minor units.
    pub lines: i64,
    pub shipping: i64,
    /// How often its timeline goes where no order may.
    pub illegal_steps: usize,
    /// Something that must be done for it fails and fails.
    pub needs_attention: bool,
    /// What was given back for returns and cancellation, as far as it is done.
    pub refunded: Money,
    /// Pieces sold and not come back, by product.
    pub pieces: Vec<(ProductId, u32)>,
    /// Pieces that were to be bought, whatever came of it.
    pub asked_for: Vec<(ProductId, u32)>,
    /// Goes up with every change.
    pub version: u64,
    /// When something last came of it.
    pub changed_at: Timestamp,
    /// Since when a saga is under way.
    pub unfinished_since: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrdersError {
    #[error("there is no such order")]
    OrderNotFound,
    #[error("there is nothing in the order")]
    EmptyOrder,
    /// Two clicks are one order: the cart is ordered again when this one is at rest.
    #[error("your cart is being ordered already")]
    CartInCheckout { order_id: OrderId },
    #[error("an order holds each product once, and at most {most} different ones")]
    BadLines { most: usize },
    #[error("there is no such product on sale")]
    ProductNotFound { product_id: ProductId },
    #[error("there is no such address")]
    AddressNotFound,
    #[error("there is no such payment method")]
    MethodNotFound,
    #[error("we do not deliver there: {reason}")]
    Undeliverable { reason: String },
    #[error("the order would cost more than can be reckoned")]
    TooExpensive,
    #[error("the order cannot be cancelled: it is {status}")]
    NotCancellable { status: String },
    #[error("only a delivered order can be returned: this one is {status}")]
    NotReturnable { status: String },
    #[error("at most {left} of this product can come back")]
    TooManyReturned { product_id: ProductId, left: u32 },
    #[error("at most {left} can be given back")]
    RefundTooLarge { left: Money },
    #[error("an order that is {from} cannot become {to}")]
    IllegalTransition { from: String, to: String },
    #[error("something is still being done for this order; try again in a moment")]
    Busy,
    #[error("the key was used for another order or return")]
    KeyReused,
    #[error("the cursor is not one that this list gave out")]
    BadCursor,
    #[error("this is not for you to do")]
    Forbidden,
}

impl From<BadCursor> for OrdersError {
    fn from(_: BadCursor) -> Self {
        Self::BadCursor
    }
}

/// What the events of an order all tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderFacts {
    pub order_id: OrderId,
    pub user_id: UserId,
    pub total: Money,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderConfirmed {
    #[serde(flatten)]
    pub order: OrderFacts,
    pub lines: Vec<StockLine>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderRejected {
    #[serde(flatten)]
    pub order: OrderFacts,
    pub reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderShipped {
    #[serde(flatten)]
    pub order: OrderFacts,
    pub tracking_number: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderDelivered {
    #[serde(flatten)]
    pub order: OrderFacts,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderCancelled {
    #[serde(flatten)]
    pub order: OrderFacts,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderReturned {
    #[serde(flatten)]
    pub order: OrderFacts,
    pub amount: Money,
}
