//! What products can be asked, what it answers, and what it tells.

use crate::{
    mesh::{events, requests},
    types::{
        BadCursor, Cursor, Limit, Money, OrderId, Page, ProductId, Quantity, RefundId, Service, Slug, Text, Timestamp,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[rustfmt::skip]
requests! { Service::Products, ProductsError,
    query   anyone           FindProducts          "products.find"                      -> Page<Product>,
    query   anyone           GetProduct            "products.get" by product            -> Product,
    query   anyone           GetProducts           "products.get_many"                  -> Vec<Product>,
    query   anyone           ListCategories        "products.list_categories"           -> Vec<Category>,
    command staff(Forbidden) CreateProduct         "products.create"                    -> Product,
    command staff(Forbidden) UpdateProduct         "products.update" by product_id      -> Product,
    keyed   staff(Forbidden) RetireProduct         "products.retire" by product_id      -> (),
    command staff(Forbidden) SetStock              "products.set_stock" by product_id   -> StockLevel,
    keyed   staff(Forbidden) ReserveStock          "products.reserve_stock" by order_id -> (),
    keyed   staff(Forbidden) ReleaseStock          "products.release_stock" by order_id -> (),
    keyed   staff(Forbidden) CommitStock           "products.commit_stock" by order_id  -> (),
    keyed   staff(Forbidden) ReturnStock           "products.return_stock"              -> (),
    keyed   staff(Forbidden) StockCatalogue        "products.stock_catalogue"           -> u32,
    query   staff(Forbidden) ReconcileStock        "products.reconcile_stock"           -> Vec<StockReconciliation>,
    query   staff(Forbidden) ReconcileReservations "products.reconcile_reservations"    -> Vec<ReservationReconciliation>,
}

#[rustfmt::skip]
events! { Service::Products,
    ProductChanged "products.changed",
}

pub type ProductName = Text<1, 120>;
pub type Description = Text<0, 4000>;
pub type Tag = Text<1, 40>;

/// A product as everybody may see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Product {
    pub id: ProductId,
    pub slug: Slug,
    pub name: ProductName,
    pub description: Description,
    /// The slug of its category.
    pub category: Slug,
    pub price: Money,
    /// Path of its picture on this server.
    pub image: String,
    pub stock: Availability,
    pub weight_grams: u32,
    pub tags: Vec<Tag>,
    /// Whether the first page shows it.
    pub featured: bool,
    /// It is no longer sold; orders keep what they bought.
    pub retired: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Goes up with every change of anything above but the stock.
    pub version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Availability {
    /// Pieces that can be ordered now: on hand and not reserved.
    pub available: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Category {
    pub slug: Slug,
    pub name: Text<1, 60>,
    /// Products on sale in it.
    pub product_count: u32,
}

/// A page of the products on sale that match all that is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FindProducts {
    /// Every word of it must begin a word of name, description, tags or category.
    pub q: Option<String>,
    pub category: Option<Slug>,
    /// In minor units, inclusive.
    pub min_price: Option<i64>,
    pub max_price: Option<i64>,
    pub in_stock: bool,
    pub featured: bool,
    pub sort: Sort,
    pub limit: Limit,
    pub cursor: Option<Cursor>,
}

/// Ties are broken by id, so that every order is total and a cursor stable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Sort {
    /// Best match first; by name where there is nothing to match.
    #[default]
    #[serde(rename = "relevance")]
    Relevance,
    #[serde(rename = "price")]
    Price,
    #[serde(rename = "-price")]
    PriceDescending,
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-created_at")]
    Newest,
}

/// One product, retired ones too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetProduct {
    pub product: ProductRef,
}

#[derive(Debug, Clone, PartialEq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ProductRef {
    Id(ProductId),
    Slug(Slug),
}

/// Those of the given products that exist, retired ones too, in the order asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetProducts {
    pub ids: Vec<ProductId>,
}

/// The categories that have products on sale.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListCategories {}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProduct {
    pub slug: Slug,
    pub name: ProductName,
    #[serde(default)]
    pub description: Option<Description>,
    pub category: Slug,
    /// What the category is called, if this product is the first in it; its slug in words otherwise.
    #[serde(default)]
    pub category_name: Option<Text<1, 60>>,
    /// At least 1 and at most 100,000,000 minor units.
    pub price: Money,
    /// A path on this server such as `/pictures/kettle.svg`; a plain picture otherwise.
    #[serde(default)]
    pub image: Option<String>,
    /// 1 to 1,000,000.
    pub weight_grams: u32,
    #[serde(default)]
    pub tags: Vec<Tag>,
    #[serde(default)]
    pub featured: bool,
    /// Pieces received with it: at most 1,000,000.
    #[serde(default)]
    pub on_hand: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpdateProduct {
    pub product_id: ProductId,
    /// Fails with `VersionConflict` where the product has another version.
    pub expected_version: Option<u64>,
    pub changes: ProductChanges,
}

/// What is left out stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductChanges {
    #[serde(default)]
    pub slug: Option<Slug>,
    #[serde(default)]
    pub name: Option<ProductName>,
    #[serde(default)]
    pub description: Option<Description>,
    #[serde(default)]
    pub category: Option<Slug>,
    #[serde(default)]
    pub price: Option<Money>,
    #[serde(default)]
    pub image: Option<String>,
    #[serde(default)]
    pub weight_grams: Option<u32>,
    #[serde(default)]
    pub tags: Option<Vec<Tag>>,
    #[serde(default)]
    pub featured: Option<bool>,
}

/// Takes the product off sale. Doing it again changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RetireProduct {
    pub product_id: ProductId,
    pub expected_version: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetStock {
    pub product_id: ProductId,
    /// Fails with `VersionConflict` where this is not how the product is.
    #[serde(default)]
    pub seen: Option<Seen>,
    pub change: StockChange,
}

/// All of what everybody may see of a product, in short: two products of one id that look the same are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub version: u64,
    pub available: u32,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StockChange {
    /// This many were counted: at most 1,000,000.
    OnHand(u32),
    /// So many came or went.
    AdjustBy(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockLevel {
    /// Pieces in the warehouse, the reserved ones too.
    pub on_hand: u32,
    /// Pieces promised to orders that are being placed.
    pub reserved: u32,
    pub available: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StockLine {
    pub product_id: ProductId,
    pub quantity: Quantity,
}

/// Promises all lines to the order, or none. The promise lapses by itself at `until`.
///
/// One reservation an order: asking again gives the first answer; asking after a release is refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReserveStock {
    pub order_id: OrderId,
    pub lines: Vec<StockLine>,
    pub until: Timestamp,
}

/// Takes the promise back, also one that has not been made yet: then a late [`ReserveStock`] is refused.
/// What was committed is sold and stays so.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReleaseStock {
    pub order_id: OrderId,
}

/// The promised pieces are sold and leave the shelf.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommitStock {
    pub order_id: OrderId,
}

/// Sold pieces come back to the shelf, once per `return_id`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReturnStock {
    pub return_id: RefundId,
    pub lines: Vec<StockLine>,
}

/// Puts these products on the shelves of a shop that has none, and says how many: the demo's catalogue. A shop that has products is left
/// alone, unless a crash cut its stocking short: then what is missing is put there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StockCatalogue {
    pub products: Vec<CreateProduct>,
}

/// For the audit: products by id, from after `after`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReconcileStock {
    pub after: Option<ProductId>,
    pub limit: usize,
}

/// For the audit: the reservations that are neither committed nor released, by order, from after `after`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReconcileReservations {
    pub after: Option<OrderId>,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationReconciliation {
    pub order_id: OrderId,
    /// When it lapses.
    pub until: Timestamp,
}

/// `available + reserved + sold − returned = received`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockReconciliation {
    pub product_id: ProductId,
    pub available: i64,
    pub reserved: i64,
    pub sold: i64,
    pub returned: i64,
    /// All that ever came, less what was written off.
    pub received: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductsError {
    #[error("there is no such product")]
    ProductNotFound,
    #[error("another product has this slug")]
    SlugTaken,
    #[error("{field}: {reason}")]
    Invalid { field: String, reason: String },
    #[error("the product has changed: it is at version {actual}")]
    VersionConflict { actual: u64 },
    #[error("{reserved} pieces are reserved; there cannot be fewer on hand")]
    BelowReserved { reserved: u32 },
    #[error("there is not enough in stock")]
    OutOfStock { lines: Vec<Shortage> },
    #[error("the reservation was released")]
    ReservationReleased,
    #[error("the reservation was committed: its pieces are sold")]
    ReservationCommitted,
    #[error("the reservation is not known")]
    ReservationNotFound,
    #[error("the cursor is not one that this list gave out")]
    BadCursor,
    #[error("this is not for you to do")]
    Forbidden,
}

impl From<BadCursor> for ProductsError {
    fn from(_: BadCursor) -> Self {
        Self::BadCursor
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shortage {
    pub product_id: ProductId,
    pub requested: u32,
    pub available: u32,
}

/// What everybody may see of the product is another than before: what it is, or how many are available. Told only to those who listen
/// in this program (`Mesh::tell`), as soon as it can be read: nobody who starts anew has anything old to forget, so it is owed
/// by no record. A product that changes its slug tells it under the old one, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductChanged {
    pub product_id: ProductId,
    pub slug: Slug,
}
