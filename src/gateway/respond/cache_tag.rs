//! Cache tags: the subject of a cached response, so that a change of the subject can purge the
//! response. CDNs call them cache tags or surrogate keys.

use crate::types::ProductId;

/// The subject of a cached response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheTag {
    /// One product.
    Product(ProductId),
    /// Lists of products, and counts of them.
    Catalogue,
    /// Shipping labels. A label is void when its shipment is cancelled.
    Labels,
}
