//! The instances of one service, and which of them takes a call.

use super::{
    MeshError, RequestKind,
    balance::Balancer,
    call_result::CallResult,
    control_messages::InjectedFault,
    instance::{Instance, InstanceReport, InstanceState},
    outlier,
    permit::Permit,
    settings::{InstanceSettings, MOST_INSTANCES, PoolSettings, Strategy},
};
use crate::types::Service;
use arc_swap::ArcSwap;
use serde::Serialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;
use utoipa::ToSchema;

/// How long an injected crash waits until the actor has panicked.
const CRASH_TIMEOUT: Duration = Duration::from_secs(3);

/// The instances of one service. A pool is complete when it is made. Its
/// supervisor (`supervise.rs`), which starts instances, owns it.
pub struct Pool {
    service: Service,
    instances: ArcSwap<Vec<Arc<Instance>>>,
    settings: ArcSwap<PoolSettings>,
    balancer: Balancer,
    /// The number of instances if no operator has changed it.
    default_count: AtomicUsize,
}

/// The state of a service's pool.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PoolReport {
    /// The service.
    pub service: Service,
    /// The settings of the pool.
    pub settings: PoolSettings,
    /// Whether fewer than half of the instances are ready. Ejected instances then get calls, too.
    pub panic: bool,
    /// The instances in the order of their numbers.
    pub instances: Vec<InstanceReport>,
}

impl Pool {
    pub(super) fn new(service: Service) -> Self {
        Self {
            service,
            instances: ArcSwap::default(),
            settings: ArcSwap::default(),
            balancer: Balancer::default(),
            default_count: AtomicUsize::new(1),
        }
    }

    /// Picks an instance for a call of that kind and takes a slot there. An instance other than
    /// `avoid` is preferred.
    ///
    /// # Errors
    /// [`MeshError::NoInstance`] if no instance takes calls, [`MeshError::Overloaded`] if no slot
    /// is free.
    pub(super) fn pick(
        &self,
        kind: RequestKind,
        key: &dyn Fn() -> Option<u64>,
        avoid: Option<&str>,
    ) -> Result<(Arc<Instance>, Permit), MeshError> {
        let (instances, settings) = (self.instances.load(), self.settings.load());
        let mut available = available(&instances);
        if let Some(avoid) = avoid
            && available.iter().any(|instance| *instance.name != *avoid)
        {
            available.retain(|instance| *instance.name != *avoid);
        }
        if available.is_empty() {
            return Err(MeshError::NoInstance);
        }
        let picked = self.balancer.pick(settings.strategy, available, settings.warm_up(), kind, key);
        picked.ok_or(MeshError::Overloaded)
    }

    /// Records how a call ended, and ejects the instance after too many failures in a row.
    pub(super) fn record_call(&self, instance: &Instance, result: CallResult, took: Duration) {
        let settings = self.settings.load();
        let should_eject = match result {
            CallResult::Unknown => return,
            result => instance.record_call(took, result == CallResult::Failure, &settings.outlier),
        };
        if should_eject {
            let instances = self.instances.load();
            let count = |state: InstanceState| instances.iter().filter(|it| it.state() == state).count();
            if outlier::can_spare(instances.len(), count(InstanceState::Ejected), count(InstanceState::Ready)) {
                instance.eject(&settings.outlier);
                log::warn!(service = self.service.name(), instance = &*instance.name; "too many calls failed in a row; ejected for a while");
            }
        }
    }

    pub(super) fn instances(&self) -> Arc<Vec<Arc<Instance>>> {
        self.instances.load_full()
    }

    pub(super) fn named(&self, name: &str) -> Option<Arc<Instance>> {
        self.instances.load().iter().find(|instance| *instance.name == *name).cloned()
    }

    /// Adds an instance. It replaces the instance of the same name.
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

    /// Drains and removes all instances.
    pub(super) fn clear(&self) {
        self.instances.swap(Arc::default()).iter().for_each(|instance| instance.drain());
    }

    /// Changes the settings, also those of running instances, and gives the previous settings. The
    /// supervisor starts and stops instances afterwards.
    ///
    /// # Errors
    /// A text that begins with the name of the first field that is out of bounds. Nothing is
    /// changed then.
    pub(super) fn set(&self, settings: PoolSettings) -> Result<Arc<PoolSettings>, String> {
        let settings = settings.checked()?;
        let is_own = |name: &String| {
            (1..=MOST_INSTANCES).any(|number| name.strip_prefix(self.service.name()) == Some(&format!("-{number}")))
        };
        if let Some(name) = settings.instances.keys().find(|name| !is_own(name)) {
            return Err(format!("instances.{name} is no instance of this service"));
        }
        let previous = self.settings.swap(Arc::new(settings.clone()));
        for instance in self.instances.load().iter() {
            instance.set(settings.of_instance(&instance.name));
        }
        Ok(previous)
    }

    pub(super) fn set_count(&self, count: usize) {
        self.settings.rcu(|settings| PoolSettings { count, ..PoolSettings::clone(settings) });
    }

    /// Changes the settings of one instance. `false` if there is no instance of that name.
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

    /// Ejects the instance, as after too many failed calls. `false` if there is no instance of that
    /// name, or if no other instance is ready.
    pub fn eject(&self, name: &str) -> bool {
        let Some(instance) = self.named(name) else { return false };
        let is_other = |it: &&Arc<Instance>| it.state() == InstanceState::Ready && *it.name != *name;
        if self.instances.load().iter().filter(is_other).count() == 0 {
            return false;
        }
        instance.eject(&self.settings.load().outlier);
        true
    }

    /// Ends the ejection of an instance. `false` if there is no instance of that name.
    pub fn readmit(&self, name: &str) -> bool {
        self.named(name).map(|instance| instance.readmit()).is_some()
    }

    /// Injects a fault: the actor of the named instance panics in a handler. `false` if there is no
    /// instance of that name.
    pub async fn crash(&self, name: &str) -> bool {
        let Some(instance) = self.named(name) else { return false };
        // An actor that is stalled does not read the message. It counts as dead, too.
        let _ = timeout(CRASH_TIMEOUT, instance.handlers.inject_fault.send(InjectedFault::Crash)).await;
        instance.mark_dead();
        true
    }

    /// Injects a fault: the actor of the named instance handles no message for `span`. If the span
    /// is longer than the supervisor's ping timeout, the instance is replaced. `false` if there is
    /// no instance of that name.
    pub fn pause(&self, name: &str, span: Duration) -> bool {
        let Some(instance) = self.named(name) else { return false };
        instance.handlers.inject_fault.do_send(InjectedFault::Pause(span));
        true
    }

    /// The service whose instances these are.
    pub fn service(&self) -> Service {
        self.service
    }

    /// The settings at the moment.
    pub fn settings(&self) -> Arc<PoolSettings> {
        self.settings.load_full()
    }

    /// The settings with which the service was launched.
    pub fn defaults(&self) -> PoolSettings {
        PoolSettings { count: self.default_count.load(Ordering::Relaxed), ..PoolSettings::default() }
    }

    /// Changes the default number of instances (at least 1). Running instances are changed by
    /// [`Mesh::set_pool`](super::Mesh::set_pool).
    pub fn set_default_count(&self, count: usize) {
        self.default_count.store(count.max(1), Ordering::Relaxed);
    }

    /// The strategy at the moment.
    pub fn strategy(&self) -> Strategy {
        self.settings.load().strategy
    }

    /// Changes the strategy.
    pub fn set_strategy(&self, strategy: Strategy) {
        self.settings.rcu(|settings| PoolSettings { strategy, ..PoolSettings::clone(settings) });
    }

    /// Whether an instance takes calls.
    pub fn is_ready(&self) -> bool {
        !available(&self.instances.load()).is_empty()
    }

    /// The state of the pool and its instances.
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

    /// The names of the events that the instances have handlers for.
    #[cfg(test)]
    pub fn subscribed_events(&self) -> std::collections::BTreeSet<&'static str> {
        self.instances.load().iter().flat_map(|instance| instance.handlers.subscribed_events()).collect()
    }
}

/// The instances that take calls: those that are ready, and in a panic also those that are ejected.
fn available(instances: &[Arc<Instance>]) -> Vec<&Arc<Instance>> {
    let takes_ejected = is_panic(instances);
    let takes_calls = |instance: &&Arc<Instance>| match instance.state() {
        InstanceState::Ready => true,
        InstanceState::Ejected => takes_ejected,
        InstanceState::Draining | InstanceState::Dead => false,
    };
    instances.iter().filter(takes_calls).collect()
}

fn is_panic(instances: &[Arc<Instance>]) -> bool {
    let states = || instances.iter().map(|instance| instance.state());
    let all = states().filter(|state| *state != InstanceState::Draining).count();
    outlier::is_panic(all, states().filter(|state| *state == InstanceState::Ready).count())
}
