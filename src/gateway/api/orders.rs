//! Orders.

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
    /// What is in the cart, where absent.
    items: Option<Vec<StockLine>>,
    /// One of the address book; or give `address`.
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
        _ => return Err(Problem::invalid("/address_id", "give either address_id or address")),
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

/// The stock of these products has changed.
fn purge_products(cache: &ResponseCache, products: impl IntoIterator<Item = ProductId>) {
    cache.purge(products.into_iter().map(CacheTag::Product).chain([CacheTag::Catalogue]));
}

fn rejected(order: &Order, reason: &Reason) -> Problem {
    let problem = match reason {
        Reason::OutOfStock { lines } => {
            Problem::conflict("out_of_stock", "There is not enough in stock of something in this order.")
                .with("lines", lines)
        }
        Reason::PaymentDeclined { decline_code } => Problem::declined(decline_code),
        Reason::Undeliverable { detail } => {
            Problem::unprocessable("undeliverable", format!("We do not deliver there: {detail}."))
        }
        Reason::Unavailable | Reason::Cancelled => Problem::unavailable(
            "order_not_possible",
            "A part of the shop that is needed for an order was not available. Nothing was charged. Try again with a new key.",
            5,
        ),
    };
    problem.with("order_id", order.id)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderQuery {
    status: Option<OrderStatus>,
    /// For operators: whose.
    user_id: Option<UserId>,
    /// For operators: everybody's.
    all: Option<bool>,
    /// At most so many: 1 to 100.
    #[schema(value_type = Option<Limit>)]
    limit: Option<u64>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<Cursor>,
}

pub async fn list(context: RequestContext, Query(filter): Query<OrderQuery>) -> ReplyResult<Page<Order>> {
    let own = context.user()?;
    let asks_for_others = filter.all == Some(true) || filter.user_id.is_some_and(|user| user != own);
    if asks_for_others && !context.principal.get().is_staff() {
        return Err(Problem::forbidden("forbidden", "Only operators may look at other people's orders."));
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
    // Where it is not, it is being cancelled, and will be: the order says what is still to be done.
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
    let given = context.scoped_idempotency_key();
    // Without a key of the client's, each request is a return of its own. Its trace would not do: the client names that.
    let key = given.unwrap_or_else(|| context.gateway.env.id::<RefundId>().to_string());
    let returned: Vec<_> = lines.iter().map(|line| line.product_id).collect();
    let refund = context.call(ReturnItems { order_id, key, lines, reason }).await?;
    purge_products(&cache, returned);
    created(format!("/api/v1/payments/{}", refund.payment_id), refund)
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
