//! The mesh with doubles in the services' places.

mod balancing;
mod breakers;
mod crashes;
mod events;
mod links;
mod nodes;
mod retries;
mod scaling;

use super::*;
use crate::{
    env::Env,
    storage::{Decision, Outbox, OutboxTable, Record, Storage, StorageError, Table},
    types::{Principal, Service, Timestamp},
};
use actix::ArbiterHandle;
use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Greet {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Dawdle {}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Rush {}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {}

/// Cannot be read from what it says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Mumble {
    #[serde(skip_serializing)]
    word: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sing {}

/// No more than a [`Mumble`].
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Song {
    #[serde(skip_serializing)]
    _tune: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("we do not greet {0}")]
struct Rude(String);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct DoorOpened {
    number: u32,
}

requests! { Service::Products, Rude,
    query   anyone Greet  "doubles.greet" by name -> String,
    keyed   anyone Order  "doubles.order"         -> (),
    command anyone Dawdle "doubles.dawdle"        -> (),
    command anyone Rush   "doubles.rush"          -> (),
    command anyone Mumble "doubles.mumble"        -> (),
    command anyone Sing   "doubles.sing"          -> Song,
}

events! { Service::Users,
    DoorOpened "doubles.door_opened",
}

#[derive(Clone)]
struct Porter {
    heard: ProcessedEvents,
    doors: Arc<Mutex<Vec<u32>>>,
    /// How many deliveries fail before one is taken.
    refusals: Arc<AtomicUsize>,
    dawdling: Arc<AtomicUsize>,
    /// Who was greeted, each time.
    greeted: Arc<Mutex<Vec<String>>>,
    /// What was mumbled.
    mumbled: Arc<Mutex<Vec<String>>>,
    /// How many orders fail before one succeeds.
    failures: Arc<AtomicUsize>,
    /// How many orders there were.
    orders: Arc<AtomicUsize>,
    /// Milliseconds that a greeting takes.
    slowness: Arc<AtomicUsize>,
}

service! { Porter,
    handles {
        Greet  => greet,
        Dawdle => dawdle,
        Order  => order,
        Rush   => rush,
        Mumble => mumble,
        Sing   => sing,
    }
    subscribes {
        DoorOpened => door_opened,
    }
}

impl Porter {
    async fn greet(&self, _: Context, request: Greet) -> HandlerResult<Greet> {
        self.greeted.lock().unwrap().push(request.name.clone());
        if request.name == "stall" {
            // Nothing else runs on its thread meanwhile.
            std::thread::sleep(Duration::from_secs(7));
        }
        let slowness = self.slowness.load(Ordering::SeqCst);
        if slowness > 0 {
            tokio::time::sleep(Duration::from_millis(slowness as u64)).await;
        }
        match request.name.as_str() {
            "nobody" => Err(Rude(request.name).into()),
            "panic" => panic!("planted"),
            name => Ok(format!("Good day, {name}")),
        }
    }

    async fn order(&self, _: Context, _: Order) -> HandlerResult<Order> {
        self.orders.fetch_add(1, Ordering::SeqCst);
        if take_one(&self.failures) { Err(MeshError::Failed("planted".into()).into()) } else { Ok(()) }
    }

    async fn rush(&self, _: Context, _: Rush) -> HandlerResult<Rush> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    }

    async fn mumble(&self, _: Context, request: Mumble) -> HandlerResult<Mumble> {
        self.mumbled.lock().unwrap().push(request.word);
        Ok(())
    }

    async fn sing(&self, _: Context, _: Sing) -> HandlerResult<Sing> {
        Ok(Song { _tune: 7 })
    }

    async fn dawdle(&self, _: Context, _: Dawdle) -> HandlerResult<Dawdle> {
        self.dawdling.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.dawdling.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    async fn door_opened(&self, _: Context, event: DoorOpened) -> Result<(), MeshError> {
        if take_one(&self.refusals) {
            return Err(MeshError::Failed("planted".into()));
        }
        self.doors.lock().unwrap().push(event.number);
        Ok(())
    }

    fn of(storage: &Storage) -> Self {
        Self {
            heard: ProcessedEvents::in_tree(&storage.tree(Service::Products).unwrap()),
            doors: Arc::default(),
            refusals: Arc::default(),
            dawdling: Arc::default(),
            greeted: Arc::default(),
            mumbled: Arc::default(),
            failures: Arc::default(),
            orders: Arc::default(),
            slowness: Arc::default(),
        }
    }

    fn processed_events(&self) -> &ProcessedEvents {
        &self.heard
    }
}

fn take_one(of: &AtomicUsize) -> bool {
    of.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

struct House {
    mesh: Mesh,
    porter: Porter,
    storage: Storage,
    _folder: tempfile::TempDir,
}

/// A house in which every instance is a porter of its own.
fn house_of_strangers(count: usize) -> (House, Vec<Porter>) {
    let house = house_in(Env::simulated(7, Timestamp::UNIX_EPOCH), 0);
    let porters: Vec<_> = (0..count).map(|_| Porter::of(&house.storage)).collect();
    for porter in &porters {
        house.mesh.register(Service::Products, start(porter, &actix::Arbiter::current()));
    }
    (house, porters)
}

fn house(instances: usize) -> House {
    house_in(Env::system(), instances)
}

/// To be called inside a runtime whose clock is paused.
fn simulated_house(instances: usize) -> House {
    house_in(Env::simulated(7, Timestamp::UNIX_EPOCH), instances)
}

fn in_simulated_time(test: impl AsyncFnOnce()) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(runtime).block_on(test());
}

fn house_in(env: Env, instances: usize) -> House {
    house_on(&[], env, instances)
}

fn house_on(threads: &[ArbiterHandle], env: Env, instances: usize) -> House {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path(), &env).unwrap();
    let mesh = Mesh::new(
        env,
        &[(Service::Carts, &[Service::Products]), (Service::Products, &[])],
        &[(Service::Products, &[DoorOpened::NAME])],
    )
    .living_on(threads);
    let porter = Porter::of(&storage);
    let core = porter.clone();
    if instances > 0 {
        mesh.launch(Service::Products, instances, move |on| start(&core, on));
    }
    House { mesh, porter, storage, _folder: folder }
}

impl House {
    fn pool(&self) -> &Arc<Pool> {
        self.mesh.pool(Service::Products)
    }

    fn states(&self) -> Vec<State> {
        self.pool().report().instances.iter().map(|instance| instance.state).collect()
    }

    /// For tests that are about something else, with more failures than a breaker would stand.
    fn without_breaker(&self) {
        let closed = ClientPolicySettings { forced: Some(Forced::Closed), ..ClientPolicySettings::default() };
        self.mesh.set_client_policy(Caller::Outside("system"), Service::Products, closed).unwrap();
    }

    /// For tests whose calls all fail, and whose instances should stay all the same.
    async fn without_ejection(&self) {
        let outlier = OutlierSettings { failures: 0, ..OutlierSettings::default() };
        let settings = PoolSettings { outlier, ..PoolSettings::clone(&self.pool().settings()) };
        self.pool().set(settings).await.unwrap();
    }

    /// Who answered.
    async fn served_by(&self, name: &str) -> String {
        self.mesh.call_served(&patient(), greet(name)).await.0.expect("somebody answered").to_string()
    }
}

fn context(patience: Duration) -> Context {
    Context::new(Principal::Anonymous, patience, TraceId([7; 16]))
}

fn patient() -> Context {
    context(Duration::from_secs(5))
}

fn greet(name: &str) -> Greet {
    Greet { name: name.into() }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came to be: {what}");
}

#[actix::test]
async fn what_the_service_says_is_not_what_the_way_says() {
    let house = house(2);
    assert_eq!(house.mesh.call(&patient(), greet("Ada")).await.unwrap(), "Good day, Ada");
    let rude = house.mesh.call(&patient(), greet("nobody")).await;
    assert!(matches!(rude, Err(CallError::Domain(Rude(name))) if name == "nobody"));
    let gone = context(Duration::ZERO);
    assert!(matches!(house.mesh.call(&gone, greet("Ada")).await, Err(CallError::Mesh(MeshError::TimedOut))));
}

#[actix::test]
async fn a_caller_that_is_not_on_the_list_is_refused() {
    let house = house(1);
    let orders = house.mesh.for_caller(Caller::Service(Service::Orders));
    assert!(matches!(orders.call(&patient(), greet("Ada")).await, Err(CallError::Mesh(MeshError::Refused))));
    let carts = house.mesh.for_caller(Caller::Service(Service::Carts));
    assert!(carts.call(&patient(), greet("Ada")).await.is_ok());
}

#[actix::test]
async fn a_panic_is_its_callers_alone_and_the_instance_is_replaced() {
    let house = house(2);
    let slow: Vec<_> = (0..6)
        .map(|_| {
            let mesh = house.mesh.clone();
            actix::spawn(async move { mesh.call(&patient(), Dawdle {}).await })
        })
        .collect();
    until("six are at it", || house.porter.dawdling.load(Ordering::SeqCst) == 6).await;
    let crashed = house.mesh.call(&patient(), greet("panic")).await;
    assert!(matches!(crashed, Err(CallError::Mesh(MeshError::Crashed))));
    for _ in 0..50 {
        assert!(house.mesh.call(&patient(), greet("Ada")).await.is_ok());
    }
    let pool = house.mesh.pool(Service::Products).clone();
    until("two are ready again", || {
        pool.report().instances.iter().filter(|instance| instance.state == State::Ready).count() == 2
    })
    .await;
    assert_eq!(pool.report().instances.iter().map(|instance| instance.restarts).sum::<u32>(), 1);
    for call in slow {
        assert!(call.await.unwrap().is_ok(), "a call beside it was lost");
    }
}

#[actix::test]
async fn an_instance_that_is_told_to_crash_takes_no_call_with_it() {
    let house = house(2);
    let pool = house.mesh.pool(Service::Products).clone();
    for round in 1..=3 {
        assert!(pool.crash("products-1").await);
        for _ in 0..20 {
            assert!(house.mesh.call(&patient(), greet("Ada")).await.is_ok());
        }
        until("it is replaced", || pool.report().instances[0].restarts == round).await;
    }
    assert!(!pool.crash("products-9").await);
}

#[actix::test]
async fn without_an_instance_there_is_a_clean_no() {
    let house = house(1);
    let pool = house.mesh.pool(Service::Users);
    assert!(!pool.is_ready());
    house.mesh.stop();
    assert!(matches!(house.mesh.call(&patient(), greet("Ada")).await, Err(CallError::Mesh(MeshError::NoInstance))));
}

#[actix::test]
async fn calls_in_flight_are_bounded_and_a_caller_who_gave_up_still_holds_a_place() {
    let house = house(1);
    house.without_breaker();
    house.without_ejection().await;
    let capacity = house.mesh.pool(Service::Products).report().instances[0].capacity;
    let calls: Vec<_> = (0..capacity)
        .map(|_| {
            let mesh = house.mesh.clone();
            actix::spawn(async move { mesh.call(&context(Duration::from_millis(300)), Dawdle {}).await })
        })
        .collect();
    until("all places are taken", || house.porter.dawdling.load(Ordering::SeqCst) == capacity).await;
    assert!(matches!(house.mesh.call(&patient(), greet("Ada")).await, Err(CallError::Mesh(MeshError::Overloaded))));
    for call in calls {
        assert!(matches!(call.await.unwrap(), Err(CallError::Mesh(MeshError::TimedOut))));
    }
    // They gave up, the handlers did not.
    assert!(matches!(house.mesh.call(&patient(), greet("Ada")).await, Err(CallError::Mesh(MeshError::Overloaded))));
    until("the handlers are done", || house.porter.dawdling.load(Ordering::SeqCst) == 0).await;
    assert!(house.mesh.call(&patient(), greet("Ada")).await.is_ok());
}
