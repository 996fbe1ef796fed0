//! Answers that are kept, to be given again: a shared cache by RFC 9111, bounded in bytes.
//!
//! What may be kept and for how long, the route table says. An entry carries tags; a tag that is purged takes all that carry it out of
//! use at once, and also what was asked for before the purge and arrives after it: so that nobody who was told of a change is given
//! what was before. That is exact, whatever the time to live: that one only bounds what a forgotten purge could do.

use super::route::CachePolicy;
use crate::types::{ProductId, UserId};
use actix_web::{
    HttpResponse,
    body::BoxBody,
    http::header::{HeaderName, HeaderValue},
    web::Bytes,
};
use moka::sync::Cache as Entries;
use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tag {
    Product(ProductId),
    /// Lists of products, and of what there is of them.
    Catalogue,
    /// Labels of parcels, which are no good any more when one is cancelled.
    Labels,
}

/// Which answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The template of the route, such as `/api/v1/products/{id}`.
    pub route: &'static str,
    /// What stands in the place of `{id}`, decoded; empty where there is none.
    pub id: String,
    /// Decoded, in the order of their names, then of their appearance.
    pub query: Vec<(String, String)>,
    /// Whose, where an answer is not for everybody.
    pub user: Option<UserId>,
}

impl Key {
    /// `?b=2&a=%31` and `?a=1&b=2` ask for the same.
    pub fn new(route: &'static str, id: &str, query: &str, user: Option<UserId>) -> Self {
        let mut query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        query.sort_by(|a, b| a.0.cmp(&b.0));
        Self { route, id: id.to_owned(), query, user }
    }

    fn bytes(&self) -> usize {
        self.route.len()
            + self.id.len()
            + self.query.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }
}

/// An answer as it was given first.
pub struct Entry {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    pub made: Instant,
    /// The purge that had been the last when it was asked for.
    asked_after: u64,
    tags: Vec<Tag>,
}

impl Entry {
    pub fn answer(&self) -> HttpResponse {
        let mut answer = HttpResponse::Ok().finish().set_body(BoxBody::new(self.body.clone()));
        for (name, value) in &self.headers {
            answer.headers_mut().append(name.clone(), value.clone());
        }
        answer
    }

    fn bytes(&self) -> usize {
        /// What an entry costs beside what it says: measured roughly, on the safe side.
        const OVERHEAD: usize = 512;
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        OVERHEAD + headers + self.body.len()
    }
}

/// What is kept of the shop's answers.
pub struct Cache {
    entries: Entries<Key, Arc<Entry>>,
    /// Counts the purges.
    purges: AtomicU64,
    /// For each tag the number of its last purge, by a hash of the tag: two tags may share a slot, and then are purged together. So it
    /// never grows, whatever there is.
    purged: Vec<AtomicU64>,
    flights: Mutex<HashMap<Key, watch::Receiver<Landing>>>,
}

/// What all entries together may take.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// An answer that is larger would push out too many others.
const MOST_BODY: usize = 1024 * 1024;
const SLOTS: usize = 4096;
/// Past its time, an answer is still given while a new one is fetched (RFC 5861): as long again as it was fresh, and no longer than that.
const STALE_WHILE_REVALIDATE: Duration = Duration::from_secs(30);
/// And so long where no new one is to be had.
pub const STALE_IF_ERROR: Duration = Duration::from_secs(300);
/// The longest time to live that can be set.
pub const MOST_TTL: Duration = Duration::from_secs(3600);

impl Default for Cache {
    fn default() -> Self {
        Self::of(MOST_BYTES)
    }
}

impl Cache {
    fn of(bytes: u64) -> Self {
        let weight = |key: &Key, entry: &Arc<Entry>| (key.bytes() + entry.bytes()).try_into().unwrap_or(u32::MAX);
        Self {
            entries: Entries::builder()
                .max_capacity(bytes)
                .weigher(weight)
                .time_to_live(MOST_TTL + STALE_IF_ERROR)
                .build(),
            purges: AtomicU64::default(),
            purged: (0..SLOTS).map(|_| AtomicU64::default()).collect(),
            flights: Mutex::default(),
        }
    }

    /// How many answers there are, and what they take.
    pub fn size(&self) -> (u64, u64) {
        (self.entries.entry_count(), self.entries.weighted_size())
    }

    /// The answer, unless what it is about has changed since it was asked for.
    pub fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        let entry = self.entries.get(key)?;
        if self.is_purged(&entry.tags, entry.asked_after) {
            self.entries.invalidate(key);
            return None;
        }
        Some(entry)
    }

    /// From now on nothing is given that carries the tag and was asked for earlier. To be called when the change can be read, and
    /// before anybody is told that it is done.
    pub fn purge(&self, tag: Tag) {
        let number = self.purges.fetch_add(1, Ordering::SeqCst) + 1;
        self.slot(tag).fetch_max(number, Ordering::SeqCst);
    }

    /// Says that an answer is about to be asked for; or, where another is at it already, lets wait for that.
    pub fn begin(self: &Arc<Self>, key: &Key) -> Turn {
        let mut flights = self.flights();
        if let Some(landing) = flights.get(key) {
            return Turn::Follow(landing.clone());
        }
        let (landing, follow) = watch::channel(Landing::Lost);
        flights.insert(key.clone(), follow);
        let asked_after = self.purges.load(Ordering::SeqCst);
        Turn::Lead(Fill { cache: self.clone(), key: key.clone(), asked_after, landing })
    }

    fn is_purged(&self, tags: &[Tag], asked_after: u64) -> bool {
        tags.iter().any(|tag| self.slot(*tag).load(Ordering::SeqCst) > asked_after)
    }

    fn slot(&self, tag: Tag) -> &AtomicU64 {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(tag);
        &self.purged[hash as usize % SLOTS]
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Landing>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who asks for an answer that is not there.
pub enum Turn {
    Lead(Fill),
    /// Somebody else is at it.
    Follow(watch::Receiver<Landing>),
}

/// How asking for an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// Who asked went away.
    Lost,
    /// It is there.
    Kept,
    /// It is nothing to keep: each has to ask for himself.
    Unkept,
}

/// An answer that is being asked for. Others wait until it is kept or let go.
pub struct Fill {
    cache: Arc<Cache>,
    key: Key,
    asked_after: u64,
    landing: watch::Sender<Landing>,
}

impl Fill {
    /// Keeps the answer, unless what it is about has changed meanwhile; whether it did.
    pub fn keep(self, headers: Vec<(HeaderName, HeaderValue)>, body: Bytes, tags: Vec<Tag>) -> bool {
        let keeps = body.len() <= MOST_BODY && !self.cache.is_purged(&tags, self.asked_after);
        if keeps {
            let entry = Entry { headers, body, made: Instant::now(), asked_after: self.asked_after, tags };
            self.cache.entries.insert(self.key.clone(), Arc::new(entry));
        }
        self.land(if keeps { Landing::Kept } else { Landing::Unkept });
        keeps
    }

    pub fn keep_nothing(self) {
        self.land(Landing::Unkept);
    }

    fn land(&self, landing: Landing) {
        self.landing.send_replace(landing);
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        self.cache.flights().remove(&self.key);
    }
}

/// What may be done with an answer of that age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Seconds that it stays so.
    Fresh(u64),
    /// It may be given while a new one is fetched; seconds since it was fresh.
    Stale(u64),
    Old(u64),
}

impl Freshness {
    pub fn of(age: Duration, ttl: Duration) -> Self {
        match age.checked_sub(ttl) {
            None => Self::Fresh((ttl - age).as_secs()),
            Some(past) if past < STALE_WHILE_REVALIDATE.min(ttl) => Self::Stale(past.as_secs()),
            Some(past) => Self::Old(past.as_secs()),
        }
    }
}

/// How long answers of the route are kept; `None` where they are not.
pub fn ttl(policy: CachePolicy, set: Option<u64>) -> Option<Duration> {
    let ttl = match policy {
        CachePolicy::Never => return None,
        CachePolicy::Shared(seconds) | CachePolicy::Private(seconds) => Duration::from_secs(seconds.into()),
    };
    Some(set.map_or(ttl, Duration::from_millis)).filter(|ttl| !ttl.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use actix_web::body::MessageBody;
    use proptest::prelude::*;

    fn key(id: &str) -> Key {
        Key::new("/api/v1/products/{id}", id, "", None)
    }

    fn lead(cache: &Arc<Cache>, key: &Key) -> Fill {
        match cache.begin(key) {
            Turn::Lead(fill) => fill,
            Turn::Follow(_) => panic!("somebody else is at it"),
        }
    }

    fn body(entry: &Entry) -> Bytes {
        entry.answer().into_body().try_into_bytes().unwrap()
    }

    fn product() -> Tag {
        Tag::Product(Env::system().id())
    }

    #[test]
    fn what_was_kept_is_given_again_until_its_tag_is_purged() {
        let cache = Arc::new(Cache::default());
        let (cup, pot) = (product(), product());
        for (name, tag) in [("cup", cup), ("pot", pot)] {
            assert!(lead(&cache, &key(name)).keep(Vec::new(), Bytes::from(name), vec![tag]));
        }
        assert_eq!(body(&cache.get(&key("cup")).unwrap()), "cup");
        cache.purge(cup);
        assert!(cache.get(&key("cup")).is_none());
        assert!(cache.get(&key("pot")).is_some());
        cache.purge(Tag::Catalogue);
        assert!(cache.get(&key("pot")).is_some());
    }

    #[test]
    fn what_was_asked_for_before_a_purge_and_comes_after_it_is_not_kept() {
        let cache = Arc::new(Cache::default());
        let tag = product();
        let fill = lead(&cache, &key("cup"));
        cache.purge(tag);
        assert!(!fill.keep(Vec::new(), Bytes::from("old"), vec![tag]));
        assert!(cache.get(&key("cup")).is_none());
        assert!(lead(&cache, &key("cup")).keep(Vec::new(), Bytes::from("new"), vec![tag]));
        assert!(cache.get(&key("cup")).is_some());
    }

    #[test]
    fn one_asks_and_the_others_wait_until_it_has_landed() {
        let cache = Arc::new(Cache::default());
        let fill = lead(&cache, &key("cup"));
        let Turn::Follow(landing) = cache.begin(&key("cup")) else { panic!("two ask for the same") };
        assert!(matches!(cache.begin(&key("pot")), Turn::Lead(_)), "another key is another matter");
        fill.keep(Vec::new(), Bytes::new(), Vec::new());
        assert_eq!(*landing.borrow(), Landing::Kept);
        drop(lead(&cache, &key("tea")));
        assert!(matches!(cache.begin(&key("tea")), Turn::Lead(_)), "who went away is in nobody's way");
    }

    #[test]
    fn its_size_is_bounded_in_bytes() {
        let cache = Arc::new(Cache::of(100_000));
        for n in 0..1_000 {
            lead(&cache, &key(&n.to_string())).keep(Vec::new(), Bytes::from(vec![0; 10_000]), Vec::new());
        }
        cache.entries.run_pending_tasks();
        assert!(cache.entries.weighted_size() <= 100_000, "{}", cache.entries.weighted_size());
        assert!(cache.entries.entry_count() >= 5, "{}", cache.entries.entry_count());
        let huge = lead(&cache, &key("huge"));
        assert!(!huge.keep(Vec::new(), Bytes::from(vec![0; MOST_BODY + 1]), Vec::new()));
    }

    #[test]
    fn an_answer_is_fresh_then_stale_then_old() {
        let (ttl, second) = (Duration::from_secs(60), Duration::from_secs(1));
        assert_eq!(Freshness::of(Duration::ZERO, ttl), Freshness::Fresh(60));
        assert_eq!(Freshness::of(ttl - second / 2, ttl), Freshness::Fresh(0));
        assert_eq!(Freshness::of(ttl, ttl), Freshness::Stale(0));
        assert_eq!(Freshness::of(ttl + 29 * second, ttl), Freshness::Stale(29));
        assert_eq!(Freshness::of(ttl + 30 * second, ttl), Freshness::Old(30));
        assert_eq!(Freshness::of(2 * second, second), Freshness::Old(1));
    }

    proptest! {
        /// Any two spellings of a question have one key, and two questions have two.
        #[test]
        fn a_key_says_what_is_asked_however_it_is_spelled(
            pairs in prop::collection::vec(("[a-c]{1,2}", "\\PC{0,4}"), 0..5), shuffle: prop::sample::Index,
        ) {
            let spell = |pairs: &[(String, String)]| {
                form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
            };
            let escape = |pairs: &[(String, String)]| {
                let hex = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
                pairs.iter().map(|(name, value)| format!("{}={}", hex(name), hex(value))).collect::<Vec<_>>().join("&")
            };
            let key = |query: &str| Key::new("/x", "", query, None);
            let mut other = pairs.clone();
            if !other.is_empty() {
                let at = shuffle.index(other.len());
                other.rotate_left(at);
                // Those of one name keep their order: it may mean something.
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
            let _ = Key::new("/x", "", &query, None);
        }
    }
}
