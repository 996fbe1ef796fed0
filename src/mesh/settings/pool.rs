//! How the instances of one service are run, balanced, ejected and counted.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use utoipa::ToSchema;

/// The largest number of instances that one service can have.
pub const MOST_INSTANCES: usize = 32;

/// How a service's instances are run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PoolSettings {
    /// How calls are spread over the instances.
    pub strategy: Strategy,
    /// The number of instances, from 1 to [`MOST_INSTANCES`].
    pub count: usize,
    /// Changes `count` with the load; `null` if `count` stays as it is set.
    pub autoscale: Option<Autoscale>,
    /// When an instance whose calls fail is ejected.
    pub outlier: OutlierSettings,
    /// Milliseconds until a new instance gets its full share of the calls; at most 600,000.
    pub warm_up_ms: u64,
    /// Settings of single instances, by the instances' names. An instance that is not listed has
    /// the default settings.
    pub instances: BTreeMap<String, InstanceSettings>,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            count: 2,
            autoscale: None,
            outlier: OutlierSettings::default(),
            warm_up_ms: 10_000,
            instances: BTreeMap::new(),
        }
    }
}

impl PoolSettings {
    /// Gives the settings back if every field is within its bounds.
    ///
    /// # Errors
    /// A text that begins with the name of the first field that is out of bounds.
    pub fn checked(self) -> Result<Self, String> {
        if !(1..=MOST_INSTANCES).contains(&self.count) {
            return Err(format!("count is from 1 to {MOST_INSTANCES}"));
        }
        if self.warm_up_ms > 600_000 {
            return Err("warm_up_ms is at most 600,000 (ten minutes)".into());
        }
        if self.instances.len() > MOST_INSTANCES {
            return Err(format!("instances names at most {MOST_INSTANCES}"));
        }
        self.outlier.checked().map_err(|message| format!("outlier.{message}"))?;
        self.autoscale.map(Autoscale::checked).transpose()?;
        for (name, settings) in &self.instances {
            settings.checked().map_err(|message| format!("instances.{name}.{message}"))?;
        }
        Ok(self)
    }

    pub(in crate::mesh) fn of_instance(&self, name: &str) -> InstanceSettings {
        self.instances.get(name).copied().unwrap_or_default()
    }

    pub(in crate::mesh) fn warm_up(&self) -> Duration {
        Duration::from_millis(self.warm_up_ms)
    }
}

/// How calls are spread over a service's instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Each instance in turn.
    RoundRobin,
    /// An instance drawn at random.
    Random,
    /// The instance with the fewest calls in flight.
    LeastInFlight,
    /// Draws two instances at random and takes the one with the smaller expected wait, which is its
    /// latency times its calls in flight (Mitzenmacher, "The Power of Two Choices in Randomized
    /// Load Balancing", 2001). The spread is nearly as even as with a look at all instances, and
    /// callers do not all run to the same one.
    PowerOfTwo,
    /// The instance on the caller's own node, unless that instance is much busier than another.
    /// Otherwise, and for callers outside the nodes, power of two. A call on one node wakes no
    /// other thread (compare Envoy's zone aware routing and Kubernetes' topology aware routing).
    #[default]
    ZoneAware,
    /// The same instance for the same key of the request (rendezvous hashing: Thaler & Ravishankar,
    /// 1998). When an instance comes or goes, only its own keys move. Requests without a key are
    /// spread by power of two.
    ConsistentHash,
    /// By the instances' weights: a canary of weight 5 beside a weight of 95 gets five calls of a
    /// hundred.
    Weighted,
}

impl Strategy {
    /// Every strategy.
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

/// Between which bounds the number of instances follows the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Autoscale {
    /// The smallest number of instances, from 1.
    pub least: usize,
    /// The largest number of instances, from `least` to [`MOST_INSTANCES`].
    pub most: usize,
    /// Calls in flight that one instance should have, from 1 to 100,000. An instance is started
    /// when the average of a second is higher. An instance is stopped when the remaining ones would
    /// have had less than half of it for ten seconds.
    pub in_flight: u32,
}

impl Autoscale {
    /// Gives the settings back if every field is within its bounds.
    ///
    /// # Errors
    /// A text that begins with the name of the first field that is out of bounds.
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

/// The settings of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InstanceSettings {
    /// Its share of the calls with the strategy `weighted`, relative to the other instances'
    /// weights; from 0 to 10,000. A canary gets a small weight.
    pub weight: u64,
    /// The most calls that it has in flight, from 1 to 100,000. A further call goes to another
    /// instance, or fails with [`MeshError::Overloaded`](crate::mesh::MeshError::Overloaded).
    pub capacity: usize,
    /// Whether it gets no new calls.
    pub draining: bool,
}

impl Default for InstanceSettings {
    fn default() -> Self {
        Self { weight: 100, capacity: 256, draining: false }
    }
}

impl InstanceSettings {
    /// Gives the settings back if every field is within its bounds.
    ///
    /// # Errors
    /// A text that begins with the name of the first field that is out of bounds.
    pub fn checked(self) -> Result<Self, String> {
        match self {
            Self { weight: 10_001.., .. } => Err("weight is from 0 to 10,000".into()),
            Self { capacity: 0 | 100_001.., .. } => Err("capacity is from 1 to 100,000".into()),
            settings => Ok(settings),
        }
    }
}

/// When an instance is ejected, and for how long (Envoy's outlier detection).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OutlierSettings {
    /// The number of failures in a row after which an instance is ejected; 0 for never.
    pub failures: u32,
    /// Milliseconds of the first ejection, from 1 to 3,600,000. The n-th ejection takes n times as
    /// long.
    pub base_ms: u64,
    /// Milliseconds of the longest ejection, from `base_ms` to 3,600,000.
    pub most_ms: u64,
}

impl Default for OutlierSettings {
    fn default() -> Self {
        Self { failures: 5, base_ms: 30_000, most_ms: 300_000 }
    }
}

impl OutlierSettings {
    /// Gives the settings back if every field is within its bounds.
    ///
    /// # Errors
    /// A text that begins with the name of the first field that is out of bounds.
    pub fn checked(self) -> Result<Self, String> {
        match self {
            Self { base_ms: 0 | 3_600_001.., .. } => Err("base_ms is from 1 to 3,600,000 (an hour)".into()),
            Self { base_ms, most_ms, .. } if most_ms < base_ms || most_ms > 3_600_000 => {
                Err("most_ms is from base_ms to 3,600,000 (an hour)".into())
            }
            settings => Ok(settings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AUTOSCALE: Autoscale = Autoscale { least: 2, most: 4, in_flight: 10 };

    proptest! {
        #[test]
        fn instance_settings_out_of_bounds_are_refused(weight in 0u64..20_000, capacity in 0usize..200_000) {
            let checked = InstanceSettings { weight, capacity, draining: false }.checked();
            prop_assert_eq!(checked.is_ok(), weight <= 10_000 && (1..=100_000).contains(&capacity));
        }
    }

    #[test]
    fn autoscale_settings_out_of_bounds_are_refused() {
        assert!(AUTOSCALE.checked().is_ok());
        for bad in [
            Autoscale { least: 0, ..AUTOSCALE },
            Autoscale { least: 5, ..AUTOSCALE },
            Autoscale { most: 33, ..AUTOSCALE },
            Autoscale { in_flight: 0, ..AUTOSCALE },
        ] {
            assert!(bad.checked().is_err(), "{bad:?}");
        }
    }
}
