//! The service among doubles, under a clock that stands still while there is something to do: an hour passes in a moment,
//! and every run is the same.

mod after_placing;
mod crashes;
mod doubles;
mod placing;
mod reading;
mod sagas;
mod world;

use super::{launch, messages::*};
use crate::{
    env::{Env, later},
    mesh::{CallError, Caller, Context, Event, Mesh, Request, TraceId},
    services::{
        CALLS, Home,
        payments::messages::PaymentMethod,
        products::messages::{Availability, Product, StockLine},
        shipping::messages::{ShipmentDelivered, ShippingService},
        users::messages::SavedAddress,
    },
    storage::{Outbox, Record, Storage, Tree},
    types::{
        Address, AddressId, Id, Limit, OrderId, PaymentMethodId, Principal, ProductId, Role, Service, ShipmentId,
        Timestamp, UserId,
    },
};
use doubles::{Fault, Stage, double};
use serde::{Deserialize, Serialize};
use std::{path::Path, time::Duration};
use uuid::Uuid;
use world::{World, euro};

/// The shop as long as it runs.
struct Shop {
    env: Env,
    mesh: Mesh,
    stage: Stage,
    shipping: Tree,
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
    actix::System::with_tokio_rt(runtime).block_on(async {
        let env = Env::simulated(7, from);
        let storage = Storage::open(folder, &env).unwrap();
        let mesh = Mesh::new(env.clone(), CALLS);
        let notifications = storage.tree(Service::Notifications).unwrap();
        use Service::*;
        for service in [Users, Products, Carts, Payments, Shipping, Notifications] {
            mesh.register(service, double(&env, stage, &notifications));
        }
        let shipping = storage.tree(Shipping).unwrap();
        mesh.relay(Shipping, shipping.clone(), vec![Box::new(shipping.table::<Van>())]);
        let own = mesh.for_caller(Caller::Service(Orders));
        let home = Home { env: env.clone(), mesh: own, tree: storage.tree(Orders).unwrap(), instances: 2 };
        launch(home).unwrap();
        let outcome = test(Shop { env, mesh: mesh.clone(), stage: stage.clone(), shipping }).await;
        // What is under way ends with the system; this lets go of the folder.
        mesh.stop();
        outcome
    })
}

fn new_stage() -> Stage {
    let stage = Stage::default();
    {
        let mut props = stage.lock();
        props.world = World::with_stock([(kettle(), 10), (cup(), 10)]);
        props.catalogue = vec![sold(kettle(), 4900, 1200), sold(cup(), 900, 300), sold(egg_timer(), 100, 1)];
        props.addresses = vec![SavedAddress { id: home(), address: address("DE") }];
        props.methods = vec![PaymentMethod {
            id: visa(),
            brand: "visa".into(),
            last4: "4242".into(),
            exp_month: 12,
            exp_year: 2030,
        }];
    }
    stage
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
        let mut van = Van { outbox: Outbox::default() };
        let at = self.env.now();
        let shipment_id = ShipmentId::from_uuid(order_id.uuid());
        ShipmentDelivered { order_id, user_id: id(1), shipment_id, at }.owe(&mut van.outbox, at);
        assert!(self.shipping.table().create(&order_id, van).unwrap());
    }

    async fn sleep(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

/// What owes the event of a delivery.
#[derive(Serialize, Deserialize)]
struct Van {
    outbox: Outbox,
}

impl Record for Van {
    const TABLE: &'static str = "van";
    type Key = OrderId;
    fn outbox(&self) -> Option<&Outbox> {
        Some(&self.outbox)
    }
    fn outbox_mut(&mut self) -> Option<&mut Outbox> {
        Some(&mut self.outbox)
    }
}

fn id<I: Id>(n: u128) -> I {
    I::from_uuid(Uuid::from_u128(n))
}

fn ada() -> Principal {
    Principal::User { id: id(1), role: Role::Customer }
}

fn bob() -> Principal {
    Principal::User { id: id(2), role: Role::Customer }
}

fn operator() -> Principal {
    Principal::User { id: id(3), role: Role::Operator }
}

fn kettle() -> ProductId {
    id(1)
}

fn cup() -> ProductId {
    id(2)
}

/// No longer on sale.
fn egg_timer() -> ProductId {
    id(3)
}

fn home() -> AddressId {
    id(4)
}

fn visa() -> PaymentMethodId {
    id(5)
}

fn sold(id: ProductId, cents: i64, weight_grams: u32) -> Product {
    Product {
        id,
        slug: "thing".parse().unwrap(),
        name: "Thing".parse().unwrap(),
        description: "".parse().unwrap(),
        category: "things".parse().unwrap(),
        price: euro(cents),
        image: "/thing.svg".into(),
        stock: Availability { available: 10 },
        weight_grams,
        tags: Vec::new(),
        featured: false,
        retired: id == egg_timer(),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        version: 1,
    }
}

fn address(country: &str) -> Address {
    Address {
        name: "Ada Lovelace".parse().unwrap(),
        line1: "1 St James's Square".parse().unwrap(),
        line2: None,
        city: "Ulm".parse().unwrap(),
        postal_code: "89073".parse().unwrap(),
        country: country.parse().unwrap(),
        phone: None,
    }
}

fn line(product_id: ProductId, pieces: u32) -> StockLine {
    StockLine { product_id, quantity: pieces.try_into().unwrap() }
}

/// Two kettles and a cup for Ada: 107.00, and 5.00 to send them.
fn order(key: &str) -> PlaceOrder {
    PlaceOrder {
        user_id: id(1),
        key: key.into(),
        items: Some(vec![line(kettle(), 2), line(cup(), 1)]),
        destination: Destination::Saved(home()),
        shipping_service: ShippingService::Economy,
        payment_method_id: visa(),
    }
}
