//! A caller's handle on the mesh: who is there, what stands between them, who is told of what.

use super::{
    Caller, ClientPolicyReport, ClientPolicySettings, Event, Handlers, Link, Pool,
    client_policy::ClientPolicy,
    node::Nodes,
    relay::{self, Outboxes},
};
use crate::{
    env::Env,
    storage::{OutboxEntry, OutboxTable, Tree},
    telemetry::Tracer,
    types::Service,
};
use actix::ArbiterHandle;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Who may call whom: a service and those that it may call.
pub type AllowedCalls = &'static [(Service, &'static [Service])];

/// Who hears which events: a service and their names.
pub type Subscriptions = &'static [(Service, &'static [&'static str])];

type Listener = Arc<dyn Fn(&serde_json::Value) + Send + Sync>;

/// One caller's handle on the mesh; cheap to clone. Every service has its own, so that the mesh knows who calls.
#[derive(Clone)]
pub struct Mesh {
    pub(super) caller: Caller,
    pub(super) tracer: Tracer,
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub env: Env,
    calls: AllowedCalls,
    subscriptions: Subscriptions,
    pools: [Arc<Pool>; Service::COUNT],
    nodes: Arc<Nodes>,
    /// What stands between callers and services: a row for each caller, in it each service.
    client_policies: [[ClientPolicy; Service::COUNT]; CALLERS],
    /// Who is told of events while the program runs, by their names.
    listeners: ArcSwap<Vec<(&'static str, Listener)>>,
    /// Held while a dead letter is delivered once more.
    replaying: tokio::sync::Mutex<()>,
}

impl Mesh {
    /// A mesh in which nobody is registered yet, held by somebody who may call everybody.
    pub fn new(env: Env, calls: AllowedCalls, subscriptions: Subscriptions) -> Self {
        let pools = Service::ALL.map(|service| Arc::new(Pool::new(service)));
        Self {
            caller: Caller::Outside("system"),
            tracer: Tracer::off(),
            shared: Arc::new(Shared {
                env,
                calls,
                subscriptions,
                pools,
                nodes: Default::default(),
                listeners: Default::default(),
                client_policies: std::array::from_fn(|_| std::array::from_fn(|_| ClientPolicy::new())),
                replaying: Default::default(),
            }),
        }
    }

    /// The same mesh, of which these threads are the first nodes. To be called before [`Mesh::launch`].
    pub fn living_on(self, threads: &[ArbiterHandle]) -> Self {
        self.shared.nodes.lend(threads);
        self
    }

    /// The same mesh, whose calls and deliveries are spans of that tracer's; also of all handles that are made from it.
    pub fn traced(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    pub fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    pub(super) fn caller(&self) -> Caller {
        self.caller
    }

    pub(super) async fn replaying(&self) -> impl Sized {
        self.shared.replaying.lock().await
    }

    /// What goes wrong between that caller and that service from now on; `None` for nothing.
    pub fn set_link(&self, caller: Caller, service: Service, link: Option<Link>) {
        self.client_policy(caller, service).set_link(link);
    }

    /// The same on the way to that service, whoever calls.
    pub fn set_links_to(&self, service: Service, link: Option<Link>) {
        self.shared.client_policies.iter().for_each(|row| row[service as usize].set_link(link));
    }

    /// What goes wrong on the way to every service, whoever calls.
    pub fn set_links(&self, link: Option<Link>) {
        self.shared.client_policies.iter().flatten().for_each(|policy| policy.set_link(link));
    }

    /// Changes how calls of that caller to that service are guarded. `Err` in words for what makes no sense: nothing is changed then.
    pub fn set_client_policy(
        &self,
        caller: Caller,
        service: Service,
        settings: ClientPolicySettings,
    ) -> Result<(), String> {
        self.client_policy(caller, service).set(settings.checked()?);
        Ok(())
    }

    pub fn client_policy_settings(&self, caller: Caller, service: Service) -> ClientPolicySettings {
        self.client_policy(caller, service).settings()
    }

    /// Every pair of caller and service that `ALLOWED_CALLS` lists, and the gateway's.
    pub fn client_policies(&self) -> Vec<ClientPolicyReport> {
        let inner = self
            .shared
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
        &self.shared.client_policies[row_of(caller)][service as usize]
    }

    /// The same mesh in the hands of another.
    pub fn for_caller(&self, caller: Caller) -> Self {
        Self { caller, ..self.clone() }
    }

    /// Whether `ALLOWED_CALLS` has a line for it.
    pub(super) fn may_call(&self, callee: Service) -> bool {
        match self.caller {
            Caller::Outside(_) => true,
            Caller::Service(caller) => {
                self.shared.calls.iter().any(|(service, callees)| *service == caller && callees.contains(&callee))
            }
        }
    }

    /// Tells those in this program who listen, and nobody else: of something that after a restart nobody would want to know.
    pub fn tell<E: Event>(&self, event: &E) {
        let listeners = self.shared.listeners.load();
        let mut listeners = listeners.iter().filter(|(name, _)| *name == E::NAME).peekable();
        if listeners.peek().is_some() {
            let payload = serde_json::to_value(event).unwrap_or_default();
            listeners.for_each(|(_, listener)| listener(&payload));
        }
    }

    /// Tells of each event of that type from now on, when the change is on disk and before any subscriber has it; more than once, perhaps.
    /// For what lives no longer than the program: who must not miss one is a subscriber.
    pub fn listen<E: Event>(&self, told: impl Fn(&E) + Send + Sync + 'static) {
        let listener: Listener = Arc::new(move |payload| {
            // What is no event of the type its subscribers will say.
            if let Ok(event) = serde_json::from_value(payload.clone()) {
                told(&event);
            }
        });
        self.shared.listeners.rcu(|all| {
            let mut all = Vec::clone(all);
            all.push((E::NAME, listener.clone()));
            all
        });
    }

    pub(super) fn tell_listeners(&self, owed: &OutboxEntry) {
        let listeners = self.shared.listeners.load();
        listeners.iter().filter(|(name, _)| *name == owed.name).for_each(|(_, listener)| listener(&owed.payload));
    }

    /// Who hears an event of that name, whether they run or not.
    pub(super) fn subscribers(&self, event: &str) -> impl Iterator<Item = Service> {
        self.shared.subscriptions.iter().filter(move |(_, names)| names.contains(&event)).map(|(service, _)| *service)
    }

    /// Starts a service: `count` actors, each made by `start` on the thread that it is given.
    pub fn launch(
        &self,
        service: Service,
        count: usize,
        start: impl Fn(&ArbiterHandle) -> Handlers + Send + Sync + 'static,
    ) {
        self.pool(service).launch(count, &self.shared.env, &self.shared.nodes, start);
    }

    /// Runs what a service does on its own account on one of its nodes; anew, should it panic. To be called after [`Mesh::launch`].
    pub fn background<F: Future<Output = ()> + 'static>(
        &self,
        service: Service,
        work: impl Fn() -> F + Send + 'static,
    ) {
        self.pool(service).background(work);
    }

    /// Delivers the events that the tables of the service's tree owe, from now on. To be called after [`Mesh::launch`].
    pub fn relay(&self, service: Service, tree: Tree, tables: Vec<Box<dyn OutboxTable>>) {
        let (mesh, env, tables) = (self.clone(), self.shared.env.clone(), Arc::new(tables));
        self.pool(service).owes(Outboxes { tables: tables.clone(), letters: tree.table() });
        self.background(service, move || relay::run(mesh.clone(), env.clone(), service, tree.clone(), tables.clone()));
    }

    /// Puts a double in a service's place.
    pub fn register(&self, service: Service, handlers: Handlers) {
        self.pool(service).register(handlers);
    }

    pub fn pool(&self, service: Service) -> &Arc<Pool> {
        &self.shared.pools[service as usize]
    }

    pub fn pools(&self) -> &[Arc<Pool>] {
        &self.shared.pools
    }

    /// Ends every service. To be called when nobody waits for an answer any more.
    pub fn stop(&self) {
        for pool in &self.shared.pools {
            pool.stop();
        }
        // What is left on them holds the services' trees; when they have gone the folder can be closed.
        self.shared.nodes.stop();
    }
}

/// The services, the gateway, and all others from outside together.
const CALLERS: usize = Service::COUNT + 2;

fn row_of(caller: Caller) -> usize {
    match caller {
        Caller::Service(service) => service as usize,
        Caller::GATEWAY => Service::COUNT,
        Caller::Outside(_) => Service::COUNT + 1,
    }
}
