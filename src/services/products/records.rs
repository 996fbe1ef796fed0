//! The records in products' tree; [`super::store`] says where each is kept.

use super::{
    messages::{Availability, Product, ProductChanged, ProductsError, ReserveStock, ReturnStock, StockLine},
    rules::{CategoryName, Listing},
    stock::{Stock, shown},
};
use crate::{
    storage::{KnownTable, record},
    types::{OrderId, ProductId, RefundId, Slug, Timestamp},
};
use serde::{Deserialize, Serialize};

/// A product, or the draft of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProductRecord {
    pub id: ProductId,
    pub listing: Listing,
    pub stock: Stock,
    pub retired: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// 0 for a draft: its slug is not claimed yet, and no request can see it.
    pub version: u64,
    /// Goes up with each swap, so that the bytes of a product never repeat: see
    /// [`super::store::Store::change_product`].
    pub revision: u64,
    /// The slug that the product is going to get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aim: Option<Aim>,
}

/// The slug that a product is going to get; see `store/slugs.rs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aim {
    pub slug: Slug,
    /// Random for each attempt. So two attempts at the same product are told apart, and a claim
    /// that was found invalid cannot be replaced after it was renewed.
    pub token: u64,
}

/// The part of a product that everyone can see, as far as it can change.
#[derive(Debug, Clone)]
pub struct PublicView {
    product_id: ProductId,
    pub version: u64,
    pub available: u64,
    slug: Slug,
}

impl PublicView {
    /// The events to send if the public part differs from `before`. A changed slug sends one under
    /// the old slug, too.
    pub fn changes_since(&self, before: &Self) -> Vec<ProductChanged> {
        if (before.version, before.available) == (self.version, self.available) {
            return Vec::new();
        }
        let mut slugs = vec![self.slug.clone()];
        slugs.extend((before.slug != self.slug).then(|| before.slug.clone()));
        slugs.into_iter().map(|slug| ProductChanged { product_id: self.product_id, slug }).collect()
    }
}

impl ProductRecord {
    /// A product that no request can see yet.
    pub fn draft(id: ProductId, listing: Listing, stock: Stock, aim: Aim, at: Timestamp) -> Self {
        Self {
            id,
            aim: Some(aim),
            listing,
            stock,
            retired: false,
            created_at: at,
            updated_at: at,
            version: 0,
            revision: 0,
        }
    }

    pub fn is_published(&self) -> bool {
        self.version > 0
    }

    pub fn has_or_aims_at(&self, slug: &Slug) -> bool {
        self.listing.slug == *slug || self.aim.as_ref().is_some_and(|aim| aim.slug == *slug)
    }

    /// Replaces the listing. The slug may change only if `aim` is still the product's aim;
    /// otherwise the error is `VersionConflict`.
    pub fn list(&mut self, listing: Listing, aim: Option<&Aim>, at: Timestamp) -> Result<(), ProductsError> {
        if listing.slug != self.listing.slug {
            if aim.is_none_or(|aim| aim.slug != listing.slug || self.aim.as_ref() != Some(aim)) {
                return Err(ProductsError::VersionConflict { actual: self.version });
            }
            self.aim = None;
        }
        self.listing = listing;
        self.changed(at);
        Ok(())
    }

    pub fn retire(&mut self, at: Timestamp) {
        self.retired = true;
        self.changed(at);
    }

    fn changed(&mut self, at: Timestamp) {
        self.version += 1;
        self.updated_at = at;
    }

    pub fn public_view(&self) -> PublicView {
        let (version, available) = (self.version, self.stock.available());
        PublicView { product_id: self.id, version, available, slug: self.listing.slug.clone() }
    }

    pub fn to_product(&self) -> Product {
        let listing = self.listing.clone();
        Product {
            id: self.id,
            slug: listing.slug,
            name: listing.name,
            description: listing.description,
            category: listing.category,
            price: listing.price,
            image: listing.image,
            stock: Availability { available: shown(self.stock.available()) },
            weight_grams: listing.weight_grams,
            tags: listing.tags,
            featured: listing.featured,
            retired: self.retired,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        }
    }
}

/// The product that claimed a slug.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SlugClaim {
    pub product_id: ProductId,
    /// The token of the aim that the slug was claimed for.
    pub token: u64,
}

/// The name of a category.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CategoryRecord {
    pub name: CategoryName,
}

/// The reservation of an order: which pieces it asked for, and what was decided.
///
/// ```text
/// Placing ──▶ Held ──▶ Committed
///    └──────────┴────▶ Released
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    pub order_id: OrderId,
    pub lines: Vec<StockLine>,
    pub until: Timestamp,
    pub state: ReservationState,
    /// Whether the decision was applied to every product.
    pub applied: bool,
    /// Why the pieces could not be reserved. A repeated request gets this answer again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<ProductsError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationState {
    /// Products are promising pieces, one after the other.
    Placing,
    /// All pieces are promised.
    Held,
    /// All pieces are sold.
    Committed,
    /// No piece is promised any more.
    Released,
}
use ReservationState::*;

impl Reservation {
    pub fn asked_for(request: ReserveStock) -> Self {
        let ReserveStock { order_id, lines, until } = request;
        Self { order_id, lines, until, state: Placing, applied: false, refusal: None }
    }

    /// The record of a reservation that was released before it was requested.
    pub fn never(order_id: OrderId, at: Timestamp) -> Self {
        Self { order_id, lines: Vec::new(), until: at, state: Released, applied: true, refusal: None }
    }

    pub fn hold(&mut self) {
        if self.state == Placing {
            self.state = Held;
        }
    }

    /// Releases the reservation, unless it is decided.
    pub fn release(&mut self) {
        if !self.is_decided() {
            self.state = Released;
        }
    }

    /// Releases the reservation because the pieces could not be promised, for this reason.
    pub fn refuse(&mut self, why: ProductsError) {
        if self.state == Placing {
            self.state = Released;
            self.refusal = Some(why);
        }
    }

    pub fn commit(&mut self) {
        if self.state == Held {
            self.state = Committed;
        }
    }

    pub fn is_decided(&self) -> bool {
        matches!(self.state, Committed | Released)
    }

    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        !self.is_decided() && self.until < now
    }

    /// The answer to [`ReserveStock`].
    pub fn answer(&self) -> Result<(), ProductsError> {
        match (self.state, &self.refusal) {
            (Released, Some(refusal)) => Err(refusal.clone()),
            (Released, None) => Err(ProductsError::ReservationReleased),
            _ => Ok(()),
        }
    }
}

/// A return: pieces that go back into the warehouse, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restock {
    pub return_id: RefundId,
    pub lines: Vec<StockLine>,
    pub state: RestockState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestockState {
    /// Products are counting their pieces, one after the other.
    Counting,
    /// All products have counted their pieces. They may forget the return.
    Counted,
    /// All products have forgotten the return.
    Closed,
}

impl Restock {
    pub fn of(request: ReturnStock) -> Self {
        Self { return_id: request.return_id, lines: request.lines, state: RestockState::Counting }
    }
}

/// Whether [`super::messages::StockCatalogue`] was begun, and whether it was finished.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stocking {
    pub finished: bool,
}

record! {
    ProductRecord {
        table: "product",
        key: ProductId,
        open_while: |product| product.aim.is_some(),
    }
    SlugClaim { table: "slug", key: String }
    CategoryRecord { table: "category", key: String }
    Reservation {
        table: "reservation",
        key: OrderId,
        open_while: |reservation| !reservation.applied,
    }
    Restock {
        table: "restock",
        key: RefundId,
        open_while: |restock| restock.state != RestockState::Closed,
    }
    // The key is always `catalogue`: there is at most one record.
    Stocking { table: "stocking", key: String }
}

/// The tables of this tree, for `galleria check`.
pub fn tables() -> Vec<KnownTable> {
    vec![
        KnownTable::of::<ProductRecord>("products"),
        KnownTable::of::<SlugClaim>("products"),
        KnownTable::of::<CategoryRecord>("products"),
        KnownTable::of::<Reservation>("products"),
        KnownTable::of::<Restock>("products"),
        KnownTable::of::<Stocking>("products"),
    ]
}
