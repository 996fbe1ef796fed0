//! What a search asks for, and where a page of its results begins.

use super::{
    messages::{FindProducts, ProductsError, Sort},
    rules, tokenizer,
};
use crate::types::{ProductId, Slug};
use serde::{Deserialize, Serialize};

/// A search in normal form: two searches for the same have the same value and the same JSON.
#[derive(Debug, PartialEq, Serialize)]
pub struct CatalogueQuery {
    pub terms: Vec<String>,
    pub category: Option<Slug>,
    /// In cents, inclusive, like `max_price`.
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
            // Without terms every product matches equally well.
            sort: if terms.is_empty() && request.sort == Sort::Relevance { Sort::Name } else { request.sort },
            terms,
            category: request.category.clone(),
            min_price: request.min_price.unwrap_or(i64::MIN),
            max_price: request.max_price.unwrap_or(i64::MAX),
            in_stock: request.in_stock,
            featured: request.featured,
        })
    }

    /// The name of the list of results, for cursors.
    pub fn list(&self) -> String {
        format!("products {}", serde_json::to_string(self).unwrap_or_default())
    }
}

/// The last product of a page: the value that the list is sorted by, and the product's id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Position(pub Rank, pub ProductId);

/// A value that a list is sorted by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rank {
    Number(i64),
    Name(Box<str>),
}

/// One page of results.
#[derive(Debug, PartialEq)]
pub struct SearchPage {
    pub ids: Vec<ProductId>,
    /// The position of the last of these products, if more follow.
    pub next: Option<Position>,
}

/// The first `limit` products of `found`. `found` has one more if another page follows.
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
