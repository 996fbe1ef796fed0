//! The demo catalogue: 66 products in eight categories. Each product has a picture under
//! `static/pictures/`.
//!
//! ## Decisions
//!
//! - **The catalogue is data in the binary, sent to products as one command.** So the demo takes
//!   the same path as an operator. Consequence: a shop that already has products is not touched.

use crate::{
    services::products::messages::{CreateProduct, Description, ProductName, ProductTag},
    types::{Currency, Money, Slug, Text},
};
use serde::Deserialize;

const FILES: [&str; 2] = [include_str!("catalogue_a.json"), include_str!("catalogue_b.json")];

#[derive(Deserialize)]
struct CatalogueFile {
    categories: Vec<Category>,
    products: Vec<Item>,
}

#[derive(Deserialize)]
struct Category {
    slug: Slug,
    name: Text<1, 60>,
}

#[derive(Deserialize)]
struct Item {
    slug: Slug,
    name: ProductName,
    description: Description,
    category: Slug,
    /// In cents.
    price: i64,
    weight_grams: u32,
    on_hand: u32,
    tags: Vec<ProductTag>,
    featured: bool,
}

/// The products of the demo, for a new shop. `Err` says why the built-in data cannot be read.
pub fn catalogue() -> Result<Vec<CreateProduct>, String> {
    let mut products = Vec::new();
    for file in FILES {
        let CatalogueFile { categories, products: items } =
            serde_json::from_str(file).map_err(|error| error.to_string())?;
        for item in items {
            let category = categories.iter().find(|category| category.slug == item.category);
            products.push(CreateProduct {
                image: Some(format!("/pictures/{}.svg", item.slug)),
                slug: item.slug,
                name: item.name,
                description: Some(item.description),
                category: item.category,
                category_name: category.map(|category| category.name.clone()),
                price: Money::new(item.price, Currency::EUR).map_err(|error| error.to_string())?,
                weight_grams: item.weight_grams,
                tags: item.tags,
                featured: item.featured,
                on_hand: item.on_hand,
            });
        }
    }
    Ok(products)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashSet, path::Path};

    #[test]
    fn the_catalogue_is_rich_and_every_product_has_a_picture_of_its_own() {
        let products = catalogue().unwrap();
        let categories: HashSet<_> = products.iter().map(|product| product.category.to_string()).collect();
        assert!(products.len() >= 60 && categories.len() >= 8, "{} in {}", products.len(), categories.len());
        let mut pictures = HashSet::new();
        for product in &products {
            assert!(product.category_name.is_some(), "{} is in a category without a name", product.slug);
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("static").join(&product.image.as_ref().unwrap()[1..]);
            let picture = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            // The same drawing with another label would still be the same picture.
            let drawing = picture
                .split_once("aria-label")
                .map_or(picture.clone(), |(_, rest)| rest[rest.find('>').unwrap()..].to_owned());
            assert!(drawing.len() > 500, "{} is hardly drawn", product.slug);
            assert!(pictures.insert(drawing), "{} has another's picture", product.slug);
        }
        let slugs: HashSet<_> = products.iter().map(|product| product.slug.to_string()).collect();
        assert_eq!(slugs.len(), products.len());
    }
}
