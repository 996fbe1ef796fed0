//! The server: opens the gateway, changes its settings while it runs, and closes it.

use super::{
    router::Router,
    tls::{BadCertificate, Certificates},
    workers::Workers,
};
use crate::{
    env::Env,
    gateway::{
        controls::{ControlStore, Controls},
        filters::{
            admission::{body_reads::BodyReads, concurrency_limit::ConcurrencyLimit},
            authentication::{cookies::CartKey, token_verifier::TokenVerifier},
            cache::store::ResponseCache,
            chain::FilterState,
            idempotency::{
                fingerprint::FingerprintKey,
                store::{self, IdempotencyStore},
            },
            rate_limit::{limiter::RateLimiter, policy::Throttling},
        },
        respond::CacheTag,
        routes::ROUTES,
        state::{Gateway, Trust},
    },
    mesh::{Context, Mesh, MeshError, TraceId},
    services::{
        orders::messages::{OrderCancelled, OrderRejected},
        products::messages::ProductChanged,
    },
    storage::Tree,
    telemetry::metrics::StorageReport,
    types::{Principal, Service},
};
use actix_web::dev::ServerHandle;
use std::{
    future::Future,
    io,
    sync::{Arc, Weak},
    time::Duration,
};

/// What the gateway needs to open.
pub struct GatewaySettings {
    /// The threads, which wait for the router.
    pub workers: Workers,
    /// The rate of each class.
    pub throttling: Throttling,
    /// The trusted hosts, origins and proxies.
    pub trust: Trust,
    /// The certificate for TLS; without one, the workers speak plain HTTP.
    pub certificates: Option<Arc<Certificates>>,
    /// A secret that is stored in the data folder. The gateway derives its keys from it.
    pub secret: [u8; 32],
    /// Keeps what an operator has changed.
    pub control_store: Box<dyn ControlStore>,
    /// The gateway's own tree, for the responses of idempotency keys.
    pub tree: Tree,
    /// See [`Gateway::storage_is_healthy`].
    pub storage_is_healthy: Box<dyn Fn() -> bool + Send + Sync>,
    /// See [`Gateway::storage_report`].
    pub storage_report: Box<dyn Fn() -> StorageReport + Send + Sync>,
}

/// The running server.
pub struct HttpServer {
    router: Arc<Router>,
    certificates: Option<Arc<Certificates>>,
    handle: ServerHandle,
}

/// How long the requests in flight have to finish.
const DRAIN: Duration = Duration::from_secs(30);
/// How long new requests still get 503 before connections are refused: probes see that the shop is
/// closing.
const NOTICE: Duration = Duration::from_millis(250);
/// How often the keys of access tokens are read again.
const LEARN_KEYS_EVERY: Duration = Duration::from_secs(5 * 60);

/// Opens the gateway: it reads the keys of access tokens, restores what an operator has changed,
/// and begins to serve. The future runs until the server is closed. `Err` if what an operator has
/// changed cannot be read.
pub async fn open(
    settings: GatewaySettings,
    env: Env,
    mesh: Mesh,
) -> io::Result<(HttpServer, impl Future<Output = io::Result<()>> + use<>)> {
    let (router, workers, certificates) = assemble(settings, env, mesh);
    learn_keys(&router.gateway, &router.filters.verifier).await;
    purge_on_events(&router.gateway.mesh, &router.filters.cache);
    router.controls.restore().await.map_err(io::Error::other)?;
    let swept = Arc::downgrade(&router.filters.idempotency);
    actix_web::rt::spawn(store::keep_swept(swept, router.gateway.env.clone()));
    actix_web::rt::spawn(keep_learning_keys(Arc::downgrade(&router)));
    let (handle, serving) = workers.serve(router.clone());
    Ok((HttpServer { router, certificates, handle }, serving))
}

/// Makes the state of the gateway from its settings; nothing runs yet.
fn assemble(settings: GatewaySettings, env: Env, mesh: Mesh) -> (Arc<Router>, Workers, Option<Arc<Certificates>>) {
    let GatewaySettings { workers, throttling, trust, certificates, secret, control_store, tree, .. } = settings;
    let limiter = Arc::new(RateLimiter::new(&throttling));
    let concurrency = Arc::<ConcurrencyLimit>::default();
    let controls = Controls::new(control_store, mesh.clone(), limiter.clone(), concurrency.clone(), ROUTES);
    let filters = FilterState {
        // Not with a self-signed certificate: with HSTS a browser does not let its user past the
        // warning.
        uses_hsts: certificates.as_ref().is_some_and(|certificates| certificates.is_lasting()),
        in_flight: Arc::default(),
        body_reads: BodyReads::default(),
        concurrency,
        verifier: Arc::new(TokenVerifier::new(env.clone())),
        limiter,
        fingerprint_key: Arc::new(FingerprintKey::derived_from(&secret)),
        idempotency: Arc::new(IdempotencyStore::new(&tree)),
        cache: Arc::default(),
    };
    let (is_healthy, report) = (settings.storage_is_healthy, settings.storage_report);
    let router = Router {
        gateway: Arc::new(Gateway::new(env, mesh, trust, is_healthy, report)),
        filters: Arc::new(filters),
        controls: Arc::new(controls),
        open_streams: Arc::default(),
        cart_key: Arc::new(CartKey::new(secret, certificates.is_some())),
    };
    (Arc::new(router), workers, certificates)
}

/// Purges stored responses when a service changes something by itself: a reservation expires, a
/// saga goes on.
fn purge_on_events(mesh: &Mesh, cache: &Arc<ResponseCache>) {
    let labels = cache.clone();
    mesh.listen(move |_: &OrderCancelled| labels.purge([CacheTag::Labels]));
    let labels = cache.clone();
    mesh.listen(move |_: &OrderRejected| labels.purge([CacheTag::Labels]));
    let cache = cache.clone();
    mesh.listen(move |changed: &ProductChanged| {
        cache.purge([CacheTag::Product(changed.product_id), CacheTag::Catalogue]);
    });
}

async fn learn_keys(gateway: &Gateway, verifier: &TokenVerifier) {
    let context = Context::new(Principal::System, Duration::from_secs(10), TraceId(gateway.env.bytes()));
    verifier.learn(&gateway.mesh, &context).await;
}

/// Reads the keys every five minutes. A new key is published long before it signs, so the gateway
/// knows it before the first token with it.
async fn keep_learning_keys(router: Weak<Router>) {
    loop {
        tokio::time::sleep(LEARN_KEYS_EVERY).await;
        let Some(router) = router.upgrade() else { return };
        learn_keys(&router.gateway, &router.filters.verifier).await;
    }
}

impl HttpServer {
    /// Takes over new settings. What an operator has changed while the shop runs stays changed. An
    /// error goes to the log.
    pub async fn change(&self, trust: Trust, throttling: &Throttling, instances: impl Fn(Service) -> usize) {
        let Router { gateway, filters, controls, .. } = &*self.router;
        gateway.trust.store(Arc::new(trust));
        filters.limiter.change(throttling);
        let in_force = async {
            controls.restore().await?;
            for service in Service::ALL {
                controls.set_default_count(service, instances(service)).await?;
            }
            Ok::<_, MeshError>(())
        };
        if let Err(error) = in_force.await {
            log::error!("the changes of operators are not in force: {error}");
        }
    }

    /// Reads the certificate's files again, if it comes from files. After an error the old one
    /// stays in use.
    pub fn reload_certificates(&self) -> Result<(), BadCertificate> {
        self.certificates.as_ref().map_or(Ok(()), |certificates| certificates.reload())
    }

    /// The fingerprint of the certificate; `None` for a server without TLS.
    pub fn fingerprint(&self) -> Option<String> {
        self.certificates.as_ref().map(|certificates| certificates.fingerprint())
    }

    /// Closes the server. New requests get 503; those in flight have 30 seconds to finish; then the
    /// services end, and the workers with them.
    pub async fn close(&self) {
        let Router { gateway, filters, .. } = &*self.router;
        gateway.drain();
        let begun = tokio::time::Instant::now();
        tokio::time::sleep(NOTICE).await;
        while filters.in_flight.count() > 0 && begun.elapsed() < DRAIN {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The services end before the workers. Otherwise a supervisor would restart an instance
        // that ended with its thread.
        gateway.mesh.stop();
        self.handle.stop(true).await;
    }
}
