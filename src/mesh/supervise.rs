//! Who watches: keeps the instances of a service alive, and as many as there are to be.
//!
//! An actix `Supervisor` does not restart an actor that panicked: its mailbox is closed for good. So the pool keeps what it
//! takes to start one, learns of a death from the caller who met it or from a ping, and starts another under the same name.

use super::{
    Handlers, PoolSettings, State,
    autoscale::{self, Autoscale, Autoscaler},
    instance::Instance,
    node::Nodes,
    pool::{MOST_INSTANCES, Pool, is_stopped, lock},
    service::{InjectedFault, Ping},
};
use crate::env::{Env, Threads};
use actix::{Arbiter, ArbiterHandle};
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

/// What it takes to keep a service alive.
pub(super) struct Supervisor {
    /// Starts one actor on the given thread, and says what it answers.
    start: Box<dyn Fn(&ArbiterHandle) -> Handlers + Send + Sync>,
    env: Env,
    /// Where the watching is done.
    home: ArbiterHandle,
    nodes: Arc<Nodes>,
}

const PING_EVERY: Duration = Duration::from_secs(1);
const PING_PATIENCE: Duration = Duration::from_secs(3);
/// Before the second restart within [`CALM`]; doubled for each further one.
const BACKOFF: Duration = Duration::from_millis(50);
const BACKOFF_MOST: Duration = Duration::from_secs(5);
const CALM: Duration = Duration::from_secs(30);
/// How long an instance that is to go has for what it has in hand.
const LEAVE_WITHIN: Duration = Duration::from_secs(60);
const LOOK_WHETHER_IDLE_EVERY: Duration = Duration::from_millis(20);

impl Pool {
    /// Starts `count` instances, each on a node of its own, and watches over them from the thread that called.
    pub(super) fn launch(
        self: &Arc<Self>,
        count: usize,
        env: &Env,
        nodes: &Arc<Nodes>,
        start: impl Fn(&ArbiterHandle) -> Handlers + Send + Sync + 'static,
    ) {
        *lock(&self.supervisor) = Some(Supervisor {
            start: Box::new(start),
            env: env.clone(),
            home: Arbiter::current(),
            nodes: nodes.clone(),
        });
        self.settings.rcu(|settings| PoolSettings { count, ..PoolSettings::clone(settings) });
        self.default_count.store(count, Ordering::Relaxed);
        for number in 1..=count {
            let name: Arc<str> = format!("{}-{number}", self.service).into();
            if let Some(fresh) = self.start(name.clone(), 0) {
                self.put(fresh);
                self.watch(name);
            }
        }
    }

    /// Registers a ready-made instance: a double in a test.
    pub(super) fn register(&self, handlers: Handlers) {
        let name = format!("{}-{}", self.service, self.instances.load().len() + 1).into();
        self.put(Arc::new(Instance::new(name, handlers, None, Default::default(), 0)));
    }

    /// Runs what a service does on its own account (a relay, a sweeper) on one of its nodes, another for the next service; anew, should
    /// it panic. To be called after [`Pool::launch`]; it ends with the nodes.
    pub(super) fn background<F: Future<Output = ()> + 'static>(&self, work: impl Fn() -> F + Send + 'static) {
        let node = 1 + self.service as usize % self.default_count.load(Ordering::Relaxed).max(1);
        let on = lock(&self.supervisor).as_ref().map_or_else(Arbiter::current, |supervisor| supervisor.thread(node));
        let service = self.service.name();
        on.spawn_fn(move || {
            actix::spawn(async move {
                while AssertUnwindSafe(async { work().await }).catch_unwind().await.is_err() {
                    log::error!(service; "what it does on its own account panicked; beginning it anew");
                    sleep(BACKOFF_MOST).await;
                }
            });
        });
    }

    /// Makes one instance, on the node of its number. `None` where the pool was stopped.
    fn start(&self, name: Arc<str>, restarts: u32) -> Option<Arc<Instance>> {
        let supervisor = lock(&self.supervisor);
        let supervisor = supervisor.as_ref()?;
        let node = number_in(&name);
        let handlers = (supervisor.start)(&supervisor.thread(node));
        let settings = self.settings.load().of_instance(&name);
        Some(Arc::new(Instance::new(name, handlers, Some(node), settings, restarts)))
    }

    /// Makes one that comes to others: it is there when it has answered, for on a thread that is stalled it is no good yet.
    async fn start_among_others(&self, name: Arc<str>, restarts: u32) -> Option<Arc<Instance>> {
        let fresh = self.start(name, restarts)?;
        fresh.handlers.ping.send(Ping).await.ok()?;
        fresh.warm_up();
        Some(fresh)
    }

    /// Pings the instance of that name each second; starts another when it is dead.
    fn watch(self: &Arc<Self>, name: Arc<str>) {
        let pool = self.clone();
        actix::spawn(async move {
            let mut quick_restarts = 0;
            let mut since = Instant::now();
            while let Some(instance) = pool.named(&name).filter(|_| !is_stopped(&pool)) {
                instance.come_back_when_due();
                if instance.state() != State::Dead && is_alive(&instance).await {
                    // Whoever meets a death ends the wait.
                    let _ = timeout(PING_EVERY, instance.death()).await;
                    continue;
                }
                pool.bury(&instance);
                quick_restarts = if since.elapsed() > CALM { 0 } else { quick_restarts };
                if quick_restarts > 0 {
                    sleep((BACKOFF * 2u32.pow(quick_restarts.min(8))).min(BACKOFF_MOST)).await;
                }
                quick_restarts += 1;
                since = Instant::now();
                log::warn!(service = pool.service.name(), instance = &*name; "an instance died; starting another");
                if let Some(fresh) = pool.start_among_others(name.clone(), instance.restarts + 1).await {
                    // It may have been on its way out.
                    if pool.named(&name).is_some() {
                        pool.put(fresh);
                    }
                }
            }
        });
    }

    /// Changes how the service is run. `Err` in words for what makes no sense: nothing is changed then.
    pub async fn set(self: &Arc<Self>, settings: PoolSettings) -> Result<(), String> {
        let settings = settings.checked()?;
        let is_own = |name: &String| {
            (1..=MOST_INSTANCES).any(|number| name.strip_prefix(self.service.name()) == Some(&format!("-{number}")))
        };
        if let Some(name) = settings.instances.keys().find(|name| !is_own(name)) {
            return Err(format!("instances.{name} is no instance of this service"));
        }
        let was = self.settings.swap(Arc::new(settings.clone()));
        for instance in self.instances.load().iter() {
            instance.set(settings.of_instance(&instance.name));
        }
        if settings.count != was.count {
            self.scale(settings.count).await;
        }
        if let Some(bounds) = settings.autoscale.filter(|_| settings.autoscale != was.autoscale) {
            self.at_home(move |pool| actix::spawn(pool.autoscale(bounds)));
        }
        Ok(())
    }

    /// Starts or ends instances until there are `count`; returns when those that come are there. Those that go take no more calls and
    /// finish what they have: no call is lost.
    async fn scale(self: &Arc<Self>, count: usize) {
        let (done, scaled) = oneshot::channel();
        self.at_home(move |pool| {
            actix::spawn(async move {
                pool.scale_here(count).await;
                let _ = done.send(());
            })
        });
        let _ = scaled.await;
    }

    async fn scale_here(self: &Arc<Self>, count: usize) {
        let _one_after_the_other = self.scaling.lock().await;
        for number in 1..=count {
            let name: Arc<str> = format!("{}-{number}", self.service).into();
            match self.named(&name) {
                // One that is on its way out stays.
                Some(instance) => instance.set(self.settings.load().of_instance(&name)),
                None => {
                    if let Some(fresh) = self.start_among_others(name.clone(), 0).await {
                        self.put(fresh);
                        self.watch(name);
                    }
                }
            }
        }
        for instance in self.instances.load().iter().filter(|instance| number_of(instance) > count) {
            instance.drain();
            actix::spawn(self.clone().see_off(instance.clone()));
        }
        log::info!(service = self.service.name(), count; "scaled");
    }

    /// Waits until the instance has done what it has in hand, and ends it; unless it is to stay after all.
    async fn see_off(self: Arc<Self>, instance: Arc<Instance>) {
        let since = Instant::now();
        let is_to_stay = || number_of(&instance) <= self.settings.load().count;
        while !instance.is_idle() && since.elapsed() < LEAVE_WITHIN {
            sleep(LOOK_WHETHER_IDLE_EVERY).await;
            if is_to_stay() {
                return;
            }
        }
        if instance.state() == State::Dead {
            return;
        }
        // Its actor ends when nobody has its address any more.
        self.remove(&instance);
        // Whoever has picked it in this moment takes his request back, and goes to a sibling.
        instance.die();
    }

    /// Looks each second whether there are too few or too many, until somebody else is told to.
    async fn autoscale(self: Arc<Self>, bounds: Autoscale) {
        let mut autoscaler = Autoscaler::default();
        while self.settings.load().autoscale == Some(bounds) && !is_stopped(&self) {
            let mut in_flight = 0;
            for _ in 0..autoscale::SAMPLES {
                sleep(autoscale::LOOK_EVERY / autoscale::SAMPLES).await;
                in_flight += self.instances.load().iter().map(|it| it.in_flight.load(Ordering::Relaxed)).sum::<usize>();
            }
            let count = self.settings.load().count;
            let wanted = autoscaler.decide(&bounds, count, in_flight as f64 / f64::from(autoscale::SAMPLES));
            if wanted != count {
                self.settings.rcu(|settings| PoolSettings { count: wanted, ..PoolSettings::clone(settings) });
                self.scale_here(wanted).await;
            }
        }
    }

    /// Does something on the thread from which the instances are watched: who asks for it may be gone before it is done.
    fn at_home<T>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> T + Send + 'static) {
        let pool = self.clone();
        if let Some(supervisor) = lock(&self.supervisor).as_ref() {
            supervisor.home.spawn_fn(move || {
                work(pool);
            });
        }
    }

    /// Makes the named instance panic in a handler: what the Lab and the tests do to see that the shop copes.
    /// `false` where there is none of that name.
    pub async fn crash(&self, name: &str) -> bool {
        let Some(instance) = self.named(name) else { return false };
        // One that is stalled does not hear it, and is as good as dead.
        let _ = timeout(PING_PATIENCE, instance.handlers.disturb.send(InjectedFault::Crash)).await;
        self.bury(&instance);
        true
    }

    /// Makes the named instance do nothing at all for so long; after a while it will be found dead, and replaced.
    /// `false` where there is none of that name.
    pub fn pause(&self, name: &str, span: Duration) -> bool {
        let Some(instance) = self.named(name) else { return false };
        instance.handlers.disturb.do_send(InjectedFault::Pause(span));
        true
    }

    /// Lets go of the instances. Nobody calls any more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        for instance in self.instances.load().iter() {
            instance.drain();
        }
        *lock(&self.supervisor) = None;
        self.owes_nobody();
        self.instances.store(Arc::new(Vec::new()));
    }
}

impl Supervisor {
    fn thread(&self, node: usize) -> ArbiterHandle {
        match self.env.threads() {
            Threads::One => self.home.clone(),
            Threads::Many => self.nodes.thread(node),
        }
    }
}

fn number_of(instance: &Instance) -> usize {
    number_in(&instance.name)
}

/// 2 in `products-2`.
fn number_in(name: &str) -> usize {
    name.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or_default()
}

async fn is_alive(instance: &Instance) -> bool {
    matches!(timeout(PING_PATIENCE, instance.handlers.ping.send(Ping)).await, Ok(Ok(())))
}
