//! The stored responses: a shared cache by RFC 9111, bounded in bytes.
//!
//! The route table says which responses are stored, and for how long. A stored response has tags. A
//! purge of a tag invalidates every response with it at once, and also rejects responses that were
//! requested before the purge and arrive after it. So a client that has seen a change never gets
//! the old version. This is exact for any time to live, which only bounds the harm of a purge that
//! was forgotten.

use super::{
    freshness::{MOST_TTL, STALE_IF_ERROR},
    key::CacheKey,
    single_flight::{Flight, FlightRole, Flights, Landing},
};
use crate::gateway::respond::CacheTag;
use actix_web::{
    HttpResponse,
    body::BoxBody,
    http::header::{HeaderName, HeaderValue},
    web::Bytes,
};
use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{sync::watch, time::Instant};

/// A stored response.
pub struct CachedResponse {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    /// When the handler's response arrived. Its age counts from here.
    pub made: Instant,
    /// The number of the last purge when it was requested.
    requested_after: u64,
    tags: Vec<CacheTag>,
}

impl CachedResponse {
    /// A 200 with the stored fields and body.
    pub fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::Ok().finish().set_body(BoxBody::new(self.body.clone()));
        for (name, value) in &self.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response
    }

    fn bytes(&self) -> usize {
        /// The memory of an entry beside its content, in bytes: rather too much than too little.
        const OVERHEAD: usize = 512;
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        OVERHEAD + headers + self.body.len()
    }
}

/// The store of all responses. All workers share one.
pub struct ResponseCache {
    entries: moka::sync::Cache<CacheKey, Arc<CachedResponse>>,
    /// Counts the purges.
    purges: AtomicU64,
    /// For each tag the number of its last purge, in a slot by the tag's hash. Two tags may share a
    /// slot, and are then purged together. The number of slots is therefore fixed.
    purged: Vec<AtomicU64>,
    flights: Arc<Flights>,
}

/// The memory of all entries together, in bytes.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// The largest body that is stored, in bytes: a larger one would displace too many others.
const MOST_BODY: usize = 1024 * 1024;
/// The number of slots for purges.
const SLOTS: usize = 4096;

impl Default for ResponseCache {
    fn default() -> Self {
        Self::of(MOST_BYTES)
    }
}

impl ResponseCache {
    fn of(bytes: u64) -> Self {
        let weight =
            |key: &CacheKey, entry: &Arc<CachedResponse>| (key.bytes() + entry.bytes()).try_into().unwrap_or(u32::MAX);
        Self {
            entries: moka::sync::Cache::builder()
                .max_capacity(bytes)
                .weigher(weight)
                .time_to_live(MOST_TTL + STALE_IF_ERROR)
                .build(),
            purges: AtomicU64::default(),
            purged: (0..SLOTS).map(|_| AtomicU64::default()).collect(),
            flights: Arc::default(),
        }
    }

    /// The number of stored responses, and their memory in bytes.
    pub fn size(&self) -> (u64, u64) {
        (self.entries.entry_count(), self.entries.weighted_size())
    }

    /// The stored response, unless one of its tags was purged after it was requested.
    pub fn get(&self, key: &CacheKey) -> Option<Arc<CachedResponse>> {
        let entry = self.entries.get(key)?;
        if self.is_purged(&entry.tags, entry.requested_after) {
            self.entries.invalidate(key);
            return None;
        }
        Some(entry)
    }

    /// Invalidates every response that has one of the tags and was requested before this call. Call
    /// it after the change can be read, and before the client learns that the change is done.
    pub fn purge(&self, tags: impl IntoIterator<Item = CacheTag>) {
        for tag in tags {
            let number = self.purges.fetch_add(1, Ordering::SeqCst) + 1;
            self.slot(tag).fetch_max(number, Ordering::SeqCst);
        }
    }

    /// Begins a call of the handler; or, if another request is calling it already, says where to
    /// wait.
    pub fn begin(self: &Arc<Self>, key: &CacheKey) -> Lookup {
        match self.flights.join(key) {
            FlightRole::Leader(flight) => {
                let requested_after = self.purges.load(Ordering::SeqCst);
                Lookup::Lead(Fill { cache: self.clone(), flight, requested_after })
            }
            FlightRole::Follower(landing) => Lookup::Follow(landing),
        }
    }

    fn is_purged(&self, tags: &[CacheTag], requested_after: u64) -> bool {
        tags.iter().any(|tag| self.slot(*tag).load(Ordering::SeqCst) > requested_after)
    }

    fn slot(&self, tag: CacheTag) -> &AtomicU64 {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(tag);
        &self.purged[hash as usize % SLOTS]
    }
}

/// What a request does if it finds no stored response.
pub enum Lookup {
    /// The request calls the handler.
    Lead(Fill),
    /// The request waits for another one, which calls the handler.
    Follow(watch::Receiver<Landing>),
}

/// A response that the handler is making. Followers wait until it is stored or dropped.
pub struct Fill {
    cache: Arc<ResponseCache>,
    flight: Flight,
    requested_after: u64,
}

impl Fill {
    /// Stores the response, unless it is too large or one of its tags was purged meanwhile. Returns
    /// whether it was stored.
    pub fn store(self, headers: Vec<(HeaderName, HeaderValue)>, body: Bytes, tags: Vec<CacheTag>) -> bool {
        let Self { cache, flight, requested_after } = self;
        let is_stored = body.len() <= MOST_BODY && !cache.is_purged(&tags, requested_after);
        if is_stored {
            let entry = CachedResponse { headers, body, made: Instant::now(), requested_after, tags };
            cache.entries.insert(flight.key().clone(), Arc::new(entry));
        }
        flight.land(if is_stored { Landing::Stored } else { Landing::NotStored });
        is_stored
    }

    /// Stores nothing. Each follower then calls the handler itself.
    pub fn store_nothing(self) {
        self.flight.land(Landing::NotStored);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{env::Env, gateway::filters::cache::single_flight::Landing};
    use actix_web::body::MessageBody;
    fn key(id: &str) -> CacheKey {
        CacheKey::new("/api/v1/products/{id}", id, "", None)
    }

    fn lead(cache: &Arc<ResponseCache>, key: &CacheKey) -> Fill {
        match cache.begin(key) {
            Lookup::Lead(fill) => fill,
            Lookup::Follow(_) => panic!("another request leads"),
        }
    }

    fn body(entry: &CachedResponse) -> Bytes {
        entry.response().into_body().try_into_bytes().unwrap()
    }

    fn product() -> CacheTag {
        CacheTag::Product(Env::system().id())
    }

    #[test]
    fn a_stored_response_is_used_until_one_of_its_tags_is_purged() {
        let cache = Arc::new(ResponseCache::default());
        let (cup, pot) = (product(), product());
        for (name, tag) in [("cup", cup), ("pot", pot)] {
            assert!(lead(&cache, &key(name)).store(Vec::new(), Bytes::from(name), vec![tag]));
        }
        assert_eq!(body(&cache.get(&key("cup")).unwrap()), "cup");
        cache.purge([cup]);
        assert!(cache.get(&key("cup")).is_none());
        assert!(cache.get(&key("pot")).is_some());
        cache.purge([CacheTag::Catalogue]);
        assert!(cache.get(&key("pot")).is_some());
    }

    #[test]
    fn a_response_that_was_requested_before_a_purge_and_arrives_after_it_is_not_stored() {
        let cache = Arc::new(ResponseCache::default());
        let tag = product();
        let fill = lead(&cache, &key("cup"));
        cache.purge([tag]);
        assert!(!fill.store(Vec::new(), Bytes::from("old"), vec![tag]));
        assert!(cache.get(&key("cup")).is_none());
        assert!(lead(&cache, &key("cup")).store(Vec::new(), Bytes::from("new"), vec![tag]));
        assert!(cache.get(&key("cup")).is_some());
    }

    #[test]
    fn one_request_calls_the_handler_and_the_others_wait_for_it() {
        let cache = Arc::new(ResponseCache::default());
        let fill = lead(&cache, &key("cup"));
        let Lookup::Follow(landing) = cache.begin(&key("cup")) else { panic!("two requests lead") };
        assert!(matches!(cache.begin(&key("pot")), Lookup::Lead(_)), "another key has its own flight");
        fill.store(Vec::new(), Bytes::new(), Vec::new());
        assert_eq!(*landing.borrow(), Landing::Stored);
        drop(lead(&cache, &key("tea")));
        assert!(matches!(cache.begin(&key("tea")), Lookup::Lead(_)), "a leader that was dropped ends its flight");
    }

    #[test]
    fn the_store_is_bounded_in_bytes() {
        let cache = Arc::new(ResponseCache::of(100_000));
        for n in 0..1_000 {
            lead(&cache, &key(&n.to_string())).store(Vec::new(), Bytes::from(vec![0; 10_000]), Vec::new());
        }
        cache.entries.run_pending_tasks();
        assert!(cache.entries.weighted_size() <= 100_000, "{}", cache.entries.weighted_size());
        assert!(cache.entries.entry_count() >= 5, "{}", cache.entries.entry_count());
        let huge = lead(&cache, &key("huge"));
        assert!(!huge.store(Vec::new(), Bytes::from(vec![0; MOST_BODY + 1]), Vec::new()));
    }
}
