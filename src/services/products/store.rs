//! The layout of products' tree, and the catalogue in memory that follows it.
//!
//! | key | record | open while |
//! |---|---|---|
//! | `product/prd_…` | what it is, its stock, the orders that pieces are promised to | it aims at a slug |
//! | `slug/…` | which product claimed the slug; see `slugs.rs` | |
//! | `category/…` | what the category is called | |
//! | `reservation/ord_…` | what was decided about the pieces that an order asked for | undecided, or a product does not know yet |
//! | `restock/rfd_…` | pieces that come back to the shelf | a product has not counted them or remembers it |
//! | `stocking/catalogue` | whether a whole catalogue was put on the shelves to its end | |

mod slugs;

use super::{
    catalogue::Catalogue,
    messages::ProductChanged,
    records::{CategoryRecord, Face, ProductRecord, SlugClaim, Stocking},
    rules::{self, CategoryName},
    stock::{Reservation, Restock, RestockState},
};
use crate::{
    env::Env,
    storage::{Decision, StorageError, Table, Tree},
    types::{OrderId, ProductId, RefundId, Slug},
};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::sync::Arc;

/// The key of the one [`Stocking`].
const CATALOGUE: &str = "catalogue";

#[derive(Clone)]
pub struct Store {
    env: Env,
    tree: Tree,
    products: Table<ProductRecord>,
    slugs: Table<SlugClaim>,
    categories: Table<CategoryRecord>,
    reservations: Table<Reservation>,
    restocks: Table<Restock>,
    stockings: Table<Stocking>,
    /// One for all instances.
    catalogue: Arc<RwLock<Catalogue>>,
    told: Arc<dyn Fn(&ProductChanged) + Send + Sync>,
    #[cfg(test)]
    interrupt: super::interleavings::Interrupt,
}

/// What a change of a product comes to.
pub enum Edit<T> {
    Save(T),
    Keep(T),
}

impl Store {
    /// `told` is told of each change that everybody can see, as soon as it can be read.
    pub fn open(
        tree: &Tree,
        env: &Env,
        told: impl Fn(&ProductChanged) + Send + Sync + 'static,
    ) -> Result<Self, StorageError> {
        let store = Self {
            env: env.clone(),
            tree: tree.clone(),
            products: tree.table(),
            slugs: tree.table(),
            categories: tree.table(),
            reservations: tree.table(),
            restocks: tree.table(),
            stockings: tree.table(),
            catalogue: Arc::default(),
            told: Arc::new(told),
            #[cfg(test)]
            interrupt: Default::default(),
        };
        store.drop_unfinished_aims()?;
        store.fill_catalogue()?;
        Ok(store)
    }

    pub async fn commit(&self) -> Result<(), StorageError> {
        self.tree.commit().await
    }

    pub fn env(&self) -> &Env {
        &self.env
    }

    pub fn catalogue(&self) -> RwLockReadGuard<'_, Catalogue> {
        self.catalogue.read()
    }

    pub fn product(&self, id: ProductId) -> Result<Option<ProductRecord>, StorageError> {
        Ok(self.products.get(&id)?.filter(ProductRecord::is_published))
    }

    pub fn product_of_slug(&self, slug: &Slug) -> Result<Option<ProductRecord>, StorageError> {
        let Some(claim) = self.slugs.get(&slug.to_string())? else { return Ok(None) };
        Ok(self.product(claim.product_id)?.filter(|product| product.listing.slug == *slug))
    }

    /// Retired ones too, by id.
    pub fn products_after(
        &self,
        after: Option<ProductId>,
    ) -> impl Iterator<Item = Result<ProductRecord, StorageError>> + use<> {
        let all = self.products.all(after.as_ref()).map(|found| found.map(|(_, product)| product));
        all.filter(|found| found.as_ref().map_or(true, ProductRecord::is_published))
    }

    /// Changes a product; `None` where there is none. Tells of it if everybody can see a difference, and keeps the catalogue in step.
    ///
    /// No state of a product comes twice, so a swap fails if the product was written at any time after `decide` was given it. What `decide`
    /// reads of another record was therefore read between the two: that is what [`super::reservations`] rests on.
    pub fn change_product<T, E: From<StorageError>>(
        &self,
        id: ProductId,
        mut decide: impl FnMut(&mut ProductRecord) -> Result<Edit<T>, E>,
    ) -> Result<Option<T>, E> {
        let changed = self.products.change(&id, |product| {
            self.pause()?;
            let Some(mut product) = product.filter(ProductRecord::is_published) else {
                return Ok::<_, E>(Decision::Keep(None));
            };
            let before = product.face();
            let edit = decide(&mut product)?;
            self.pause()?;
            Ok(match edit {
                Edit::Keep(answer) => Decision::Keep(Some((answer, None))),
                Edit::Save(answer) => {
                    product.revision += 1;
                    let after = (product.face(), product.revision);
                    Decision::Save(product, Some((answer, Some((before, after)))))
                }
            })
        })?;
        let Some((answer, saved)) = changed else { return Ok(None) };
        if let Some((before, (after, revision))) = saved {
            if before.version == after.version {
                self.catalogue().set_in_stock(id, revision, after.available > 0);
            } else {
                self.show(id)?;
            }
            self.tell(&before, &after);
        }
        Ok(Some(answer))
    }

    fn tell(&self, before: &Face, after: &Face) {
        after.news_since(before).iter().for_each(|changed| (self.told)(changed));
    }

    /// What a category is called is said once, by the first product in it.
    pub fn name_category(&self, slug: &Slug, name: CategoryName) -> Result<(), StorageError> {
        self.categories.create(&slug.to_string(), CategoryRecord { name })?;
        Ok(())
    }

    pub fn reservation(&self, order: OrderId) -> Result<Option<Reservation>, StorageError> {
        self.pause()?;
        self.reservations.get(&order)
    }

    /// Changes a reservation, or makes one where there is none; gives it as it is then.
    pub fn change_reservation(
        &self,
        order: OrderId,
        mut decide: impl FnMut(Option<Reservation>) -> Reservation,
    ) -> Result<Reservation, StorageError> {
        self.reservations.change(&order, |found| {
            self.pause()?;
            let new = decide(found.clone());
            self.pause()?;
            Ok(if found.as_ref() == Some(&new) { Decision::Keep(new) } else { Decision::Save(new.clone(), new) })
        })
    }

    pub fn open_reservations(&self) -> Result<Vec<OrderId>, StorageError> {
        Ok(self.reservations.open_keys()?.iter().filter_map(|key| key.parse().ok()).collect())
    }

    pub fn restock(&self, id: RefundId) -> Result<Option<Restock>, StorageError> {
        self.pause()?;
        self.restocks.get(&id)
    }

    /// Writes down the return, if it is the first time that it is heard of.
    pub fn begin_restock(&self, restock: Restock) -> Result<bool, StorageError> {
        self.pause()?;
        self.restocks.create(&restock.return_id.clone(), restock)
    }

    pub fn change_restock(&self, id: RefundId, from: RestockState, to: RestockState) -> Result<(), StorageError> {
        self.restocks.change(&id, |restock| {
            self.pause()?;
            Ok(match restock {
                Some(restock) if restock.state == from => Decision::Save(Restock { state: to, ..restock }, ()),
                _ => Decision::Keep(()),
            })
        })
    }

    pub fn open_restocks(&self) -> Result<Vec<RefundId>, StorageError> {
        Ok(self.restocks.open_keys()?.iter().filter_map(|key| key.parse().ok()).collect())
    }

    /// Whether a catalogue may be put on the shelves: they are empty, or it was begun and not finished.
    pub fn begin_stocking(&self) -> Result<bool, StorageError> {
        let is_empty = self.products.all(None).next().transpose()?.is_none();
        self.stockings.change(&CATALOGUE.to_owned(), |stocking: Option<Stocking>| {
            Ok(match stocking {
                Some(stocking) => Decision::Keep(!stocking.finished),
                None if is_empty => Decision::Save(Stocking { finished: false }, true),
                None => Decision::Keep(false),
            })
        })
    }

    pub fn finish_stocking(&self) -> Result<(), StorageError> {
        self.stockings.change(&CATALOGUE.to_owned(), |_| Ok(Decision::Save(Stocking { finished: true }, ())))
    }

    fn catalogue_mut(&self) -> RwLockWriteGuard<'_, Catalogue> {
        self.catalogue.write()
    }

    /// Shows in the catalogue what the tree says of the product. Read under the lock: who comes last shows the latest.
    fn show(&self, id: ProductId) -> Result<(), StorageError> {
        let mut catalogue = self.catalogue_mut();
        match self.product(id)?.filter(|product| !product.retired) {
            Some(product) => {
                let category = self.category_name(&product.listing.category)?;
                catalogue.put(&product.to_product(), &category, product.revision);
            }
            None => catalogue.remove(id),
        }
        Ok(())
    }

    fn category_name(&self, slug: &Slug) -> Result<CategoryName, StorageError> {
        match self.categories.get(&slug.to_string())? {
            Some(category) => Ok(category.name),
            None => rules::in_words(slug).map_err(|bad| StorageError::Damaged { what: bad.to_string() }),
        }
    }

    fn fill_catalogue(&self) -> Result<(), StorageError> {
        let on_sale = self.products_after(None).filter(|found| found.as_ref().map_or(true, |product| !product.retired));
        let named = on_sale.map(|found| {
            let product = found?;
            let category = self.category_name(&product.listing.category)?;
            Ok((product.to_product(), category, product.revision))
        });
        self.catalogue_mut().fill(named)
    }

    /// The same store, in the hands of somebody who can be held up.
    #[cfg(test)]
    pub fn interrupted_by(&self, interrupt: super::interleavings::Interrupt) -> Self {
        Self { interrupt, ..self.clone() }
    }

    /// A place where a test may hold up or end the world: before and after everything that is read or written.
    #[cfg(test)]
    fn pause(&self) -> Result<(), StorageError> {
        self.interrupt.here()
    }

    #[cfg(not(test))]
    fn pause(&self) -> Result<(), StorageError> {
        Ok(())
    }
}
