//! The records in products' tree; [`super::store`] says where each is kept.

use super::{
    messages::{Availability, Product, ProductChanged, ProductsError, ReserveStock, ReturnStock, StockLine},
    rules::{CategoryName, Listing},
    stock::{Stock, shown},
};
use crate::{
    storage::{KnownTable, Record},
    types::{OrderId, ProductId, RefundId, Slug, Timestamp},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProductRecord {
    pub id: ProductId,
    pub listing: Listing,
    pub stock: Stock,
    pub retired: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// 0 for a draft: its slug is not its own yet, and nobody sees it.
    pub version: u64,
    /// Goes up with each swap, so that no state of a product comes twice: see [`super::store::Store::change_product`].
    pub revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aim: Option<Aim>,
}

/// The slug that is to be a product's own; see `store/slugs.rs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aim {
    pub slug: Slug,
    /// Another for each attempt, so that two at the same product do not take one another's for their own, and a claim that
    /// was found void cannot be swapped after it was renewed.
    pub token: u64,
}

/// What everybody can see a difference in.
#[derive(Debug, Clone)]
pub struct PublicView {
    product_id: ProductId,
    pub version: u64,
    pub available: u64,
    slug: Slug,
}

impl PublicView {
    /// What is to be listener, where everybody can see a difference; of another slug under the old one, too.
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
    /// A product that nobody sees yet.
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

    pub fn bears_or_aims_at(&self, slug: &Slug) -> bool {
        self.listing.slug == *slug || self.aim.as_ref().is_some_and(|aim| aim.slug == *slug)
    }

    /// Says something else of itself from now on. Another slug only if `aim` is what it aims at still.
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

impl Record for ProductRecord {
    const TABLE: &'static str = "product";
    type Key = ProductId;

    fn is_open(&self) -> bool {
        self.aim.is_some()
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SlugClaim {
    pub product_id: ProductId,
    /// Of the aim that it was claimed for.
    pub token: u64,
}

impl Record for SlugClaim {
    const TABLE: &'static str = "slug";
    type Key = String;
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CategoryRecord {
    pub name: CategoryName,
}

impl Record for CategoryRecord {
    const TABLE: &'static str = "category";
    type Key = String;
}

/// What was decided about the pieces that an order asked for.
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
    /// Every product knows of the decision.
    pub applied: bool,
    /// Why nothing could be promised: the first answer, for those who ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<ProductsError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationState {
    /// Pieces are being promised, one product after the other.
    Placing,
    /// All are promised.
    Held,
    Committed,
    Released,
}
use ReservationState::*;

impl Reservation {
    pub fn asked_for(request: ReserveStock) -> Self {
        let ReserveStock { order_id, lines, until } = request;
        Self { order_id, lines, until, state: Placing, applied: false, refusal: None }
    }

    /// Stands where a reservation was released before it was asked for.
    pub fn never(order_id: OrderId, at: Timestamp) -> Self {
        Self { order_id, lines: Vec::new(), until: at, state: Released, applied: true, refusal: None }
    }

    pub fn hold(&mut self) {
        if self.state == Placing {
            self.state = Held;
        }
    }

    /// The order gives it up, or its time is over.
    pub fn release(&mut self) {
        if !self.is_decided() {
            self.state = Released;
        }
    }

    /// It could not be held.
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

    /// What whoever asked for it hears.
    pub fn answer(&self) -> Result<(), ProductsError> {
        match (self.state, &self.refusal) {
            (Released, Some(refusal)) => Err(refusal.clone()),
            (Released, None) => Err(ProductsError::ReservationReleased),
            _ => Ok(()),
        }
    }
}

/// Pieces that come back to the shelf, once.
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
    /// All have; they may forget the return.
    Counted,
    /// All have forgotten it.
    Closed,
}

impl Restock {
    pub fn of(request: ReturnStock) -> Self {
        Self { return_id: request.return_id, lines: request.lines, state: RestockState::Counting }
    }
}

impl Record for Reservation {
    const TABLE: &'static str = "reservation";
    type Key = OrderId;

    fn is_open(&self) -> bool {
        !self.applied
    }
}

impl Record for Restock {
    const TABLE: &'static str = "restock";
    type Key = RefundId;

    fn is_open(&self) -> bool {
        self.state != RestockState::Closed
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stocking {
    pub finished: bool,
}

impl Record for Stocking {
    const TABLE: &'static str = "stocking";
    /// `catalogue`: there is one at most.
    type Key = String;
}

/// The tables of this tree, for a check that knows what is in them.
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
