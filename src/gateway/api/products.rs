//! The catalogue.

use super::{Answer, created, no_content, ok, whole_list};
use crate::{
    gateway::{
        body::{Body, PathId, Query},
        duties::conditional::{is_listed, tag_of},
        problem::Problem,
        visit::Visit,
    },
    services::products::messages::*,
    types::{Cursor, Limit, ProductId, Slug},
};
use actix_web::{HttpRequest, http::StatusCode, http::header::IF_MATCH};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    q: Option<String>,
    category: Option<Slug>,
    min_price: Option<i64>,
    max_price: Option<i64>,
    in_stock: Option<bool>,
    featured: Option<bool>,
    sort: Option<Sort>,
    limit: Option<u64>,
    cursor: Option<Cursor>,
}

pub async fn find(visit: Visit, Query(search): Query<Search>) -> Answer {
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
    ok(visit.call(find).await?)
}

/// `?limit=`, or the default.
pub fn limit(given: Option<u64>) -> Result<Limit, Problem> {
    let parsed = given.map_or(Ok(Limit::default()), Limit::try_from);
    parsed.map_err(|error| Problem::bad_request("bad_query", format!("The query parameter `limit`: {error}.")))
}

pub async fn get(visit: Visit, PathId(product): PathId<Named>) -> Answer {
    ok(visit.call(GetProduct { product: product.0 }).await?)
}

pub async fn list_categories(visit: Visit) -> Answer {
    whole_list(visit.call(ListCategories {}).await?)
}

pub async fn create(visit: Visit, Body(new): Body<CreateProduct>) -> Answer {
    let product = visit.call(new).await?;
    created(format!("/api/v1/products/{}", product.id), product)
}

pub async fn update(
    visit: Visit,
    request: HttpRequest,
    PathId(product_id): PathId<ProductId>,
    Body(changes): Body<ProductChanges>,
) -> Answer {
    let expected_version = matched_version(&visit, &request, product_id).await?;
    ok(visit.call(UpdateProduct { product_id, expected_version, changes }).await?)
}

pub async fn retire(visit: Visit, request: HttpRequest, PathId(product_id): PathId<ProductId>) -> Answer {
    let expected_version = matched_version(&visit, &request, product_id).await?;
    visit.call(RetireProduct { product_id, expected_version }).await?;
    no_content()
}

/// One of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    on_hand: Option<u32>,
    adjust_by: Option<i64>,
}

pub async fn set_stock(
    visit: Visit,
    request: HttpRequest,
    PathId(product_id): PathId<ProductId>,
    Body(stock): Body<Stock>,
) -> Answer {
    let change = match (stock.on_hand, stock.adjust_by) {
        (Some(pieces), None) => StockChange::OnHand(pieces),
        (None, Some(pieces)) => StockChange::AdjustBy(pieces),
        _ => return Err(Problem::invalid("", "give either on_hand or adjust_by")),
    };
    matched_version(&visit, &request, product_id).await?;
    ok(visit.call(SetStock { product_id, change }).await?)
}

/// With `If-Match`: the version of the product, if it is still the one that the client has seen (RFC 9110 §13.1.1); `412` if it is not.
async fn matched_version(visit: &Visit, request: &HttpRequest, product_id: ProductId) -> Result<Option<u64>, Problem> {
    let lines: Vec<_> = request.headers().get_all(IF_MATCH).map(|value| value.to_str().unwrap_or_default()).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let product = visit.call(GetProduct { product: ProductRef::Id(product_id) }).await?;
    let tag = tag_of(&serde_json::to_vec(&product).unwrap_or_default());
    let list = lines.join(",");
    // Strong comparison: a weak tag is as good as none.
    if is_listed(&list, &tag) && !list.contains("W/") {
        Ok(Some(product.version))
    } else {
        Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "stale",
            "The product has changed since you read it. Read it again.",
        ))
    }
}

/// An id or a slug.
pub struct Named(ProductRef);

impl std::str::FromStr for Named {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let id = text.parse().map(ProductRef::Id).ok();
        id.or_else(|| text.parse().map(ProductRef::Slug).ok()).map(Self).ok_or(())
    }
}
