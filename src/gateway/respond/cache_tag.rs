//! What a cached response is about, so that a change can purge it. CDNs call it a cache tag, or a surrogate key.

use crate::types::ProductId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheTag {
    Product(ProductId),
    /// Lists of products, and counts of them.
    Catalogue,
    /// Labels of parcels. A label is void when its parcel is cancelled.
    Labels,
}
