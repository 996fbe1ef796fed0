//! Whom to pick among the instances that are ready.

use super::{Kind, permit::Permit, registry::Instance};
use serde::{Deserialize, Serialize};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How calls are spread over a service's instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Each in turn.
    RoundRobin,
    /// Of two drawn at random the one with fewer calls in flight (Mitzenmacher, "The Power of Two Choices", 2001):
    /// nearly as even as asking all, and no herd runs to the same one.
    PowerOfTwo,
}

/// Picks, and remembers where it was.
pub(super) struct Balancer {
    turn: AtomicU64,
}

impl Balancer {
    pub fn new() -> Self {
        Self { turn: AtomicU64::new(0) }
    }

    /// The instance that the strategy prefers, or else any that still takes a call, and the call's place in it.
    pub fn pick(&self, strategy: Strategy, ready: &[&Arc<Instance>], kind: Kind) -> Option<(Arc<Instance>, Permit)> {
        let n = ready.len();
        if n == 0 {
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = match strategy {
            Strategy::RoundRobin => turn as usize % n,
            Strategy::PowerOfTwo => better_of_two(scramble(turn), n, |at| ready[at].in_flight.load(Ordering::Relaxed)),
        };
        (0..n)
            .map(|step| ready[(first + step) % n])
            .find_map(|instance| Some((instance.clone(), instance.admit(kind)?)))
    }
}

/// Draws two different places out of `n` from random bits, and gives the one with the smaller load.
fn better_of_two(bits: u64, n: usize, load: impl Fn(usize) -> usize) -> usize {
    let a = (bits as u32 as usize) % n;
    if n == 1 {
        return a;
    }
    let b = (a + 1 + ((bits >> 32) as usize) % (n - 1)) % n;
    if load(b) < load(a) { b } else { a }
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

    #[test]
    fn of_two_choices_the_less_loaded_is_taken() {
        let load = [9, 0, 9, 9];
        for turn in 0..1000 {
            let bits = scramble(turn);
            let (a, picked) = ((bits as u32 as usize) % 4, better_of_two(bits, 4, |at| load[at]));
            assert!(load[picked] <= load[a]);
        }
    }

    #[test]
    fn two_choices_among_equals_reach_everybody_about_as_often() {
        let mut hits = [0; 5];
        (0..10_000).for_each(|turn| hits[better_of_two(scramble(turn), 5, |_| 0)] += 1);
        assert!(hits.iter().all(|n| (1_700..2_300).contains(n)), "{hits:?}");
    }

    #[test]
    fn one_instance_is_always_the_choice() {
        assert_eq!(better_of_two(scramble(3), 1, |_| 5), 0);
    }
}
