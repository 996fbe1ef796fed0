//! The way to a service and back.

use super::{
    Answers, CallError, Caller, Context, Envelope, Failure, Kind, Link, MeshError, Pool, Request,
    message::EventId,
    registry::Instance,
    relay::{self, Outboxes},
};
use crate::{
    env::Env,
    storage::{Owed, Owing, Tree},
    types::Service,
};
use actix::{ArbiterHandle, MailboxError};
use arc_swap::ArcSwapOption;
use futures_util::future::{Either, select};
use std::{
    pin::{Pin, pin},
    sync::Arc,
};
use tokio::time::timeout_at;

/// Who may call whom: a service and those that it may call.
pub type Calls = &'static [(Service, &'static [Service])];

/// Who hears which events: a service and their names.
pub type Hearers = &'static [(Service, &'static [&'static str])];

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
    link: ArcSwapOption<Link>,
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
                link: Default::default(),
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

    /// What goes wrong between callers and services from now on; `None` for nothing.
    pub fn set_link(&self, link: Option<Link>) {
        self.shared.link.store(link.map(Arc::new));
    }

    fn link(&self) -> Option<Link> {
        self.shared.link.load().as_deref().copied()
    }

    /// The same mesh in the hands of another.
    pub fn for_caller(&self, caller: Caller) -> Self {
        Self { caller, shared: self.shared.clone() }
    }

    /// Sends the request to one of its service's instances and waits for the answer, no longer than the context's deadline.
    ///
    /// After [`MeshError::TimedOut`], [`Crashed`](MeshError::Crashed) and [`Failed`](MeshError::Failed) nobody knows whether it was carried out.
    pub async fn call<R: Request>(&self, context: &Context, request: R) -> Result<R::Reply, CallError<R::Error>> {
        self.attempt(context, request).await.map_err(|failure| match failure {
            Failure::Domain(error) => CallError::Domain(error),
            Failure::Fault(error) => {
                log::debug!(caller = self.caller.to_string().as_str(), request = R::NAME, trace = context.trace.to_string().as_str(); "{error}");
                CallError::Mesh(error)
            }
        })
    }

    async fn attempt<R: Request>(&self, context: &Context, request: R) -> Result<R::Reply, Failure<R::Error>> {
        if !self.may_call(R::SERVICE) {
            return Err(MeshError::Refused.into());
        }
        if context.time_left().is_zero() {
            return Err(MeshError::TimedOut.into());
        }
        let Some(link) = self.link() else { return self.send(context, request).await };
        let sent = link.carry(&self.shared.env, context, R::KIND, || {
            let (mesh, context, request) = (self.clone(), context.clone(), request.clone());
            Box::pin(async move { mesh.send(&context, request).await })
        });
        sent.await?
    }

    async fn send<R: Request>(&self, context: &Context, request: R) -> Result<R::Reply, Failure<R::Error>> {
        let pool = self.pool(R::SERVICE);
        loop {
            let (instance, permit) = pool.pick(R::KIND)?;
            let recipient = instance.recipient::<R>().ok_or(MeshError::NoInstance)?;
            if !recipient.connected() {
                pool.bury(&instance);
                continue;
            }
            let sent = permit.sent();
            let envelope = Envelope { context: context.clone(), request: request.clone(), permit };
            let mut answer = pin!(recipient.send(envelope));
            let mut told = timeout_at(context.deadline, answer_or_death(answer.as_mut(), &instance)).await;
            if matches!(told, Ok(None)) && !sent.take_back() {
                // Its handler runs on beside the dead actor, and it alone knows how this ends.
                told = timeout_at(context.deadline, answer).await.map(Some);
            }
            match told {
                Ok(Some(Ok(answer))) => return answer,
                Ok(Some(Err(MailboxError::Closed))) => {
                    pool.bury(&instance);
                    if !sent.take_back() {
                        return Err(MeshError::Crashed.into());
                    }
                }
                // It lay in the mailbox of an instance that died, and was taken back: a sibling can have it, whatever its kind.
                Ok(None) => {}
                Ok(Some(Err(MailboxError::Timeout))) | Err(_) => {
                    sent.take_back();
                    return Err(MeshError::TimedOut.into());
                }
            }
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
        let Some(link) = self.link() else { return self.hand_over(context, to, id, owed).await };
        let sent = link.carry(&self.shared.env, context, Kind::Keyed, || {
            let (mesh, context, id, owed) = (self.clone(), context.clone(), id.clone(), owed.clone());
            Box::pin(async move { mesh.hand_over(&context, to, &id, &owed).await })
        });
        sent.await?
    }

    async fn hand_over(&self, context: &Context, to: Service, id: &EventId, owed: &Owed) -> Result<(), MeshError> {
        let pool = self.pool(to);
        let (instance, _permit) = pool.pick(Kind::Keyed)?;
        let delivered = instance.deliver(context.clone(), id.clone(), &owed.name, owed.at, owed.payload.clone()).await;
        if delivered == Err(MeshError::Crashed) {
            pool.bury(&instance);
        }
        delivered
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

/// `None` where the instance dies first. Its mailbox may then hold the request for ever, without a word to who waits: actix lets go
/// of what lies in it, but not of what another thread is just putting there.
async fn answer_or_death<F: Future>(answer: Pin<&mut F>, instance: &Instance) -> Option<F::Output> {
    match select(answer, pin!(instance.death())).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}
