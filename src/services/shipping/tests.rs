//! Shipping as a whole: through the mesh, on a folder of its own.

use super::{launch, messages::*};
use crate::{
    env::{Env, later},
    mesh::{
        CallError, Caller, Context, Event, Handlers, Mesh, MeshError, ProcessedEvents, Request, Subscriptions, TraceId,
        service,
    },
    services::{ALLOWED_CALLS, ServiceDeps},
    storage::{Storage, Tree},
    types::{Address, Id, OrderId, Principal, Role, Service, ShipmentId, Timestamp, UserId},
};
use futures_util::future::join_all;
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use uuid::Uuid;

const HOUR: Duration = Duration::from_secs(3_600);

struct House {
    env: Env,
    mesh: Mesh,
    heard: Arc<Mutex<Vec<String>>>,
}

impl House {
    /// With shipping and somebody who hears what it tells.
    async fn open(folder: &Path, env: Env, carrier_speed: f64) -> Self {
        let storage = opened(folder, &env).await;
        let mesh = Mesh::new(env.clone(), ALLOWED_CALLS, listener::SUBSCRIPTIONS);
        let heard = Arc::default();
        let notes = listener::Listener::new(&storage.tree(Service::Notifications).unwrap(), &heard);
        mesh.register(Service::Notifications, listener::answers(&notes));
        let tree = storage.tree(Service::Shipping).unwrap();
        let own_mesh = mesh.for_caller(Caller::Service(Service::Shipping));
        launch(ServiceDeps { env: env.clone(), mesh: own_mesh, tree, instances: 2 }, carrier_speed).unwrap();
        Self { env, mesh, heard }
    }

    async fn ask<R: Request>(&self, principal: Principal, request: R) -> Result<R::Reply, R::Error> {
        let context = Context::new(principal, Duration::from_secs(5), TraceId([1; 16]));
        self.mesh.call(&context, request).await.map_err(|error| match error {
            CallError::Domain(error) => error,
            CallError::Mesh(error) => panic!("{}: {error}", R::NAME),
        })
    }

    async fn book(&self, n: u128) -> Result<Shipment, ShippingError> {
        self.ask(Principal::System, parcel(n)).await
    }

    async fn cancel(&self, n: u128) -> Result<(), ShippingError> {
        self.ask(Principal::System, CancelShipment { order_id: order(n) }).await
    }

    async fn hand_over(&self, n: u128) -> Result<Shipment, ShippingError> {
        self.ask(Principal::System, HandOver { order_id: order(n) }).await
    }

    async fn shipment(&self, n: u128) -> Shipment {
        self.ask(Principal::System, GetShipmentOfOrder { order_id: order(n) }).await.unwrap()
    }

    /// Looks again and again, so long as a test may take.
    async fn when(&self, n: u128, seen: impl Fn(&Shipment) -> bool) -> Shipment {
        for _ in 0..2_000 {
            let shipment = self.shipment(n).await;
            if seen(&shipment) {
                return shipment;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not happen: {:?}", self.shipment(n).await);
    }
}

/// Stands in for those who hear what shipping tells.
mod listener {
    use super::*;
    use actix::Arbiter;

    #[derive(Clone)]
    pub struct Listener {
        heard: ProcessedEvents,
        told: Arc<Mutex<Vec<String>>>,
    }

    service! { Listener,
        handles {}
        subscribes {
            ShipmentMoved     => moved,
            ShipmentDelivered => delivered,
        }
    }

    pub const SUBSCRIPTIONS: Subscriptions =
        &[(Service::Notifications, &[ShipmentMoved::NAME, ShipmentDelivered::NAME])];

    pub fn answers(listener: &Listener) -> Handlers {
        start(listener, &Arbiter::current())
    }

    impl Listener {
        pub fn new(tree: &Tree, told: &Arc<Mutex<Vec<String>>>) -> Self {
            Self { heard: ProcessedEvents::in_tree(tree), told: told.clone() }
        }

        async fn moved(&self, _: Context, news: ShipmentMoved) -> Result<(), MeshError> {
            self.told.lock().unwrap().push(format!("{} {:?}", news.order_id, news.event.status));
            Ok(())
        }

        async fn delivered(&self, _: Context, news: ShipmentDelivered) -> Result<(), MeshError> {
            self.told.lock().unwrap().push(format!("{} is there at {}", news.order_id, news.at));
            Ok(())
        }

        fn processed_events(&self) -> &ProcessedEvents {
            &self.heard
        }
    }
}

fn order(n: u128) -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(n))
}

fn customer(n: u128) -> Principal {
    Principal::User { id: UserId::from_uuid(Uuid::from_u128(n)), role: Role::Customer }
}

/// Of user 1, to Paris.
fn parcel(n: u128) -> BookShipment {
    BookShipment {
        order_id: order(n),
        user_id: UserId::from_uuid(Uuid::from_u128(1)),
        address: Address {
            name: "Ada Lovelace".parse().unwrap(),
            line1: "12 rue des Analyses".parse().unwrap(),
            line2: None,
            city: "Paris".parse().unwrap(),
            postal_code: "75001".parse().unwrap(),
            country: "FR".parse().unwrap(),
            phone: None,
        },
        weight_grams: 1_250,
        service: ShippingService::Express,
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Whoever had the folder before may need a moment to let go of it.
async fn opened(folder: &Path, env: &Env) -> Storage {
    for _ in 0..500 {
        if let Ok(storage) = Storage::open(folder, env) {
            return storage;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("somebody still holds the folder");
}

/// Runs under a clock that jumps to whatever is next, on one thread: days pass in no time.
fn in_simulation<F: Future<Output = ()>>(test: impl FnOnce(Env) -> F) {
    let paused = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(paused).block_on(async { test(Env::simulated(7, Timestamp::UNIX_EPOCH)).await });
}

#[actix::test]
async fn an_order_is_booked_once_however_often_it_is_asked_for() {
    let folder = folder();
    let house = House::open(folder.path(), Env::system(), 1.0).await;
    let booked = join_all((0..16).map(|_| house.book(1))).await;
    let first = house.book(1).await.unwrap();
    assert_eq!(first.status, ShipmentStatus::LabelCreated);
    assert!(booked.into_iter().all(|shipment| shipment.as_ref() == Ok(&first)));

    let to = first.address.clone();
    let (country, postal_code, weight_grams) = (to.country, to.postal_code.to_string(), first.weight_grams);
    let request = QuoteParcel { country, postal_code, city: to.city.to_string(), weight_grams };
    let quotes = house.ask(Principal::Anonymous, request).await.unwrap();
    let services: Vec<_> = quotes.iter().map(|quote| quote.service).collect();
    assert_eq!(services, ShippingService::ALL);
    assert_eq!(quotes[2].cost, first.cost);
    assert_eq!(quotes[2].route, ["Rotterdam", "Brussels", "Paris"]);
}

#[actix::test]
async fn a_cancelled_booking_stays_cancelled_also_if_it_comes_late() {
    let folder = folder();
    let house = House::open(folder.path(), Env::system(), 1.0).await;
    house.cancel(1).await.unwrap();
    assert_eq!(house.book(1).await, Err(ShippingError::AlreadyCancelled));
    assert_eq!(house.hand_over(1).await, Err(ShippingError::AlreadyCancelled));

    let shipment_id = house.book(2).await.unwrap().id;
    house.cancel(2).await.unwrap();
    house.cancel(2).await.unwrap();
    assert_eq!(house.book(2).await, Err(ShippingError::AlreadyCancelled));
    assert_eq!(house.shipment(2).await.status, ShipmentStatus::Cancelled);
    let label = house.ask(Principal::System, DrawLabel { shipment_id }).await;
    assert_eq!(label.unwrap_err(), ShippingError::AlreadyCancelled);

    house.book(3).await.unwrap();
    house.hand_over(3).await.unwrap();
    assert_eq!(house.cancel(3).await, Err(ShippingError::AlreadyHandedOver));
    assert_eq!(house.hand_over(4).await, Err(ShippingError::ShipmentNotFound));

    let tally = house.ask(Principal::System, ReconcileShipments { after: Some(order(1)), limit: 10 }).await.unwrap();
    let statuses: Vec<_> = tally.iter().map(|tally| (tally.order_id, tally.status)).collect();
    assert_eq!(statuses, [(order(2), ShipmentStatus::Cancelled), (order(3), ShipmentStatus::PickedUp)]);
}

#[actix::test]
async fn somebody_elses_shipment_looks_as_if_there_were_none() {
    let folder = folder();
    let house = House::open(folder.path(), Env::system(), 1.0).await;
    let shipment_id = house.book(1).await.unwrap().id;
    let not_found = Some(ShippingError::ShipmentNotFound);
    for principal in [Principal::Anonymous, customer(2)] {
        assert_eq!(house.ask(principal, GetShipment { shipment_id }).await.err(), not_found);
        assert_eq!(house.ask(principal, GetShipmentOfOrder { order_id: order(1) }).await.err(), not_found);
        assert_eq!(house.ask(principal, DrawLabel { shipment_id }).await.err(), not_found);
    }
    assert_eq!(house.ask(customer(1), GetShipment { shipment_id }).await.unwrap().id, shipment_id);
    assert!(house.ask(customer(1), DrawLabel { shipment_id }).await.unwrap().svg.contains("Ada Lovelace"));
    // It is theirs, but not theirs to send.
    assert_eq!(house.ask(customer(1), HandOver { order_id: order(1) }).await.err(), not_found);
    let unknown = ShipmentId::from_uuid(Uuid::from_u128(9));
    assert_eq!(house.ask(Principal::System, GetShipment { shipment_id: unknown }).await.err(), not_found);
}

#[actix::test]
async fn whoever_has_the_number_sees_where_the_parcel_is_and_nothing_of_whose_it_is() {
    let folder = folder();
    let house = House::open(folder.path(), Env::system(), 1.0).await;
    let number = house.book(1).await.unwrap().tracking_number;
    house.hand_over(1).await.unwrap();
    let track = |number: &str| house.ask(Principal::Anonymous, Track { tracking_number: number.to_owned() });
    let tracking = track(&number.to_lowercase()).await.unwrap();
    assert_eq!((&tracking.tracking_number, tracking.status), (&number, ShipmentStatus::PickedUp));
    let shown = serde_json::to_string(&tracking).unwrap();
    for private in ["Ada", "rue des Analyses", "75001", "ord_", "usr_", "shp_"] {
        assert!(!shown.contains(private), "{private} in {shown}");
    }
    let mistyped = number.replacen(&number[2..3], if number.as_bytes()[2] == b'0' { "1" } else { "0" }, 1);
    for unknown in ["", "GA000000005NL", &mistyped, "<script>"] {
        assert_eq!(track(unknown).await, Err(ShippingError::ShipmentNotFound), "{unknown}");
    }
}

#[test]
fn a_parcel_is_scanned_at_every_hub_in_its_time_and_everybody_is_told() {
    in_simulation(|env| async {
        let folder = folder();
        let house = House::open(folder.path(), env, 2.0).await;
        house.book(1).await.unwrap();
        tokio::time::sleep(5 * HOUR).await;
        let handed_over = house.env.now();
        let picked_up = house.hand_over(1).await.unwrap();
        assert_eq!(picked_up.status, ShipmentStatus::PickedUp);
        assert_eq!(house.hand_over(1).await.unwrap(), picked_up);

        // In the real world it would be in Brussels after 6 hours, and in Paris after 9 more.
        tokio::time::sleep(4 * HOUR).await;
        let under_way = house.shipment(1).await;
        let last = under_way.events.last().unwrap();
        assert_eq!((under_way.status, last.hub.as_deref()), (ShipmentStatus::AtHub, Some("Brussels")));
        assert_eq!(last.at, later(handed_over, 3 * HOUR));

        tokio::time::sleep(7 * HOUR).await;
        let there = house.shipment(1).await;
        let events: Vec<_> = there.events.iter().skip(1).map(|event| event.status).collect();
        use ShipmentStatus::*;
        let expected = [PickedUp, InTransit, AtHub, InTransit, AtHub, OutForDelivery, Delivered];
        assert_eq!(events, expected);
        let told: Vec<_> = expected.iter().map(|status| format!("{} {status:?}", order(1))).collect();
        let end = format!("{} is there at {}", order(1), later(handed_over, 21 * HOUR / 2));
        assert_eq!(*house.heard.lock().unwrap(), [told, vec![end]].concat());
        assert!(there.events.last().unwrap().at < there.delivery_by);
    });
}

#[test]
fn many_parcels_that_are_due_at_once_are_all_delivered() {
    in_simulation(|env| async {
        let folder = folder();
        let house = House::open(folder.path(), env, 3_600.0).await;
        for booked in join_all((0..200).map(|n| house.book(n))).await {
            booked.unwrap();
        }
        for handed_over in join_all((0..200).map(|n| house.hand_over(n))).await {
            handed_over.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(600)).await;
        let tally = house.ask(Principal::System, ReconcileShipments { after: None, limit: 1_000 }).await.unwrap();
        assert_eq!(tally.len(), 200);
        assert!(tally.iter().all(|tally| tally.status == ShipmentStatus::Delivered));
        // Seven scans each, and that it is there.
        assert_eq!(house.heard.lock().unwrap().len(), 200 * 8);
    });
}

#[actix::test]
async fn a_parcel_under_way_goes_on_after_a_restart_where_it_was() {
    let folder = folder();
    // The journey of 21 hours takes two seconds.
    let house = House::open(folder.path(), Env::system(), 37_800.0).await;
    house.book(1).await.unwrap();
    house.hand_over(1).await.unwrap();
    let before = house.when(1, |shipment| shipment.status == ShipmentStatus::AtHub).await;
    house.mesh.stop();
    drop(house);

    // A crawling carrier: only what was planned at hand-over can move the parcel in time.
    let house = House::open(folder.path(), Env::system(), 1.0).await;
    let after = house.when(1, |shipment| shipment.status == ShipmentStatus::Delivered).await;
    assert!(after.events.starts_with(&before.events));
    assert_eq!(after.events.len(), 8);
    assert!(after.events.is_sorted_by_key(|event| event.at));
    assert_eq!(after.route, before.route);
    house.mesh.stop();
}
