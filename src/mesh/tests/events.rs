//! Events arrive once and in order in spite of crashes, or become dead letters.

use super::fixture::*;
use crate::storage::OutboxEntry;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Corridor {
    outbox: Outbox,
}

impl Record for Corridor {
    const TABLE: &'static str = "corridor";
    type Key = u32;
    fn outbox(&self) -> Option<&Outbox> {
        Some(&self.outbox)
    }
    fn outbox_mut(&mut self) -> Option<&mut Outbox> {
        Some(&mut self.outbox)
    }
}

fn open_doors(corridors: &Table<Corridor>, key: u32, numbers: std::ops::Range<u32>) {
    let opened: Result<(), StorageError> = corridors.change(&key, |corridor| {
        let mut corridor = corridor.unwrap_or_default();
        for number in numbers.clone() {
            DoorOpened { number }.add_to(&mut corridor.outbox, Timestamp::UNIX_EPOCH);
        }
        Ok(Decision::Save(corridor, ()))
    });
    opened.unwrap();
}

#[actix::test]
async fn events_arrive_once_and_in_order_although_some_deliveries_fail() {
    let fixture = fixture(2);
    let tree = fixture.storage.tree(Service::Users).unwrap();
    let corridors = tree.table::<Corridor>();
    // Published before the relay runs: the relay finds their open markers.
    open_doors(&corridors, 1, 0..3);
    fixture.double.refusals.store(2, Ordering::SeqCst);
    fixture.mesh.relay(Service::Users, tree.clone(), vec![Box::new(corridors.clone()) as Box<dyn OutboxTable>]);
    until("three doors are opened", || fixture.double.doors.lock().len() == 3).await;
    // Published while the relay runs: the write wakes it.
    open_doors(&corridors, 1, 3..6);
    until("six doors are opened", || fixture.double.doors.lock().len() == 6).await;
    until("no event is pending", || corridors.open_keys().unwrap().is_empty()).await;
    assert_eq!(*fixture.double.doors.lock(), [0, 1, 2, 3, 4, 5]);
}

#[actix::test]
async fn an_event_waits_for_a_subscriber_that_has_not_started() {
    let fixture = fixture(0);
    let tree = fixture.storage.tree(Service::Users).unwrap();
    let corridors = tree.table::<Corridor>();
    open_doors(&corridors, 1, 0..3);
    fixture.mesh.relay(Service::Users, tree.clone(), vec![Box::new(corridors.clone()) as Box<dyn OutboxTable>]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(corridors.first_pending("1").unwrap().unwrap().seq, 0, "it was deleted before it was delivered");
    fixture.mesh.register(Service::Products, start_double(&fixture.double, &actix::Arbiter::current()));
    until("three doors are opened", || *fixture.double.doors.lock() == [0, 1, 2]).await;
}

#[actix::test]
async fn an_instance_that_crashes_during_deliveries_loses_no_event() {
    let fixture = fixture(2);
    let tree = fixture.storage.tree(Service::Users).unwrap();
    let corridors = tree.table::<Corridor>();
    fixture.mesh.relay(Service::Users, tree.clone(), vec![Box::new(corridors.clone()) as Box<dyn OutboxTable>]);
    let pool = fixture.mesh.pool(Service::Products).clone();
    for key in 0..20 {
        open_doors(&corridors, key, key * 10..key * 10 + 3);
        if key % 5 == 0 {
            pool.crash(&format!("products-{}", 1 + key % 2)).await;
        }
    }
    until("no event is pending", || corridors.open_keys().unwrap().is_empty()).await;
    let mut doors = fixture.double.doors.lock().clone();
    doors.sort_unstable();
    doors.dedup();
    assert_eq!(doors, (0..20).flat_map(|key| key * 10..key * 10 + 3).collect::<Vec<_>>());
}

fn relayed(fixture: &Fixture) -> Table<Corridor> {
    let tree = fixture.storage.tree(Service::Users).unwrap();
    let corridors = tree.table::<Corridor>();
    fixture.mesh.relay(Service::Users, tree, vec![Box::new(corridors.clone()) as Box<dyn OutboxTable>]);
    corridors
}

#[test]
fn an_event_is_relayed_without_polling() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        let corridors = relayed(&fixture);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let published_at = tokio::time::Instant::now();
        open_doors(&corridors, 1, 0..3);
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*fixture.double.doors.lock(), [0, 1, 2]);
        assert_eq!(published_at.elapsed(), Duration::ZERO, "the relay was woken and did not poll");
    });
}

#[test]
fn an_event_arrives_over_a_serialising_link() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        fixture.mesh.set_links(Some(Link { serialised: true, ..Link::default() }));
        let corridors = relayed(&fixture);
        open_doors(&corridors, 1, 0..3);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(*fixture.double.doors.lock(), [0, 1, 2]);
    });
}

#[test]
fn after_ten_failed_deliveries_an_event_is_a_dead_letter_and_is_replayed_once() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        let corridors = relayed(&fixture);
        fixture.double.refusals.store(10, Ordering::SeqCst);
        open_doors(&corridors, 1, 0..3);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(*fixture.double.doors.lock(), [1, 2], "later events are delivered");
        assert!(corridors.open_keys().unwrap().is_empty());
        let dead_letters = || fixture.mesh.dead_letters(None, 10).unwrap();
        let (id, dead_letter) = dead_letters().remove(0);
        assert_eq!(id.to_string(), "users:corridor:1:0:products");
        assert_eq!(
            (dead_letter.event.seq, dead_letter.subscriber, dead_letter.record.as_str()),
            (0, Service::Products, "corridor/1")
        );
        assert!(dead_letter.error.contains("planted"), "{}", dead_letter.error);
        let context = patient();
        let replay = || fixture.mesh.replay(&context, &id, Timestamp::MAX);
        // The subscriber fails again: the dead letter stays.
        fixture.double.refusals.store(1, Ordering::SeqCst);
        assert!(matches!(replay().await, Err(ReplayError::NotDelivered(MeshError::Failed(_)))));
        assert_eq!(dead_letters()[0].1.at, Timestamp::MAX);
        // Two replays at once: one delivers the event, the other finds no dead letter.
        let (one, other) = futures_util::join!(replay(), replay());
        assert!(one.is_ok() && matches!(other, Err(ReplayError::NotFound)));
        assert_eq!(*fixture.double.doors.lock(), [1, 2, 0]);
        assert!(dead_letters().is_empty());
        let own = fixture.mesh.for_caller(Caller::Service(Service::Carts));
        let refused = own.replay(&patient(), &id, Timestamp::MAX).await;
        assert!(matches!(refused, Err(ReplayError::NotDelivered(MeshError::Refused))));
    });
}

#[test]
fn a_dead_letter_that_was_handled_is_not_handled_twice() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        let corridors = relayed(&fixture);
        open_doors(&corridors, 1, 0..1);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let event = corridors.get(&1).unwrap().map(|_| DoorOpened { number: 0 }).unwrap();
        let mut outbox = Outbox::default();
        event.add_to(&mut outbox, Timestamp::UNIX_EPOCH);
        let id = EventId { publisher: Service::Users, record: "corridor/1".into(), seq: 0 };
        let lost = MeshError::TimedOut;
        let dead_letter =
            DeadLetter::new(&id, outbox.first().unwrap().clone(), Service::Products, &lost, Timestamp::MAX);
        let table = fixture.storage.tree(Service::Users).unwrap().table::<DeadLetter>();
        table.create(&dead_letter.key(), dead_letter).unwrap();
        let (id, _) = fixture.mesh.dead_letters(None, 10).unwrap().remove(0);
        fixture.mesh.replay(&patient(), &id, Timestamp::MAX).await.unwrap();
        assert_eq!(*fixture.double.doors.lock(), [0]);
        assert!(fixture.mesh.dead_letters(None, 10).unwrap().is_empty());
    });
}

/// Two deliveries of one event run at the same time. Neither is acknowledged before its changes are
/// on disk.
#[test]
fn an_event_is_acknowledged_only_when_its_changes_are_on_disk() {
    in_simulated_time(async || {
        let folder = tempfile::tempdir().unwrap();
        let disk = crate::storage::Disk::new(folder.path()).unwrap();
        let env = Env::simulated(7, Timestamp::UNIX_EPOCH);
        let processed = ProcessedEvents::in_tree(&disk.open(&env).unwrap().tree(Service::Products).unwrap());
        let id = EventId { publisher: Service::Users, record: "corridor/1".into(), seq: 0 };
        let (first, again) = futures_util::join!(processed.remember(&id), processed.already(&id));
        assert!(first.is_ok() && again == Ok(true));
        assert_eq!(disk.uncommitted(), 0);
        processed.remember(&EventId { seq: 1, ..id.clone() }).await.unwrap();
        let next = EventId { seq: 2, ..id };
        let remembering = processed.remember(&next);
        let looking = async {
            let known = processed.already(&next).await;
            (known, disk.uncommitted())
        };
        let (_, (known, uncommitted)) = futures_util::join!(remembering, looking);
        assert_eq!((known, uncommitted), (Ok(true), 0));
    });
}

#[test]
fn pages_of_dead_letters_continue_across_publishers() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        for (service, record) in [(Service::Users, "a/1"), (Service::Users, "a/2"), (Service::Orders, "b/1")] {
            let tree = fixture.storage.tree(service).unwrap();
            fixture.mesh.relay(service, tree.clone(), Vec::new());
            let mut outbox = Outbox::default();
            DoorOpened { number: 1 }.add_to(&mut outbox, Timestamp::UNIX_EPOCH);
            let id = EventId { publisher: service, record: record.into(), seq: 0 };
            let entry = outbox.first().unwrap().clone();
            let dead_letter = DeadLetter::new(&id, entry, Service::Products, &MeshError::Crashed, Timestamp::MAX);
            tree.table::<DeadLetter>().create(&dead_letter.key(), dead_letter).unwrap();
        }
        let mut ids = Vec::new();
        while let Some((id, _)) = fixture.mesh.dead_letters(ids.last(), 1).unwrap().pop() {
            ids.push(id);
        }
        let ids: Vec<_> = ids.iter().map(DeadLetterId::to_string).collect();
        assert_eq!(ids, ["users:a:1:0:products", "users:a:2:0:products", "orders:b:1:0:products"]);
    });
}

#[test]
fn a_background_task_that_panics_is_started_again() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = begun.clone();
        fixture.mesh.background(Service::Products, move || {
            let begun = counted.clone();
            async move {
                if begun.fetch_add(1, Ordering::SeqCst) < 2 {
                    panic!("planted");
                }
                std::future::pending::<()>().await;
            }
        });
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(begun.load(Ordering::SeqCst), 3);
    });
}

/// A table that panics at the first read of a record.
struct PanickingTable(Table<Corridor>, AtomicUsize);

impl OutboxTable for PanickingTable {
    fn table(&self) -> &'static str {
        self.0.table()
    }
    fn open_keys(&self) -> Result<Vec<String>, StorageError> {
        self.0.open_keys()
    }
    fn first_pending(&self, key: &str) -> Result<Option<OutboxEntry>, StorageError> {
        assert!(self.1.fetch_add(1, Ordering::SeqCst) > 0, "planted");
        self.0.first_pending(key)
    }
    fn mark_delivered(&self, key: &str, seq: u64) -> Result<Option<OutboxEntry>, StorageError> {
        self.0.mark_delivered(key, seq)
    }
}

#[test]
fn a_record_at_which_the_relay_panicked_is_relayed_later() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        let tree = fixture.storage.tree(Service::Users).unwrap();
        let corridors = tree.table::<Corridor>();
        open_doors(&corridors, 1, 0..2);
        let panicking = PanickingTable(corridors.clone(), AtomicUsize::new(0));
        fixture.mesh.relay(Service::Users, tree, vec![Box::new(panicking) as Box<dyn OutboxTable>]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(*fixture.double.doors.lock(), [0, 1]);
    });
}
