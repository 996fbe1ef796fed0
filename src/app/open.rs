//! Opens the whole shop: the listening socket, the data folder, the services, the gateway.

use super::{
    Shop,
    fatal::Fatal,
    gateway_tree::{ControlTree, GATEWAY},
};
use crate::{
    config::{FirstOperator, Settings},
    env::Env,
    gateway::{self, Certificates, GatewaySettings, HttpServer, Trust, Workers},
    mesh::Caller,
    storage::Storage,
    telemetry::{Tracer, export::Exporter},
    types::Secret,
};
use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

/// An open shop.
pub struct OpenShop {
    pub shop: Shop,
    pub server: HttpServer,
    pub address: SocketAddr,
    /// The token of the set-up link; `None` if an operator exists.
    pub setup_token: Option<Secret>,
}

/// The listening socket. It stays open while the data folder is opened again: new connections wait
/// a moment and are served.
pub struct Listener {
    socket: TcpListener,
    /// Kept as well: a certificate made at the start stays the same, and files that became invalid
    /// change nothing.
    certificates: Option<Arc<Certificates>>,
    /// Kept as well: spans from before a disk failure can still be read.
    tracer: Tracer,
}

impl Listener {
    /// Closes the socket. Close the tracer last: spans are exported until then.
    pub fn close(self) -> Tracer {
        self.tracer
    }

    /// Takes the address and reads the certificate. Do this first: a start that fails here has not
    /// touched the data.
    pub fn take(settings: &Settings, env: &Env) -> Result<Self, Fatal> {
        let cannot = |error: io::Error| cannot_listen(settings, &error);
        let socket = TcpListener::bind(settings.listen).map_err(cannot)?;
        // Listen again with a longer queue than the 128 of the standard library: a client that
        // finds the queue full retries after a second.
        rustix::net::listen(&socket, BACKLOG).map_err(|error| cannot(error.into()))?;
        Ok(Self { socket, certificates: certificates(settings, env)?, tracer: tracer(settings, env)? })
    }
}

/// The most connections that wait to be accepted. Some systems allow fewer.
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
) -> Result<(OpenShop, impl Future<Output = io::Result<()>> + use<>), Fatal> {
    let cannot = |error: io::Error| cannot_listen(settings, &error);
    let socket = listener.socket.try_clone().map_err(cannot)?;
    let address = socket.local_addr().map_err(cannot)?;
    let storage = Storage::open(&settings.data_dir, &env)?;
    let workers = Workers::start(socket, settings.workers, listener.certificates.as_ref()).await.map_err(cannot)?;
    let shop = Shop::over(storage, settings, env.clone(), listener.tracer.clone(), workers.threads())?;
    match open_gateway(settings, listener, operator, env, &shop, workers).await {
        Ok((server, setup_token, serving)) => Ok((OpenShop { shop, server, address, setup_token }, serving)),
        Err(error) => {
            // Free the folder for the next attempt.
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
        secret: shop.gateway_secret().await?,
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

/// How long a span is kept, if the memory for spans allows it.
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

impl OpenShop {
    /// Applies the settings that can change while the shop runs, and logs the names of those that
    /// need a restart. The files of the certificate are read again in any case.
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
