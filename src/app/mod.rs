//! The composition root: opens the data folder, starts the services, opens the door. The only place that knows everybody.

use crate::{
    audit,
    config::{FirstOperator, Settings},
    demo,
    env::Env,
    gateway::{self, Certificates, GatewaySettings, HttpServer, Trust, Workers, controls::ControlStore},
    mesh::{CallError, Caller, Context, DeadLetter, Mesh, MeshError, TraceId},
    services::{
        self, ALLOWED_CALLS, SUBSCRIPTIONS, ServiceDeps,
        payments::Sandbox,
        products::messages::StockCatalogue,
        users::messages::{CreateOperator, HasOperator, IssueSetupToken, PersonName, UsersError},
    },
    storage::{self, Decision, KnownTable, Record, Storage, StorageError, Tree},
    telemetry::{Tracer, export::Exporter},
    types::{Email, Principal, Secret, Service, Timestamp, UserId},
};
use actix::ArbiterHandle;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

/// Why the shop does not open, or a command does not do its work: one line for people, and an exit code.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("cannot listen on {address}: {reason}; choose another address with --listen (port 0 takes a free one)")]
    Listen { address: SocketAddr, reason: String },
    #[error("the shop could not be made ready: {0}")]
    NotReady(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    BadSetting(String),
}

impl Fatal {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Storage(error) => error.exit_code(),
            Self::BadSetting(_) => 2,
            Self::Listen { .. } => 9,
            Self::NotReady(_) | Self::Refused(_) => 1,
        }
    }

    /// Whether it may be over in a moment, without anybody doing anything about the shop.
    pub fn may_pass(&self) -> bool {
        use StorageError::{Disk, InUse, NotWritable};
        matches!(self, Self::Storage(Disk(_) | InUse { .. } | NotWritable { .. }) | Self::NotReady(_))
    }
}

/// The services over an open data folder, without a door: what `check` and `operator create` work with.
pub struct Shop {
    pub env: Env,
    pub mesh: Mesh,
    /// The payment provider outside, with its faults.
    pub provider: Sandbox,
    storage: Arc<Storage>,
}

impl Shop {
    /// To be called inside an actix system.
    pub fn open(settings: &Settings, env: Env, tracer: Tracer) -> Result<Self, Fatal> {
        Self::over(Storage::open(&settings.data_dir, &env)?, settings, env, tracer, &[])
    }

    /// The same over data that are open already, living on these threads, as far as they go.
    pub fn over(
        storage: Storage,
        settings: &Settings,
        env: Env,
        tracer: Tracer,
        threads: &[ArbiterHandle],
    ) -> Result<Self, Fatal> {
        let storage = Arc::new(storage);
        let mesh = Mesh::new(env.clone(), ALLOWED_CALLS, SUBSCRIPTIONS).traced(tracer).on_threads(threads);
        let deps = |service: Service| -> Result<ServiceDeps, StorageError> {
            Ok(ServiceDeps {
                env: env.clone(),
                mesh: mesh.for_caller(Caller::Service(service)),
                tree: storage.tree(service)?,
                instances: settings.instances.of(service),
            })
        };
        let provider = Sandbox::open(storage.outside_tree("provider")?, env.clone());
        provider.set_faults(settings.provider_faults);
        services::users::launch(deps(Service::Users)?)?;
        services::products::launch(deps(Service::Products)?)?;
        services::carts::launch(deps(Service::Carts)?)?;
        services::payments::launch(deps(Service::Payments)?, Arc::new(provider.clone()))?;
        services::shipping::launch(deps(Service::Shipping)?, settings.carrier_speed)?;
        services::notifications::launch(deps(Service::Notifications)?)?;
        services::orders::launch(deps(Service::Orders)?)?;
        Ok(Self { env, mesh: mesh.for_caller(Caller::Outside("system")), provider, storage })
    }

    /// For what the program does on its own account.
    pub fn context(&self) -> Context {
        Context::new(Principal::System, Duration::from_secs(30), TraceId(self.env.bytes()))
    }

    /// Returns when the disk has failed and takes writes again. Nothing can be written to the folder as it is open now (sled
    /// takes no write after one that failed): it is to be closed, and opened anew.
    pub async fn disk_comes_back(&self) {
        loop {
            tokio::time::sleep(LOOK_AT_DISK_EVERY).await;
            if !self.storage.is_healthy() {
                let folder = self.storage.folder().to_owned();
                if self.env.blocking(move || storage::has_room(&folder)).await == Some(true) {
                    return;
                }
            }
        }
    }

    /// Ends the services and closes the folder in order.
    pub fn close(self) -> Result<(), StorageError> {
        self.mesh.stop();
        // Both hold trees, and the folder is closed when the last one is dropped.
        drop((self.mesh, self.provider));
        match Arc::try_unwrap(self.storage) {
            Ok(storage) => storage.close(),
            // Somebody still holds it: what was acknowledged is on disk all the same, and the next start recovers.
            Err(_) => Ok(()),
        }
    }

    pub async fn create_operator(&self, email: Email, password: Secret, name: PersonName) -> Result<(), Fatal> {
        let made = self.mesh.call(&self.context(), CreateOperator { email, password, name }).await;
        made.map(|_| ()).map_err(|error| match error {
            CallError::Domain(error) => Fatal::Refused(error.to_string()),
            CallError::Mesh(error) => not_ready(error),
        })
    }

    /// Every record by itself, then the books across all services.
    pub async fn check(&self) -> Result<Found, Fatal> {
        let mut faults = Vec::new();
        let report = storage::check(&self.storage, &tables(), |finding| {
            faults.push(format!("{} {}: {}", finding.tree, finding.key, finding.what));
        });
        let context = Context { deadline: self.context().deadline + AUDIT_WITHIN, ..self.context() };
        let books = audit::run(&self.mesh, &context, || self.env.now()).await.map_err(not_ready)?;
        let (holding, broken): (Vec<_>, Vec<_>) = books.equations.into_iter().partition(|equation| equation.holds);
        faults.extend(broken.iter().map(|it| format!("{} ({}): {} is not {}", it.name, it.subject, it.left, it.right)));
        let letters = self.mesh.dead_letters(None, MOST_LETTERS + 1)?;
        let mut notes: Vec<_> = letters
            .iter()
            .take(MOST_LETTERS)
            .map(|(id, it)| format!("dead letter {id} ({}): {}", it.event.name, it.error))
            .collect();
        if letters.len() > MOST_LETTERS {
            notes.push("there are more dead letters; GET /api/v1/events/dead lists them all".into());
        }
        Ok(Found {
            notes,
            records: report.tables.iter().map(|table| table.records).sum(),
            holding: holding.len(),
            faults,
        })
    }

    async fn stock_demo(&self) -> Result<(), Fatal> {
        let products = demo::catalogue().map_err(Fatal::NotReady)?;
        let stocked = self.mesh.call(&self.context(), StockCatalogue { products }).await;
        let count = stocked.map_err(|error| not_ready(error.into_mesh()))?;
        if count > 0 {
            log::info!(products = count; "the shelves were filled with the demo catalogue");
        }
        Ok(())
    }

    /// The token of the set-up link, where there is no operator yet.
    async fn first_operator(&self, given: Option<FirstOperator>) -> Result<Option<Secret>, Fatal> {
        let failed = |error: CallError<UsersError>| not_ready(error.into_mesh());
        if self.mesh.call(&self.context(), HasOperator {}).await.map_err(failed)? {
            return Ok(None);
        }
        match given {
            Some(FirstOperator { email, password }) => {
                let name = "Operator".parse().map_err(|_| Fatal::NotReady("no name for the operator".into()))?;
                self.create_operator(email, password, name).await?;
                Ok(None)
            }
            None => Ok(Some(self.mesh.call(&self.context(), IssueSetupToken {}).await.map_err(failed)?.token)),
        }
    }

    /// What operators have changed while the shop ran; from now on it is as if they had not.
    async fn forget_controls(&self) -> Result<(), StorageError> {
        let tree = self.storage.outside_tree(GATEWAY)?;
        let controls = tree.table::<KeptControl>();
        for (name, _) in controls.all(None).collect::<Result<Vec<_>, _>>()? {
            let gone: Result<(), StorageError> = controls.change(&name, |_| Ok(Decision::Delete(())));
            gone?;
        }
        tree.commit().await
    }

    /// The secret that the door derives its keys from (of cart cookies, of fingerprints): made once, kept in the data folder.
    async fn door_secret(&self) -> Result<[u8; 32], StorageError> {
        let tree = self.storage.outside_tree(GATEWAY)?;
        let fresh = Keys { cart: self.env.bytes(), made_at: self.env.now() };
        let kept = tree.table().get_or_create(&"cookies".to_owned(), &fresh)?;
        tree.commit().await?;
        Ok(kept.cart)
    }
}

/// The name of the gateway's own tree: its secrets, the operators' changes, the answers that are kept
/// for idempotency keys.
const GATEWAY: &str = "gateway";

const LOOK_AT_DISK_EVERY: Duration = Duration::from_secs(1);

/// A check of a million orders is still worth waiting for.
const AUDIT_WITHIN: Duration = Duration::from_secs(600);

/// Dead letters that a check tells.
const MOST_LETTERS: usize = 20;

/// What a check found.
pub struct Found {
    pub records: u64,
    /// Equations that hold.
    pub holding: usize,
    /// One line each.
    pub faults: Vec<String>,
    /// What is no fault, and yet somebody's to see to: events that were put aside. One line each.
    pub notes: Vec<String>,
}

/// Every table of every service and of the gateway, for a check that knows the types of the records.
fn tables() -> Vec<KnownTable> {
    let services = [
        services::users::tables(),
        services::products::tables(),
        services::carts::tables(),
        services::orders::tables(),
        services::payments::tables(),
        services::shipping::tables(),
        services::notifications::tables(),
        vec![KnownTable::of::<Keys>(GATEWAY), KnownTable::of::<KeptControl>(GATEWAY)],
        gateway::tables(GATEWAY).into(),
    ];
    let dead_letters = Service::ALL.map(|service| KnownTable::of::<DeadLetter>(service.name()));
    services.into_iter().flatten().chain(dead_letters).collect()
}

/// The gateway's own secrets.
#[derive(Clone, Serialize, Deserialize)]
struct Keys {
    cart: [u8; 32],
    made_at: Timestamp,
}

impl Record for Keys {
    const TABLE: &'static str = "keys";
    type Key = String;
}

/// What an operator has changed while the shop ran.
#[derive(Clone, Serialize, Deserialize)]
struct KeptControl {
    patch: Value,
    by: Option<UserId>,
    at: Timestamp,
}

impl Record for KeptControl {
    const TABLE: &'static str = "controls";
    /// The control's name.
    type Key = String;
}

/// Stores the changes of operators in the gateway's own tree.
struct ControlTree {
    tree: Tree,
    env: Env,
}

impl ControlStore for ControlTree {
    fn all(&self) -> Result<Vec<(String, Value)>, MeshError> {
        let kept = self.tree.table::<KeptControl>().all(None).collect::<Result<Vec<_>, _>>()?;
        Ok(kept.into_iter().map(|(name, control)| (name, control.patch)).collect())
    }

    fn store<'a>(
        &'a self,
        name: &'a str,
        patch: Value,
        by: Option<UserId>,
    ) -> LocalBoxFuture<'a, Result<(), MeshError>> {
        Box::pin(async move {
            let fresh = KeptControl { patch, by, at: self.env.now() };
            let kept: Result<(), StorageError> =
                self.tree.table().change(&name.to_owned(), |_| Ok(Decision::Save(fresh.clone(), ())));
            kept?;
            Ok(self.tree.commit().await?)
        })
    }
}

/// An open shop.
pub struct Open {
    pub shop: Shop,
    pub server: HttpServer,
    pub address: SocketAddr,
    /// Where the first operator's account is made, if there is none yet.
    pub setup_token: Option<Secret>,
}

/// The listening socket. It stays open while the data folder is opened again: new connections wait a moment and are served.
pub struct Listener {
    socket: TcpListener,
    /// Kept, too: files that have become bad meanwhile change nothing, and one made on the spot is the one that people know.
    certificates: Option<Arc<Certificates>>,
    /// What was done before the disk failed is still to be seen.
    tracer: Tracer,
}

impl Listener {
    /// Closes the socket. Close the tracer last: spans are exported until then.
    pub fn close(self) -> Tracer {
        self.tracer
    }

    /// Takes the address and reads the certificate. Do this first: a start that fails here has not touched the data.
    pub fn take(settings: &Settings, env: &Env) -> Result<Self, Fatal> {
        let cannot = |error: io::Error| cannot_listen(settings, &error);
        let socket = TcpListener::bind(settings.listen).map_err(cannot)?;
        // Said again, with more room than the 128 that the standard library asks for: whoever finds no room tries again after a second.
        rustix::net::listen(&socket, BACKLOG).map_err(|error| cannot(error.into()))?;
        Ok(Self { socket, certificates: certificates(settings, env)?, tracer: tracer(settings, env)? })
    }
}

/// Connections that have not been taken up yet; what the system allows at most is less on some.
const BACKLOG: i32 = 4096;

fn cannot_listen(settings: &Settings, error: &io::Error) -> Fatal {
    Fatal::Listen { address: settings.listen, reason: error.to_string() }
}

/// Opens the shop behind the listener. The future serves until the server is closed.
pub async fn open(
    settings: &Settings,
    listener: &Listener,
    operator: Option<FirstOperator>,
    env: Env,
) -> Result<(Open, impl Future<Output = io::Result<()>> + use<>), Fatal> {
    let cannot = |error: io::Error| cannot_listen(settings, &error);
    let socket = listener.socket.try_clone().map_err(cannot)?;
    let address = socket.local_addr().map_err(cannot)?;
    let storage = Storage::open(&settings.data_dir, &env)?;
    let workers = Workers::start(socket, settings.workers, listener.certificates.as_ref()).await.map_err(cannot)?;
    let shop = Shop::over(storage, settings, env.clone(), listener.tracer.clone(), workers.threads())?;
    match open_gateway(settings, listener, operator, env, &shop, workers).await {
        Ok((server, setup_token, serving)) => Ok((Open { shop, server, address, setup_token }, serving)),
        Err(error) => {
            // Whoever tries again is to find the folder free.
            shop.mesh.stop();
            Err(error)
        }
    }
}

async fn open_gateway(
    settings: &Settings,
    listener: &Listener,
    operator: Option<FirstOperator>,
    env: Env,
    shop: &Shop,
    workers: Workers,
) -> Result<(HttpServer, Option<Secret>, impl Future<Output = io::Result<()>> + use<>), Fatal> {
    if settings.demo {
        shop.stock_demo().await?;
    }
    let setup_token = shop.first_operator(operator).await?;
    if settings.reset_controls {
        shop.forget_controls().await?;
    }
    let storage = Arc::downgrade(&shop.storage);
    let reporting = storage.clone();
    let tree = shop.storage.outside_tree(GATEWAY)?;
    let gateway_settings = GatewaySettings {
        workers,
        throttling: settings.throttling.clone(),
        trust: trust(settings),
        certificates: listener.certificates.clone(),
        secret: shop.door_secret().await?,
        control_store: Box::new(ControlTree { tree: tree.clone(), env: env.clone() }),
        tree,
        storage_is_healthy: Box::new(move || storage.upgrade().is_some_and(|storage| storage.is_healthy())),
        storage_report: Box::new(move || reporting.upgrade().map(|storage| storage.report()).unwrap_or_default()),
    };
    let mesh = shop.mesh.for_caller(Caller::GATEWAY);
    let opened = gateway::open(gateway_settings, env, mesh).await;
    let (server, serving) = opened.map_err(|error| cannot_listen(settings, &error))?;
    Ok((server, setup_token, serving))
}

/// How long a span is kept, where there is room for it.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);

fn tracer(settings: &Settings, env: &Env) -> Result<Tracer, Fatal> {
    let exporter = Exporter::from_environment().map_err(Fatal::BadSetting)?;
    Ok(Tracer::new(env, settings.trace_memory << 20, KEPT_FOR, exporter))
}

fn trust(settings: &Settings) -> Trust {
    Trust {
        hosts: settings.allowed_hosts.clone(),
        origins: settings.cors_origins.clone(),
        proxies: settings.trusted_proxies.clone(),
    }
}

fn certificates(settings: &Settings, env: &Env) -> Result<Option<Arc<Certificates>>, Fatal> {
    let Some(from) = settings.certificate() else { return Ok(None) };
    let loaded = Certificates::load(from, &settings.allowed_hosts, env.now());
    loaded.map(|certificates| Some(Arc::new(certificates))).map_err(|error| Fatal::BadSetting(error.to_string()))
}

impl Open {
    /// Puts into force what can be changed while the shop runs, and says of the rest that it waits for the next start. The certificate's
    /// files are read again in any case.
    pub async fn change(&self, settings: &mut Settings, new: Settings) {
        if let Err(error) = self.server.reload_certificates() {
            log::error!("the certificate stays as it is: {error}");
        }
        self.server.change(trust(&new), &new.throttling, |service| new.instances.of(service)).await;
        self.shop.provider.set_faults(new.provider_faults);
        let Settings { allowed_hosts, cors_origins, trusted_proxies, throttling, provider_faults, instances, .. } =
            new.clone();
        *settings = Settings {
            allowed_hosts,
            cors_origins,
            trusted_proxies,
            throttling,
            provider_faults,
            instances,
            ..settings.clone()
        };
        match settings.differences(&new) {
            waiting if waiting.is_empty() => log::info!("the settings were read again"),
            waiting => log::warn!("the settings were read again; {} will be changed by a restart", waiting.join(", ")),
        }
    }
}

fn not_ready(error: MeshError) -> Fatal {
    Fatal::NotReady(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[actix::test]
    async fn every_service_hears_what_is_said_of_it_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { data_dir: folder.path().into(), ..Settings::default() };
        let shop = Shop::open(&settings, Env::system(), Tracer::off()).unwrap();
        for service in Service::ALL {
            let said: BTreeSet<_> = SUBSCRIPTIONS
                .iter()
                .filter(|(hearer, _)| *hearer == service)
                .flat_map(|(_, names)| names.iter().copied())
                .collect();
            assert_eq!(shop.mesh.pool(service).subscribed_events(), said, "{service}");
        }
        shop.close().unwrap();
    }
}
