//! What an operator can change about a route while the shop runs.
#![deny(missing_docs, clippy::missing_docs_in_private_items)]

use super::route::Route;
use crate::types::Text;
use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::ToSchema;

/// The current settings of a route, shared by all workers.
pub type LiveRoute = Arc<ArcSwap<RouteSettings>>;

/// How a route is served. Operators change it with `PATCH /api/v1/gateway/routes/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSettings {
    /// Whether the route is served. If not, every call gets `503` with the code `route_closed`.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The `detail` of the problem that callers get while the route is disabled.
    #[serde(default = "disabled_message")]
    pub message: Text<1, 200>,
    /// The time limit of one request in milliseconds, from 10 to 120,000; `null` for the one of the
    /// table.
    #[serde(default)]
    pub deadline_ms: Option<u64>,
    /// How long a cached response is fresh, in milliseconds, for routes that are cached. 0 turns
    /// the cache off; `null` stands for the time of the table.
    #[serde(default)]
    pub cache_ttl_ms: Option<u64>,
}

/// The default of `enabled`.
fn yes() -> bool {
    true
}

/// The default of `message`.
fn disabled_message() -> Text<1, 200> {
    "This is closed for the moment. Try again later.".parse().expect("the message is short plain text")
}

impl Default for RouteSettings {
    fn default() -> Self {
        Self { enabled: true, message: disabled_message(), deadline_ms: None, cache_ttl_ms: None }
    }
}

impl RouteSettings {
    /// The time limit of one request: the operator's, else the route's.
    pub fn deadline(&self, route: &Route) -> Duration {
        self.deadline_ms.map_or(route.deadline, Duration::from_millis)
    }

    /// The settings, if each value is within its bounds. `Err` is a sentence that begins with the
    /// name of the invalid field.
    pub fn checked(self) -> Result<Self, String> {
        match self.deadline_ms {
            Some(ms) if !(10..=120_000).contains(&ms) => Err("deadline_ms is from 10 to 120,000 (two minutes)".into()),
            _ => Ok(self),
        }
    }
}
