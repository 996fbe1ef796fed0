//! Adds, changes and retires products. Each slug belongs to one product.

use super::{
    ProductsResult,
    messages::{CreateProduct, Product, ProductsError, RetireProduct, UpdateProduct},
    records::Aim,
    rules::{self, CategoryName, Listing},
    stock::Stock,
    store::{Edit, Store},
};
use crate::{
    mesh::Failure,
    types::{ProductId, Slug},
};

pub fn create(store: &Store, request: CreateProduct) -> ProductsResult<Product> {
    New::checked(request)?.put_in(store)
}

pub fn update(store: &Store, request: UpdateProduct) -> ProductsResult<Product> {
    let UpdateProduct { product_id, expected_version, changes } = request;
    let now = store.env().now();
    let found = store.product(product_id)?.ok_or(ProductsError::ProductNotFound)?;
    // Everything that can be refused is checked before a slug is claimed.
    rules::check_version(expected_version, found.version)?;
    let wanted = found.listing.with(&changes)?;
    if wanted.category != found.listing.category {
        store.name_category(&wanted.category, rules::default_category_name(&wanted.category)?)?;
    }
    let renamed = wanted.slug != found.listing.slug;
    let aim = if renamed { Some(claim(store, product_id, &wanted.slug)?) } else { None };
    let updated = store.change_product(product_id, |product| {
        rules::check_version(expected_version, product.version)?;
        let listing = product.listing.with(&changes)?;
        if listing == product.listing {
            return Ok::<_, Failure<ProductsError>>(Edit::Keep(product.to_product()));
        }
        product.list(listing, aim.as_ref(), now)?;
        Ok(Edit::Save(product.to_product()))
    });
    if let Some(aim) = &aim {
        // The product has the slug now, or the claim becomes free for others.
        store.give_up(product_id, aim)?;
    }
    Ok(updated?.ok_or(ProductsError::ProductNotFound)?)
}

pub fn retire(store: &Store, request: RetireProduct) -> ProductsResult<()> {
    let now = store.env().now();
    let retired = store.change_product(request.product_id, |product| {
        if product.retired {
            return Ok::<_, Failure<ProductsError>>(Edit::Keep(()));
        }
        rules::check_version(request.expected_version, product.version)?;
        product.retire(now);
        Ok(Edit::Save(()))
    })?;
    Ok(retired.ok_or(ProductsError::ProductNotFound)?)
}

/// Adds the missing products of a catalogue, if the shop was empty before; gives how many were
/// added.
pub async fn stock_catalogue(store: &Store, products: Vec<CreateProduct>) -> ProductsResult<u32> {
    let new: Vec<New> = products.into_iter().map(New::checked).collect::<Result<_, _>>()?;
    if !store.begin_stocking()? {
        return Ok(0);
    }
    let mut count = 0;
    for (number, new) in new.into_iter().enumerate() {
        match new.put_in(store) {
            Ok(_) => count += 1,
            // It was added before a crash.
            Err(Failure::Domain(ProductsError::SlugTaken)) => {}
            Err(failure) => return Err(failure),
        }
        if number % 64 == 63 {
            // Other tasks need this thread, the health check among them.
            tokio::task::yield_now().await;
        }
    }
    store.finish_stocking()?;
    Ok(count)
}

/// A new product that obeys the rules and is not stored yet.
struct New {
    listing: Listing,
    stock: Stock,
    category_name: CategoryName,
}

impl New {
    fn checked(mut request: CreateProduct) -> Result<Self, ProductsError> {
        let stock = Stock::delivered(request.on_hand)?;
        let category_name = match request.category_name.take() {
            Some(name) => name,
            None => rules::default_category_name(&request.category)?,
        };
        Ok(Self { listing: Listing::new(request)?, stock, category_name })
    }

    fn put_in(self, store: &Store) -> ProductsResult<Product> {
        let category = self.listing.category.clone();
        let (id, aim) = store.draft(self.listing, self.stock)?;
        if !store.claim(id, &aim)? {
            store.drop_draft(id)?;
            return Err(ProductsError::SlugTaken.into());
        }
        store.name_category(&category, self.category_name)?;
        Ok(store.publish(id)?.ok_or(ProductsError::ProductNotFound)?)
    }
}

fn claim(store: &Store, id: ProductId, slug: &Slug) -> ProductsResult<Aim> {
    let aim = store.aim(id, slug)?;
    if !store.claim(id, &aim)? {
        store.give_up(id, &aim)?;
        return Err(ProductsError::SlugTaken.into());
    }
    Ok(aim)
}
