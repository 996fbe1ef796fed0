//! The key of a stored response (RFC 9111 §2, §4.1).

use crate::types::UserId;

/// The key of a stored response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// The template of the route, such as `/api/v1/products/{id}`.
    pub route: &'static str,
    /// The value of `{id}` in the path, decoded; empty if the route has none.
    pub id: String,
    /// The parameters of the query, decoded and sorted by name. Parameters of one name keep their
    /// order.
    pub query: Vec<(String, String)>,
    /// The user, for a response that differs by user.
    pub user: Option<UserId>,
}

impl CacheKey {
    /// Makes the key. `id` is decoded, `query` is the query string as the client sent it:
    /// `?b=2&a=%31` and `?a=1&b=2` give the same key.
    pub fn new(route: &'static str, id: &str, query: &str, user: Option<UserId>) -> Self {
        let mut query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        query.sort_by(|a, b| a.0.cmp(&b.0));
        Self { route, id: id.to_owned(), query, user }
    }

    /// The length of all texts together, in bytes: a part of the entry's weight.
    pub fn bytes(&self) -> usize {
        self.route.len()
            + self.id.len()
            + self.query.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Two spellings of one query have the same key, and two different queries have different
        /// keys.
        #[test]
        fn the_key_depends_on_the_query_and_not_on_its_spelling(
            pairs in prop::collection::vec(("[a-c]{1,2}", "\\PC{0,4}"), 0..5), shuffle: prop::sample::Index,
        ) {
            let spell = |pairs: &[(String, String)]| {
                form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
            };
            let escape = |pairs: &[(String, String)]| {
                let hex = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
                pairs.iter().map(|(name, value)| format!("{}={}", hex(name), hex(value))).collect::<Vec<_>>().join("&")
            };
            let key = |query: &str| CacheKey::new("/x", "", query, None);
            let mut other = pairs.clone();
            if !other.is_empty() {
                let at = shuffle.index(other.len());
                other.rotate_left(at);
                // Parameters of one name keep their order: a handler may depend on it.
                other.sort_by(|a, b| b.0.cmp(&a.0));
            }
            let mut sorted = pairs.clone();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            let mut resorted = other.clone();
            resorted.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(key(&spell(&pairs)) == key(&escape(&other)), sorted == resorted);
        }

        #[test]
        fn any_query_has_a_key(query: String) {
            let _ = CacheKey::new("/x", "", &query, None);
        }
    }
}
