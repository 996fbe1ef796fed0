//! What all filters and handlers share: the mesh, the environment, whom the gateway trusts, and whether it is draining.

use crate::{env::Env, mesh::Mesh, telemetry::metrics::StorageReport, types::Network};
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// The state that all workers share. It knows no filter: what a filter keeps, the filter owns.
pub struct Gateway {
    pub env: Env,
    pub mesh: Mesh,
    /// Can be changed while the gateway runs.
    pub trust: ArcSwap<Trust>,
    pub storage_is_healthy: Box<dyn Fn() -> bool + Send + Sync>,
    pub storage_report: Box<dyn Fn() -> StorageReport + Send + Sync>,
    /// Set by the first signal to stop. From then on new requests get 503.
    draining: AtomicBool,
    /// Wakes the streams that would otherwise stay open.
    closing: Notify,
}

/// The hosts, sites and proxies that the gateway trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Names that a `Host` header may have beside IP addresses and localhost.
    pub hosts: Vec<String>,
    /// Sites whose pages may use the API, such as `https://app.example`.
    pub origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` and `Forwarded` are believed.
    pub proxies: Vec<Network>,
}

impl Gateway {
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

    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.closing.notify_waiters();
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Returns when the gateway begins to drain.
    pub async fn closing(&self) {
        let mut closing = std::pin::pin!(self.closing.notified());
        // Subscribe before reading the flag, so that no drain between the two is missed.
        closing.as_mut().enable();
        if !self.is_draining() {
            closing.await;
        }
    }
}
