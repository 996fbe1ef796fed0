//! The settings of a rate limit, as operators read and change them.

use crate::gateway::filters::rate_limit::policy::Rate;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// How often a client may send requests of a class: `quota` at once, and as many again in `window_seconds`.
/// The numbers are those of the `RateLimit-Policy` field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    pub quota: u32,
    pub window_seconds: u64,
    /// If more responses take longer, the shop is overloaded, and admits fewer requests of the class at one time.
    /// `null` for a class whose times are not measured.
    pub answered_within_ms: Option<u64>,
}

impl LimitSettings {
    pub fn of(rate: Rate, answered_within: Option<Duration>) -> Self {
        let answered_within_ms = answered_within.map(|within| within.as_millis() as u64);
        Self { quota: rate.burst().get(), window_seconds: rate.window_seconds(), answered_within_ms }
    }

    pub fn within(self) -> Result<Option<Duration>, String> {
        match self.answered_within_ms {
            Some(ms) if !(1..=60_000).contains(&ms) => Err("answered_within_ms is from 1 to 60,000".into()),
            ms => Ok(ms.map(Duration::from_millis)),
        }
    }

    /// `Err` is a sentence that begins with the name of the invalid field.
    pub fn rate(self) -> Result<Rate, String> {
        if !(1..=1_000_000).contains(&self.quota) {
            return Err("quota is from 1 to 1,000,000".into());
        }
        if !(1..=86_400).contains(&self.window_seconds) {
            return Err("window_seconds is from 1 to 86,400 (a day)".into());
        }
        let rate = Rate::new(f64::from(self.quota) / self.window_seconds as f64, self.quota);
        rate.map_err(|_| "quota is at least one an hour".into())
    }
}
