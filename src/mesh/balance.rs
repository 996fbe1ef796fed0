//! Picks an instance for a call: one function for each [`Strategy`].

use super::{RequestKind, instance::Instance, node, permit::Permit, settings::Strategy};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Picks instances for the calls to one service.
#[derive(Default)]
pub(super) struct Balancer {
    /// The number of picks so far: the turn of round robin, and the seed of random choices.
    turn: AtomicU64,
}

impl Balancer {
    /// Picks the instance that the strategy prefers, or another one if that has no free slot, and
    /// takes a slot there. `key` is asked only if the strategy needs it.
    ///
    /// `None` if no instance has a free slot.
    pub fn pick(
        &self,
        strategy: Strategy,
        available: Vec<&Arc<Instance>>,
        warm_up: Duration,
        kind: RequestKind,
        key: &dyn Fn() -> Option<u64>,
    ) -> Option<(Arc<Instance>, Permit)> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let key = if strategy == Strategy::ConsistentHash { key() } else { None };
        // A key stays with its instance, also while the instance warms up.
        let (candidates, held_back) = match key {
            Some(_) => (available, Vec::new()),
            None => hold_back_cold(available, warm_up, scramble(turn)),
        };
        let n = candidates.len();
        if n == 0 {
            return None;
        }
        let preferred = prefer(strategy, key, turn, &candidates);
        let in_order = (0..n).map(|step| candidates[(preferred + step) % n]);
        in_order.chain(held_back).find_map(|instance| Some((instance.clone(), instance.admit(kind)?)))
    }
}

/// Splits off instances that warm up, each with a probability by how cold it is. They get the call
/// only if the others have no free slot. If all are cold, all are candidates.
fn hold_back_cold(
    mut available: Vec<&Arc<Instance>>,
    warm_up: Duration,
    bits: u64,
) -> (Vec<&Arc<Instance>>, Vec<&Arc<Instance>>) {
    let is_warm = |at: usize, it: &Arc<Instance>| scramble(bits ^ at as u64) % 100 < it.warmth(warm_up);
    let mut at = 0;
    let held_back: Vec<_> = available
        .extract_if(.., |it| {
            at += 1;
            !is_warm(at, it)
        })
        .collect();
    if available.is_empty() { (held_back, available) } else { (available, held_back) }
}

/// The index of the preferred candidate. There is at least one candidate.
fn prefer(strategy: Strategy, key: Option<u64>, turn: u64, candidates: &[&Arc<Instance>]) -> usize {
    match (strategy, key) {
        (Strategy::RoundRobin, _) => round_robin(turn, candidates),
        (Strategy::Random, _) => random(turn, candidates),
        (Strategy::LeastInFlight, _) => least_in_flight(turn, candidates),
        (Strategy::ZoneAware, _) => zone_aware(turn, candidates),
        (Strategy::Weighted, _) => weighted(turn, candidates),
        (Strategy::ConsistentHash, Some(key)) => consistent_hash(key, candidates),
        (Strategy::PowerOfTwo | Strategy::ConsistentHash, _) => power_of_two(turn, candidates),
    }
}

fn round_robin(turn: u64, candidates: &[&Arc<Instance>]) -> usize {
    turn as usize % candidates.len()
}

fn random(turn: u64, candidates: &[&Arc<Instance>]) -> usize {
    scramble(turn) as usize % candidates.len()
}

fn least_in_flight(turn: u64, candidates: &[&Arc<Instance>]) -> usize {
    least(turn as usize, candidates.len(), |at| candidates[at].in_flight.load(Ordering::Relaxed))
}

fn power_of_two(turn: u64, candidates: &[&Arc<Instance>]) -> usize {
    let now = Instant::now();
    better_of_two(scramble(turn), candidates.len(), |at| expected_wait(candidates[at], now))
}

fn zone_aware(turn: u64, candidates: &[&Arc<Instance>]) -> usize {
    on_own_node(candidates).unwrap_or_else(|| power_of_two(turn, candidates))
}

fn consistent_hash(key: u64, candidates: &[&Arc<Instance>]) -> usize {
    highest(candidates.len(), |at| rendezvous(key, &candidates[at].name))
}

fn weighted(turn: u64, candidates: &[&Arc<Instance>]) -> usize {
    by_weight(scramble(turn), candidates.len(), |at| candidates[at].weight())
}

/// The instance on the caller's own node; `None` if it is much busier than another, or does not
/// exist.
fn on_own_node(candidates: &[&Arc<Instance>]) -> Option<usize> {
    let own = candidates.iter().position(|it| it.node.is_some() && it.node == node::current_node())?;
    let in_flight = |at: usize| candidates[at].in_flight.load(Ordering::Relaxed);
    let least = (0..candidates.len()).map(in_flight).min()?;
    (!is_much_busier(in_flight(own), least)).then_some(own)
}

/// A few more calls are accepted, because a call to another node has a cost, too.
fn is_much_busier(own: usize, least: usize) -> bool {
    own > 2 * least + 8
}

/// The seconds that a call would wait: calls in flight times the latency at the moment.
fn expected_wait(instance: &Instance, now: Instant) -> f64 {
    // No instance counts as faster than this. Otherwise all callers would run to a new instance
    // after its first answer.
    const FASTEST: f64 = 50e-6;
    instance.latency.seconds(now).max(FASTEST) * (instance.in_flight.load(Ordering::Relaxed) + 1) as f64
}

/// Draws two different indexes below `n` from random bits, and gives the one with the smaller load.
fn better_of_two(bits: u64, n: usize, load: impl Fn(usize) -> f64) -> usize {
    let a = (bits as u32 as usize) % n;
    if n == 1 {
        return a;
    }
    let b = (a + 1 + ((bits >> 32) as usize) % (n - 1)) % n;
    if load(b) < load(a) { b } else { a }
}

/// The index with the smallest load. Among equal loads it is the first from `turn` on, so that each
/// gets its turn.
fn least(turn: usize, n: usize, load: impl Fn(usize) -> usize) -> usize {
    (0..n).map(|step| (turn + step) % n).min_by_key(|at| load(*at)).unwrap_or_default()
}

/// An index drawn with a probability by its weight. If all weights are zero, all are equally
/// likely.
fn by_weight(bits: u64, n: usize, weight: impl Fn(usize) -> u64) -> usize {
    let sum: u64 = (0..n).map(&weight).sum();
    if sum == 0 {
        return bits as usize % n;
    }
    let mut rest = bits % sum;
    (0..n)
        .find(|at| {
            let is_drawn = rest < weight(*at);
            rest = rest.saturating_sub(weight(*at));
            is_drawn
        })
        .unwrap_or_default()
}

/// The index with the highest score.
fn highest(n: usize, score: impl Fn(usize) -> u64) -> usize {
    (0..n).max_by_key(|at| score(*at)).unwrap_or_default()
}

/// The score of an instance for a key.
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
    fn the_less_loaded_of_two_choices_is_taken() {
        let load = [9.0, 0.0, 9.0, 9.0];
        for turn in 0..1000 {
            let bits = scramble(turn);
            let (a, picked) = ((bits as u32 as usize) % 4, better_of_two(bits, 4, |at| load[at]));
            assert!(load[picked] <= load[a]);
        }
    }

    #[test]
    fn two_choices_among_equal_loads_reach_each_instance_about_as_often() {
        let hits = hits(5, |turn| better_of_two(scramble(turn), 5, |_| 0.0));
        assert!(hits.iter().all(|n| (1_700..2_300).contains(n)), "{hits:?}");
    }

    #[test]
    fn a_single_instance_is_always_taken() {
        assert_eq!(better_of_two(scramble(3), 1, |_| 5.0), 0);
    }

    #[test]
    fn the_least_busy_is_taken_and_equally_busy_ones_in_turn() {
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
    fn weight_zero_gets_no_call_unless_all_weights_are_zero() {
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
