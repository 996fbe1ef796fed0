//! The settings of a rate limit, as operators read and change them.

use crate::gateway::filters::rate_limit::policy::Rate;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// The rate limit of a class of requests, for each client: `quota` requests at once, and `quota`
/// more in each `window_seconds`. The header field `RateLimit-Policy` has the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Requests: 1 to 1,000,000.
    pub quota: u32,
    /// 1 to 86,400 (a day).
    pub window_seconds: u64,
    /// Milliseconds: 1 to 60,000. If responses take longer, the shop is overloaded, and admits
    /// fewer requests of the class at one time. `null` for a class whose response times are not
    /// measured.
    pub answered_within_ms: Option<u64>,
}

impl LimitSettings {
    /// The settings of this rate and this response time.
    pub fn of(rate: Rate, answered_within: Option<Duration>) -> Self {
        let answered_within_ms = answered_within.map(|within| within.as_millis() as u64);
        Self { quota: rate.burst().get(), window_seconds: rate.window_seconds(), answered_within_ms }
    }

    /// The response time. `Err` is a sentence that begins with the name of the invalid field.
    pub fn within(self) -> Result<Option<Duration>, String> {
        match self.answered_within_ms {
            Some(ms) if !(1..=60_000).contains(&ms) => Err("answered_within_ms must be from 1 to 60,000".into()),
            ms => Ok(ms.map(Duration::from_millis)),
        }
    }

    /// The rate. `Err` is a sentence that begins with the name of the invalid field.
    pub fn rate(self) -> Result<Rate, String> {
        if !(1..=1_000_000).contains(&self.quota) {
            return Err("quota must be from 1 to 1,000,000".into());
        }
        if !(1..=86_400).contains(&self.window_seconds) {
            return Err("window_seconds must be from 1 to 86,400 (a day)".into());
        }
        let rate = Rate::new(f64::from(self.quota) / self.window_seconds as f64, self.quota);
        rate.map_err(|_| "quota must allow at least one request an hour".into())
    }
}
