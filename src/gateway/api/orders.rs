//! Orders: placing, reading, cancelling, returns, fulfilment.

use super::{
    composed::{self, OrderPage},
    paging::limit,
};
use crate::{
    gateway::{
        context::RequestContext,
        extract::{Body, PathId, Query},
        filters::cache::store::ResponseCache,
        respond::{
            CacheTag, Problem, ReplyResult,
            reply::{created, ok},
        },
    },
    services::{
        orders::messages::*, payments::messages::Refund, products::messages::StockLine,
        shipping::messages::ShippingService,
    },
    types::{Address, AddressId, Cursor, Limit, OrderId, Page, PaymentMethodId, ProductId, RefundId, Text, UserId},
};
use actix_web::web::Data;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "items": [{"product_id": "prd_019a52b46b7a7d0c8f3e5a1b2c3d4e5f", "quantity": 2}],
    "address_id": "adr_019a52b46b7a7d0c8f3e5a1b2c3d4e5f",
    "shipping_service": "standard",
    "payment_method_id": "pm_019a52b46b7a7d0c8f3e5a1b2c3d4e5f",
}))]
pub struct NewOrder {
    /// If absent, the items of the cart are ordered.
    items: Option<Vec<StockLine>>,
    /// The id of a saved address. Give either `address_id` or `address`.
    address_id: Option<AddressId>,
    address: Option<Address>,
    shipping_service: ShippingService,
    payment_method_id: PaymentMethodId,
}

pub async fn place(
    context: RequestContext,
    cache: Data<ResponseCache>,
    Body(new): Body<NewOrder>,
) -> ReplyResult<OrderPage, 201, 202> {
    let destination = match (new.address_id, new.address) {
        (Some(id), None) => Destination::Saved(id),
        (None, Some(address)) => Destination::Given(address),
        _ => return Err(Problem::invalid("/address_id", "give either address_id or address, but not both")),
    };
    let key = context.idempotency_key.borrow().as_ref().map(|it| it.key.clone()).unwrap_or_default();
    let order = context
        .call(PlaceOrder {
            user_id: context.user()?,
            key,
            items: new.items,
            destination,
            shipping_service: new.shipping_service,
            payment_method_id: new.payment_method_id,
        })
        .await?;
    purge_products(&cache, order.items.iter().map(|item| item.product_id));
    if let (OrderStatus::Rejected, Some(reason)) = (order.status, &order.reason) {
        return Err(rejected(&order, reason));
    }
    let is_pending = order.status == OrderStatus::Pending;
    let location = format!("/api/v1/orders/{}", order.id);
    Ok(composed::order_page(&context, order).await.with(("Location", location)).or_if(is_pending))
}

/// Purges the cached responses of products whose stock has changed.
fn purge_products(cache: &ResponseCache, products: impl IntoIterator<Item = ProductId>) {
    cache.purge(products.into_iter().map(CacheTag::Product).chain([CacheTag::Catalogue]));
}

fn rejected(order: &Order, reason: &Reason) -> Problem {
    let problem = match reason {
        Reason::OutOfStock { lines } => Problem::conflict(
            "out_of_stock",
            "A product of this order is out of stock. Reduce its quantity, or remove the product.",
        )
        .with("lines", lines),
        Reason::PaymentDeclined { decline_code } => Problem::declined(decline_code),
        Reason::Undeliverable { detail } => Problem::unprocessable(
            "undeliverable",
            format!("The order cannot be delivered to this address: {detail}. Use another address."),
        ),
        Reason::Unavailable | Reason::Cancelled => Problem::unavailable(
            "order_not_possible",
            "A service of the shop was not available. Nothing was charged. Try again later, with a new Idempotency-Key.",
            5,
        ),
    };
    problem.with("order_id", order.id)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderQuery {
    status: Option<OrderStatus>,
    /// For operators: the user whose orders are listed.
    user_id: Option<UserId>,
    /// For operators: `true` lists the orders of all users.
    all: Option<bool>,
    /// The most items on a page: 1 to 100. The default is 24.
    #[schema(value_type = Option<Limit>)]
    limit: Option<u64>,
    /// The `next_cursor` of the previous page.
    cursor: Option<Cursor>,
}

pub async fn list(context: RequestContext, Query(filter): Query<OrderQuery>) -> ReplyResult<Page<Order>> {
    let own = context.user()?;
    let asks_for_others = filter.all == Some(true) || filter.user_id.is_some_and(|user| user != own);
    if asks_for_others && !context.principal.get().is_staff() {
        return Err(Problem::forbidden("forbidden", "Only operators may read the orders of other users."));
    }
    let user_id = match (filter.all, filter.user_id) {
        (_, Some(user)) => Some(user),
        (Some(true), None) => None,
        _ => Some(own),
    };
    let list = ListOrders { user_id, status: filter.status, limit: limit(filter.limit)?, cursor: filter.cursor };
    ok(context.call(list).await?)
}

pub async fn get(context: RequestContext, PathId(order_id): PathId<OrderId>) -> ReplyResult<OrderPage> {
    let order = context.call(GetOrder { order_id }).await?;
    Ok(composed::order_page(&context, order).await)
}

pub async fn cancel(
    context: RequestContext,
    cache: Data<ResponseCache>,
    PathId(order_id): PathId<OrderId>,
) -> ReplyResult<OrderPage, 200, 202> {
    let order = context.call(CancelOrder { order_id }).await?;
    cache.purge([CacheTag::Labels]);
    purge_products(&cache, order.items.iter().map(|item| item.product_id));
    let is_done = order.status == OrderStatus::Cancelled;
    // 202: the cancellation is still in progress, and the order shows its progress.
    Ok(composed::order_page(&context, order).await.or_if(!is_done))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReturn {
    lines: Vec<StockLine>,
    reason: Text<1, 200>,
}

pub async fn return_items(
    context: RequestContext,
    cache: Data<ResponseCache>,
    PathId(order_id): PathId<OrderId>,
    Body(NewReturn { lines, reason }): Body<NewReturn>,
) -> ReplyResult<Refund, 201> {
    let key = idempotency_key(&context);
    let returned: Vec<_> = lines.iter().map(|line| line.product_id).collect();
    let refund = context.call(ReturnItems { order_id, key, lines, reason }).await?;
    purge_products(&cache, returned);
    created(format!("/api/v1/payments/{}", refund.payment_id), refund)
}

/// The key under which the request is carried out once: the client's `Idempotency-Key` in its
/// scope, or a new key, so that each request without a key is carried out. The trace id cannot be
/// the key, because the client chooses the trace id.
pub fn idempotency_key(context: &RequestContext) -> String {
    context.scoped_idempotency_key().unwrap_or_else(|| context.gateway.env.id::<RefundId>().to_string())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fulfil {
    to: Fulfilment,
}

pub async fn fulfil(
    context: RequestContext,
    PathId(order_id): PathId<OrderId>,
    Body(Fulfil { to }): Body<Fulfil>,
) -> ReplyResult<OrderPage> {
    let order = context.call(FulfilOrder { order_id, to }).await?;
    Ok(composed::order_page(&context, order).await)
}
