//! One number for every client that has called lately: how far ahead of its rate it is (GCRA's theoretical arrival time).
//!
//! Who the clients are, an attacker chooses: a million addresses are a million buckets. So there is room for a fixed number of them.
//! A bucket that is full again is no different from one that was never there, and is forgotten as soon as room is wanted. Where that
//! is not enough, those that have taken least are forgotten: what is gained by it is a request or two, and whoever waits
//! for his next one goes on waiting. (`governor`'s own stores grow until somebody sweeps all of them.)

use crate::types::UserId;
use governor::{nanos::Nanos, state::StateStore};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::IpAddr,
    time::Duration,
};

/// Who is counted: a user wherever they are, or else an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    User(UserId),
    Address(IpAddr),
}

/// The buckets of one class.
pub struct Buckets {
    shards: Vec<Mutex<Shard>>,
    pick: RandomState,
    /// What one request costs, as time.
    one: u64,
}

/// So that workers seldom wait for each other, and a sweep holds up few.
const SHARDS: usize = 64;
/// Of all shards together; some 8 MB.
pub const MOST: usize = 64 * 1024;
const MOST_OF_SHARD: usize = MOST / SHARDS;
/// Below that nobody sweeps.
const FEW: usize = 32;

struct Shard {
    /// Nanoseconds of the limiter's clock.
    arrivals: HashMap<Client, u64>,
    /// When there are so many, those that are full again go.
    sweep_at: usize,
}

impl Buckets {
    /// For a limiter that lets one more through after each `interval`.
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

    /// Looked at and taken from under one lock: of requests at once none sees a count that another is about to change.
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
        // The first request of a client is due now: its bucket is full but for this one.
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
        // Twice as many may come before the next sweep: it costs each of them the same, however many there are.
        self.sweep_at = (self.arrivals.len() * 2).clamp(FEW, MOST_OF_SHARD);
        self.arrivals.shrink_to(self.sweep_at);
    }

    /// Those that have taken least.
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

    /// As GCRA does where the burst is endless.
    fn take(buckets: &Buckets, n: u32, now: u64) -> u64 {
        let measure = |arrival: Option<Nanos>| {
            let next = arrival.map_or(now, |arrival| arrival.as_u64().max(now)) + ONE;
            Ok::<_, ()>((next, Nanos::new(next)))
        };
        buckets.measure_and_replace(&client(n), measure).unwrap()
    }

    #[test]
    fn a_million_clients_at_once_have_a_bounded_number_of_buckets_and_who_waits_goes_on_waiting() {
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
    fn who_has_been_away_is_forgotten_before_anybody_else() {
        let buckets = Buckets::new(Duration::from_nanos(ONE));
        for n in 0..20_000 {
            take(&buckets, n, 5);
        }
        assert!(buckets.len() > 19_000, "there is room for them: {}", buckets.len());
        // By now they could come again as if for the first time.
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
