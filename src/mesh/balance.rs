//! Whom to pick among the instances that are fit.

use super::{Kind, instance::Instance, node, permit::Permit};
use serde::{Deserialize, Serialize};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use utoipa::ToSchema;

/// How calls are spread over a service's instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Each in turn.
    RoundRobin,
    Random,
    /// The one with the fewest calls in flight.
    LeastInFlight,
    /// Of two drawn at random the one that would answer sooner (Mitzenmacher, "The Power of Two Choices", 2001), by its latency and its
    /// calls in flight: nearly as even as asking all, and no herd runs to the same one.
    PowerOfTwo,
    /// The one on the caller's own node, as long as that is not much busier than the others; else, and for callers from elsewhere, by
    /// power of two. What one node can do alone costs no way to another (Envoy's zone aware routing, Kubernetes' topology aware one).
    #[default]
    ZoneAware,
    /// The same one for the same key of the request, as far as it is there (rendezvous hashing; Thaler & Ravishankar, 1998): when an
    /// instance comes or goes, only the keys that are its own move. Requests that name no key are spread by power of two.
    ConsistentHash,
    /// Each by its weight: five calls of a hundred to the canary.
    Weighted,
}

impl Strategy {
    pub const ALL: [Self; 7] = [
        Self::RoundRobin,
        Self::Random,
        Self::LeastInFlight,
        Self::PowerOfTwo,
        Self::ZoneAware,
        Self::ConsistentHash,
        Self::Weighted,
    ];
}

/// Picks, and remembers where it was.
#[derive(Default)]
pub(super) struct Balancer {
    turn: AtomicU64,
}

impl Balancer {
    /// The instance that the strategy prefers, or else any that still takes a call, and the call's place in it.
    pub fn pick(
        &self,
        strategy: Strategy,
        mut fit: Vec<&Arc<Instance>>,
        warm_up: Duration,
        kind: Kind,
        key: &dyn Fn() -> Option<u64>,
    ) -> Option<(Arc<Instance>, Permit)> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let bits = scramble(turn);
        let key = if strategy == Strategy::ConsistentHash { key() } else { None };
        let mut held_back = Vec::new();
        // A key stays with its instance, however cold that is.
        if key.is_none() {
            let is_warm = |at: usize, it: &Arc<Instance>| scramble(bits ^ at as u64) % 100 < it.warmth(warm_up);
            let mut at = 0;
            held_back = fit
                .extract_if(.., |it| {
                    at += 1;
                    !is_warm(at, it)
                })
                .collect();
            if fit.is_empty() {
                std::mem::swap(&mut fit, &mut held_back);
            }
        }
        let n = fit.len();
        if n == 0 {
            return None;
        }
        let first = match (strategy, key) {
            (Strategy::RoundRobin, _) => turn as usize % n,
            (Strategy::Random, _) => bits as usize % n,
            (Strategy::LeastInFlight, _) => least(turn as usize, n, |at| fit[at].in_flight.load(Ordering::Relaxed)),
            (Strategy::Weighted, _) => by_weight(bits, n, |at| fit[at].weight()),
            (Strategy::ConsistentHash, Some(key)) => highest(n, |at| rendezvous(key, &fit[at].name)),
            (Strategy::PowerOfTwo | Strategy::ConsistentHash | Strategy::ZoneAware, _) => {
                let near = if strategy == Strategy::ZoneAware { near(&fit) } else { None };
                near.unwrap_or_else(|| {
                    let now = Instant::now();
                    better_of_two(bits, n, |at| load(fit[at], now))
                })
            }
        };
        let in_order = (0..n).map(|step| fit[(first + step) % n]);
        in_order.chain(held_back).find_map(|instance| Some((instance.clone(), instance.admit(kind)?)))
    }
}

/// The one on the caller's own node, unless it has much more in hand than another.
fn near(fit: &[&Arc<Instance>]) -> Option<usize> {
    let own = fit.iter().position(|it| it.node.is_some() && it.node == node::here())?;
    let in_hand = |at: usize| fit[at].in_flight.load(Ordering::Relaxed);
    let least = (0..fit.len()).map(in_hand).min()?;
    (!is_much_more(in_hand(own), least)).then_some(own)
}

/// A few more are no matter: another node costs time, too.
fn is_much_more(own: usize, least: usize) -> bool {
    own > 2 * least + 8
}

/// How long a call would have to wait there: what is in flight, each for the time that calls take at the moment.
fn load(instance: &Instance, now: Instant) -> f64 {
    // Nobody is taken to be faster than that: the first answer of a new one would make all run there.
    const FASTEST: f64 = 50e-6;
    instance.latency.seconds(now).max(FASTEST) * (instance.in_flight.load(Ordering::Relaxed) + 1) as f64
}

/// Draws two different places out of `n` from random bits, and gives the one with the smaller load.
fn better_of_two(bits: u64, n: usize, load: impl Fn(usize) -> f64) -> usize {
    let a = (bits as u32 as usize) % n;
    if n == 1 {
        return a;
    }
    let b = (a + 1 + ((bits >> 32) as usize) % (n - 1)) % n;
    if load(b) < load(a) { b } else { a }
}

/// The place with the smallest load; among equals the first from `turn` on, so that not always the same one is taken.
fn least(turn: usize, n: usize, load: impl Fn(usize) -> usize) -> usize {
    (0..n).map(|step| (turn + step) % n).min_by_key(|at| load(*at)).unwrap_or_default()
}

/// A place drawn with the chances of its weight; where nobody has any, each has the same.
fn by_weight(bits: u64, n: usize, weight: impl Fn(usize) -> u64) -> usize {
    let sum: u64 = (0..n).map(&weight).sum();
    if sum == 0 {
        return bits as usize % n;
    }
    let mut rest = bits % sum;
    (0..n)
        .find(|at| {
            let is_here = rest < weight(*at);
            rest = rest.saturating_sub(weight(*at));
            is_here
        })
        .unwrap_or_default()
}

fn highest(n: usize, score: impl Fn(usize) -> u64) -> usize {
    (0..n).max_by_key(|at| score(*at)).unwrap_or_default()
}

fn rendezvous(key: u64, name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, name).hash(&mut hasher);
    hasher.finish()
}

/// SplitMix64: evenly spread bits from a counter, without a lock and the same in every run.
fn scramble(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hits(n: usize, choose: impl Fn(u64) -> usize) -> Vec<usize> {
        let mut hits = vec![0; n];
        (0..10_000).for_each(|turn| hits[choose(turn)] += 1);
        hits
    }

    #[test]
    fn of_two_choices_the_less_loaded_is_taken() {
        let load = [9.0, 0.0, 9.0, 9.0];
        for turn in 0..1000 {
            let bits = scramble(turn);
            let (a, picked) = ((bits as u32 as usize) % 4, better_of_two(bits, 4, |at| load[at]));
            assert!(load[picked] <= load[a]);
        }
    }

    #[test]
    fn two_choices_among_equals_reach_everybody_about_as_often() {
        let hits = hits(5, |turn| better_of_two(scramble(turn), 5, |_| 0.0));
        assert!(hits.iter().all(|n| (1_700..2_300).contains(n)), "{hits:?}");
    }

    #[test]
    fn one_instance_is_always_the_choice() {
        assert_eq!(better_of_two(scramble(3), 1, |_| 5.0), 0);
    }

    #[test]
    fn the_least_busy_is_taken_and_among_equals_each_in_turn() {
        assert_eq!(least(7, 4, |at| [3, 1, 0, 2][at]), 2);
        assert_eq!(hits(4, |turn| least(turn as usize, 4, |_| 1)), [2_500; 4]);
    }

    #[test]
    fn a_canary_of_weight_five_gets_five_of_a_hundred() {
        let hits = hits(3, |turn| by_weight(scramble(turn), 3, |at| [45, 5, 50][at]));
        assert!((430..570).contains(&hits[1]), "{hits:?}");
        assert!((4_300..4_700).contains(&hits[0]), "{hits:?}");
    }

    #[test]
    fn no_weight_is_no_call_unless_nobody_has_any() {
        assert_eq!(hits(2, |turn| by_weight(scramble(turn), 2, |at| [0, 7][at])), [0, 10_000]);
        let even = hits(2, |turn| by_weight(scramble(turn), 2, |_| 0));
        assert!((4_700..5_300).contains(&even[0]), "{even:?}");
    }

    proptest! {
        #[test]
        fn when_an_instance_goes_only_its_own_keys_move(key: u64, n in 2usize..32, gone in 0usize..32) {
            let names: Vec<_> = (0..n).map(|at| format!("products-{}", at + 1)).collect();
            let before = &names[highest(n, |at| rendezvous(key, &names[at]))];
            let left: Vec<_> = names.iter().enumerate().filter(|(at, _)| *at != gone % n).map(|(_, name)| name).collect();
            let after = left[highest(left.len(), |at| rendezvous(key, left[at]))];
            prop_assert!(after == before || *before == names[gone % n]);
        }
    }

    #[test]
    fn keys_are_spread_evenly() {
        let names = ["a", "b", "c", "d"];
        let hits = hits(4, |key| highest(4, |at| rendezvous(key, names[at])));
        assert!(hits.iter().all(|n| (2_300..2_700).contains(n)), "{hits:?}");
    }
}
