//! A caller's handle on the mesh: the pools, the client policies, the listeners.

use super::{
    Caller, Event,
    client_policy::{ClientPolicy, ClientPolicyReport},
    handlers::Handlers,
    instance::Instance,
    link::Link,
    node::Nodes,
    outboxes::Outboxes,
    pool::Pool,
    settings::{ClientPolicySettings, PoolSettings},
    supervise::{Supervisor, keep_running},
};
use crate::{env::Env, storage::OutboxEntry, telemetry::Tracer, types::Service};
use actix::{Arbiter, ArbiterHandle};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::sync::Arc;

/// Which service may call which: a service, and the services that it may call.
pub type AllowedCalls = &'static [(Service, &'static [Service])];

/// Which service handles which events: a service, and the names of the events.
pub type Subscriptions = &'static [(Service, &'static [&'static str])];

type EventListener = Arc<dyn Fn(&serde_json::Value) + Send + Sync>;

/// One caller's handle on the mesh; cheap to clone. Every service has its own handle, so that the
/// mesh knows the caller.
#[derive(Clone)]
pub struct Mesh {
    pub(super) caller: Caller,
    pub(super) tracer: Tracer,
    pub(super) inner: Arc<MeshInner>,
}

/// What all handles share.
pub(super) struct MeshInner {
    pub env: Env,
    calls: AllowedCalls,
    subscriptions: Subscriptions,
    pools: [Arc<Pool>; Service::COUNT],
    /// The supervisors of the services that were launched.
    supervisors: [ArcSwapOption<Supervisor>; Service::COUNT],
    /// The outboxes of the services that publish events.
    outboxes: [ArcSwapOption<Outboxes>; Service::COUNT],
    nodes: Arc<Nodes>,
    /// A row for each caller, and in it a policy for each service.
    client_policies: [[ClientPolicy; Service::COUNT]; CALLERS],
    /// Listeners inside this program, with the names of their events.
    listeners: ArcSwap<Vec<(&'static str, EventListener)>>,
    /// Held while a dead letter is replayed.
    pub replaying: tokio::sync::Mutex<()>,
}

impl Mesh {
    /// A mesh without instances. The handle may call every service.
    pub fn new(env: Env, calls: AllowedCalls, subscriptions: Subscriptions) -> Self {
        Self {
            caller: Caller::Outside("system"),
            tracer: Tracer::off(),
            inner: Arc::new(MeshInner {
                env,
                calls,
                subscriptions,
                pools: Service::ALL.map(|service| Arc::new(Pool::new(service))),
                supervisors: Default::default(),
                outboxes: Default::default(),
                nodes: Default::default(),
                client_policies: std::array::from_fn(|_| std::array::from_fn(|_| ClientPolicy::new())),
                listeners: Default::default(),
                replaying: Default::default(),
            }),
        }
    }

    /// Makes the given threads the first nodes of the mesh. To be called before [`Mesh::launch`].
    pub fn on_threads(self, threads: &[ArbiterHandle]) -> Self {
        self.inner.nodes.lend(threads);
        self
    }

    /// A handle whose calls and deliveries are recorded as spans, as are those of every handle made
    /// from it.
    pub fn traced(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    /// A handle for another caller on the same mesh.
    pub fn for_caller(&self, caller: Caller) -> Self {
        Self { caller, ..self.clone() }
    }

    /// The tracer of this handle.
    pub fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Starts a service with `count` instances (at least 1). `start` starts one actor on the given
    /// thread; it is called again when an instance is replaced or added.
    pub fn launch(
        &self,
        service: Service,
        count: usize,
        start: impl Fn(&ArbiterHandle) -> Handlers + Send + Sync + 'static,
    ) {
        let (pool, env, nodes) = (self.pool(service).clone(), self.inner.env.clone(), self.inner.nodes.clone());
        let supervisor = Supervisor::launch(pool, count, env, nodes, Box::new(start));
        self.inner.supervisors[service as usize].store(Some(supervisor));
    }

    /// Runs a background task of a service on one of its nodes, until the mesh is stopped. A task
    /// that panics is started again after five seconds. To be called after [`Mesh::launch`].
    pub fn background<F: Future<Output = ()> + 'static>(
        &self,
        service: Service,
        work: impl Fn() -> F + Send + 'static,
    ) {
        match self.inner.supervisors[service as usize].load().as_ref() {
            Some(supervisor) => supervisor.background(work),
            None => keep_running(service, &Arbiter::current(), work),
        }
    }

    /// Adds an actor that the mesh did not start to a service's pool: a double in a test.
    pub fn register(&self, service: Service, handlers: Handlers) {
        let pool = self.pool(service);
        let name = format!("{service}-{}", pool.instances().len() + 1).into();
        pool.put(Arc::new(Instance::new(name, handlers, None, Default::default(), 0)));
    }

    /// The pool of a service.
    pub fn pool(&self, service: Service) -> &Arc<Pool> {
        &self.inner.pools[service as usize]
    }

    /// The pools of all services.
    pub fn pools(&self) -> &[Arc<Pool>] {
        &self.inner.pools
    }

    /// Changes how a service's instances are run. Returns when new instances take calls; removed
    /// instances finish their calls first.
    ///
    /// # Errors
    /// A text that begins with the name of the first field that is out of bounds. Nothing is
    /// changed then.
    pub async fn set_pool(&self, service: Service, settings: PoolSettings) -> Result<(), String> {
        match self.inner.supervisors[service as usize].load_full() {
            Some(supervisor) => supervisor.set(settings).await,
            None => self.pool(service).set(settings).map(|_| ()),
        }
    }

    /// Sets the faults of the link from that caller to that service; `None` for none.
    pub fn set_link(&self, caller: Caller, service: Service, link: Option<Link>) {
        self.client_policy(caller, service).set_link(link);
    }

    /// Sets the faults of the links from all callers to that service.
    pub fn set_links_to(&self, service: Service, link: Option<Link>) {
        self.inner.client_policies.iter().for_each(|row| row[service as usize].set_link(link));
    }

    /// Sets the faults of all links.
    pub fn set_links(&self, link: Option<Link>) {
        self.inner.client_policies.iter().flatten().for_each(|policy| policy.set_link(link));
    }

    /// Changes how the calls of that caller to that service are guarded.
    ///
    /// # Errors
    /// A text that begins with the name of the first field that is out of bounds. Nothing is
    /// changed then.
    pub fn set_client_policy(
        &self,
        caller: Caller,
        service: Service,
        settings: ClientPolicySettings,
    ) -> Result<(), String> {
        self.client_policy(caller, service).set(settings.checked()?);
        Ok(())
    }

    /// How the calls of that caller to that service are guarded.
    pub fn client_policy_settings(&self, caller: Caller, service: Service) -> ClientPolicySettings {
        self.client_policy(caller, service).settings()
    }

    /// The policies of the gateway for all services, and of every service for those that it may
    /// call.
    pub fn client_policies(&self) -> Vec<ClientPolicyReport> {
        let inner = self
            .inner
            .calls
            .iter()
            .flat_map(|(caller, services)| services.iter().map(|service| (Caller::Service(*caller), *service)));
        let outer = Service::ALL.map(|service| (Caller::GATEWAY, service));
        outer
            .into_iter()
            .chain(inner)
            .map(|(caller, service)| self.client_policy(caller, service).report(caller, service))
            .collect()
    }

    pub(super) fn client_policy(&self, caller: Caller, service: Service) -> &ClientPolicy {
        &self.inner.client_policies[row_of(caller)][service as usize]
    }

    /// Whether the list of allowed calls has an entry for this caller and `callee`.
    pub(super) fn may_call(&self, callee: Service) -> bool {
        match self.caller {
            Caller::Outside(_) => true,
            Caller::Service(caller) => {
                self.inner.calls.iter().any(|(service, callees)| *service == caller && callees.contains(&callee))
            }
        }
    }

    /// The services that subscribe to an event, whether they run or not.
    pub(super) fn subscribers(&self, event: &str) -> impl Iterator<Item = Service> {
        self.inner.subscriptions.iter().filter(move |(_, names)| names.contains(&event)).map(|(service, _)| *service)
    }

    /// Calls `listener` with each event of that type, when the change is on disk and before a
    /// subscriber has the event. It may be called more than once for an event.
    ///
    /// Use this only for in-memory state such as caches. A service that must not miss an event uses
    /// a subscription.
    pub fn listen<E: Event>(&self, listener: impl Fn(&E) + Send + Sync + 'static) {
        let listener: EventListener = Arc::new(move |payload| {
            // A payload that cannot be read is reported by the subscribers.
            if let Ok(event) = serde_json::from_value(payload.clone()) {
                listener(&event);
            }
        });
        self.inner.listeners.rcu(|all| {
            let mut all = Vec::clone(all);
            all.push((E::NAME, listener.clone()));
            all
        });
    }

    /// Calls the listeners of this program with an event that is not stored and has no subscribers:
    /// for news that matters only until the next restart.
    pub fn notify_listeners<E: Event>(&self, event: &E) {
        let listeners = self.inner.listeners.load();
        let mut listeners = listeners.iter().filter(|(name, _)| *name == E::NAME).peekable();
        if listeners.peek().is_some() {
            let payload = serde_json::to_value(event).unwrap_or_default();
            listeners.for_each(|(_, listener)| listener(&payload));
        }
    }

    /// Calls the listeners of this program with a stored event.
    pub(super) fn notify_listeners_of(&self, entry: &OutboxEntry) {
        let listeners = self.inner.listeners.load();
        listeners.iter().filter(|(name, _)| *name == entry.name).for_each(|(_, listener)| listener(&entry.payload));
    }

    pub(super) fn set_outboxes(&self, publisher: Service, outboxes: Outboxes) {
        self.inner.outboxes[publisher as usize].store(Some(Arc::new(outboxes)));
    }

    /// The outboxes of a service; `None` if it publishes no events.
    pub(super) fn outboxes(&self, publisher: Service) -> Option<Arc<Outboxes>> {
        self.inner.outboxes[publisher as usize].load_full()
    }

    /// Stops every service. To be called when no caller waits for an answer any more.
    pub fn stop(&self) {
        for service in Service::ALL {
            if let Some(supervisor) = self.inner.supervisors[service as usize].swap(None) {
                supervisor.stop();
            }
            self.inner.outboxes[service as usize].store(None);
            self.pool(service).clear();
        }
        // Tasks on the nodes hold the services' trees. The data folder can be closed afterwards.
        self.inner.nodes.stop();
    }
}

/// Callers with client policies of their own: the services, the gateway, and all others together.
const CALLERS: usize = Service::COUNT + 2;

fn row_of(caller: Caller) -> usize {
    match caller {
        Caller::Service(service) => service as usize,
        Caller::GATEWAY => Service::COUNT,
        Caller::Outside(_) => Service::COUNT + 1,
    }
}
