//! Each query has one cache key, however it is spelled. Two queries with different meanings have
//! different keys.
#![no_main]

use galleria::gateway::fuzzed::CacheKey;
use libfuzzer_sys::fuzz_target;

type Pairs = Vec<(String, String)>;

fn key(query: &str) -> CacheKey {
    CacheKey::new("/x", "", query, None)
}

fn spelled(pairs: &Pairs) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Sorted by name. Values of one name keep their order, because the order may have a meaning.
fn in_order(query: &str) -> Pairs {
    let mut pairs: Pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}

fuzz_target!(|queries: (&str, &str)| {
    let (one, other) = queries;
    let sorted = in_order(one);
    assert_eq!(key(one), key(&spelled(&sorted)));
    let mut backwards = sorted.clone();
    backwards.sort_by(|a, b| b.0.cmp(&a.0));
    assert_eq!(key(one), key(&spelled(&backwards)));
    assert_eq!(key(one) == key(other), sorted == in_order(other));
});
