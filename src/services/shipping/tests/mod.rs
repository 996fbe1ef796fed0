//! The service through the mesh, on a data folder of its own.

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

struct Harness {
    env: Env,
    mesh: Mesh,
    events: Arc<Mutex<Vec<String>>>,
}

impl Harness {
    /// Starts shipping, and a subscriber that records its events.
    async fn open(folder: &Path, env: Env, carrier_speed: f64) -> Self {
        let storage = opened(folder, &env).await;
        let mesh = Mesh::new(env.clone(), ALLOWED_CALLS, recorder::SUBSCRIPTIONS);
        let events = Arc::default();
        let notes = recorder::EventRecorder::new(&storage.tree(Service::Notifications).unwrap(), &events);
        mesh.register(Service::Notifications, recorder::handlers(&notes));
        let tree = storage.tree(Service::Shipping).unwrap();
        let own_mesh = mesh.for_caller(Caller::Service(Service::Shipping));
        launch(ServiceDeps { env: env.clone(), mesh: own_mesh, tree, instances: 2 }, carrier_speed).unwrap();
        Self { env, mesh, events }
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

    /// Polls the shipment until `seen` is true.
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

/// A subscriber that records the events of shipping.
mod recorder {
    use super::*;
    use actix::Arbiter;

    #[derive(Clone)]
    pub struct EventRecorder {
        processed_events: ProcessedEvents,
        told: Arc<Mutex<Vec<String>>>,
    }

    service! { EventRecorder,
        handles {}
        subscribes {
            ShipmentMoved     => moved,
            ShipmentDelivered => delivered,
        }
    }

    pub const SUBSCRIPTIONS: Subscriptions =
        &[(Service::Notifications, &[ShipmentMoved::NAME, ShipmentDelivered::NAME])];

    pub fn handlers(recorder: &EventRecorder) -> Handlers {
        start(recorder, &Arbiter::current())
    }

    impl EventRecorder {
        pub fn new(tree: &Tree, told: &Arc<Mutex<Vec<String>>>) -> Self {
            Self { processed_events: ProcessedEvents::in_tree(tree), told: told.clone() }
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
            &self.processed_events
        }
    }
}

fn order(n: u128) -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(n))
}

fn customer(n: u128) -> Principal {
    Principal::User { id: UserId::from_uuid(Uuid::from_u128(n)), role: Role::Customer }
}

/// A parcel of user 1, to Paris.
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

/// Opens the folder. Its last owner may need a moment to release it.
async fn opened(folder: &Path, env: &Env) -> Storage {
    for _ in 0..500 {
        if let Ok(storage) = Storage::open(folder, env) {
            return storage;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("another store still holds the folder");
}

/// Runs under a clock that jumps to whatever is next, on one thread: days pass in no time.
fn in_simulation<F: Future<Output = ()>>(test: impl FnOnce(Env) -> F) {
    let paused = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(paused).block_on(async { test(Env::simulated(7, Timestamp::UNIX_EPOCH)).await });
}

#[actix::test]
async fn an_order_is_booked_once_however_often_it_is_asked_for() {
    let folder = folder();
    let harness = Harness::open(folder.path(), Env::system(), 1.0).await;
    let booked = join_all((0..16).map(|_| harness.book(1))).await;
    let first = harness.book(1).await.unwrap();
    assert_eq!(first.status, ShipmentStatus::LabelCreated);
    assert!(booked.into_iter().all(|shipment| shipment.as_ref() == Ok(&first)));

    let to = first.address.clone();
    let (country, postal_code, weight_grams) = (to.country, to.postal_code.to_string(), first.weight_grams);
    let request = QuoteParcel { country, postal_code, city: to.city.to_string(), weight_grams };
    let quotes = harness.ask(Principal::Anonymous, request).await.unwrap();
    let services: Vec<_> = quotes.iter().map(|quote| quote.service).collect();
    assert_eq!(services, ShippingService::ALL);
    assert_eq!(quotes[2].cost, first.cost);
    assert_eq!(quotes[2].route, ["Rotterdam", "Brussels", "Paris"]);
}

#[actix::test]
async fn a_cancelled_booking_stays_cancelled_also_if_it_comes_late() {
    let folder = folder();
    let harness = Harness::open(folder.path(), Env::system(), 1.0).await;
    harness.cancel(1).await.unwrap();
    assert_eq!(harness.book(1).await, Err(ShippingError::AlreadyCancelled));
    assert_eq!(harness.hand_over(1).await, Err(ShippingError::AlreadyCancelled));

    let shipment_id = harness.book(2).await.unwrap().id;
    harness.cancel(2).await.unwrap();
    harness.cancel(2).await.unwrap();
    assert_eq!(harness.book(2).await, Err(ShippingError::AlreadyCancelled));
    assert_eq!(harness.shipment(2).await.status, ShipmentStatus::Cancelled);
    let label = harness.ask(Principal::System, DrawLabel { shipment_id }).await;
    assert_eq!(label.unwrap_err(), ShippingError::AlreadyCancelled);

    harness.book(3).await.unwrap();
    harness.hand_over(3).await.unwrap();
    assert_eq!(harness.cancel(3).await, Err(ShippingError::AlreadyHandedOver));
    assert_eq!(harness.hand_over(4).await, Err(ShippingError::ShipmentNotFound));

    let tally = harness.ask(Principal::System, ReconcileShipments { after: Some(order(1)), limit: 10 }).await.unwrap();
    let statuses: Vec<_> = tally.iter().map(|tally| (tally.order_id, tally.status)).collect();
    assert_eq!(statuses, [(order(2), ShipmentStatus::Cancelled), (order(3), ShipmentStatus::PickedUp)]);
}

#[actix::test]
async fn the_shipment_of_another_user_looks_as_if_it_did_not_exist() {
    let folder = folder();
    let harness = Harness::open(folder.path(), Env::system(), 1.0).await;
    let shipment_id = harness.book(1).await.unwrap().id;
    let not_found = Some(ShippingError::ShipmentNotFound);
    for principal in [Principal::Anonymous, customer(2)] {
        assert_eq!(harness.ask(principal, GetShipment { shipment_id }).await.err(), not_found);
        assert_eq!(harness.ask(principal, GetShipmentOfOrder { order_id: order(1) }).await.err(), not_found);
        assert_eq!(harness.ask(principal, DrawLabel { shipment_id }).await.err(), not_found);
    }
    assert_eq!(harness.ask(customer(1), GetShipment { shipment_id }).await.unwrap().id, shipment_id);
    assert!(harness.ask(customer(1), DrawLabel { shipment_id }).await.unwrap().svg.contains("Ada Lovelace"));
    // A customer may see their shipment, but not hand it over.
    assert_eq!(harness.ask(customer(1), HandOver { order_id: order(1) }).await.err(), not_found);
    let unknown = ShipmentId::from_uuid(Uuid::from_u128(9));
    assert_eq!(harness.ask(Principal::System, GetShipment { shipment_id: unknown }).await.err(), not_found);
}

#[actix::test]
async fn the_tracking_number_shows_where_the_parcel_is_and_no_personal_data() {
    let folder = folder();
    let harness = Harness::open(folder.path(), Env::system(), 1.0).await;
    let number = harness.book(1).await.unwrap().tracking_number;
    harness.hand_over(1).await.unwrap();
    let track = |number: &str| harness.ask(Principal::Anonymous, Track { tracking_number: number.to_owned() });
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
fn a_parcel_is_scanned_at_every_hub_in_time_and_each_scan_is_published() {
    in_simulation(|env| async {
        let folder = folder();
        let harness = Harness::open(folder.path(), env, 2.0).await;
        harness.book(1).await.unwrap();
        tokio::time::sleep(5 * HOUR).await;
        let handed_over = harness.env.now();
        let picked_up = harness.hand_over(1).await.unwrap();
        assert_eq!(picked_up.status, ShipmentStatus::PickedUp);
        assert_eq!(harness.hand_over(1).await.unwrap(), picked_up);

        // At real speed it would be in Brussels after 6 hours, and in Paris after 9 more.
        tokio::time::sleep(4 * HOUR).await;
        let under_way = harness.shipment(1).await;
        let last = under_way.events.last().unwrap();
        assert_eq!((under_way.status, last.hub.as_deref()), (ShipmentStatus::AtHub, Some("Brussels")));
        assert_eq!(last.at, later(handed_over, 3 * HOUR));

        tokio::time::sleep(7 * HOUR).await;
        let there = harness.shipment(1).await;
        let events: Vec<_> = there.events.iter().skip(1).map(|event| event.status).collect();
        use ShipmentStatus::*;
        let expected = [PickedUp, InTransit, AtHub, InTransit, AtHub, OutForDelivery, Delivered];
        assert_eq!(events, expected);
        let told: Vec<_> = expected.iter().map(|status| format!("{} {status:?}", order(1))).collect();
        let end = format!("{} is there at {}", order(1), later(handed_over, 21 * HOUR / 2));
        assert_eq!(*harness.events.lock().unwrap(), [told, vec![end]].concat());
        assert!(there.events.last().unwrap().at < there.delivery_by);
    });
}

#[test]
fn many_parcels_that_are_due_at_once_are_all_delivered() {
    in_simulation(|env| async {
        let folder = folder();
        let harness = Harness::open(folder.path(), env, 3_600.0).await;
        for booked in join_all((0..200).map(|n| harness.book(n))).await {
            booked.unwrap();
        }
        for handed_over in join_all((0..200).map(|n| harness.hand_over(n))).await {
            handed_over.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(600)).await;
        let tally = harness.ask(Principal::System, ReconcileShipments { after: None, limit: 1_000 }).await.unwrap();
        assert_eq!(tally.len(), 200);
        assert!(tally.iter().all(|tally| tally.status == ShipmentStatus::Delivered));
        // Seven scans each, and one delivery.
        assert_eq!(harness.events.lock().unwrap().len(), 200 * 8);
    });
}

#[actix::test]
async fn a_parcel_continues_where_it_was_after_a_restart() {
    let folder = folder();
    // The journey of 21 hours takes two seconds.
    let harness = Harness::open(folder.path(), Env::system(), 37_800.0).await;
    harness.book(1).await.unwrap();
    harness.hand_over(1).await.unwrap();
    let before = harness.when(1, |shipment| shipment.status == ShipmentStatus::AtHub).await;
    harness.mesh.stop();
    drop(harness);

    // This carrier is slow, so only the scans that were planned at hand-over move the parcel in
    // time.
    let harness = Harness::open(folder.path(), Env::system(), 1.0).await;
    let after = harness.when(1, |shipment| shipment.status == ShipmentStatus::Delivered).await;
    assert!(after.events.starts_with(&before.events));
    assert_eq!(after.events.len(), 8);
    assert!(after.events.is_sorted_by_key(|event| event.at));
    assert_eq!(after.route, before.route);
    harness.mesh.stop();
}
