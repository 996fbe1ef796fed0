//! The rules of products: prices, weights, pictures, tags, versions.

use super::messages::{
    CreateProduct, Description, ProductChanges, ProductName, ProductTag, ProductsError, Seen, StockLine,
};
use crate::types::{Currency, Money, Slug, Text, text::is_unprintable};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The currency of all prices.
pub const CURRENCY: Currency = Currency::EUR;
/// The highest price, in cents.
pub const DEAREST: i64 = 100_000_000;
pub const HEAVIEST_GRAMS: u32 = 1_000_000;
pub const MOST_TAGS: usize = 12;
pub const LONGEST_IMAGE: usize = 200;
/// The longest search text, in characters.
pub const LONGEST_QUERY: usize = 200;
pub const PLAIN_PICTURE: &str = "/pictures/plain.svg";

pub type CategoryName = Text<1, 60>;

/// Everything that an operator writes about a product. A value that exists obeys the rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    pub slug: Slug,
    pub name: ProductName,
    pub description: Description,
    pub category: Slug,
    pub price: Money,
    pub image: String,
    pub weight_grams: u32,
    pub tags: Vec<ProductTag>,
    pub featured: bool,
}

impl Listing {
    pub fn new(request: CreateProduct) -> Result<Self, ProductsError> {
        let listing = Self {
            slug: request.slug,
            name: request.name,
            description: request.description.unwrap_or_default(),
            category: request.category,
            price: request.price,
            image: request.image.unwrap_or_else(|| PLAIN_PICTURE.to_owned()),
            weight_grams: request.weight_grams,
            tags: request.tags,
            featured: request.featured,
        };
        listing.checked()
    }

    /// The listing with these changes. Errors: `Invalid`.
    pub fn with(&self, changes: &ProductChanges) -> Result<Self, ProductsError> {
        fn or<T: Clone>(new: &Option<T>, old: &T) -> T {
            new.as_ref().unwrap_or(old).clone()
        }
        let listing = Self {
            slug: or(&changes.slug, &self.slug),
            name: or(&changes.name, &self.name),
            description: or(&changes.description, &self.description),
            category: or(&changes.category, &self.category),
            price: or(&changes.price, &self.price),
            image: or(&changes.image, &self.image),
            weight_grams: or(&changes.weight_grams, &self.weight_grams),
            tags: or(&changes.tags, &self.tags),
            featured: or(&changes.featured, &self.featured),
        };
        listing.checked()
    }

    fn checked(self) -> Result<Self, ProductsError> {
        if self.price.currency() != CURRENCY {
            return Err(invalid("price", format!("must be in {CURRENCY}")));
        }
        if !(1..=DEAREST).contains(&self.price.amount()) {
            return Err(invalid("price", format!("must be between 1 and {DEAREST} minor units")));
        }
        if !(1..=HEAVIEST_GRAMS).contains(&self.weight_grams) {
            return Err(invalid("weight_grams", format!("must be between 1 and {HEAVIEST_GRAMS}")));
        }
        if self.tags.len() > MOST_TAGS {
            return Err(invalid("tags", format!("must be at most {MOST_TAGS} tags")));
        }
        check_image(&self.image)?;
        Ok(self)
    }
}

/// Accepts only a path on this server: no other host, no `..`, and nothing that browsers read in
/// another way.
fn check_image(image: &str) -> Result<(), ProductsError> {
    let is_path = image.starts_with('/') && !image.contains("//");
    // A browser that resolves a path reads `%2e` as a dot and `\` as a slash (WHATWG URL Standard).
    let goes_up = image.contains("..") || image.to_ascii_lowercase().contains("%2e");
    let is_odd = image.contains(|c: char| is_unprintable(c) || c.is_whitespace() || matches!(c, '\\' | ':'));
    if image.chars().count() > LONGEST_IMAGE {
        Err(invalid("image", format!("must have at most {LONGEST_IMAGE} characters")))
    } else if !is_path || goes_up || is_odd {
        Err(invalid("image", format!("must be a path on this server such as {PLAIN_PICTURE}")))
    } else {
        Ok(())
    }
}

/// Checks the lines of a reservation or a return: at least one, and each product once.
pub fn check_lines(lines: &[StockLine]) -> Result<(), ProductsError> {
    let mut seen = HashSet::new();
    if lines.is_empty() {
        Err(invalid("lines", "must not be empty"))
    } else if !lines.iter().all(|line| seen.insert(line.product_id)) {
        Err(invalid("lines", "must name each product once"))
    } else {
        Ok(())
    }
}

pub fn check_query(q: &str) -> Result<(), ProductsError> {
    if q.chars().count() > LONGEST_QUERY {
        return Err(invalid("q", format!("must have at most {LONGEST_QUERY} characters")));
    }
    Ok(())
}

pub fn check_version(expected: Option<u64>, actual: u64) -> Result<(), ProductsError> {
    match expected {
        Some(expected) if expected != actual => Err(ProductsError::VersionConflict { actual }),
        _ => Ok(()),
    }
}

/// Like [`check_version`], and also checks the available pieces, because a change of the stock
/// makes no new version.
pub fn check_seen(seen: Option<Seen>, version: u64, available: u32) -> Result<(), ProductsError> {
    match seen {
        Some(seen) if seen != (Seen { version, available }) => Err(ProductsError::VersionConflict { actual: version }),
        _ => Ok(()),
    }
}

/// The default name of a category: `coffee-makers` becomes "Coffee makers".
pub fn default_category_name(slug: &Slug) -> Result<CategoryName, ProductsError> {
    let words = slug.as_str().replace('-', " ");
    let first = words.chars().next().map(|c| c.to_ascii_uppercase());
    let name: String = first.into_iter().chain(words.chars().skip(1)).take(60).collect();
    name.parse().map_err(|bad: crate::types::text::BadText| invalid("category", bad.to_string()))
}

pub fn invalid(field: &str, reason: impl Into<String>) -> ProductsError {
    ProductsError::Invalid { field: field.into(), reason: reason.into() }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::types::{Id, ProductId};
    use uuid::Uuid;

    pub fn kettle() -> CreateProduct {
        CreateProduct {
            slug: "kettle".parse().unwrap(),
            name: "Kettle".parse().unwrap(),
            description: None,
            category: "kitchen".parse().unwrap(),
            category_name: None,
            price: Money::new(1999, CURRENCY).unwrap(),
            image: None,
            weight_grams: 900,
            tags: vec![],
            featured: false,
            on_hand: 5,
        }
    }

    fn refused_field(request: CreateProduct) -> Option<String> {
        match Listing::new(request) {
            Err(ProductsError::Invalid { field, .. }) => Some(field),
            _ => None,
        }
    }

    #[test]
    fn a_product_without_a_picture_gets_the_plain_one() {
        assert_eq!(Listing::new(kettle()).unwrap().image, PLAIN_PICTURE);
    }

    #[test]
    fn prices_are_within_bounds_and_in_the_currency_of_the_shop() {
        for (amount, currency) in [(0, "EUR"), (DEAREST + 1, "EUR"), (1999, "USD")] {
            let price = Money::new(amount, currency.parse().unwrap()).unwrap();
            assert_eq!(refused_field(CreateProduct { price, ..kettle() }).unwrap(), "price", "{price}");
        }
        let price = Money::new(DEAREST, CURRENCY).unwrap();
        assert_eq!(refused_field(CreateProduct { price, ..kettle() }), None);
    }

    #[test]
    fn weights_and_tags_are_within_bounds() {
        for weight_grams in [0, HEAVIEST_GRAMS + 1] {
            assert_eq!(refused_field(CreateProduct { weight_grams, ..kettle() }).unwrap(), "weight_grams");
        }
        let tags: Vec<ProductTag> = (0..=MOST_TAGS).map(|n| n.to_string().parse().unwrap()).collect();
        assert_eq!(refused_field(CreateProduct { tags: tags[1..].to_vec(), ..kettle() }), None);
        assert_eq!(refused_field(CreateProduct { tags, ..kettle() }).unwrap(), "tags");
    }

    #[test]
    fn pictures_come_from_this_server_only() {
        let too_long = format!("/{}", "a".repeat(LONGEST_IMAGE));
        for bad in [
            "",
            "kettle.svg",
            "//evil.example/x",
            "/a//b",
            "https://evil.example/x",
            "/\\evil.example",
            "/../secret",
            "/%2E%2e/secret",
            "/a b",
            "/a\nb",
            "/javascript:alert",
            "/\u{202e}gnp.elttek",
            &too_long,
        ] {
            let image = Some(bad.to_owned());
            assert_eq!(refused_field(CreateProduct { image, ..kettle() }).as_deref(), Some("image"), "{bad:?}");
        }
        for good in ["/pictures/kettle.svg", "/pictures/kettle.svg?tint=blue", "/bücher.png"] {
            assert_eq!(refused_field(CreateProduct { image: Some(good.into()), ..kettle() }), None, "{good:?}");
        }
    }

    #[test]
    fn an_absent_field_of_a_change_stays_as_it_is() {
        let old = Listing::new(kettle()).unwrap();
        assert_eq!(old.with(&ProductChanges::default()).unwrap(), old);
        let changes = ProductChanges { featured: Some(true), ..ProductChanges::default() };
        assert_eq!(old.with(&changes).unwrap(), Listing { featured: true, ..old.clone() });
        let changes = ProductChanges { weight_grams: Some(0), ..ProductChanges::default() };
        assert!(old.with(&changes).is_err());
    }

    #[test]
    fn lines_name_each_product_once() {
        let line =
            |n| StockLine { product_id: ProductId::from_uuid(Uuid::from_u128(n)), quantity: 1.try_into().unwrap() };
        assert!(check_lines(&[line(1), line(2)]).is_ok());
        assert!(check_lines(&[line(1), line(2), line(1)]).is_err());
        assert!(check_lines(&[]).is_err());
    }

    #[test]
    fn a_category_without_a_name_is_called_by_its_slug() {
        assert_eq!(default_category_name(&"coffee-makers".parse().unwrap()).unwrap().as_str(), "Coffee makers");
        assert!(default_category_name(&"a".repeat(80).parse().unwrap()).is_ok());
        // The cut falls between two words, so the space at the end is trimmed.
        assert_eq!(default_category_name(&format!("{}-b", "a".repeat(59)).parse().unwrap()).unwrap().len(), 59);
    }
}
