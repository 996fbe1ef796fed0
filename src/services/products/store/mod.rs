//! The layout of products' tree, and the catalogue in memory that follows it.
//!
//! | key | record | open while |
//! |---|---|---|
//! | `product/prd_…` | a product, its stock, the orders that its pieces are promised to | it aims at a slug |
//! | `slug/…` | the product that claimed the slug; see `slugs.rs` | |
//! | `category/…` | the name of the category | |
//! | `reservation/ord_…` | the pieces that an order asked for, and the decision | undecided, or not applied to every product |
//! | `restock/rfd_…` | a return | a product has not counted it, or remembers it |
//! | `stocking/catalogue` | whether a whole catalogue was added to its end | |

mod slugs;

use super::{
    catalogue::Catalogue,
    messages::ProductChanged,
    records::{CategoryRecord, ProductRecord, PublicView, Reservation, Restock, RestockState, SlugClaim, Stocking},
    rules::{self, CategoryName},
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
    /// Shared by all instances.
    catalogue: Arc<RwLock<Catalogue>>,
    listener: Arc<dyn Fn(&ProductChanged) + Send + Sync>,
}

/// The result of a decision about a product: whether to save it, and the answer.
pub enum Edit<T> {
    Save(T),
    Keep(T),
}

impl Store {
    /// `listener` is called for each change of a product's public part, as soon as it can be read.
    pub fn open(
        tree: &Tree,
        env: &Env,
        listener: impl Fn(&ProductChanged) + Send + Sync + 'static,
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
            listener: Arc::new(listener),
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

    /// All products after `after`, also retired ones, sorted by id.
    pub fn products_after(
        &self,
        after: Option<ProductId>,
    ) -> impl Iterator<Item = Result<ProductRecord, StorageError>> + use<> {
        let all = self.products.all(after.as_ref()).map(|found| found.map(|(_, product)| product));
        all.filter(|found| found.as_ref().map_or(true, ProductRecord::is_published))
    }

    /// Changes a product; `None` if there is none. Updates the catalogue, and calls the listener if
    /// the public part changed.
    ///
    /// The bytes of a product never repeat (its revision goes up), so the swap fails if the product
    /// was written after `decide` was given it. Therefore other records that `decide` reads are
    /// read between the read and the swap of the product. [`super::reservations`] depends on this.
    pub fn change_product<T, E: From<StorageError>>(
        &self,
        id: ProductId,
        mut decide: impl FnMut(&mut ProductRecord) -> Result<Edit<T>, E>,
    ) -> Result<Option<T>, E> {
        let changed = self.products.change(&id, |product| {
            let Some(mut product) = product.filter(ProductRecord::is_published) else {
                return Ok::<_, E>(Decision::Keep(None));
            };
            let before = product.public_view();
            let edit = decide(&mut product)?;
            Ok(match edit {
                Edit::Keep(answer) => Decision::Keep(Some((answer, None))),
                Edit::Save(answer) => {
                    product.revision += 1;
                    let after = (product.public_view(), product.revision);
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

    fn tell(&self, before: &PublicView, after: &PublicView) {
        after.changes_since(before).iter().for_each(|changed| (self.listener)(changed));
    }

    /// Names a category, unless it has a name: the first product in it decides.
    pub fn name_category(&self, slug: &Slug, name: CategoryName) -> Result<(), StorageError> {
        self.categories.create(&slug.to_string(), CategoryRecord { name })?;
        Ok(())
    }

    pub fn reservation(&self, order: OrderId) -> Result<Option<Reservation>, StorageError> {
        self.reservations.get(&order)
    }

    /// Changes or creates a reservation; gives its new state.
    pub fn change_reservation(
        &self,
        order: OrderId,
        mut decide: impl FnMut(Option<Reservation>) -> Reservation,
    ) -> Result<Reservation, StorageError> {
        self.reservations.change(&order, |found| {
            let new = decide(found.clone());
            Ok(if found.as_ref() == Some(&new) { Decision::Keep(new) } else { Decision::Save(new.clone(), new) })
        })
    }

    pub fn open_reservations(&self) -> Result<Vec<OrderId>, StorageError> {
        Ok(self.reservations.open_keys()?.iter().filter_map(|key| key.parse().ok()).collect())
    }

    pub fn restock(&self, id: RefundId) -> Result<Option<Restock>, StorageError> {
        self.restocks.get(&id)
    }

    /// Stores the return; `false` if it is stored already.
    pub fn begin_restock(&self, restock: Restock) -> Result<bool, StorageError> {
        self.restocks.create(&restock.return_id.clone(), restock)
    }

    pub fn change_restock(&self, id: RefundId, from: RestockState, to: RestockState) -> Result<(), StorageError> {
        self.restocks.change(&id, |restock| {
            Ok(match restock {
                Some(restock) if restock.state == from => Decision::Save(Restock { state: to, ..restock }, ()),
                _ => Decision::Keep(()),
            })
        })
    }

    pub fn open_restocks(&self) -> Result<Vec<RefundId>, StorageError> {
        Ok(self.restocks.open_keys()?.iter().filter_map(|key| key.parse().ok()).collect())
    }

    /// Whether a catalogue may be added: the shop is empty, or adding it was begun and not
    /// finished.
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

    /// Updates the product in the catalogue. The record is read under the lock, so that the last
    /// update has the newest record.
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
            None => rules::default_category_name(slug).map_err(|bad| StorageError::Damaged { what: bad.to_string() }),
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
}
