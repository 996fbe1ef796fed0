//! The public interface of orders: its requests, replies, errors and events.

#![deny(missing_docs)]

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

/// Places an order. The same user and `key` with the same contents give the same order again.
///
/// The reply comes when the saga has ended. Shortly before the deadline of the context it comes
/// with the order still `pending`; the saga goes on in the background. A step that is refused makes
/// the reply a `rejected` order, not an error.
///
/// Errors: [`OrdersError::Forbidden`] for another user's order, [`OrdersError::EmptyOrder`],
/// [`OrdersError::BadLines`], [`OrdersError::CartInCheckout`], [`OrdersError::ProductNotFound`],
/// [`OrdersError::AddressNotFound`], [`OrdersError::MethodNotFound`],
/// [`OrdersError::Undeliverable`], [`OrdersError::TooExpensive`], [`OrdersError::KeyReused`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// The user whose order it will be.
    pub user_id: UserId,
    /// The idempotency key, chosen by the client; unique per user.
    pub key: String,
    /// Each product once, 1 to 50 lines. `None` orders the user's cart.
    pub items: Option<Vec<StockLine>>,
    /// Where the parcel goes.
    pub destination: Destination,
    /// How fast the parcel goes; sets the shipping cost.
    pub shipping_service: ShippingService,
    /// A payment method of the user; payments owns it.
    pub payment_method_id: PaymentMethodId,
}

/// The address of a new order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// An address from the user's address book; users owns it. The order keeps a copy.
    Saved(AddressId),
    /// An address for this order only.
    Given(Address),
}

/// An order as its customer sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// Given by orders. Ids sort by the time of placing.
    pub id: OrderId,
    /// The customer who owns the order.
    pub user_id: UserId,
    /// Where the order stands.
    pub status: OrderStatus,
    /// Why it was rejected or cancelled. Absent in every other status.
    #[serde(flatten)]
    pub reason: Option<Reason>,
    /// The lines as they were bought, 1 to 50; later changes of a product do not change them.
    pub items: Vec<OrderItem>,
    /// Sum of all line totals.
    pub subtotal: Money,
    /// What sending the parcel costs.
    pub shipping_cost: Money,
    /// `subtotal` plus `shipping_cost`: the amount that is charged.
    pub total: Money,
    /// Where the parcel goes, as it was when the order was placed.
    pub address: Address,
    /// How fast the parcel goes.
    pub shipping_service: ShippingService,
    /// The payment method that is charged; payments owns it.
    pub payment_method_id: PaymentMethodId,
    /// When the order was placed.
    pub placed_at: Timestamp,
    /// Every status and every note of the order, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// The completed returns, oldest first.
    pub returns: Vec<ReturnEntry>,
    /// What is being done for the order in the background, as a text for people. `null` when
    /// nothing is left to do.
    pub in_progress: Option<String>,
    /// Starts at 1 and goes up by one with every change.
    pub version: u64,
}

/// The states of an order. `rules.rs` has the table of allowed transitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Placed; its saga has not ended yet.
    Pending,
    /// Paid, in stock, and with a booked shipment.
    Confirmed,
    /// Packed; waits for the carrier.
    Packed,
    /// Handed over to the carrier.
    Shipped,
    /// Delivered to the customer.
    Delivered,
    /// Could not be placed; every completed step was compensated. Final.
    Rejected,
    /// Cancelled before it was shipped, and refunded. Final.
    Cancelled,
    /// Every piece was returned. Final.
    Returned,
}

impl OrderStatus {
    /// The name in JSON.
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

/// Why an order was rejected or cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// Products had too few pieces left.
    OutOfStock {
        /// One entry per product that is short.
        #[serde(rename = "shortages")]
        lines: Vec<Shortage>,
    },
    /// The payment provider declined the payment.
    PaymentDeclined {
        /// Stripe's decline code, such as `insufficient_funds`.
        decline_code: String,
    },
    /// Shipping does not deliver to the address.
    Undeliverable {
        /// Why, as a text for people.
        detail: String,
    },
    /// A service that is needed did not answer in time.
    Unavailable,
    /// The customer or an operator cancelled it.
    Cancelled,
}

/// A line of an order, with the product as it was when it was bought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderItem {
    /// The product; products owns it.
    pub product_id: ProductId,
    /// Its name at that time.
    pub name: String,
    /// Path or URL of its picture at that time; may be empty.
    pub image: String,
    /// Price of one piece at that time.
    pub unit_price: Money,
    /// Pieces bought.
    pub quantity: Quantity,
    /// `unit_price` times `quantity`.
    pub line_total: Money,
    /// Weight of one piece in grams.
    pub weight_grams: u32,
    /// Pieces returned so far: 0 to `quantity`.
    pub returned: u32,
}

/// One entry of an order's timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEntry {
    /// The status of the order at that moment.
    pub status: OrderStatus,
    /// When it happened.
    pub at: Timestamp,
    /// What happened, as a text for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// A completed return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReturnEntry {
    /// The pieces that came back.
    pub lines: Vec<StockLine>,
    /// The customer's reason, 1 to 200 characters.
    pub reason: Text<1, 200>,
    /// The amount refunded for them.
    pub amount: Money,
    /// When the return was completed.
    pub at: Timestamp,
}

/// Gives one order. Errors: [`OrdersError::OrderNotFound`], also for an order of another customer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOrder {
    /// The order.
    pub order_id: OrderId,
}

/// Long poll: the reply comes when the order has a version above `after`, or unchanged shortly
/// before the deadline of the context. Errors: [`OrdersError::OrderNotFound`], also for an order of
/// another customer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AwaitChange {
    /// The order.
    pub order_id: OrderId,
    /// The version that the caller knows; 0 gives the order at once.
    pub after: u64,
}

/// Lists orders, newest first. Errors: [`OrdersError::Forbidden`] for orders that the principal may
/// not see, [`OrdersError::BadCursor`] for a cursor of another list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListOrders {
    /// Whose orders. `None` lists all users' orders and is for staff.
    pub user_id: Option<UserId>,
    /// Only orders in this status.
    pub status: Option<OrderStatus>,
    /// The most orders on one page.
    pub limit: Limit,
    /// `next_cursor` of the page before; `None` for the first page.
    pub cursor: Option<Cursor>,
}

/// Cancels a `confirmed` or `packed` order: cancels the shipment, refunds the payment and puts the
/// pieces back in stock. Cancelling a cancelled order changes nothing.
///
/// Errors: [`OrdersError::OrderNotFound`], also for an order of another customer;
/// [`OrdersError::NotCancellable`] in every other status, or when the carrier already has the
/// parcel; [`OrdersError::Busy`] while another saga of the order runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CancelOrder {
    /// The order.
    pub order_id: OrderId,
}

/// Takes back pieces of a `delivered` order: refunds the price that was paid for them (not the
/// shipping cost) and puts them back in stock. The same `key` with the same lines gives the same
/// refund.
///
/// Errors: [`OrdersError::OrderNotFound`], also for an order of another customer;
/// [`OrdersError::NotReturnable`], [`OrdersError::EmptyOrder`], [`OrdersError::BadLines`],
/// [`OrdersError::TooManyReturned`], [`OrdersError::RefundTooLarge`], [`OrdersError::KeyReused`];
/// [`OrdersError::Busy`] while another saga of the order runs, or when the return does not end in
/// time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReturnItems {
    /// The order.
    pub order_id: OrderId,
    /// The idempotency key, chosen by the client; unique per order.
    pub key: String,
    /// Each product once, 1 to 50 lines.
    pub lines: Vec<StockLine>,
    /// Why, 1 to 200 characters.
    pub reason: Text<1, 200>,
}

/// Moves an order on: `confirmed → packed` or `packed → shipped`. A state that the order is in or
/// has passed changes nothing.
///
/// Errors: [`OrdersError::Forbidden`] for other principals than staff,
/// [`OrdersError::OrderNotFound`], [`OrdersError::IllegalTransition`], and [`OrdersError::Busy`]
/// while another saga of the order runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FulfilOrder {
    /// The order.
    pub order_id: OrderId,
    /// The state to reach.
    pub to: Fulfilment,
}

/// The states that an operator sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fulfilment {
    /// All pieces are in the parcel.
    Packed,
    /// The carrier has the parcel.
    Shipped,
}

/// Counts the orders that have a running saga or events that are not delivered yet. Errors:
/// [`OrdersError::Forbidden`] for other principals than staff.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountUnfinished {}

/// Counts the orders whose saga has failed for a long time and is still retried. Errors:
/// [`OrdersError::Forbidden`] for other principals than staff.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountNeedingAttention {}

/// For the audit: what orders keeps of each order, by order id. Errors:
/// [`OrdersError::Forbidden`] for other principals than staff.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReconcileOrders {
    /// Starts after this order; `None` starts with the first.
    pub after: Option<OrderId>,
    /// The most orders in the reply; above 1000 it counts as 1000.
    pub limit: usize,
}

/// One order, for the audit to compare with the books of the other services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderReconciliation {
    /// The order.
    pub order_id: OrderId,
    /// Its status.
    pub status: OrderStatus,
    /// What was to be charged.
    pub total: Money,
    /// Sum of the line totals, in minor units.
    pub lines: i64,
    /// Shipping cost, in minor units.
    pub shipping: i64,
    /// Steps of its timeline that the state machine does not allow; 0 if all is well.
    pub illegal_steps: usize,
    /// Whether a required action has failed for a long time.
    pub needs_attention: bool,
    /// Sum of the successful refunds for returns and cancellation.
    pub refunded: Money,
    /// Pieces sold and not returned, by product.
    pub pieces: Vec<(ProductId, u32)>,
    /// Pieces that were ordered, by product, in every status.
    pub asked_for: Vec<(ProductId, u32)>,
    /// As in [`Order::version`].
    pub version: u64,
    /// When the timeline last grew.
    pub changed_at: Timestamp,
    /// When the running saga began; `None` when no saga runs.
    pub unfinished_since: Option<Timestamp>,
}

/// Why orders refuses a request. The texts are shown to customers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrdersError {
    /// No order has this id, or it belongs to another customer.
    #[error("there is no such order")]
    OrderNotFound,
    /// The request names no product, or the cart is empty.
    #[error("the order is empty")]
    EmptyOrder,
    /// Another order of the same cart is still pending. The cart can be ordered again afterwards.
    #[error("your cart is already being ordered")]
    CartInCheckout {
        /// The pending order.
        order_id: OrderId,
    },
    /// A product appears twice, or there are too many lines.
    #[error("an order can hold at most {most} different products, each on one line")]
    BadLines {
        /// The most lines: 50.
        most: usize,
    },
    /// A line names a product that does not exist or is no longer sold.
    #[error("this product is not for sale")]
    ProductNotFound {
        /// The product.
        product_id: ProductId,
    },
    /// The saved address does not exist in the user's address book.
    #[error("there is no such address")]
    AddressNotFound,
    /// The user has no such payment method.
    #[error("there is no such payment method")]
    MethodNotFound,
    /// Shipping does not deliver the parcel to the address by the chosen service.
    #[error("we do not deliver there: {reason}")]
    Undeliverable {
        /// Why, as a text for people.
        reason: String,
    },
    /// The total does not fit into an amount of money.
    #[error("the order would cost too much")]
    TooExpensive,
    /// Only `confirmed` and `packed` orders can be cancelled.
    #[error("the order cannot be cancelled: it is {status}")]
    NotCancellable {
        /// The status, or `with the carrier`.
        status: String,
    },
    /// Only `delivered` orders can be returned.
    #[error("only a delivered order can be returned: this one is {status}")]
    NotReturnable {
        /// The status.
        status: String,
    },
    /// More pieces than were bought and not returned yet.
    #[error("at most {left} of this product can be returned")]
    TooManyReturned {
        /// The product.
        product_id: ProductId,
        /// Pieces that can still be returned.
        left: u32,
    },
    /// More money than is left of the payment, because an operator has refunded some of it.
    #[error("at most {left} can be refunded")]
    RefundTooLarge {
        /// The amount that can still be refunded.
        left: Money,
    },
    /// The order's state machine does not allow this change of status.
    #[error("an order that is {from} cannot become {to}")]
    IllegalTransition {
        /// The status now.
        from: String,
        /// The status that was asked for.
        to: String,
    },
    /// A saga of the order is running; the same request can be sent again later.
    #[error("this order is being processed; try again in a moment")]
    Busy,
    /// The idempotency key belongs to another order or return.
    #[error("this key was used for another order or return")]
    KeyReused,
    /// The cursor was made for another list, or was changed.
    #[error("this cursor does not belong to this list")]
    BadCursor,
    /// The principal is not allowed to send this request.
    #[error("you are not allowed to do this")]
    Forbidden,
}

impl From<BadCursor> for OrdersError {
    fn from(_: BadCursor) -> Self {
        Self::BadCursor
    }
}

/// What every event of an order carries.
///
/// Events are published from the outbox of the order's record: at least once, and in the order in
/// which they happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderFacts {
    /// The order.
    pub order_id: OrderId,
    /// Its customer.
    pub user_id: UserId,
    /// What it cost, shipping included.
    pub total: Money,
}

/// The saga of placing has succeeded: the order is paid, in stock, and its shipment is booked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderConfirmed {
    /// Order, customer and total.
    #[serde(flatten)]
    pub order: OrderFacts,
    /// The pieces that were bought.
    pub lines: Vec<StockLine>,
}

/// The order could not be placed, and every completed step was compensated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderRejected {
    /// Order, customer and total.
    #[serde(flatten)]
    pub order: OrderFacts,
    /// Why.
    pub reason: Reason,
}

/// The parcel was handed over to the carrier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderShipped {
    /// Order, customer and total.
    #[serde(flatten)]
    pub order: OrderFacts,
    /// The carrier's number of the parcel; shipping gave it.
    pub tracking_number: String,
}

/// The parcel was delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderDelivered {
    /// Order, customer and total.
    #[serde(flatten)]
    pub order: OrderFacts,
}

/// The order was cancelled and refunded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// Order, customer and total.
    #[serde(flatten)]
    pub order: OrderFacts,
}

/// Pieces of the order came back and were refunded. Published once per return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderReturned {
    /// Order, customer and total.
    #[serde(flatten)]
    pub order: OrderFacts,
    /// The amount refunded for these pieces.
    pub amount: Money,
}
