//! The service among doubles, under a clock that stands still while there is something to do: an hour passes in a moment,
//! and every run is the same.

mod after_placing;
mod crashes;
mod doubles;
mod fixtures;
mod placing;
mod reading;
mod sagas;
mod world;

use super::{launch, messages::*};
use crate::{
    env::{Env, later},
    mesh::{CallError, Caller, Context, Event, Mesh, Request, TraceId},
    services::{
        ALLOWED_CALLS, SUBSCRIPTIONS, ServiceDeps,
        products::messages::StockLine,
        shipping::messages::{ShipmentDelivered, ShippingService},
    },
    storage::{Outbox, Record, Storage, Tree},
    types::{Id, Limit, OrderId, Principal, Service, ShipmentId, Timestamp, UserId},
};
use doubles::{Fault, Stage, double};
use fixtures::*;
use serde::{Deserialize, Serialize};
use std::{path::Path, time::Duration};
use world::{World, euro};

/// The shop as long as it runs.
struct Shop {
    env: Env,
    mesh: Mesh,
    stage: Stage,
    shipping: Tree,
    orders: Tree,
}

const PATIENCE: Duration = Duration::from_secs(100);

type Placed = Result<Order, CallError<OrdersError>>;

/// A new world, in which a shop runs until the test is over.
fn in_shop(test: impl AsyncFnOnce(Shop)) {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &new_stage(), Timestamp::UNIX_EPOCH, test);
}

/// Runs a shop over the folder, from that moment on, and stops it in whatever it is doing when the test is over.
fn run<T>(folder: &Path, stage: &Stage, from: Timestamp, test: impl AsyncFnOnce(Shop) -> T) -> T {
    let runtime = || {
        let mut paused = tokio::runtime::Builder::new_current_thread();
        paused.enable_all().start_paused(true).build().unwrap()
    };
    let shop = run_in(folder, stage, || Env::simulated(7, from), test);
    actix::System::with_tokio_rt(runtime).block_on(shop)
}

/// The same in the real world: on several threads, in real time.
fn run_for_real<T>(folder: &Path, stage: &Stage, test: impl AsyncFnOnce(Shop) -> T) -> T {
    actix::System::new().block_on(run_in(folder, stage, Env::system, test))
}

async fn run_in<T>(folder: &Path, stage: &Stage, env: impl FnOnce() -> Env, test: impl AsyncFnOnce(Shop) -> T) -> T {
    use Service::*;
    let env = env();
    let storage = Storage::open(folder, &env).unwrap();
    let mesh = Mesh::new(env.clone(), ALLOWED_CALLS, SUBSCRIPTIONS);
    let notifications = storage.tree(Notifications).unwrap();
    for service in [Users, Products, Carts, Payments, Shipping, Notifications] {
        mesh.register(service, double(&env, stage, &notifications));
    }
    let shipping = storage.tree(Shipping).unwrap();
    mesh.relay(Shipping, shipping.clone(), vec![Box::new(shipping.table::<Van>())]);
    let (own, orders) = (mesh.for_caller(Caller::Service(Orders)), storage.tree(Orders).unwrap());
    launch(ServiceDeps { env: env.clone(), mesh: own, tree: orders.clone(), instances: 2 }).unwrap();
    let outcome = test(Shop { env, mesh: mesh.clone(), stage: stage.clone(), shipping, orders }).await;
    // What is under way ends with the system; this lets go of the folder.
    mesh.stop();
    outcome
}

impl Shop {
    async fn call<R: Request>(&self, who: Principal, request: R) -> Result<R::Reply, CallError<R::Error>> {
        self.call_within(PATIENCE, who, request).await
    }

    async fn call_within<R: Request>(
        &self,
        patience: Duration,
        who: Principal,
        request: R,
    ) -> Result<R::Reply, CallError<R::Error>> {
        self.mesh.call(&Context::new(who, patience, TraceId([1; 16])), request).await
    }

    async fn place(&self, key: &str) -> Placed {
        self.call(ada(), order(key)).await
    }

    /// An order of Ada's that came to be confirmed.
    async fn confirmed(&self) -> OrderId {
        let order = self.place("confirmed").await.unwrap();
        assert_eq!(order.status, OrderStatus::Confirmed);
        self.stage.take_calls();
        order.id
    }

    async fn shipped(&self) -> OrderId {
        let id = self.confirmed().await;
        self.fulfil(id, Fulfilment::Packed).await.unwrap();
        self.fulfil(id, Fulfilment::Shipped).await.unwrap();
        self.stage.take_calls();
        id
    }

    async fn delivered(&self) -> OrderId {
        let id = self.shipped().await;
        self.deliver(id);
        self.until(id, |order| order.status == OrderStatus::Delivered).await;
        id
    }

    async fn fulfil(&self, order_id: OrderId, to: Fulfilment) -> Placed {
        self.call(operator(), FulfilOrder { order_id, to }).await
    }

    async fn cancel(&self, order_id: OrderId) -> Placed {
        self.call(ada(), CancelOrder { order_id }).await
    }

    async fn needing_attention(&self) -> u64 {
        self.call(operator(), CountNeedingAttention {}).await.unwrap()
    }

    async fn order(&self, order_id: OrderId) -> Order {
        self.call(ada(), GetOrder { order_id }).await.unwrap()
    }

    /// The order when it is like that.
    async fn until(&self, order_id: OrderId, wanted: impl Fn(&Order) -> bool) -> Order {
        let mut order = self.order(order_id).await;
        while !wanted(&order) {
            order = self.call(ada(), AwaitChange { order_id, after: order.version }).await.unwrap();
        }
        order
    }

    async fn until_at_rest(&self, order_id: OrderId) -> Order {
        self.until(order_id, |order| order.in_progress.is_none()).await
    }

    /// Shipping tells that the parcel was delivered.
    fn deliver(&self, order_id: OrderId) {
        let shipment_id = ShipmentId::from_uuid(order_id.uuid());
        self.tell(&ShipmentDelivered { order_id, user_id: id(1), shipment_id, at: self.env.now() });
    }

    /// Somebody tells that something happened.
    fn tell(&self, event: &impl Event) {
        let mut van = Van { outbox: Outbox::default() };
        event.add_to(&mut van.outbox, self.env.now());
        assert!(self.shipping.table().create(&self.env.id(), van).unwrap());
    }

    fn assert_all_or_nothing(&self, order: &Order) {
        self.stage.lock().world.assert_agrees_with(order);
    }

    async fn sleep(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

/// What owes the events that the test tells.
#[derive(Clone, Serialize, Deserialize)]
struct Van {
    outbox: Outbox,
}

impl Record for Van {
    const TABLE: &'static str = "van";
    type Key = ShipmentId;
    fn outbox(&self) -> Option<&Outbox> {
        Some(&self.outbox)
    }
    fn outbox_mut(&mut self) -> Option<&mut Outbox> {
        Some(&mut self.outbox)
    }
}
