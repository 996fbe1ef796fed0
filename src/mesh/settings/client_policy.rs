//! How the calls of one caller to one service are guarded.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the calls of one caller to one service are guarded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientPolicySettings {
    /// When the circuit breaker opens, and for how long.
    pub breaker: BreakerSettings,
    /// The state that the breaker keeps whatever it counts; `null` if the counts decide.
    pub forced: Option<Forced>,
}

impl ClientPolicySettings {
    /// Gives the settings back if every field is within its bounds.
    ///
    /// # Errors
    /// A text that begins with the name of the first field that is out of bounds.
    pub fn checked(self) -> Result<Self, String> {
        self.breaker.checked().map_err(|message| format!("breaker.{message}"))?;
        Ok(self)
    }
}

/// When a circuit breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSettings {
    /// The breaker stays closed if fewer calls ended in the last ten seconds; from 1 to 10,000.
    pub least_calls: u32,
    /// The percentage of failed calls at which the breaker opens, from 1 to 100.
    pub failure_percent: u32,
    /// The percentage of slow calls at which the breaker opens, from 1 to 100.
    pub slow_percent: u32,
    /// A call is slow if it takes this many milliseconds, from 1 to 600,000.
    pub slow_after_ms: u64,
    /// Milliseconds that the breaker stays open, from 1 to 600,000.
    pub open_for_ms: u64,
    /// The number of calls that the breaker then lets through as probes, from 1 to 10,000. It
    /// closes when all of them succeed.
    pub probes: u32,
}

impl Default for BreakerSettings {
    /// Hystrix' defaults for failures; resilience4j's for slow calls and probes, made stricter.
    fn default() -> Self {
        Self {
            least_calls: 20,
            failure_percent: 50,
            slow_percent: 80,
            slow_after_ms: 5_000,
            open_for_ms: 5_000,
            probes: 3,
        }
    }
}

impl BreakerSettings {
    /// Gives the settings back if every field is within its bounds.
    ///
    /// # Errors
    /// A text that begins with the name of the first field that is out of bounds.
    pub fn checked(self) -> Result<Self, String> {
        let percents = [("failure_percent", self.failure_percent), ("slow_percent", self.slow_percent)];
        if let Some((name, _)) = percents.iter().find(|(_, percent)| !(1..=100).contains(percent)) {
            return Err(format!("{name} is from 1 to 100"));
        }
        let counts = [("least_calls", self.least_calls), ("probes", self.probes)];
        if let Some((name, _)) = counts.iter().find(|(_, count)| !(1..=10_000).contains(count)) {
            return Err(format!("{name} is from 1 to 10,000"));
        }
        let times = [("slow_after_ms", self.slow_after_ms), ("open_for_ms", self.open_for_ms)];
        match times.iter().find(|(_, time)| !(1..=600_000).contains(time)) {
            Some((name, _)) => Err(format!("{name} is from 1 to 600,000 (ten minutes)")),
            None => Ok(self),
        }
    }
}

/// The state in which an operator holds a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Forced {
    /// Every call is refused.
    Open,
    /// Every call is let through.
    Closed,
}
