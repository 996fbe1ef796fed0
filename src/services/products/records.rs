//! The records in products' tree; [`super::store`] says where each is kept.

use super::{
    messages::{Availability, Product, ProductChanged, ProductsError},
    rules::{CategoryName, Listing},
    stock::{Reservation, Restock, RestockState, Stock, shown},
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
pub struct Face {
    product_id: ProductId,
    pub version: u64,
    pub available: u64,
    slug: Slug,
}

impl Face {
    /// What is to be told, where everybody can see a difference; of another slug under the old one, too.
    pub fn news_since(&self, before: &Self) -> Vec<ProductChanged> {
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

    pub fn face(&self) -> Face {
        let (version, available) = (self.version, self.stock.available());
        Face { product_id: self.id, version, available, slug: self.listing.slug.clone() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{env::Env, services::products::rules::tests::kettle};

    fn product() -> ProductRecord {
        let env = Env::system();
        let listing = Listing::new(kettle()).unwrap();
        let aim = Aim { slug: listing.slug.clone(), token: 1 };
        let mut product = ProductRecord::draft(env.id(), listing, Stock::delivered(100).unwrap(), aim, env.now());
        product.version = 1;
        product
    }

    /// The slugs under which a change is told.
    fn news(product: &mut ProductRecord, change: impl FnOnce(&mut ProductRecord)) -> Vec<String> {
        let before = product.face();
        change(product);
        product.face().news_since(&before).iter().map(|changed| changed.slug.to_string()).collect()
    }

    #[test]
    fn a_change_is_told_if_everybody_can_see_it() {
        let (order, mut product) = (Env::system().id(), product());
        assert_eq!(news(&mut product, |it| it.stock.promise(order, 3.try_into().unwrap()).unwrap()), ["kettle"]);
        assert!(news(&mut product, |it| assert!(it.stock.sell(order))).is_empty(), "they were not to be had before");
    }

    #[test]
    fn another_slug_is_told_under_both() {
        let mut product = product();
        let aim = Aim { slug: "pot".parse().unwrap(), token: 2 };
        product.aim = Some(aim.clone());
        let listing = Listing { slug: aim.slug.clone(), ..product.listing.clone() };
        let told = news(&mut product, |it| it.list(listing, Some(&aim), Timestamp::UNIX_EPOCH).unwrap());
        assert_eq!(told, ["pot", "kettle"]);
        assert_eq!((product.version, product.aim), (2, None));
    }

    #[test]
    fn a_slug_is_borne_only_by_who_aims_at_it_still() {
        let mut product = product();
        let aim = Aim { slug: "pot".parse().unwrap(), token: 2 };
        let listing = Listing { slug: aim.slug.clone(), ..product.listing.clone() };
        for other in [None, Some(Aim { token: 3, ..aim.clone() }), Some(Aim { slug: "pan".parse().unwrap(), token: 2 })]
        {
            product.aim = other;
            let refused = product.list(listing.clone(), Some(&aim), Timestamp::UNIX_EPOCH);
            assert_eq!(refused, Err(ProductsError::VersionConflict { actual: 1 }));
        }
    }
}
