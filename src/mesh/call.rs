//! The way to a service and back.

use super::{
    Answers, CallError, Caller, Context, EdgeReport, EdgeSettings, Envelope, Event, Failure, Kind, Link, MeshError,
    Pool, Request,
    edge::{self, Edge},
    instance::Instance,
    message::EventId,
    relay::{self, Outboxes},
    retry,
};
use crate::{
    env::Env,
    storage::{Owed, Owing, Tree},
    types::Service,
};
use actix::{ArbiterHandle, MailboxError};
use arc_swap::ArcSwap;
use futures_util::future::{Either, select};
use std::{
    pin::{Pin, pin},
    sync::Arc,
};
use tokio::time::{Instant, sleep, timeout_at};

/// Who may call whom: a service and those that it may call.
pub type Calls = &'static [(Service, &'static [Service])];

/// Who hears which events: a service and their names.
pub type Hearers = &'static [(Service, &'static [&'static str])];

type Listener = Arc<dyn Fn(&serde_json::Value) + Send + Sync>;

/// An answer, and the name of the instance that gave it; `None` where nobody was reached.
struct Served<R: Request> {
    by: Option<Arc<str>>,
    answer: Result<R::Reply, Failure<R::Error>>,
}

impl<R: Request> From<MeshError> for Served<R> {
    fn from(error: MeshError) -> Self {
        Self { by: None, answer: Err(error.into()) }
    }
}

/// One caller's handle on the mesh; cheap to clone. Every service has its own, so that the mesh knows who calls.
#[derive(Clone)]
pub struct Mesh {
    caller: Caller,
    shared: Arc<Shared>,
}

struct Shared {
    env: Env,
    calls: Calls,
    hearers: Hearers,
    pools: [Arc<Pool>; Service::COUNT],
    /// What stands between callers and services: a row for each caller, in it each service.
    edges: [[Edge; Service::COUNT]; CALLERS],
    /// Who is told of events while the program runs, by their names.
    listeners: ArcSwap<Vec<(&'static str, Listener)>>,
    /// Held while a dead letter is delivered once more.
    replaying: tokio::sync::Mutex<()>,
}

impl Mesh {
    /// A mesh in which nobody is registered yet, held by somebody who may call everybody.
    pub fn new(env: Env, calls: Calls, hearers: Hearers) -> Self {
        let pools = Service::ALL.map(|service| Arc::new(Pool::new(service)));
        Self {
            caller: Caller::Outside("system"),
            shared: Arc::new(Shared {
                env,
                calls,
                hearers,
                pools,
                listeners: Default::default(),
                edges: std::array::from_fn(|_| std::array::from_fn(|_| Edge::new())),
                replaying: Default::default(),
            }),
        }
    }

    pub(super) fn caller(&self) -> Caller {
        self.caller
    }

    pub(super) async fn replaying(&self) -> impl Sized {
        self.shared.replaying.lock().await
    }

    /// What goes wrong between that caller and that service from now on; `None` for nothing.
    pub fn set_link(&self, caller: Caller, service: Service, link: Option<Link>) {
        self.edge_of(caller, service).set_link(link);
    }

    /// The same on the way to that service, whoever calls.
    pub fn set_links_to(&self, service: Service, link: Option<Link>) {
        self.shared.edges.iter().for_each(|row| row[service as usize].set_link(link));
    }

    /// What goes wrong on the way to every service, whoever calls.
    pub fn set_links(&self, link: Option<Link>) {
        self.shared.edges.iter().flatten().for_each(|edge| edge.set_link(link));
    }

    /// Changes how calls of that caller to that service are guarded. `Err` in words for what makes no sense: nothing is changed then.
    pub fn set_edge(&self, caller: Caller, service: Service, settings: EdgeSettings) -> Result<(), String> {
        self.edge_of(caller, service).set(settings.checked()?);
        Ok(())
    }

    pub fn edge_settings(&self, caller: Caller, service: Service) -> EdgeSettings {
        self.edge_of(caller, service).settings()
    }

    /// Every pair of caller and service that `CALLS` lists, and the gateway's.
    pub fn edges(&self) -> Vec<EdgeReport> {
        let inner = self
            .shared
            .calls
            .iter()
            .flat_map(|(caller, services)| services.iter().map(|service| (Caller::Service(*caller), *service)));
        let outer = Service::ALL.map(|service| (Caller::GATEWAY, service));
        outer
            .into_iter()
            .chain(inner)
            .map(|(caller, service)| self.edge_of(caller, service).report(caller, service))
            .collect()
    }

    fn edge_of(&self, caller: Caller, service: Service) -> &Edge {
        &self.shared.edges[row_of(caller)][service as usize]
    }

    /// The same mesh in the hands of another.
    pub fn for_caller(&self, caller: Caller) -> Self {
        Self { caller, shared: self.shared.clone() }
    }

    /// Sends the request to one of its service's instances and waits for the answer, no longer than the context's deadline, which covers
    /// everything: what is tried again, too.
    ///
    /// After [`MeshError::TimedOut`], [`Crashed`](MeshError::Crashed) and [`Failed`](MeshError::Failed) nobody knows whether it was carried out.
    pub async fn call<R: Request>(&self, context: &Context, request: R) -> Result<R::Reply, CallError<R::Error>> {
        self.call_served(context, request).await.1
    }

    /// The same, and the name of the instance that answered.
    pub async fn call_served<R: Request>(
        &self,
        context: &Context,
        request: R,
    ) -> (Option<Arc<str>>, Result<R::Reply, CallError<R::Error>>) {
        let Served { by, answer } = self.tries(context, request).await;
        let answer = answer.map_err(|failure| match failure {
            Failure::Domain(error) => CallError::Domain(error),
            Failure::Fault(error) => {
                log::debug!(caller = self.caller.to_string().as_str(), request = R::NAME, trace = context.trace.to_string().as_str(); "{error}");
                CallError::Mesh(error)
            }
        });
        (by, answer)
    }

    /// Tries again what may be tried again, as long as the budget and the time allow.
    async fn tries<R: Request>(&self, context: &Context, request: R) -> Served<R> {
        if !self.may_call(R::SERVICE) {
            return MeshError::Refused.into();
        }
        let edge = self.edge_of(self.caller, R::SERVICE);
        let mut failed = 0;
        let mut avoid = None;
        loop {
            if context.time_left().is_zero() {
                return MeshError::TimedOut.into();
            }
            let served = self.guarded(edge, context, &request, avoid).await;
            failed += 1;
            let Err(Failure::Fault(error)) = &served.answer else { return served };
            if failed == retry::MOST_ATTEMPTS || !retry::is_worth_while(R::KIND, error) {
                return served;
            }
            let pause = self.shared.env.jitter(retry::longest_pause(failed));
            if context.time_left() <= pause || !edge.may_retry() {
                return served;
            }
            sleep(pause).await;
            avoid = served.by;
        }
    }

    /// Once, if the breaker lets it through.
    async fn guarded<R: Request>(
        &self,
        edge: &Edge,
        context: &Context,
        request: &R,
        avoid: Option<Arc<str>>,
    ) -> Served<R> {
        if R::KIND == Kind::LongPoll {
            return match edge.admit_uncounted() {
                Ok(()) => self.over_link(edge, context, request, avoid).await,
                Err(error) => error.into(),
            };
        }
        let ticket = match edge.admit() {
            Ok(ticket) => ticket,
            Err(error) => return error.into(),
        };
        let served = self.over_link(edge, context, request, avoid).await;
        ticket.end(edge::outcome_of(&served.answer));
        served
    }

    async fn over_link<R: Request>(
        &self,
        edge: &Edge,
        context: &Context,
        request: &R,
        avoid: Option<Arc<str>>,
    ) -> Served<R> {
        let Some(link) = edge.link() else { return self.send(context, request, avoid).await };
        let sent = link.carry(&self.shared.env, context, R::KIND, || {
            let (mesh, context, request, avoid) = (self.clone(), context.clone(), request.clone(), avoid.clone());
            Box::pin(async move { mesh.send(&context, &request, avoid).await })
        });
        sent.await.unwrap_or_else(Served::from)
    }

    /// To one instance after the other, until one has taken it in hand.
    async fn send<R: Request>(&self, context: &Context, request: &R, avoid: Option<Arc<str>>) -> Served<R> {
        let pool = self.pool(R::SERVICE);
        loop {
            let (instance, permit) = match pool.pick(R::KIND, || request.affinity(), avoid.as_deref()) {
                Ok(picked) => picked,
                Err(error) => return error.into(),
            };
            let Some(recipient) = instance.answers.recipient::<R>() else { return MeshError::NoInstance.into() };
            if !recipient.connected() {
                pool.bury(&instance);
                continue;
            }
            let (sent, since) = (permit.sent(), Instant::now());
            let envelope = Envelope { context: context.clone(), request: request.clone(), permit };
            let mut answer = pin!(recipient.send(envelope));
            let mut told = timeout_at(context.deadline, answer_or_death(answer.as_mut(), &instance)).await;
            if matches!(told, Ok(None)) && !sent.take_back() {
                // Its handler runs on beside the dead actor, and it alone knows how this ends.
                told = timeout_at(context.deadline, answer).await.map(Some);
            }
            let answer = match told {
                Ok(Some(Ok(answer))) => answer,
                Ok(Some(Err(MailboxError::Closed))) => {
                    pool.bury(&instance);
                    if sent.take_back() {
                        continue;
                    }
                    Err(MeshError::Crashed.into())
                }
                // It lay in the mailbox of an instance that died, and was taken back: a sibling can have it, whatever its kind.
                Ok(None) => continue,
                Ok(Some(Err(MailboxError::Timeout))) | Err(_) => {
                    sent.take_back();
                    Err(MeshError::TimedOut.into())
                }
            };
            if R::KIND != Kind::LongPoll {
                pool.learn(&instance, edge::outcome_of(&answer), since.elapsed());
            }
            return Served { by: Some(instance.name.clone()), answer };
        }
    }

    /// Whether `CALLS` has a line for it.
    fn may_call(&self, callee: Service) -> bool {
        match self.caller {
            Caller::Outside(_) => true,
            Caller::Service(caller) => {
                self.shared.calls.iter().any(|(service, callees)| *service == caller && callees.contains(&callee))
            }
        }
    }

    /// Delivers an event to one instance of a subscriber.
    pub(super) async fn deliver(
        &self,
        context: &Context,
        to: Service,
        id: &EventId,
        owed: &Owed,
    ) -> Result<(), MeshError> {
        let link = self.edge_of(Caller::Service(id.publisher), to).link();
        let Some(link) = link else { return self.hand_over(context, to, id, owed).await };
        let sent = link.carry(&self.shared.env, context, Kind::Keyed, || {
            let (mesh, context, id, owed) = (self.clone(), context.clone(), id.clone(), owed.clone());
            Box::pin(async move { mesh.hand_over(&context, to, &id, &owed).await })
        });
        sent.await?
    }

    async fn hand_over(&self, context: &Context, to: Service, id: &EventId, owed: &Owed) -> Result<(), MeshError> {
        let pool = self.pool(to);
        let (instance, _permit) = pool.pick(Kind::Keyed, || None, None)?;
        let delivered =
            instance.answers.deliver(context.clone(), id.clone(), &owed.name, owed.at, owed.payload.clone()).await;
        if delivered == Err(MeshError::Crashed) {
            pool.bury(&instance);
        }
        delivered
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

    pub(super) fn tell_listeners(&self, owed: &Owed) {
        let listeners = self.shared.listeners.load();
        listeners.iter().filter(|(name, _)| *name == owed.name).for_each(|(_, listener)| listener(&owed.payload));
    }

    /// Who hears an event of that name, whether they run or not.
    pub(super) fn subscribers(&self, event: &str) -> impl Iterator<Item = Service> {
        self.shared.hearers.iter().filter(move |(_, names)| names.contains(&event)).map(|(service, _)| *service)
    }

    /// Starts a service: `count` actors, each made by `start` on the thread that it is given.
    pub fn launch(
        &self,
        service: Service,
        count: usize,
        start: impl Fn(&ArbiterHandle) -> Answers + Send + Sync + 'static,
    ) {
        self.pool(service).launch(count, &self.shared.env, start);
    }

    /// Runs what a service does on its own account beside its first instance; anew, should it panic. To be called after
    /// [`Mesh::launch`].
    pub fn background<F: Future<Output = ()> + 'static>(
        &self,
        service: Service,
        work: impl Fn() -> F + Send + 'static,
    ) {
        self.pool(service).background(work);
    }

    /// Delivers the events that the tables of the service's tree owe, from now on. To be called after [`Mesh::launch`].
    pub fn relay(&self, service: Service, tree: Tree, tables: Vec<Box<dyn Owing>>) {
        let (mesh, env, tables) = (self.clone(), self.shared.env.clone(), Arc::new(tables));
        self.pool(service).owes(Outboxes { tables: tables.clone(), letters: tree.table() });
        self.background(service, move || relay::run(mesh.clone(), env.clone(), service, tree.clone(), tables.clone()));
    }

    /// Puts a double in a service's place.
    pub fn register(&self, service: Service, answers: Answers) {
        self.pool(service).register(answers);
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

/// `None` where the instance dies first. Its mailbox may then hold the request for ever, without a word to who waits: actix lets go
/// of what lies in it, but not of what another thread is just putting there.
async fn answer_or_death<F: Future>(answer: Pin<&mut F>, instance: &Instance) -> Option<F::Output> {
    match select(answer, pin!(instance.death())).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}
