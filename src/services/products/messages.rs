//! The public face of products: its requests, replies, events and errors.
#![deny(missing_docs)]

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

/// 1 to 120 characters on one line.
pub type ProductName = Text<1, 120>;
/// Up to 4,000 characters of plain text.
pub type Description = Text<0, 4000>;
/// 1 to 40 characters on one line.
pub type ProductTag = Text<1, 40>;

/// A product as everyone may see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Product {
    /// Never changes.
    pub id: ProductId,
    /// Its name in URLs; unique among all products.
    pub slug: Slug,
    /// What the product is called.
    pub name: ProductName,
    /// Plain text, without markup.
    pub description: Description,
    /// The slug of its category.
    pub category: Slug,
    /// The price of one piece, in euro.
    pub price: Money,
    /// Path of its picture on this server.
    pub image: String,
    /// How many pieces can be ordered.
    pub stock: Availability,
    /// The weight of one piece in grams: 1 to 1,000,000.
    pub weight_grams: u32,
    /// Words that the search finds it by; at most 12.
    pub tags: Vec<ProductTag>,
    /// Whether the first page of the shop shows it.
    pub featured: bool,
    /// It is no longer sold. Past orders keep what they bought.
    pub retired: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// When anything but its stock last changed.
    pub updated_at: Timestamp,
    /// Goes up with every change of any field above except `stock`.
    pub version: u64,
}

/// How many pieces of a product can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Availability {
    /// Pieces that can be ordered now: on hand and not reserved.
    pub available: u32,
}

/// A group of products.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Category {
    /// Its name in URLs and filters.
    pub slug: Slug,
    /// Its name for people.
    pub name: Text<1, 60>,
    /// Products on sale in it.
    pub product_count: u32,
}

/// A page of the products on sale that match all of these fields.
///
/// Errors: `Invalid` (field `q`), `BadCursor`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FindProducts {
    /// Each of its words must be the beginning of a word in the name, description, tags or
    /// category. Case and accents do not matter. At most 200 characters.
    pub q: Option<String>,
    /// Only products of this category.
    pub category: Option<Slug>,
    /// The lowest price, in cents, inclusive.
    pub min_price: Option<i64>,
    /// The highest price, in cents, inclusive.
    pub max_price: Option<i64>,
    /// Only products of which at least one piece can be ordered.
    pub in_stock: bool,
    /// Only products that the first page shows.
    pub featured: bool,
    /// The order of the list.
    pub sort: Sort,
    /// How many products at most.
    pub limit: Limit,
    /// Where the page before this one ended; absent: the first page.
    pub cursor: Option<Cursor>,
}

/// The order of a list. Equal products are sorted by id, so that every order is total and a cursor
/// is stable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Sort {
    /// Best match first; by name where there is nothing to match.
    #[default]
    #[serde(rename = "relevance")]
    Relevance,
    /// Cheapest first.
    #[serde(rename = "price")]
    Price,
    /// Most expensive first.
    #[serde(rename = "-price")]
    PriceDescending,
    /// Alphabetical, without regard to case and accents.
    #[serde(rename = "name")]
    Name,
    /// Newest first.
    #[serde(rename = "-created_at")]
    Newest,
}

/// One product, also a retired one. Errors: `ProductNotFound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetProduct {
    /// Which product.
    pub product: ProductRef,
}

/// A product by one of its two unique names.
#[derive(Debug, Clone, PartialEq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ProductRef {
    /// By its id, which never changes.
    Id(ProductId),
    /// By its slug.
    Slug(Slug),
}

/// The given products, also retired ones, in this order. Ids without a product are left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetProducts {
    /// Which products.
    pub ids: Vec<ProductId>,
}

/// The categories that have products on sale, by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListCategories {}

/// Adds a product.
// Errors: `SlugTaken`, `Invalid`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProduct {
    /// Its name in URLs. A retired product keeps its slug.
    pub slug: Slug,
    /// What the product is called.
    pub name: ProductName,
    /// Plain text, without markup; empty where it is absent.
    #[serde(default)]
    pub description: Option<Description>,
    /// The slug of its category. A new slug makes a new category.
    pub category: Slug,
    /// The name of a new category; made from the slug where it is absent.
    #[serde(default)]
    pub category_name: Option<Text<1, 60>>,
    /// In euro: at least 1 and at most 100,000,000 cents.
    pub price: Money,
    /// A path on this server such as `/pictures/kettle.svg`; a plain picture where it is absent.
    #[serde(default)]
    pub image: Option<String>,
    /// The weight of one piece in grams: 1 to 1,000,000.
    pub weight_grams: u32,
    /// At most 12.
    #[serde(default)]
    pub tags: Vec<ProductTag>,
    /// Whether the first page of the shop shows it.
    #[serde(default)]
    pub featured: bool,
    /// Pieces in the warehouse: at most 1,000,000.
    #[serde(default)]
    pub on_hand: u32,
}

/// Changes a product. Errors: `ProductNotFound`, `VersionConflict`, `SlugTaken`, `Invalid`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpdateProduct {
    /// Which product.
    pub product_id: ProductId,
    /// The version that the change was made for; any other fails with `VersionConflict`. Absent:
    /// any version.
    pub expected_version: Option<u64>,
    /// What changes.
    pub changes: ProductChanges,
}

/// New values for a product. An absent field stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductChanges {
    /// Its name in URLs. The old slug becomes free.
    #[serde(default)]
    pub slug: Option<Slug>,
    /// What the product is called.
    #[serde(default)]
    pub name: Option<ProductName>,
    /// Plain text, without markup.
    #[serde(default)]
    pub description: Option<Description>,
    /// The slug of its category.
    #[serde(default)]
    pub category: Option<Slug>,
    /// In euro: at least 1 and at most 100,000,000 cents.
    #[serde(default)]
    pub price: Option<Money>,
    /// A path on this server such as `/pictures/kettle.svg`.
    #[serde(default)]
    pub image: Option<String>,
    /// The weight of one piece in grams: 1 to 1,000,000.
    #[serde(default)]
    pub weight_grams: Option<u32>,
    /// At most 12; replaces all tags.
    #[serde(default)]
    pub tags: Option<Vec<ProductTag>>,
    /// Whether the first page of the shop shows it.
    #[serde(default)]
    pub featured: Option<bool>,
}

/// Takes a product off sale. Repeating it changes nothing.
///
/// Errors: `ProductNotFound`, `VersionConflict`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RetireProduct {
    /// Which product.
    pub product_id: ProductId,
    /// As in [`UpdateProduct`].
    pub expected_version: Option<u64>,
}

/// Sets or adjusts the stock of a product.
///
/// Errors: `ProductNotFound`, `VersionConflict`, `BelowReserved`, `Invalid` (outside of 0 to
/// 1,000,000).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetStock {
    /// Which product.
    pub product_id: ProductId,
    /// What the operator saw; fails with `VersionConflict` where the product differs from it.
    /// Absent: not checked.
    #[serde(default)]
    pub seen: Option<Seen>,
    /// The change.
    pub change: StockChange,
}

/// Identifies one public state of a product: two states with the same values are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The product's version.
    pub version: u64,
    /// Pieces that could be ordered.
    pub available: u32,
}

/// How the stock of a product changes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StockChange {
    /// This many pieces were counted in the warehouse: at most 1,000,000, reserved ones included.
    OnHand(u32),
    /// This many pieces arrived, or, if negative, were lost.
    AdjustBy(i64),
}

/// The stock of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StockLevel {
    /// Pieces in the warehouse, reserved ones included.
    pub on_hand: u32,
    /// Pieces reserved for orders that are being placed.
    pub reserved: u32,
    /// Pieces that can be ordered: `on_hand` − `reserved`.
    pub available: u32,
}

/// A number of pieces of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StockLine {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces: 1 to 999.
    pub quantity: Quantity,
}

/// Reserves all lines for the order, or none. The reservation lapses at `until`.
///
/// One reservation per order: a repeated request gets the first answer; a request after
/// [`ReleaseStock`] is refused.
///
/// Errors: `OutOfStock`, `ProductNotFound`, `ReservationReleased`, `Invalid` (no line, or a product
/// twice).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReserveStock {
    /// The order that the pieces are for.
    pub order_id: OrderId,
    /// At least one; each product once.
    pub lines: Vec<StockLine>,
    /// When the reservation is released by itself, unless it was committed.
    pub until: Timestamp,
}

/// Releases a reservation, also one that has not been made yet: a late [`ReserveStock`] is then
/// refused. Errors: `ReservationCommitted` (the pieces are sold and stay sold).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReleaseStock {
    /// The order that the pieces were for.
    pub order_id: OrderId,
}

/// Sells the reserved pieces: they leave the warehouse.
///
/// Errors: `ReservationNotFound`, `ReservationReleased`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommitStock {
    /// The order that the pieces are for.
    pub order_id: OrderId,
}

/// Puts sold pieces back into the warehouse, once per `return_id`.
///
/// Errors: `ProductNotFound`, `Invalid` (no line, or a product twice).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReturnStock {
    /// The refund that the return belongs to; a repeated request with the same id changes nothing.
    pub return_id: RefundId,
    /// At least one; each product once.
    pub lines: Vec<StockLine>,
}

/// Adds these products to a shop that has none, and replies how many were added: the demo's
/// catalogue. A shop with products is left alone, unless a crash interrupted this request: then the
/// missing products are added. Errors: `Invalid`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StockCatalogue {
    /// All products of the catalogue.
    pub products: Vec<CreateProduct>,
}

/// For the audit: the stock of every product, sorted by product id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReconcileStock {
    /// Only products after this id.
    pub after: Option<ProductId>,
    /// How many products; at most 1,000.
    pub limit: usize,
}

/// For the audit: the reservations that are neither committed nor released, sorted by order id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReconcileReservations {
    /// Only reservations after this order.
    pub after: Option<OrderId>,
    /// How many reservations; at most 1,000.
    pub limit: usize,
}

/// An undecided reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationReconciliation {
    /// The order that the pieces are reserved for.
    pub order_id: OrderId,
    /// When the reservation lapses.
    pub until: Timestamp,
}

/// The pieces of one product: `available + reserved + sold − returned = received`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockReconciliation {
    /// The product.
    pub product_id: ProductId,
    /// Pieces that can be ordered. Never negative, unless something is wrong.
    pub available: i64,
    /// Pieces reserved for orders that are being placed.
    pub reserved: i64,
    /// Pieces ever sold.
    pub sold: i64,
    /// Pieces ever returned.
    pub returned: i64,
    /// Pieces that ever arrived, less those that were written off.
    pub received: i64,
}

/// Why a request to products failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductsError {
    /// There is no such product. Of [`ReserveStock`]: or it is no longer sold.
    #[error("there is no such product")]
    ProductNotFound,
    /// Another product has the slug.
    #[error("another product has this slug")]
    SlugTaken,
    /// A field breaks a rule.
    #[error("{field}: {reason}")]
    Invalid {
        /// The name of the field in the request.
        field: String,
        /// The rule, as the end of a sentence: "must be …".
        reason: String,
    },
    /// The product was changed since the client read it.
    #[error("the product has changed: it is at version {actual}")]
    VersionConflict {
        /// The version of the product now.
        actual: u64,
    },
    /// The stock would be lower than what is reserved.
    #[error("{reserved} pieces are reserved; the stock cannot be lower than that")]
    BelowReserved {
        /// Pieces that are reserved.
        reserved: u32,
    },
    /// At least one line asks for more than is available. Nothing was reserved.
    #[error("there is not enough in stock")]
    OutOfStock {
        /// The lines that ask for too much.
        lines: Vec<Shortage>,
    },
    /// The reservation was released, or it lapsed.
    #[error("the reservation was released")]
    ReservationReleased,
    /// The reservation was committed, so it cannot be released.
    #[error("the reservation was committed: its pieces are sold")]
    ReservationCommitted,
    /// There is no reservation for the order.
    #[error("there is no such reservation")]
    ReservationNotFound,
    /// The cursor was made up, or belongs to another list.
    #[error("the cursor does not belong to this list")]
    BadCursor,
    /// The principal may not send this request.
    #[error("you are not allowed to do this")]
    Forbidden,
}

impl From<BadCursor> for ProductsError {
    fn from(_: BadCursor) -> Self {
        Self::BadCursor
    }
}

/// A line of an order that asks for more than is available.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shortage {
    /// Which product.
    pub product_id: ProductId,
    /// Pieces that were asked for.
    pub requested: u32,
    /// Pieces that were available.
    pub available: u32,
}

/// The public state of a product changed: its data, or how many pieces are available.
///
/// Sent only to listeners in this process (`Mesh::tell`), as soon as the change can be read. It is
/// not in an outbox: it only invalidates memory, and a new process has no old memory. A product
/// that changes its slug sends it under the old slug, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductChanged {
    /// Which product.
    pub product_id: ProductId,
    /// Its slug, or the one that it had before.
    pub slug: Slug,
}
