//! The buckets: one number for each client that has called lately (GCRA's theoretical arrival time,
//! which says how far the client is ahead of its rate).
//!
//! An attacker can use a million addresses, and each would need a bucket. The number of buckets is
//! therefore fixed. A full bucket is the same as no bucket, so full buckets are dropped first. If
//! there are still too many, the buckets with the fewest used requests are dropped. Their clients
//! gain one or two requests; clients that are being throttled stay throttled.

use crate::types::UserId;
use governor::{nanos::Nanos, state::StateStore};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::IpAddr,
    time::Duration,
};

/// The key of a bucket: a user, or the network of a client that is not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// A user, from any address.
    User(UserId),
    /// An IPv4 address, or the /64 of an IPv6 address.
    Address(IpAddr),
}

/// The buckets of one class.
pub struct Buckets {
    shards: Vec<Mutex<Shard>>,
    pick: RandomState,
    /// The cost of one request, in nanoseconds.
    one: u64,
}

/// The number of shards. Each has its own lock, so workers seldom wait for each other, and a sweep
/// delays only the requests of its shard.
const SHARDS: usize = 64;
/// The greatest number of buckets in all shards together. They take about 8 MB.
pub const MOST: usize = 64 * 1024;
const MOST_OF_SHARD: usize = MOST / SHARDS;
/// A shard with fewer buckets is not swept.
const FEW: usize = 32;

struct Shard {
    /// Nanoseconds of the limiter's clock.
    arrivals: HashMap<Client, u64>,
    /// At this number of buckets, those that are full again are dropped.
    sweep_at: usize,
}

impl Buckets {
    /// The buckets for a rate of one request in each `interval`.
    pub fn new(interval: Duration) -> Self {
        let shard = || Mutex::new(Shard { arrivals: HashMap::new(), sweep_at: FEW });
        let one = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        Self { shards: std::iter::repeat_with(shard).take(SHARDS).collect(), pick: RandomState::new(), one }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().arrivals.len()).sum()
    }
}

impl StateStore for Buckets {
    type Key = Client;

    /// Reads and writes the bucket under one lock, so that no two requests take the same one.
    fn measure_and_replace<T, F, E>(&self, client: &Client, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let at = self.pick.hash_one(client) as usize % SHARDS;
        let mut shard = self.shards[at].lock();
        if let Some(arrival) = shard.arrivals.get_mut(client) {
            let (measured, next) = measure(Some(Nanos::new(*arrival)))?;
            *arrival = next.as_u64();
            return Ok(measured);
        }
        let (measured, next) = measure(None)?;
        // The client's bucket is full except for this request, so the request is due now.
        shard.make_room(next.as_u64().saturating_sub(self.one));
        shard.arrivals.insert(*client, next.as_u64());
        Ok(measured)
    }
}

impl Shard {
    fn make_room(&mut self, now: u64) {
        if self.arrivals.len() < self.sweep_at {
            return;
        }
        self.arrivals.retain(|_, arrival| *arrival > now);
        if self.arrivals.len() > MOST_OF_SHARD / 2 {
            self.forget_half();
        }
        // The next sweep comes when there are twice as many. Its cost per new bucket is therefore
        // constant.
        self.sweep_at = (self.arrivals.len() * 2).clamp(FEW, MOST_OF_SHARD);
        self.arrivals.shrink_to(self.sweep_at);
    }

    /// Drops the buckets with the fewest used requests, down to half of the shard.
    fn forget_half(&mut self) {
        let mut arrivals: Vec<u64> = self.arrivals.values().copied().collect();
        let (_, median, _) = arrivals.select_nth_unstable(self.arrivals.len() - MOST_OF_SHARD / 2);
        let (median, mut excess) = (*median, self.arrivals.len() - MOST_OF_SHARD / 2);
        self.arrivals.retain(|_, arrival| {
            let goes = excess > 0 && *arrival <= median;
            excess -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: u64 = 1000;

    fn client(n: u32) -> Client {
        Client::Address(IpAddr::from(n.to_be_bytes()))
    }

    /// Takes one request as GCRA does with a burst without limit.
    fn take(buckets: &Buckets, n: u32, now: u64) -> u64 {
        let measure = |arrival: Option<Nanos>| {
            let next = arrival.map_or(now, |arrival| arrival.as_u64().max(now)) + ONE;
            Ok::<_, ()>((next, Nanos::new(next)))
        };
        buckets.measure_and_replace(&client(n), measure).unwrap()
    }

    #[test]
    fn a_million_clients_have_a_bounded_number_of_buckets_and_a_throttled_client_stays_throttled() {
        let buckets = Buckets::new(Duration::from_nanos(ONE));
        let drained = (0..50).fold(0, |_, _| take(&buckets, 0, 5));
        assert_eq!(drained, 5 + 50 * ONE);
        for n in 1..1_000_000 {
            take(&buckets, n, 5);
        }
        assert!(buckets.len() <= MOST, "{}", buckets.len());
        assert_eq!(take(&buckets, 0, 5), drained + ONE, "its bucket is as it was");
    }

    #[test]
    fn full_buckets_are_dropped_before_all_others() {
        let buckets = Buckets::new(Duration::from_nanos(ONE));
        for n in 0..20_000 {
            take(&buckets, n, 5);
        }
        assert!(buckets.len() > 19_000, "there is room for them: {}", buckets.len());
        // By now the first buckets are full again.
        for n in 100_000..120_000 {
            take(&buckets, n, 5 + ONE);
        }
        assert!(buckets.len() < 25_000, "{}", buckets.len());
    }

    /// `cargo test --release --lib bytes_of_a_million -- --ignored --nocapture`
    #[test]
    #[ignore = "measures this machine's memory"]
    fn bytes_of_a_million_clients() {
        let resident = || {
            let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
            pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
        };
        let buckets = Buckets::new(Duration::from_nanos(ONE));
        let before = resident();
        for n in 0..1_000_000 {
            take(&buckets, n, 5);
        }
        let (bytes, kept) = (resident().saturating_sub(before), buckets.len());
        println!("1000000 clients: {kept} of at most {MOST} buckets, {bytes} bytes, {} each", bytes / kept);
        assert!(kept <= MOST && bytes < 160 * MOST, "{bytes} bytes of {kept}");
    }
}
