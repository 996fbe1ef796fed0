//! Quotes, shipments, labels, tracking.

use super::paging::whole_list;
use crate::{
    gateway::{
        context::RequestContext,
        extract::{Body, PathId},
        respond::{
            CacheTag, Problem, Reply, ReplyResult,
            reply::{Svg, ok},
        },
    },
    services::{
        products::messages::{GetProducts, StockLine},
        shipping::messages::*,
    },
    types::{Country, Page, ShipmentId, Text},
};
use serde::Deserialize;
use utoipa::ToSchema;

/// The destination: only the country is needed for a quote.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "clients may send a whole address, and its other fields are validated but not used")]
pub struct QuoteAddress {
    country: Country,
    postal_code: Option<Text<1, 16>>,
    city: Option<Text<1, 80>>,
    name: Option<Text<1, 100>>,
    line1: Option<Text<1, 120>>,
    line2: Option<Text<1, 120>>,
    phone: Option<Text<3, 32>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuoteRequest {
    address: QuoteAddress,
    items: Vec<StockLine>,
}

const MOST_LINES: usize = 50;

/// Composed here: `products` knows the weights, and `shipping` knows the routes.
pub async fn quote(
    context: RequestContext,
    Body(QuoteRequest { address, items }): Body<QuoteRequest>,
) -> ReplyResult<Page<Quote>> {
    if items.is_empty() || items.len() > MOST_LINES {
        return Err(Problem::invalid("/items", format!("must have between 1 and {MOST_LINES} lines")));
    }
    let products = context.call(GetProducts { ids: items.iter().map(|line| line.product_id).collect() }).await?;
    let mut weight_grams = 0;
    for (at, line) in items.iter().enumerate() {
        let product = products.iter().find(|product| product.id == line.product_id && !product.retired);
        let product = product
            .ok_or_else(|| Problem::invalid(format!("/items/{at}/product_id"), "there is no such product on sale"))?;
        weight_grams += u64::from(product.weight_grams) * u64::from(line.quantity.get());
    }
    let text = |text: Option<String>| text.unwrap_or_default();
    whole_list(
        context
            .call(QuoteParcel {
                country: address.country,
                postal_code: text(address.postal_code.map(Text::into_string)),
                city: text(address.city.map(Text::into_string)),
                weight_grams,
            })
            .await?,
    )
}

pub async fn network(context: RequestContext) -> ReplyResult<Page<Hub>> {
    whole_list(context.call(GetNetwork {}).await?)
}

pub async fn get(context: RequestContext, PathId(shipment_id): PathId<ShipmentId>) -> ReplyResult<Shipment> {
    ok(context.call(GetShipment { shipment_id }).await?)
}

pub async fn label(context: RequestContext, PathId(shipment_id): PathId<ShipmentId>) -> ReplyResult<Svg> {
    let label = context.call(DrawLabel { shipment_id }).await?;
    context.tag_response([CacheTag::Labels]);
    Ok(Reply::raw(label.svg))
}

pub async fn track(context: RequestContext, PathId(tracking_number): PathId<String>) -> ReplyResult<Tracking> {
    ok(context.call(Track { tracking_number }).await?)
}
