//! Who watches: a pool keeps the instances of a service alive.
//!
//! An actix `Supervisor` does not restart an actor that panicked: its mailbox is closed for good. So the pool keeps what it
//! takes to start one, learns of a death from the caller who met it or from a ping, and starts another under the same name.

use super::{
    Answers, InstanceReport, Kind, MeshError, State, Strategy, balance::Balancer, permit::Permit, registry::Instance,
    relay::Outboxes, service::Ping,
};
use crate::{
    env::{Env, Threads},
    types::Service,
};
use actix::{Arbiter, ArbiterHandle};
use arc_swap::ArcSwap;
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

/// Starts one actor on the given thread, and says what it answers.
type Start = Box<dyn Fn(&ArbiterHandle) -> Answers + Send + Sync>;

/// Calls that an instance takes at a time; a further one goes to a sibling, or is refused at once.
const CAPACITY: usize = 256;
const PING_EVERY: Duration = Duration::from_secs(1);
const PING_PATIENCE: Duration = Duration::from_secs(3);
/// Before the second restart within [`CALM`]; doubled for each further one.
const BACKOFF: Duration = Duration::from_millis(50);
const BACKOFF_MOST: Duration = Duration::from_secs(5);
const CALM: Duration = Duration::from_secs(30);

/// The instances of one service.
pub struct Pool {
    service: Service,
    instances: ArcSwap<Vec<Arc<Instance>>>,
    balancer: Balancer,
    strategy: AtomicU8,
    /// What it takes to start an instance, once the service was launched.
    start: Mutex<Option<Start>>,
    outboxes: Mutex<Option<Outboxes>>,
    /// The threads of the instances; they end when the pool is stopped.
    arbiters: Mutex<Vec<Arbiter>>,
    stopped: AtomicBool,
}

impl Pool {
    pub(super) fn new(service: Service) -> Self {
        Self {
            service,
            instances: ArcSwap::from_pointee(Vec::new()),
            balancer: Balancer::new(),
            strategy: AtomicU8::new(1),
            start: Mutex::new(None),
            outboxes: Mutex::new(None),
            arbiters: Mutex::new(Vec::new()),
            stopped: AtomicBool::new(false),
        }
    }

    /// Starts `count` instances, each on a thread of its own, and watches over them from the thread that called.
    pub(super) fn launch(
        self: &Arc<Self>,
        count: usize,
        env: &Env,
        start: impl Fn(&ArbiterHandle) -> Answers + Send + Sync + 'static,
    ) {
        *lock(&self.start) = Some(Box::new(start));
        for number in 1..=count {
            let handle = self.thread(env);
            if let Some(fresh) = self.start(format!("{}-{number}", self.service), &handle, 0) {
                self.put(fresh);
                self.watch(number - 1, handle);
            }
        }
    }

    fn thread(&self, env: &Env) -> ArbiterHandle {
        match env.threads() {
            Threads::One => Arbiter::current(),
            Threads::Many => {
                let arbiter = Arbiter::new();
                let handle = arbiter.handle();
                lock(&self.arbiters).push(arbiter);
                handle
            }
        }
    }

    /// Runs what a service does on its own account (a relay, a sweeper) beside its first instance; anew, should it panic.
    /// To be called after [`Pool::launch`]; it ends with the pool.
    pub(super) fn background<F: Future<Output = ()> + 'static>(&self, work: impl Fn() -> F + Send + 'static) {
        let on = lock(&self.arbiters).first().map_or_else(Arbiter::current, Arbiter::handle);
        let service = self.service.name();
        on.spawn_fn(move || {
            actix::spawn(async move {
                while AssertUnwindSafe(async { work().await }).catch_unwind().await.is_err() {
                    log::error!(service; "what it does on its own account panicked; beginning it anew");
                    tokio::time::sleep(BACKOFF_MOST).await;
                }
            });
        });
    }

    pub(super) fn owes(&self, outboxes: Outboxes) {
        *lock(&self.outboxes) = Some(outboxes);
    }

    /// What the service owes; `None` where it tells nothing.
    pub(super) fn outboxes(&self) -> Option<Outboxes> {
        lock(&self.outboxes).clone()
    }

    fn start(&self, name: String, on: &ArbiterHandle, restarts: u32) -> Option<Arc<Instance>> {
        let start = lock(&self.start);
        Some(Arc::new(Instance::new(name, start.as_ref()?(on), CAPACITY, restarts)))
    }

    /// Puts an instance in the place of the one of its name, or at the end.
    fn put(&self, fresh: Arc<Instance>) {
        self.instances.rcu(|instances| {
            let mut instances = instances.as_ref().clone();
            match instances.iter_mut().find(|old| old.name == fresh.name) {
                Some(old) => *old = fresh.clone(),
                None => instances.push(fresh.clone()),
            }
            instances
        });
    }

    /// Pings the instance in the given place each second; starts another when it is dead.
    fn watch(self: &Arc<Self>, place: usize, on: ArbiterHandle) {
        let pool = self.clone();
        actix::spawn(async move {
            let mut quick_restarts = 0;
            let mut since = tokio::time::Instant::now();
            while !pool.stopped.load(Ordering::Acquire) {
                let Some(instance) = pool.instances.load().get(place).cloned() else { return };
                if instance.state() == State::Dead || !is_alive(&instance).await {
                    pool.bury(&instance);
                    quick_restarts = if since.elapsed() > CALM { 0 } else { quick_restarts };
                    if quick_restarts > 0 {
                        tokio::time::sleep((BACKOFF * 2u32.pow(quick_restarts.min(8))).min(BACKOFF_MOST)).await;
                    }
                    quick_restarts += 1;
                    since = tokio::time::Instant::now();
                    log::warn!(service = pool.service.name(), instance = instance.name.as_str(); "an instance died; starting another");
                    let Some(fresh) = pool.start(instance.name.clone(), &on, instance.restarts + 1) else { return };
                    // On a thread that is stalled it is no good yet: it is there when it has answered.
                    if fresh.answers.ping.send(Ping).await.is_ok() {
                        pool.put(fresh);
                    }
                } else {
                    // Whoever meets a death ends the wait.
                    let _ = tokio::time::timeout(PING_EVERY, instance.death()).await;
                }
            }
        });
    }

    /// Called by whoever finds that the instance is dead: it gets no more calls, and what lies in its mailbox goes to a sibling.
    pub(super) fn bury(&self, instance: &Instance) {
        instance.set_state(State::Dead);
    }

    /// An instance that is ready, and a place in it for a call of that kind.
    pub(super) fn pick(&self, kind: Kind) -> Result<(Arc<Instance>, Permit), MeshError> {
        let instances = self.instances.load();
        let ready: Vec<_> = instances.iter().filter(|instance| instance.state() == State::Ready).collect();
        if ready.is_empty() {
            return Err(MeshError::NoInstance);
        }
        self.balancer.pick(self.strategy(), &ready, kind).ok_or(MeshError::Overloaded)
    }

    /// What its instances hear, by name.
    #[cfg(test)]
    pub fn hears(&self) -> std::collections::BTreeSet<&'static str> {
        self.instances.load().iter().flat_map(|instance| instance.answers.heard()).collect()
    }

    /// Registers a ready-made instance: a double in a test.
    pub(super) fn register(&self, answers: Answers) {
        let name = format!("{}-{}", self.service, self.instances.load().len() + 1);
        let instance = Arc::new(Instance::new(name, answers, CAPACITY, 0));
        self.instances.rcu(|instances| instances.iter().cloned().chain([instance.clone()]).collect::<Vec<_>>());
    }

    pub fn service(&self) -> Service {
        self.service
    }

    pub fn strategy(&self) -> Strategy {
        if self.strategy.load(Ordering::Relaxed) == 0 { Strategy::RoundRobin } else { Strategy::PowerOfTwo }
    }

    pub fn set_strategy(&self, strategy: Strategy) {
        self.strategy.store(strategy as u8, Ordering::Relaxed);
    }

    pub fn is_ready(&self) -> bool {
        self.instances.load().iter().any(|instance| instance.state() == State::Ready)
    }

    pub fn report(&self) -> Vec<InstanceReport> {
        self.instances.load().iter().map(|instance| instance.report()).collect()
    }

    /// Makes the named instance panic in a handler: what the Lab and the tests do to see that the shop copes.
    /// `false` where there is none of that name.
    pub async fn crash(&self, name: &str) -> bool {
        let found = self.instances.load().iter().find(|instance| instance.name == name).cloned();
        let Some(instance) = found else { return false };
        // One that is stalled does not hear it, and is as good as dead.
        let _ = tokio::time::timeout(PING_PATIENCE, instance.answers.crash.send(super::service::Crash)).await;
        self.bury(&instance);
        true
    }

    /// Ends the instances' threads. Nobody calls any more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        for instance in self.instances.load().iter() {
            instance.set_state(State::Draining);
        }
        // The actors hold the service's tree; with their threads they go, and the folder can be closed.
        for arbiter in std::mem::take(&mut *lock(&self.arbiters)) {
            arbiter.stop();
            let _ = arbiter.join();
        }
        *lock(&self.start) = None;
        *lock(&self.outboxes) = None;
        self.instances.store(Arc::new(Vec::new()));
    }
}

async fn is_alive(instance: &Instance) -> bool {
    matches!(tokio::time::timeout(PING_PATIENCE, instance.answers.ping.send(Ping)).await, Ok(Ok(())))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
