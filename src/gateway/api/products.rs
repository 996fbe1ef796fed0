//! The catalogue and the stock.

use super::paging::{Paging, limit, page_of};
use crate::{
    gateway::{
        context::RequestContext,
        extract::{Body, PathId, Query, head},
        filters::{
            cache::store::ResponseCache,
            conditional::entity_tags::{is_listed, is_matched, tag_of},
        },
        respond::{
            CacheTag, Problem, ReplyResult,
            reply::{Nothing, created, no_content, ok},
        },
    },
    mesh::CallError,
    services::products::messages::*,
    types::{Cursor, Limit, Page, ProductId, Slug},
};
use actix_web::{
    HttpRequest,
    http::StatusCode,
    http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH},
    web::Data,
};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductSearch {
    /// Words. Each must be the beginning of a word in the name, the description, the tags or the
    /// category.
    #[schema(example = "kettle")]
    q: Option<String>,
    category: Option<Slug>,
    /// The lowest price in minor units (cents), inclusive.
    #[schema(minimum = 0, example = 1000)]
    min_price: Option<i64>,
    /// The highest price in minor units (cents), inclusive.
    #[schema(minimum = 0, example = 5000)]
    max_price: Option<i64>,
    in_stock: Option<bool>,
    featured: Option<bool>,
    sort: Option<Sort>,
    /// The most products on a page: 1 to 100. The default is 24.
    #[schema(value_type = Option<Limit>)]
    limit: Option<u64>,
    /// The `next_cursor` of the previous page.
    cursor: Option<Cursor>,
}

pub async fn find(context: RequestContext, Query(search): Query<ProductSearch>) -> ReplyResult<Page<Product>> {
    let find = FindProducts {
        q: search.q.filter(|q| !q.trim().is_empty()),
        category: search.category,
        min_price: search.min_price,
        max_price: search.max_price,
        in_stock: search.in_stock.unwrap_or_default(),
        featured: search.featured.unwrap_or_default(),
        sort: search.sort.unwrap_or_default(),
        limit: limit(search.limit)?,
        cursor: search.cursor,
    };
    let found = context.ask(&context.call_context(), find).await.map_err(|error| match error {
        // The invalid field of the message was a query parameter of the request.
        CallError::Domain(ProductsError::Invalid { field, reason }) => Problem::bad_parameter(&field, &reason),
        error => error.into(),
    })?;
    context.tag_response([CacheTag::Catalogue]);
    ok(found)
}

pub async fn get(context: RequestContext, PathId(product): PathId<Named>) -> ReplyResult<Product> {
    let product = context.call(GetProduct { product: product.0 }).await?;
    context.tag_response([CacheTag::Product(product.id)]);
    ok(product)
}

pub async fn list_categories(context: RequestContext, Query(paging): Query<Paging>) -> ReplyResult<Page<Category>> {
    let categories = context.call(ListCategories {}).await?;
    context.tag_response([CacheTag::Catalogue]);
    page_of("categories", categories, paging, |category| (category.name.to_lowercase(), category.slug.clone()))
}

pub async fn create(
    context: RequestContext,
    cache: Data<ResponseCache>,
    Body(new): Body<CreateProduct>,
) -> ReplyResult<Product, 201> {
    let product = context.call(new).await?;
    cache.purge([CacheTag::Catalogue]);
    let tag = tag(&product);
    Ok(created(format!("/api/v1/products/{}", product.id), product)?.with(tag))
}

pub async fn update(
    context: RequestContext,
    request: HttpRequest,
    cache: Data<ResponseCache>,
    PathId(product_id): PathId<ProductId>,
    Body(changes): Body<ProductChanges>,
) -> ReplyResult<Product> {
    let expected_version = matched(&context, &request, product_id).await?.map(|seen| seen.version);
    let product = context.call(UpdateProduct { product_id, expected_version, changes }).await?;
    cache.purge([CacheTag::Product(product_id), CacheTag::Catalogue]);
    let tag = tag(&product);
    Ok(ok(product)?.with(tag))
}

pub async fn retire(
    context: RequestContext,
    request: HttpRequest,
    cache: Data<ResponseCache>,
    PathId(product_id): PathId<ProductId>,
) -> ReplyResult<Nothing, 204> {
    let expected_version = matched(&context, &request, product_id).await?.map(|seen| seen.version);
    context.call(RetireProduct { product_id, expected_version }).await?;
    cache.purge([CacheTag::Product(product_id), CacheTag::Catalogue]);
    no_content()
}

/// The new stock: exactly one of the two fields.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"adjust_by": 12}))]
pub struct StockCount {
    /// The number of pieces that were counted.
    on_hand: Option<u32>,
    /// The number of pieces that came; negative if pieces went.
    adjust_by: Option<i64>,
}

pub async fn set_stock(
    context: RequestContext,
    request: HttpRequest,
    cache: Data<ResponseCache>,
    PathId(product_id): PathId<ProductId>,
    Body(stock): Body<StockCount>,
) -> ReplyResult<StockLevel> {
    let change = match (stock.on_hand, stock.adjust_by) {
        (Some(pieces), None) => StockChange::OnHand(pieces),
        (None, Some(pieces)) => StockChange::AdjustBy(pieces),
        _ => return Err(Problem::invalid("", "give either on_hand or adjust_by, but not both")),
    };
    let seen = matched(&context, &request, product_id).await?;
    let stock = context.call(SetStock { product_id, seen, change }).await?;
    cache.purge([CacheTag::Product(product_id), CacheTag::Catalogue]);
    ok(stock)
}

/// Evaluates `If-Match` and `If-None-Match` (RFC 9110 §13.1.1, §13.1.2): the version of the product
/// that fulfils them, `None` without them, `412` if the product does not fulfil them.
///
/// The product may change before the change is made. The service therefore compares the version
/// again, in the compare-and-swap that makes the change.
async fn matched(
    context: &RequestContext,
    request: &HttpRequest,
    product_id: ProductId,
) -> Result<Option<Seen>, Problem> {
    // `*` matches any version. The change itself gives 404 if there is no product.
    let if_match = head::list(request.headers(), IF_MATCH).filter(|list| list.trim() != "*");
    let if_none_match = head::list(request.headers(), IF_NONE_MATCH);
    if if_match.is_none() && if_none_match.is_none() {
        return Ok(None);
    }
    let product = context.call(GetProduct { product: ProductRef::Id(product_id) }).await?;
    let tag = entity_tag(&product);
    let is_wanted = if_match.is_none_or(|list| is_matched(&list, &tag));
    if is_wanted && !if_none_match.is_some_and(|list| is_listed(&list, &tag)) {
        Ok(Some(Seen { version: product.version, available: product.stock.available }))
    } else {
        Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "stale",
            "The product has another version than your request expects. Read the product again.",
        ))
    }
}

/// The entity tag that `GET` of the product has.
fn tag(product: &Product) -> (HeaderName, String) {
    (ETAG, entity_tag(product))
}

fn entity_tag(product: &Product) -> String {
    tag_of(&serde_json::to_vec(product).unwrap_or_default())
}

/// An id or a slug.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^(prd_[0-9a-f]{32}|[a-z0-9]+(-[a-z0-9]+)*)$", example = "steel-kettle")]
pub struct Named(ProductRef);

impl std::str::FromStr for Named {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let id = text.parse().map(ProductRef::Id).ok();
        id.or_else(|| text.parse().map(ProductRef::Slug).ok()).map(Self).ok_or(())
    }
}
