//! Opens the door: actix-web, with the router made from the route table. On which threads, see `workers.rs`.

use super::{
    Access, BadCertificate, CachePolicy, Certificates, Class, Gateway, KeyUse, Route, Trust,
    cache::Tag,
    controls::{Controls, LiveRoute, Shelf},
    cookies::CartKey,
    duties::{self, idempotency::FingerprintKey, throttling::Throttle},
    idempotency_store::{self, IdempotencyStore},
    keys::KeyRing,
    parameters::{Signature, Takes},
    places::Places,
    problem::Problem,
    route::Handler,
    routes::ROUTES,
    statics,
    workers::Workers,
};
use crate::{
    env::Env,
    mesh::{Context, Mesh, MeshError, TraceId},
    services::{
        orders::messages::{OrderCancelled, OrderRejected},
        products::messages::ProductChanged,
    },
    storage::Tree,
    telemetry::metrics::StorageReport,
    types::{Principal, Service, Throttling},
};
use actix_web::{
    App, Resource,
    dev::{ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse},
    guard,
    http::{Method, StatusCode},
    middleware::from_fn,
    web,
};
use arc_swap::ArcSwap;
use std::{
    future::Future,
    io,
    sync::{Arc, Weak, atomic::AtomicBool},
    time::Duration,
};

/// What the door is told when it is opened.
pub struct DoorSettings {
    pub workers: Workers,
    pub throttling: Throttling,
    pub trust: Trust,
    /// What TLS is spoken with; without, the workers speak plain HTTP.
    pub certificates: Option<Arc<Certificates>>,
    /// Kept in the data folder; the door derives its keys from it.
    pub secret: [u8; 32],
    /// The gateway's own tree, for the answers of idempotency keys.
    pub tree: Tree,
    /// Where what an operator changes is kept.
    pub shelf: Box<dyn Shelf>,
    pub storage_is_healthy: Box<dyn Fn() -> bool + Send + Sync>,
    pub storage_report: Box<dyn Fn() -> StorageReport + Send + Sync>,
}

/// The open door.
pub struct Door {
    pub gateway: Arc<Gateway>,
    handle: ServerHandle,
}

/// How long those in flight have to finish.
const DRAIN: Duration = Duration::from_secs(30);
/// So long the probes can see that the shop is closing before connections are refused.
const NOTICE: Duration = Duration::from_millis(250);

/// Opens the door. The second part runs until the door is closed.
pub async fn open(
    settings: DoorSettings,
    env: Env,
    mesh: Mesh,
) -> io::Result<(Door, impl Future<Output = io::Result<()>> + use<>)> {
    let throttle = Arc::new(Throttle::new(&settings.throttling));
    let places = Arc::<Places>::default();
    let gateway = Arc::new(Gateway {
        keys: KeyRing::new(env.clone()),
        throttle: throttle.clone(),
        streams: Default::default(),
        cache: Default::default(),
        controls: Controls::new(settings.shelf, mesh.clone(), throttle, places.clone()),
        cart_key: CartKey::new(settings.secret, settings.certificates.is_some()),
        fingerprint_key: FingerprintKey::derived_from(&settings.secret),
        idempotency: Arc::new(IdempotencyStore::new(&settings.tree)),
        trust: ArcSwap::from_pointee(settings.trust),
        certificates: settings.certificates.clone(),
        places,
        readers: Default::default(),
        in_flight: Default::default(),
        draining: AtomicBool::new(false),
        closing: Default::default(),
        storage_is_healthy: settings.storage_is_healthy,
        storage_report: settings.storage_report,
        env,
        mesh,
    });
    let context = Context::new(Principal::System, Duration::from_secs(10), TraceId(gateway.env.bytes()));
    gateway.keys.learn(&gateway.mesh, &context).await;
    let cache = gateway.cache.clone();
    gateway.mesh.listen(move |_: &OrderCancelled| cache.purge(Tag::Labels));
    let cache = gateway.cache.clone();
    gateway.mesh.listen(move |_: &OrderRejected| cache.purge(Tag::Labels));
    let cache = gateway.cache.clone();
    // What changes without anybody at the door having asked for it: a reservation that expires, a saga that goes on.
    gateway.mesh.listen(move |changed: &ProductChanged| {
        cache.purge(Tag::Product(changed.product_id));
        cache.purge(Tag::Catalogue);
    });
    gateway.controls.restore().await.map_err(io::Error::other)?;

    actix_web::rt::spawn(learn_keys(Arc::downgrade(&gateway)));
    actix_web::rt::spawn(idempotency_store::keep_swept(Arc::downgrade(&gateway.idempotency), gateway.env.clone()));

    let (handle, serving) = settings.workers.serve(gateway.clone());
    Ok((Door { gateway, handle }, serving))
}

/// Reads the keys again and again: a new one is published long before it signs, so that no good token meets a door that does not know
/// its key, whatever others send meanwhile.
async fn learn_keys(gateway: Weak<Gateway>) {
    loop {
        tokio::time::sleep(LEARN_KEYS_EVERY).await;
        let Some(gateway) = gateway.upgrade() else { return };
        let context = Context::new(Principal::System, Duration::from_secs(10), TraceId(gateway.env.bytes()));
        gateway.keys.learn(&gateway.mesh, &context).await;
    }
}

const LEARN_KEYS_EVERY: Duration = Duration::from_secs(5 * 60);

impl Door {
    /// Goes by other settings from now on. What an operator has changed while the shop runs stays changed.
    pub async fn change(&self, trust: Trust, throttling: &Throttling, instances: impl Fn(Service) -> usize) {
        let Gateway { controls, throttle, .. } = &*self.gateway;
        self.gateway.trust.store(Arc::new(trust));
        throttle.change(throttling);
        let in_force = async {
            controls.restore().await?;
            for service in Service::ALL {
                controls.set_default_count(service, instances(service)).await?;
            }
            Ok::<_, MeshError>(())
        };
        if let Err(error) = in_force.await {
            log::error!("what operators changed is not in force: {error}");
        }
    }

    /// Reads the certificate's files again, where it comes from files.
    pub fn reload_certificates(&self) -> Result<(), BadCertificate> {
        self.gateway.certificates.as_ref().map_or(Ok(()), |certificates| certificates.reload())
    }

    /// Of the certificate; `None` where the door speaks plain HTTP.
    pub fn fingerprint(&self) -> Option<String> {
        self.gateway.certificates.as_ref().map(|certificates| certificates.fingerprint())
    }

    /// No new requests; those in flight finish, within 30 seconds at most; then the services end, and the workers with them.
    pub async fn close(&self) {
        self.gateway.drain();
        let begun = tokio::time::Instant::now();
        tokio::time::sleep(NOTICE).await;
        while self.gateway.in_flight() > 0 && begun.elapsed() < DRAIN {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // First, so that nobody begins anew what ends with its thread.
        self.gateway.mesh.stop();
        self.handle.stop(true).await;
    }
}

/// What each worker serves.
pub(super) fn app(
    gateway: &Arc<Gateway>,
) -> App<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse, Error = actix_web::Error, InitError = ()>
    + use<>,
> {
    App::new().configure(|app| route_all(app, gateway)).default_service(fallback(gateway))
}

/// One resource for each path, so that a wrong method is told which ones are right.
fn route_all(app: &mut web::ServiceConfig, gateway: &Arc<Gateway>) {
    let mut paths: Vec<&'static str> = Vec::new();
    for route in ROUTES {
        if !paths.contains(&route.path) {
            paths.push(route.path);
        }
    }
    for path in paths {
        app.service(resource(path, gateway));
    }
}

fn resource(path: &'static str, gateway: &Arc<Gateway>) -> Resource {
    let rows = || ROUTES.iter().filter(move |route| route.path == path);
    let mut resource = web::resource(path);
    for route in rows() {
        // Whoever may GET may ask for the head of it.
        let method = match route.method {
            Method::GET => guard::Any(guard::Get()).or(guard::Head()),
            _ => guard::Any(guard::Method(route.method.clone())),
        };
        resource = resource.route(behind_duties((route.handler.route)().guard(method), route, gateway));
    }
    let mut allowed: Vec<&str> = rows().map(|route| route.method.as_str()).collect();
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    let allowed = allowed.join(", ");
    let refuse = web::to(move || {
        let problem =
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("Here you can {allowed}."));
        std::future::ready(Err::<actix_web::HttpResponse, _>(problem.with_header("Allow", allowed.clone())))
    });
    resource.default_service(behind_duties(refuse, &REFUSED, gateway))
}

fn fallback(gateway: &Arc<Gateway>) -> actix_web::Route {
    behind_duties(web::to(statics::serve), &FILES, gateway)
}

fn behind_duties(handler: actix_web::Route, route: &'static Route, gateway: &Arc<Gateway>) -> actix_web::Route {
    let (gateway, live): (_, LiveRoute) = (gateway.clone(), gateway.controls.live(route));
    handler.wrap(from_fn(move |request, next| duties::pass(gateway.clone(), route, live.load_full(), request, next)))
}

/// The files of the shop, and all that is nowhere.
static FILES: Route = internal("(files)");
/// A wrong method.
static REFUSED: Route = internal("(refused)");

const fn internal(path: &'static str) -> Route {
    Route {
        method: Method::GET,
        path,
        access: Access::Public,
        class: Class::Browse,
        key: KeyUse::Ignored,
        cache: CachePolicy::Never,
        deadline: Duration::from_secs(10),
        handler: Handler { name: path, route: web::get, takes: || Takes::ANYTHING, signature: Signature::default },
    }
}
