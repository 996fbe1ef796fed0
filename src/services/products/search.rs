//! What a search asks for, and where in its list a page begins.

use super::{
    messages::{FindProducts, ProductsError, Sort},
    rules, tokenizer,
};
use crate::types::{ProductId, Slug};
use serde::{Deserialize, Serialize};

/// A search whose terms are taken apart. Two that ask for the same are written the same.
#[derive(Debug, PartialEq, Serialize)]
pub struct CatalogueQuery {
    pub terms: Vec<String>,
    pub category: Option<Slug>,
    /// Inclusive, as `max_price`.
    pub min_price: i64,
    pub max_price: i64,
    pub in_stock: bool,
    pub featured: bool,
    pub sort: Sort,
}

impl CatalogueQuery {
    pub fn new(request: &FindProducts) -> Result<Self, ProductsError> {
        let q = request.q.as_deref().unwrap_or_default();
        rules::check_query(q)?;
        let terms = tokenizer::query_terms(q);
        Ok(Self {
            // With nothing to match, all match alike.
            sort: if terms.is_empty() && request.sort == Sort::Relevance { Sort::Name } else { request.sort },
            terms,
            category: request.category.clone(),
            min_price: request.min_price.unwrap_or(i64::MIN),
            max_price: request.max_price.unwrap_or(i64::MAX),
            in_stock: request.in_stock,
            featured: request.featured,
        })
    }

    /// The name of the list that it finds, for cursors.
    pub fn list(&self) -> String {
        format!("products {}", serde_json::to_string(self).unwrap_or_default())
    }
}

/// After which product of a list a page begins: what it is sorted by, and its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Position(pub Rank, pub ProductId);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rank {
    Number(i64),
    Name(Box<str>),
}

#[derive(Debug, PartialEq)]
pub struct SearchPage {
    pub ids: Vec<ProductId>,
    /// Where there are more: the position of the last of these.
    pub next: Option<Position>,
}

/// The first `limit` of what was found; one more was looked for, to learn whether there is a next page.
pub fn cut_page<T>(
    mut found: Vec<T>,
    limit: usize,
    id: impl Fn(&T) -> ProductId,
    position: impl Fn(&T) -> Position,
) -> SearchPage {
    let more = found.len() > limit;
    found.truncate(limit);
    SearchPage { ids: found.iter().map(id).collect(), next: found.last().filter(|_| more).map(position) }
}
