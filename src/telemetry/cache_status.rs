//! What the response cache did for a request, as `Cache-Status` (RFC 9211) says it.

use serde::{Serialize, Serializer};
use std::fmt;

/// What the response cache did. Displayed, it is the value of the `Cache-Status` field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// A stored response that is fresh for `ttl` more seconds.
    Fresh { ttl: u64 },
    /// A stored response that expired `past` seconds ago; the handler makes a new one meanwhile.
    Stale { past: u64 },
    /// The response that another request, under way at the same time, got from the handler.
    Collapsed(Forward),
    /// The handler's response, and whether it is stored now.
    Forwarded { why: Forward, stored: bool },
    /// A stored response, expired `past` seconds ago, in place of the handler's failure.
    StaleIfError { status: u16, past: u64 },
}

/// Why the cache asked the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// Nothing is stored.
    Miss,
    /// The stored response has expired.
    Stale,
    /// The client's `Cache-Control` asks for a new response.
    Request,
}

impl CacheStatus {
    /// The label of the metric `galleria_cache_requests_total`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Fresh { .. } | Self::Stale { .. } => "hit",
            Self::Collapsed(Forward::Stale)
            | Self::Forwarded { why: Forward::Stale, .. }
            | Self::StaleIfError { .. } => "stale",
            Self::Collapsed(_) => "collapsed",
            Self::Forwarded { .. } => "miss",
        }
    }
}

impl Forward {
    const fn name(self) -> &'static str {
        match self {
            Self::Miss => "fwd=miss",
            Self::Stale => "fwd=stale",
            Self::Request => "fwd=request",
        }
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh { ttl } => write!(f, "galleria; hit; ttl={ttl}"),
            Self::Stale { past } => write!(f, "galleria; hit; ttl=-{past}"),
            Self::Collapsed(why) => write!(f, "galleria; {}; collapsed", why.name()),
            Self::Forwarded { why, stored: true } => write!(f, "galleria; {}; stored", why.name()),
            Self::Forwarded { why, stored: false } => write!(f, "galleria; {}", why.name()),
            Self::StaleIfError { status, past } => {
                write!(f, "galleria; fwd=stale; fwd-status={status}; ttl=-{past}")
            }
        }
    }
}

impl Serialize for CacheStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
