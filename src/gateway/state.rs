//! The gateway's shared state: the mesh, the environment, the trusted hosts, and whether it drains.
#![deny(missing_docs, clippy::missing_docs_in_private_items)]

use crate::{env::Env, mesh::Mesh, telemetry::metrics::StorageReport, types::Network};
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// The state that all workers share, behind one `Arc`.
///
/// It knows no filter: what a filter keeps from one request to the next is in
/// [`super::filters::chain::FilterState`].
pub struct Gateway {
    /// The clock, the random numbers and the ids. A simulation puts its own in their place.
    pub env: Env,
    /// The services: all calls of handlers go through it.
    pub mesh: Mesh,
    /// The hosts, origins and proxies that are trusted. They can be changed while the gateway runs:
    /// each request reads the value that is in force when it needs one.
    pub trust: ArcSwap<Trust>,
    /// Whether the storage is healthy. The readiness probe and `/metrics` report it.
    pub storage_is_healthy: Box<dyn Fn() -> bool + Send + Sync>,
    /// The sizes and times of the storage, for `/metrics`.
    pub storage_report: Box<dyn Fn() -> StorageReport + Send + Sync>,
    /// Set by the first signal to stop. From then on new requests get 503.
    draining: AtomicBool,
    /// Wakes the streams that would otherwise stay open.
    closing: Notify,
}

/// The hosts, sites and proxies that the gateway trusts. The default trusts none beside localhost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Names that a `Host` header may have, beside IP addresses and `localhost`, without a port.
    /// They are compared without regard to case (RFC 9110 §4.2.3).
    pub hosts: Vec<String>,
    /// Origins of sites whose pages may use the API, such as `https://app.example` (RFC 6454 §6.2).
    /// They are compared byte by byte: there is no wildcard.
    pub origins: Vec<String>,
    /// Networks of proxies whose `X-Forwarded-For` and `Forwarded` (RFC 7239) are accepted.
    pub proxies: Vec<Network>,
}

impl Gateway {
    /// A gateway that is open: it drains only after [`Self::drain`].
    pub fn new(
        env: Env,
        mesh: Mesh,
        trust: Trust,
        storage_is_healthy: Box<dyn Fn() -> bool + Send + Sync>,
        storage_report: Box<dyn Fn() -> StorageReport + Send + Sync>,
    ) -> Self {
        Self {
            env,
            mesh,
            trust: ArcSwap::from_pointee(trust),
            storage_is_healthy,
            storage_report,
            draining: AtomicBool::new(false),
            closing: Notify::new(),
        }
    }

    /// Begins to drain, for good. New requests get 503 `shutting_down` with `Retry-After`; requests
    /// that are running go on; open streams are told to end. A second call changes nothing.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.closing.notify_waiters();
    }

    /// Whether [`Self::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Returns when the gateway begins to drain; at once if it drains already.
    pub async fn closing(&self) {
        let mut closing = std::pin::pin!(self.closing.notified());
        // Subscribe before reading the flag, so that no drain between the two is missed.
        closing.as_mut().enable();
        if !self.is_draining() {
            closing.await;
        }
    }
}
