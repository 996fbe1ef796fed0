//! The door: the only way in. It routes, authenticates, authorizes, throttles, composes; it holds no business.
//!
//! Read `routes.rs` first: the API at a glance. A request goes through [`duties::DUTIES`] in the order of that list, then to its handler
//! under `api/`, which asks services by messages; on the way back the duties see the answer in reverse order.

mod answer;
mod api;
mod body;
mod buckets;
mod cache;
mod client;
pub mod controls;
pub mod cookies;
mod duties;
mod errors;
mod idempotency_store;
mod keys;
mod metrics;
mod openapi;
mod parameters;
mod places;
mod problem;
mod readers;
mod route;
pub mod routes;
mod server;
mod statics;
mod streams;
mod strict;
mod tls;
mod visit;
mod workers;

pub use crate::types::Class;
pub use idempotency_store::tables;
pub use route::{Access, CachePolicy, KeyUse, Route};
pub use server::{Door, DoorSettings, open};
pub use tls::{BadCertificate, Certificates};
pub use workers::Workers;

/// What the targets in `tests/fuzz/` are aimed at.
#[cfg(fuzzing)]
pub mod fuzzed {
    pub use super::{
        cache::Key,
        duties::conditional::{is_listed, is_matched, tag_of},
    };
}

use crate::{env::Env, mesh::Mesh, telemetry::metrics::StorageReport, types::Network};
use arc_swap::ArcSwap;
use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

/// What all workers of the door share.
pub struct Gateway {
    pub env: Env,
    pub mesh: Mesh,
    keys: keys::KeyRing,
    throttle: Arc<duties::throttling::Throttle>,
    streams: streams::Streams,
    controls: controls::Controls,
    cache: Arc<cache::Cache>,
    /// Signs the guest cart's cookie.
    cart_key: cookies::CartKey,
    fingerprint_key: duties::idempotency::FingerprintKey,
    idempotency: Arc<idempotency_store::IdempotencyStore>,
    trust: ArcSwap<Trust>,
    certificates: Option<Arc<Certificates>>,
    /// Whose word about a client's address is believed.
    places: Arc<places::Places>,
    readers: readers::Readers,
    in_flight: AtomicUsize,
    /// Set by the first signal to stop: no new requests.
    draining: AtomicBool,
    /// Wakes those who would wait on while the shop closes.
    closing: Notify,
    storage_is_healthy: Box<dyn Fn() -> bool + Send + Sync>,
    storage_report: Box<dyn Fn() -> StorageReport + Send + Sync>,
}

/// Whose word counts at the door: changed while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Trust that a `Host` header may have beside IP addresses and localhost.
    pub hosts: Vec<String>,
    /// Sites whose pages may use the API, such as `https://app.example`.
    pub origins: Vec<String>,
    /// Proxies that are believed who their clients are.
    pub proxies: Vec<Network>,
}

/// The API in the form that the field's tools read.
pub fn openapi_document() -> &'static str {
    &openapi::DOCUMENT
}

/// What every request goes through, from the outside in.
pub fn duty_names() -> impl Iterator<Item = &'static str> {
    duties::DUTIES.iter().map(|duty| duty.name())
}

/// How many requests are here at a time, those too that wait for their body; a further one is told to come back. How many are worked
/// on at a time, `places` says.
const MOST_IN_FLIGHT: usize = 2048;

impl Gateway {
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.closing.notify_waiters();
    }

    /// Returns when the shop begins to close.
    async fn closing(&self) {
        let mut told = std::pin::pin!(self.closing.notified());
        // In line before the look, so that nobody who drains in between is missed.
        told.as_mut().enable();
        if !self.is_draining() {
            told.await;
        }
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// A place among the requests that are worked on; `None` where there are too many.
    fn admit(self: &Arc<Self>) -> Option<InFlight> {
        let place = InFlight(self.clone());
        (self.in_flight.fetch_add(1, Ordering::AcqRel) < MOST_IN_FLIGHT).then_some(place)
    }

    /// Against DNS rebinding: a page of another name that resolves to this address must not be served as this shop.
    fn is_own_host(&self, host: &str) -> bool {
        let Some(name) = host_name(host) else { return false };
        name.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.trust.load().hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The name or address in `uri-host [ ":" port ]` (RFC 9110 §7.2); `None` for anything else.
fn host_name(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok())?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |digits: &str| digits.is_empty() || digits.parse::<u16>().is_ok() && !digits.starts_with('+');
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

/// Given back when the request is answered.
pub(crate) struct InFlight(Arc<Gateway>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_address_and_perhaps_a_port() {
        for (host, name) in [
            ("localhost", "localhost"),
            ("shop.example:", "shop.example"),
            ("shop.example:443", "shop.example"),
            ("[::1]", "::1"),
            ("[::1]:80", "::1"),
        ] {
            assert_eq!(host_name(host), Some(name));
        }
        for bad in ["[::1]evil.com", "localhost:evil.com", "localhost:80:80", "a:99999", "a:+1", "[::1", "[evil.com]"] {
            assert_eq!(host_name(bad), None, "{bad}");
        }
    }
}
