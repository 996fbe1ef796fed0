//! How many instances a service should have by what it has in hand.

use super::pool::MOST_INSTANCES;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Bounds, and what an instance should have in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Autoscale {
    pub least: usize,
    pub most: usize,
    /// One more is started when an instance has more calls in flight than that, on the average of the second; one fewer is kept when
    /// the others would have less than half of it, for ten seconds.
    pub in_flight: u32,
}

/// How often it looks, and how often it counts the calls in between.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
pub(super) const SAMPLES: u32 = 20;

/// So many looks without need before one goes.
const PATIENCE: u32 = 10;

impl Autoscale {
    /// `Err` begins with the field that makes no sense.
    pub fn checked(self) -> Result<Self, String> {
        if !(1..=MOST_INSTANCES).contains(&self.least) {
            return Err(format!("autoscale.least is from 1 to {MOST_INSTANCES}"));
        }
        if !(self.least..=MOST_INSTANCES).contains(&self.most) {
            return Err(format!("autoscale.most is from autoscale.least to {MOST_INSTANCES}"));
        }
        if !(1..=100_000).contains(&self.in_flight) {
            return Err("autoscale.in_flight is from 1 to 100,000".into());
        }
        Ok(self)
    }
}

/// Looks each second.
#[derive(Debug, Default)]
pub(super) struct Autoscaler {
    /// Looks in a row that saw too little to do.
    idle: u32,
}

impl Autoscaler {
    /// How many there should be, where there are `count` now with so many calls in flight in all.
    pub fn decide(&mut self, bounds: &Autoscale, count: usize, in_flight: f64) -> usize {
        let enough = f64::from(bounds.in_flight);
        let one_fewer = count.saturating_sub(1).max(1);
        let is_idle = in_flight / (one_fewer as f64) < enough / 2.0;
        self.idle = if is_idle { self.idle + 1 } else { 0 };
        let wanted = if in_flight / (count.max(1) as f64) > enough {
            count + 1
        } else if self.idle >= PATIENCE {
            self.idle = 0;
            one_fewer
        } else {
            count
        };
        wanted.clamp(bounds.least, bounds.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Autoscale = Autoscale { least: 2, most: 4, in_flight: 10 };

    #[test]
    fn it_grows_one_a_look_up_to_the_bound() {
        let mut autoscaler = Autoscaler::default();
        let mut count = 2;
        let counts: Vec<_> = (0..4)
            .map(|_| {
                count = autoscaler.decide(&BOUNDS, count, 100.0);
                count
            })
            .collect();
        assert_eq!(counts, [3, 4, 4, 4]);
    }

    #[test]
    fn it_shrinks_after_ten_idle_looks_in_a_row_and_not_below_the_bound() {
        let mut autoscaler = Autoscaler::default();
        let idle = |autoscaler: &mut Autoscaler, count| {
            (0..10).map(|_| autoscaler.decide(&BOUNDS, count, 1.0)).collect::<Vec<_>>()
        };
        assert_eq!(idle(&mut autoscaler, 3), [3, 3, 3, 3, 3, 3, 3, 3, 3, 2]);
        assert_eq!(idle(&mut autoscaler, 2), [2; 10]);
        (0..9).for_each(|_| assert_eq!(autoscaler.decide(&BOUNDS, 4, 1.0), 4));
        assert_eq!(autoscaler.decide(&BOUNDS, 4, 30.0), 4, "a busy look starts the count anew");
        assert_eq!(autoscaler.decide(&BOUNDS, 4, 1.0), 4);
    }

    #[test]
    fn it_does_not_sway_between_two_counts_under_a_steady_load() {
        for load in 1..400 {
            let (mut autoscaler, mut count) = (Autoscaler::default(), 2);
            let counts: Vec<_> = (0..100)
                .map(|_| {
                    count = autoscaler.decide(&Autoscale { most: 32, ..BOUNDS }, count, f64::from(load));
                    count
                })
                .collect();
            assert!(counts[60..].windows(2).all(|pair| pair[0] == pair[1]), "{load}: {counts:?}");
        }
    }

    #[test]
    fn bounds_that_make_no_sense_are_refused() {
        assert!(BOUNDS.checked().is_ok());
        for bad in [
            Autoscale { least: 0, ..BOUNDS },
            Autoscale { least: 5, ..BOUNDS },
            Autoscale { most: 33, ..BOUNDS },
            Autoscale { in_flight: 0, ..BOUNDS },
        ] {
            assert!(bad.checked().is_err(), "{bad:?}");
        }
    }
}
