//! Who is there: the instances of a service, and which of them takes a call.

use super::{
    InstanceReport, InstanceSettings, Kind, MeshError, State, Strategy,
    autoscale::Autoscale,
    balance::Balancer,
    client_policy::Outcome,
    instance::Instance,
    outlier::{self, OutlierSettings},
    permit::Permit,
    relay::Outboxes,
    supervise::Supervisor,
};
use crate::types::Service;
use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use utoipa::ToSchema;

/// The instances of one service.
pub struct Pool {
    pub(super) service: Service,
    pub(super) instances: ArcSwap<Vec<Arc<Instance>>>,
    pub(super) settings: ArcSwap<PoolSettings>,
    balancer: Balancer,
    /// What keeps the instances alive, once the service was launched.
    pub(super) supervisor: Mutex<Option<Supervisor>>,
    outboxes: Mutex<Option<Outboxes>>,
    /// Held while instances are started or sent away.
    pub(super) scaling: tokio::sync::Mutex<()>,
    /// How many instances there are to be where nobody has said otherwise.
    pub(super) default_count: AtomicUsize,
    pub(super) stopped: AtomicBool,
}

/// How a service's instances are run. All of it can be changed while they run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PoolSettings {
    pub strategy: Strategy,
    /// How many instances there are to be.
    pub count: usize,
    /// Looks after `count` by itself; `null` for not.
    pub autoscale: Option<Autoscale>,
    pub outlier: OutlierSettings,
    /// How long an instance that comes to others takes to get its whole share of the calls.
    pub warm_up_ms: u64,
    /// What is different for single instances, by their names.
    pub instances: BTreeMap<String, InstanceSettings>,
}

/// Instances that a service has at the most.
pub const MOST_INSTANCES: usize = 32;

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            count: 2,
            autoscale: None,
            outlier: OutlierSettings::default(),
            warm_up_ms: 10_000,
            instances: BTreeMap::new(),
        }
    }
}

impl PoolSettings {
    /// `Err` begins with the field that makes no sense.
    pub fn checked(self) -> Result<Self, String> {
        if !(1..=MOST_INSTANCES).contains(&self.count) {
            return Err(format!("count is from 1 to {MOST_INSTANCES}"));
        }
        if self.warm_up_ms > 600_000 {
            return Err("warm_up_ms is at most 600,000 (ten minutes)".into());
        }
        if self.instances.len() > MOST_INSTANCES {
            return Err(format!("instances names at most {MOST_INSTANCES}"));
        }
        self.outlier.checked().map_err(|words| format!("outlier.{words}"))?;
        self.autoscale.map(Autoscale::checked).transpose()?;
        for (name, settings) in &self.instances {
            settings.checked().map_err(|words| format!("instances.{name}.{words}"))?;
        }
        Ok(self)
    }

    pub(super) fn of_instance(&self, name: &str) -> InstanceSettings {
        self.instances.get(name).copied().unwrap_or_default()
    }

    fn warm_up(&self) -> Duration {
        Duration::from_millis(self.warm_up_ms)
    }
}

/// A service as it runs now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PoolReport {
    pub service: Service,
    pub settings: PoolSettings,
    /// Whether so few instances are fit that the ejected ones are asked, too.
    pub panic: bool,
    pub instances: Vec<InstanceReport>,
}

impl Pool {
    pub(super) fn new(service: Service) -> Self {
        Self {
            service,
            instances: ArcSwap::default(),
            settings: ArcSwap::default(),
            balancer: Balancer::default(),
            supervisor: Mutex::default(),
            outboxes: Mutex::default(),
            scaling: tokio::sync::Mutex::default(),
            default_count: AtomicUsize::default(),
            stopped: AtomicBool::new(false),
        }
    }

    /// An instance that takes calls, and a place in it for a call of that kind; another than `avoid` where there is one.
    pub(super) fn pick(
        &self,
        kind: Kind,
        key: &dyn Fn() -> Option<u64>,
        avoid: Option<&str>,
    ) -> Result<(Arc<Instance>, Permit), MeshError> {
        let (instances, settings) = (self.instances.load(), self.settings.load());
        let mut fit = fit(&instances);
        if let Some(avoid) = avoid
            && fit.iter().any(|instance| *instance.name != *avoid)
        {
            fit.retain(|instance| *instance.name != *avoid);
        }
        if fit.is_empty() {
            return Err(MeshError::NoInstance);
        }
        let picked = self.balancer.pick(settings.strategy, fit, settings.warm_up(), kind, key);
        picked.ok_or(MeshError::Overloaded)
    }

    /// Learns how a call ended, and ejects the instance if it is one too many.
    pub(super) fn learn(&self, instance: &Instance, outcome: Outcome, took: Duration) {
        let settings = self.settings.load();
        let is_too_many = match outcome {
            Outcome::Unknown => return,
            outcome => instance.learn(took, outcome == Outcome::Failure, &settings.outlier),
        };
        if is_too_many {
            let instances = self.instances.load();
            let count = |state: State| instances.iter().filter(|it| it.state() == state).count();
            if outlier::can_spare(instances.len(), count(State::Ejected), count(State::Ready)) {
                instance.eject(&settings.outlier);
                log::warn!(service = self.service.name(), instance = &*instance.name; "too many calls failed in a row; ejected for a while");
            }
        }
    }

    /// Called by whoever finds that the instance is dead: it gets no more calls, and what lies in its mailbox goes to a sibling.
    pub(super) fn bury(&self, instance: &Instance) {
        instance.die();
    }

    pub(super) fn named(&self, name: &str) -> Option<Arc<Instance>> {
        self.instances.load().iter().find(|instance| *instance.name == *name).cloned()
    }

    /// Puts an instance in the place of the one of its name, or at the end.
    pub(super) fn put(&self, fresh: Arc<Instance>) {
        self.instances.rcu(|instances| {
            let mut instances = instances.as_ref().clone();
            match instances.iter_mut().find(|old| old.name == fresh.name) {
                Some(old) => *old = fresh.clone(),
                None => instances.push(fresh.clone()),
            }
            instances
        });
    }

    pub(super) fn remove(&self, gone: &Arc<Instance>) {
        self.instances.rcu(|instances| {
            instances.iter().filter(|instance| !Arc::ptr_eq(instance, gone)).cloned().collect::<Vec<_>>()
        });
    }

    /// Makes an instance a canary, or like the others again; drains it, or lets it take calls again. `false` where there is none of
    /// that name.
    pub fn set_instance(&self, name: &str, settings: InstanceSettings) -> bool {
        let Some(instance) = self.named(name) else { return false };
        self.settings.rcu(|all| {
            let mut all = PoolSettings::clone(all);
            all.instances.insert(name.to_owned(), settings);
            all.instances.retain(|_, settings| *settings != InstanceSettings::default());
            all
        });
        instance.set(settings);
        true
    }

    /// Takes the instance out for a while, as if too many of its calls had failed. `false` where there is none of that name, or where
    /// the others cannot do without it.
    pub fn eject(&self, name: &str) -> bool {
        let Some(instance) = self.named(name) else { return false };
        let others = self.instances.load().iter().filter(|it| it.state() == State::Ready && *it.name != *name).count();
        if others == 0 {
            return false;
        }
        instance.eject(&self.settings.load().outlier);
        true
    }

    /// Lets an ejected instance back before its time.
    pub fn readmit(&self, name: &str) -> bool {
        self.named(name).map(|instance| instance.come_back()).is_some()
    }

    pub fn service(&self) -> Service {
        self.service
    }

    pub fn settings(&self) -> Arc<PoolSettings> {
        self.settings.load_full()
    }

    /// What the service was launched with.
    pub fn defaults(&self) -> PoolSettings {
        PoolSettings { count: self.default_count.load(Ordering::Relaxed).max(1), ..PoolSettings::default() }
    }

    /// Changes the default; those that run are changed by [`Pool::set`].
    pub fn set_default_count(&self, count: usize) {
        self.default_count.store(count, Ordering::Relaxed);
    }

    pub fn strategy(&self) -> Strategy {
        self.settings.load().strategy
    }

    pub fn set_strategy(&self, strategy: Strategy) {
        self.settings.rcu(|settings| PoolSettings { strategy, ..PoolSettings::clone(settings) });
    }

    /// Whether anybody would take a call.
    pub fn is_ready(&self) -> bool {
        !fit(&self.instances.load()).is_empty()
    }

    pub fn report(&self) -> PoolReport {
        let (instances, settings) = (self.instances.load(), self.settings());
        let report = |instance: &Arc<Instance>| instance.report(settings.warm_up());
        PoolReport {
            service: self.service,
            panic: is_panic(&instances),
            instances: instances.iter().map(report).collect(),
            settings: PoolSettings::clone(&settings),
        }
    }

    pub(super) fn owes(&self, outboxes: Outboxes) {
        *lock(&self.outboxes) = Some(outboxes);
    }

    /// What the service owes; `None` where it tells nothing.
    pub(super) fn outboxes(&self) -> Option<Outboxes> {
        lock(&self.outboxes).clone()
    }

    pub(super) fn owes_nobody(&self) {
        *lock(&self.outboxes) = None;
    }

    /// What its instances hear, by name.
    #[cfg(test)]
    pub fn subscribed_events(&self) -> std::collections::BTreeSet<&'static str> {
        self.instances.load().iter().flat_map(|instance| instance.handlers.subscribed_events()).collect()
    }
}

/// Those that take calls: the ready ones, and the ejected ones where too few are ready.
fn fit(instances: &[Arc<Instance>]) -> Vec<&Arc<Instance>> {
    let takes_ejected = is_panic(instances);
    let takes_calls = |instance: &&Arc<Instance>| match instance.state() {
        State::Ready => true,
        State::Ejected => takes_ejected,
        State::Draining | State::Dead => false,
    };
    instances.iter().filter(takes_calls).collect()
}

fn is_panic(instances: &[Arc<Instance>]) -> bool {
    let states = || instances.iter().map(|instance| instance.state());
    let all = states().filter(|state| *state != State::Draining).count();
    outlier::is_panic(all, states().filter(|state| *state == State::Ready).count())
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

pub(super) fn is_stopped(pool: &Pool) -> bool {
    pool.stopped.load(Ordering::Acquire)
}
