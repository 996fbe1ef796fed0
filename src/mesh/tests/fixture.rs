//! A mesh with service doubles, and what its tests share.

pub use super::doubles::*;
pub use crate::{
    env::Env,
    mesh::*,
    storage::{Decision, Outbox, OutboxTable, Record, Storage, StorageError, Table},
    types::{Principal, Service, Timestamp},
};
use actix::ArbiterHandle;
pub use serde::{Deserialize, Serialize};
pub use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A mesh with one service, Products, whose instances are doubles.
pub struct Fixture {
    pub mesh: Mesh,
    pub double: Double,
    pub storage: Storage,
    _folder: tempfile::TempDir,
}

/// A fixture in which every instance is a double of its own.
pub fn fixture_of_separate_doubles(count: usize) -> (Fixture, Vec<Double>) {
    let fixture = fixture_in(Env::simulated(7, Timestamp::UNIX_EPOCH), 0);
    let doubles: Vec<_> = (0..count).map(|_| Double::of(&fixture.storage)).collect();
    for double in &doubles {
        fixture.mesh.register(Service::Products, start_double(double, &actix::Arbiter::current()));
    }
    (fixture, doubles)
}

pub fn fixture(instances: usize) -> Fixture {
    fixture_in(Env::system(), instances)
}

/// To be called inside a runtime whose clock is paused.
pub fn simulated_fixture(instances: usize) -> Fixture {
    fixture_in(Env::simulated(7, Timestamp::UNIX_EPOCH), instances)
}

pub fn in_simulated_time(test: impl AsyncFnOnce()) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(runtime).block_on(test());
}

pub fn fixture_in(env: Env, instances: usize) -> Fixture {
    fixture_on(&[], env, instances)
}

pub fn fixture_on(threads: &[ArbiterHandle], env: Env, instances: usize) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path(), &env).unwrap();
    let mesh = Mesh::new(
        env,
        &[(Service::Carts, &[Service::Products]), (Service::Products, &[])],
        &[(Service::Products, &[DoorOpened::NAME])],
    )
    .on_threads(threads);
    let double = Double::of(&storage);
    let core = double.clone();
    if instances > 0 {
        mesh.launch(Service::Products, instances, move |on| start_double(&core, on));
    }
    Fixture { mesh, double, storage, _folder: folder }
}

impl Fixture {
    pub fn pool(&self) -> &Arc<Pool> {
        self.mesh.pool(Service::Products)
    }

    pub fn states(&self) -> Vec<InstanceState> {
        self.pool().report().instances.iter().map(|instance| instance.state).collect()
    }

    /// For tests of other layers, with failures that would open the breaker.
    pub fn without_breaker(&self) {
        let closed = ClientPolicySettings { forced: Some(Forced::Closed), ..ClientPolicySettings::default() };
        self.mesh.set_client_policy(Caller::Outside("system"), Service::Products, closed).unwrap();
    }

    /// For tests whose calls fail, but whose instances should not be ejected.
    pub async fn without_ejection(&self) {
        let outlier = OutlierSettings { failures: 0, ..OutlierSettings::default() };
        let settings = PoolSettings { outlier, ..PoolSettings::clone(&self.pool().settings()) };
        self.mesh.set_pool(Service::Products, settings).await.unwrap();
    }

    /// The name of the instance that answered.
    pub async fn served_by(&self, name: &str) -> String {
        self.mesh.call_served(&patient(), greet(name)).await.0.expect("an instance answered").to_string()
    }
}

pub fn context(timeout: Duration) -> Context {
    Context::new(Principal::Anonymous, timeout, TraceId([7; 16]))
}

pub fn patient() -> Context {
    context(Duration::from_secs(5))
}

pub fn greet(name: &str) -> Greet {
    Greet { name: name.into() }
}

/// Waits until the condition holds, for five seconds at most.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within five seconds: {what}");
}
