//! Decides how many instances a service should have, by its calls in flight.

use super::settings::Autoscale;
use std::time::Duration;

/// The time between two decisions.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// How often the calls in flight are counted within an interval. The decision uses the average.
pub(super) const SAMPLES: u32 = 20;

/// The number of idle intervals in a row after which an instance is stopped.
const IDLE_INTERVALS: u32 = 10;

/// Decides once an interval.
#[derive(Debug, Default)]
pub(super) struct Autoscaler {
    /// Idle intervals in a row.
    idle: u32,
}

impl Autoscaler {
    /// The number of instances that a service should have. It has `count` instances now, with
    /// `in_flight` calls in flight in all.
    pub fn decide(&mut self, bounds: &Autoscale, count: usize, in_flight: f64) -> usize {
        let enough = f64::from(bounds.in_flight);
        let one_fewer = count.saturating_sub(1).max(1);
        let is_idle = in_flight / (one_fewer as f64) < enough / 2.0;
        self.idle = if is_idle { self.idle + 1 } else { 0 };
        let wanted = if in_flight / (count.max(1) as f64) > enough {
            count + 1
        } else if self.idle >= IDLE_INTERVALS {
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
    fn it_grows_by_one_an_interval_up_to_the_bound() {
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
    fn it_shrinks_after_ten_idle_intervals_in_a_row_and_not_below_the_bound() {
        let mut autoscaler = Autoscaler::default();
        let idle = |autoscaler: &mut Autoscaler, count| {
            (0..10).map(|_| autoscaler.decide(&BOUNDS, count, 1.0)).collect::<Vec<_>>()
        };
        assert_eq!(idle(&mut autoscaler, 3), [3, 3, 3, 3, 3, 3, 3, 3, 3, 2]);
        assert_eq!(idle(&mut autoscaler, 2), [2; 10]);
        (0..9).for_each(|_| assert_eq!(autoscaler.decide(&BOUNDS, 4, 1.0), 4));
        assert_eq!(autoscaler.decide(&BOUNDS, 4, 30.0), 4, "a busy interval resets the count");
        assert_eq!(autoscaler.decide(&BOUNDS, 4, 1.0), 4);
    }

    #[test]
    fn it_does_not_alternate_between_two_counts_under_a_steady_load() {
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
}
