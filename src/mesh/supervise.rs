//! Supervision: keeps the instances of a service alive, and their number as it is set.
//!
//! An actix `Supervisor` does not restart an actor that panicked: the actor's mailbox is closed for
//! good. This supervisor therefore keeps what it needs to start an actor. It learns of a death from
//! a caller that met it or from a ping, and starts another actor under the same name.

use super::{
    autoscale::{self, Autoscaler},
    control_messages::Ping,
    handlers::Handlers,
    instance::{Instance, InstanceState},
    node::Nodes,
    pool::Pool,
    settings::{Autoscale, PoolSettings},
};
use crate::{
    env::{Backoff, Env, Threads},
    types::Service,
};
use actix::{Arbiter, ArbiterHandle};
use futures_util::FutureExt;
use parking_lot::Mutex;
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

const PING_EVERY: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// The pause before a restart that follows another one within [`CALM`].
const RESTART_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
const CALM: Duration = Duration::from_secs(30);
/// How long a removed instance may take to finish the calls that it has.
const DRAIN_WITHIN: Duration = Duration::from_secs(60);
const IDLE_CHECK_EVERY: Duration = Duration::from_millis(20);
/// The pause before a background task that panicked is started again.
const PAUSE_AFTER_PANIC: Duration = Duration::from_secs(5);

/// Starts one actor on the given thread and gives its handlers.
type StartActor = Box<dyn Fn(&ArbiterHandle) -> Handlers + Send + Sync>;

/// Starts, watches and stops the instances of one service, in the pool that it owns.
pub(super) struct Supervisor {
    pool: Arc<Pool>,
    /// `None` after [`Supervisor::stop`]: the closure holds the service's tree, which must be
    /// closed.
    start: Mutex<Option<StartActor>>,
    env: Env,
    /// The thread on which the instances are watched.
    home: ArbiterHandle,
    nodes: Arc<Nodes>,
    /// Held while instances are started or removed.
    scaling: tokio::sync::Mutex<()>,
}

impl Supervisor {
    /// Starts `count` instances, each on a node of its own, and watches them from the current
    /// thread.
    pub fn launch(pool: Arc<Pool>, count: usize, env: Env, nodes: Arc<Nodes>, start: StartActor) -> Arc<Self> {
        pool.set_count(count);
        pool.set_default_count(count);
        let supervisor = Arc::new(Self {
            pool,
            start: Mutex::new(Some(start)),
            env,
            home: Arbiter::current(),
            nodes,
            scaling: tokio::sync::Mutex::default(),
        });
        for number in 1..=count {
            let name = supervisor.name_of(number);
            if let Some(fresh) = supervisor.start(name.clone(), 0) {
                supervisor.pool.put(fresh);
                supervisor.clone().watch(name);
            }
        }
        supervisor
    }

    /// Runs a background task of the service (a relay, a sweeper) on one of its nodes; another node
    /// for another service. See [`keep_running`].
    pub fn background<F: Future<Output = ()> + 'static>(&self, work: impl Fn() -> F + Send + 'static) {
        let service = self.pool.service();
        let node = 1 + service as usize % self.pool.defaults().count;
        keep_running(service, &self.thread(node), work);
    }

    /// Starts one instance on the node of its number. `None` if the supervisor was stopped.
    fn start(&self, name: Arc<str>, restarts: u32) -> Option<Arc<Instance>> {
        let node = number_in(&name);
        let handlers = self.start.lock().as_ref()?(&self.thread(node));
        let settings = self.pool.settings().of_instance(&name);
        Some(Arc::new(Instance::new(name, handlers, Some(node), settings, restarts)))
    }

    /// Starts an instance beside others. It is given when it has answered a ping, because it would
    /// be of no use on a stalled thread.
    async fn start_beside_others(&self, name: Arc<str>, restarts: u32) -> Option<Arc<Instance>> {
        let fresh = self.start(name, restarts)?;
        fresh.handlers.ping.send(Ping).await.ok()?;
        fresh.warm_up();
        Some(fresh)
    }

    /// Pings the instance of that name each second, and replaces it when it is dead.
    fn watch(self: Arc<Self>, name: Arc<str>) {
        actix::spawn(async move {
            let mut quick_restarts = 0;
            let mut since = Instant::now();
            while let Some(instance) = self.pool.named(&name).filter(|_| !self.is_stopped()) {
                instance.readmit_if_due();
                if instance.state() != InstanceState::Dead && is_alive(&instance).await {
                    // A caller that finds the instance dead ends the wait.
                    let _ = timeout(PING_EVERY, instance.death()).await;
                    continue;
                }
                instance.mark_dead();
                quick_restarts = if since.elapsed() > CALM { 0 } else { quick_restarts };
                if quick_restarts > 0 {
                    sleep(RESTART_BACKOFF.pause(quick_restarts, &self.env)).await;
                }
                quick_restarts += 1;
                since = Instant::now();
                let service = self.pool.service().name();
                log::warn!(service, instance = &*name; "an instance died; starting another");
                if let Some(fresh) = self.start_beside_others(name.clone(), instance.restarts + 1).await {
                    // The instance may have been removed meanwhile.
                    if self.pool.named(&name).is_some() {
                        self.pool.put(fresh);
                    }
                }
            }
        });
    }

    /// Changes the settings of the pool, and starts or removes instances until there are as many as
    /// they say. Gives when new instances take calls.
    ///
    /// # Errors
    /// A text that begins with the name of the first field that is out of bounds. Nothing is
    /// changed then.
    pub async fn set(self: Arc<Self>, settings: PoolSettings) -> Result<(), String> {
        let (count, autoscale) = (settings.count, settings.autoscale);
        let previous = self.pool.set(settings)?;
        if count != previous.count {
            self.scale(count).await;
        }
        if let Some(bounds) = autoscale.filter(|_| autoscale != previous.autoscale) {
            self.on_home_thread(move |supervisor| actix::spawn(supervisor.autoscale(bounds)));
        }
        Ok(())
    }

    /// Scales on the home thread, so that it goes on if the caller stops waiting.
    async fn scale(self: &Arc<Self>, count: usize) {
        let (done, scaled) = oneshot::channel();
        self.on_home_thread(move |supervisor| {
            actix::spawn(async move {
                supervisor.scale_to(count).await;
                let _ = done.send(());
            })
        });
        let _ = scaled.await;
    }

    /// Starts or removes instances until there are `count`. Removed instances take no more calls
    /// and finish those that they have, so no call is lost.
    async fn scale_to(self: &Arc<Self>, count: usize) {
        let _guard = self.scaling.lock().await;
        for number in 1..=count {
            let name = self.name_of(number);
            match self.pool.named(&name) {
                // An instance that is being drained stays.
                Some(instance) => instance.set(self.pool.settings().of_instance(&name)),
                None => {
                    if let Some(fresh) = self.start_beside_others(name.clone(), 0).await {
                        self.pool.put(fresh);
                        self.clone().watch(name);
                    }
                }
            }
        }
        for instance in self.pool.instances().iter().filter(|instance| number_in(&instance.name) > count) {
            instance.drain();
            actix::spawn(self.clone().remove_when_idle(instance.clone()));
        }
        log::info!(service = self.pool.service().name(), count; "scaled");
    }

    /// Waits until the instance has finished its calls, and removes it. It stays if the pool has
    /// grown again meanwhile.
    async fn remove_when_idle(self: Arc<Self>, instance: Arc<Instance>) {
        let since = Instant::now();
        let is_wanted = || number_in(&instance.name) <= self.pool.settings().count;
        while !instance.is_idle() && since.elapsed() < DRAIN_WITHIN {
            sleep(IDLE_CHECK_EVERY).await;
            if is_wanted() {
                return;
            }
        }
        if instance.state() == InstanceState::Dead {
            return;
        }
        // The actor stops when the last copy of its address is dropped.
        self.pool.remove(&instance);
        // A caller that has just picked the instance cancels its call and picks another one.
        instance.mark_dead();
    }

    /// Follows the load, until the settings name other bounds or none.
    async fn autoscale(self: Arc<Self>, bounds: Autoscale) {
        let mut autoscaler = Autoscaler::default();
        while self.pool.settings().autoscale == Some(bounds) && !self.is_stopped() {
            let mut in_flight = 0;
            for _ in 0..autoscale::SAMPLES {
                sleep(autoscale::INTERVAL / autoscale::SAMPLES).await;
                in_flight += self.in_flight();
            }
            let count = self.pool.settings().count;
            let wanted = autoscaler.decide(&bounds, count, in_flight as f64 / f64::from(autoscale::SAMPLES));
            if wanted != count {
                self.pool.set_count(wanted);
                self.scale_to(wanted).await;
            }
        }
    }

    fn in_flight(&self) -> usize {
        self.pool.instances().iter().map(|instance| instance.in_flight.load(Ordering::Relaxed)).sum()
    }

    /// Does something on the home thread, which outlives the caller.
    fn on_home_thread<T>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> T + Send + 'static) {
        let supervisor = self.clone();
        self.home.spawn_fn(move || {
            work(supervisor);
        });
    }

    /// Stops watching, and drops what starts instances. The pool is cleared by its owner.
    pub fn stop(&self) {
        *self.start.lock() = None;
    }

    fn is_stopped(&self) -> bool {
        self.start.lock().is_none()
    }

    fn name_of(&self, number: usize) -> Arc<str> {
        format!("{}-{number}", self.pool.service()).into()
    }

    fn thread(&self, node: usize) -> ArbiterHandle {
        match self.env.threads() {
            Threads::One => self.home.clone(),
            Threads::Many => self.nodes.thread(node),
        }
    }
}

/// Runs a task on the thread until the thread stops. A task that panics is started again.
pub(super) fn keep_running<F: Future<Output = ()> + 'static>(
    service: Service,
    on: &ArbiterHandle,
    work: impl Fn() -> F + Send + 'static,
) {
    let service = service.name();
    on.spawn_fn(move || {
        actix::spawn(async move {
            while AssertUnwindSafe(async { work().await }).catch_unwind().await.is_err() {
                log::error!(service; "a background task panicked; starting it again");
                sleep(PAUSE_AFTER_PANIC).await;
            }
        });
    });
}

/// 2 in `products-2`.
fn number_in(name: &str) -> usize {
    name.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or_default()
}

async fn is_alive(instance: &Instance) -> bool {
    matches!(timeout(PING_TIMEOUT, instance.handlers.ping.send(Ping)).await, Ok(Ok(())))
}
