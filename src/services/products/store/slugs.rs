//! One product per slug: drafts, aims and claims.
//!
//! First a product *aims* at a slug, then it *claims* the slug, then it *has* it. A claim counts
//! while its product has the slug or aims at it. Any other claim is free for the next product, so
//! claims need not be given back. A crash in between leaves an aim (of a draft or a rename) that
//! was never confirmed to a client. The next launch drops it, so no slug is lost.

use super::{
    super::{
        messages::Product,
        records::{Aim, ProductRecord, SlugClaim},
        rules::Listing,
        stock::Stock,
    },
    Store,
};
use crate::{
    storage::{Decision, StorageError},
    types::{ProductId, Slug},
};

impl Store {
    /// Stores a draft that aims at its slug. No request can see it before it is published.
    pub fn draft(&self, listing: Listing, stock: Stock) -> Result<(ProductId, Aim), StorageError> {
        let (id, aim) = (self.env.id(), self.new_aim(&listing.slug));
        self.products.create(&id, ProductRecord::draft(id, listing, stock, aim.clone(), self.env.now()))?;
        Ok((id, aim))
    }

    /// Makes a draft visible; `None` if there is no such draft.
    pub fn publish(&self, id: ProductId) -> Result<Option<Product>, StorageError> {
        let published = self.products.change(&id, |product| {
            let Some(mut product) = product.filter(|product| !product.is_published()) else {
                return Ok::<_, StorageError>(Decision::Keep(None));
            };
            let before = product.public_view();
            (product.version, product.aim) = (1, None);
            product.revision += 1;
            let published = (product.to_product(), before, product.public_view());
            Ok(Decision::Save(product, Some(published)))
        })?;
        self.show(id)?;
        let Some((product, before, after)) = published else { return Ok(None) };
        self.tell(&before, &after);
        Ok(Some(product))
    }

    pub fn drop_draft(&self, id: ProductId) -> Result<(), StorageError> {
        self.products.change(&id, |product| match product {
            Some(product) if product.is_published() => Ok(Decision::Keep(())),
            _ => Ok(Decision::Delete(())),
        })
    }

    /// Stores that the product is going to get the slug. It replaces an earlier aim.
    pub fn aim(&self, id: ProductId, slug: &Slug) -> Result<Aim, StorageError> {
        let aim = self.new_aim(slug);
        self.edit_aim(id, |_| Some(aim.clone()))?;
        Ok(aim)
    }

    /// Claims the slug; `false` if another product has it or aims at it.
    pub fn claim(&self, id: ProductId, aim: &Aim) -> Result<bool, StorageError> {
        self.slugs.change(&aim.slug.to_string(), |claim| {
            Ok(match claim {
                Some(claim) if claim.product_id != id && self.counts(&claim, &aim.slug)? => Decision::Keep(false),
                _ => Decision::Save(SlugClaim { product_id: id, token: aim.token }, true),
            })
        })
    }

    pub fn give_up(&self, id: ProductId, aim: &Aim) -> Result<(), StorageError> {
        self.edit_aim(id, |current| current.filter(|current| current != aim))
    }

    fn counts(&self, claim: &SlugClaim, slug: &Slug) -> Result<bool, StorageError> {
        let product = self.products.get(&claim.product_id)?;
        Ok(product.is_some_and(|product| product.has_or_aims_at(slug)))
    }

    fn new_aim(&self, slug: &Slug) -> Aim {
        Aim { slug: slug.clone(), token: u64::from_be_bytes(self.env.bytes()) }
    }

    fn edit_aim(&self, id: ProductId, edit: impl Fn(Option<Aim>) -> Option<Aim>) -> Result<(), StorageError> {
        self.products.change(&id, |product| {
            let Some(mut product) = product else { return Ok(Decision::Keep(())) };
            let aim = edit(product.aim.clone());
            Ok(if aim == product.aim {
                Decision::Keep(())
            } else {
                product.aim = aim;
                product.revision += 1;
                Decision::Save(product, ())
            })
        })
    }

    /// Must be called before the store is used.
    pub(super) fn drop_unfinished_aims(&self) -> Result<(), StorageError> {
        for id in self.products.open_keys()?.iter().filter_map(|key| key.parse().ok()) {
            match self.products.get(&id)? {
                Some(product) if !product.is_published() => self.drop_draft(id)?,
                _ => self.edit_aim(id, |_| None)?,
            }
        }
        Ok(())
    }
}
