//! What becomes of events: each arrives once, in order, whoever dies; or lies where an operator finds it.

use super::*;
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
async fn events_arrive_once_each_and_in_order_though_the_subscriber_refuses_some() {
    let house = house(2);
    let tree = house.storage.tree(Service::Users).unwrap();
    let corridors = tree.table::<Corridor>();
    // Owed before the relay runs: found by their open markers.
    open_doors(&corridors, 1, 0..3);
    house.porter.refusals.store(2, Ordering::SeqCst);
    house.mesh.relay(Service::Users, tree.clone(), vec![Box::new(corridors.clone()) as Box<dyn OutboxTable>]);
    until("three doors are heard", || house.porter.doors.lock().unwrap().len() == 3).await;
    // Owed while it runs: it is woken.
    open_doors(&corridors, 1, 3..6);
    until("six doors are heard", || house.porter.doors.lock().unwrap().len() == 6).await;
    until("nothing is owed", || corridors.open_keys().unwrap().is_empty()).await;
    assert_eq!(*house.porter.doors.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
}

#[actix::test]
async fn an_event_waits_for_a_hearer_that_has_yet_to_start() {
    let house = house(0);
    let tree = house.storage.tree(Service::Users).unwrap();
    let corridors = tree.table::<Corridor>();
    open_doors(&corridors, 1, 0..3);
    house.mesh.relay(Service::Users, tree.clone(), vec![Box::new(corridors.clone()) as Box<dyn OutboxTable>]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(corridors.first_pending("1").unwrap().unwrap().seq, 0, "settled, and nobody has heard it");
    house.mesh.register(Service::Products, start(&house.porter, &actix::Arbiter::current()));
    until("three doors are heard", || *house.porter.doors.lock().unwrap() == [0, 1, 2]).await;
}

#[actix::test]
async fn an_instance_that_dies_in_the_middle_of_deliveries_loses_none() {
    let house = house(2);
    let tree = house.storage.tree(Service::Users).unwrap();
    let corridors = tree.table::<Corridor>();
    house.mesh.relay(Service::Users, tree.clone(), vec![Box::new(corridors.clone()) as Box<dyn OutboxTable>]);
    let pool = house.mesh.pool(Service::Products).clone();
    for key in 0..20 {
        open_doors(&corridors, key, key * 10..key * 10 + 3);
        if key % 5 == 0 {
            pool.crash(&format!("products-{}", 1 + key % 2)).await;
        }
    }
    until("nothing is owed", || corridors.open_keys().unwrap().is_empty()).await;
    let mut doors = house.porter.doors.lock().unwrap().clone();
    doors.sort_unstable();
    doors.dedup();
    assert_eq!(doors, (0..20).flat_map(|key| key * 10..key * 10 + 3).collect::<Vec<_>>());
}

fn relayed(house: &House) -> Table<Corridor> {
    let tree = house.storage.tree(Service::Users).unwrap();
    let corridors = tree.table::<Corridor>();
    house.mesh.relay(Service::Users, tree, vec![Box::new(corridors.clone()) as Box<dyn OutboxTable>]);
    corridors
}

#[test]
fn an_event_arrives_without_any_time_passing() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        let corridors = relayed(&house);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let owed_at = tokio::time::Instant::now();
        open_doors(&corridors, 1, 0..3);
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*house.porter.doors.lock().unwrap(), [0, 1, 2]);
        assert_eq!(owed_at.elapsed(), Duration::ZERO, "it was woken, it did not look");
    });
}

#[test]
fn an_event_arrives_as_bytes_too() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        house.mesh.set_links(Some(Link { serialised: true, ..Link::default() }));
        let corridors = relayed(&house);
        open_doors(&corridors, 1, 0..3);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(*house.porter.doors.lock().unwrap(), [0, 1, 2]);
    });
}

#[test]
fn what_is_refused_ten_times_is_put_aside_and_replayed_once() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        let corridors = relayed(&house);
        house.porter.refusals.store(10, Ordering::SeqCst);
        open_doors(&corridors, 1, 0..3);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(*house.porter.doors.lock().unwrap(), [1, 2], "later ones go on");
        assert!(corridors.open_keys().unwrap().is_empty());
        let letters = || house.mesh.dead_letters(None, 10).unwrap();
        let (id, letter) = letters().remove(0);
        assert_eq!(id.to_string(), "users:corridor:1:0:products");
        assert_eq!((letter.event.seq, letter.subscriber, letter.record.as_str()), (0, Service::Products, "corridor/1"));
        assert!(letter.error.contains("planted"), "{}", letter.error);
        let context = patient();
        let replay = || house.mesh.replay(&context, &id, Timestamp::MAX);
        // Refused once more, it stays.
        house.porter.refusals.store(1, Ordering::SeqCst);
        assert!(matches!(replay().await, Err(ReplayError::NotDelivered(MeshError::Failed(_)))));
        assert_eq!(letters()[0].1.at, Timestamp::MAX);
        // Two at once: one delivers it, and the other finds that it is gone.
        let (one, other) = futures_util::join!(replay(), replay());
        assert!(one.is_ok() && matches!(other, Err(ReplayError::NotFound)));
        assert_eq!(*house.porter.doors.lock().unwrap(), [1, 2, 0]);
        assert!(letters().is_empty());
        let own = house.mesh.for_caller(Caller::Service(Service::Carts));
        let refused = own.replay(&patient(), &id, Timestamp::MAX).await;
        assert!(matches!(refused, Err(ReplayError::NotDelivered(MeshError::Refused))));
    });
}

#[test]
fn a_dead_letter_that_was_taken_all_the_same_is_not_taken_twice() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        let corridors = relayed(&house);
        open_doors(&corridors, 1, 0..1);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let event = corridors.get(&1).unwrap().map(|_| DoorOpened { number: 0 }).unwrap();
        let mut outbox = Outbox::default();
        event.add_to(&mut outbox, Timestamp::UNIX_EPOCH);
        let id = EventId { publisher: Service::Users, record: "corridor/1".into(), seq: 0 };
        let lost = MeshError::TimedOut;
        let letter = DeadLetter::new(&id, outbox.first().unwrap().clone(), Service::Products, &lost, Timestamp::MAX);
        let table = house.storage.tree(Service::Users).unwrap().table::<DeadLetter>();
        table.create(&letter.key(), letter).unwrap();
        let (id, _) = house.mesh.dead_letters(None, 10).unwrap().remove(0);
        house.mesh.replay(&patient(), &id, Timestamp::MAX).await.unwrap();
        assert_eq!(*house.porter.doors.lock().unwrap(), [0]);
        assert!(house.mesh.dead_letters(None, 10).unwrap().is_empty());
    });
}

/// Two deliveries of one event at the same time: neither is acknowledged before what it did is on disk.
#[test]
fn an_event_that_is_being_handled_is_not_acknowledged_before_it_is_on_disk() {
    in_simulated_time(async || {
        let folder = tempfile::tempdir().unwrap();
        let disk = crate::storage::Disk::new(folder.path()).unwrap();
        let env = Env::simulated(7, Timestamp::UNIX_EPOCH);
        let heard = ProcessedEvents::in_tree(&disk.open(&env).unwrap().tree(Service::Products).unwrap());
        let id = EventId { publisher: Service::Users, record: "corridor/1".into(), seq: 0 };
        let (first, again) = futures_util::join!(heard.remember(&id), heard.already(&id));
        assert!(first.is_ok() && again == Ok(true));
        assert_eq!(disk.uncommitted(), 0);
        heard.remember(&EventId { seq: 1, ..id.clone() }).await.unwrap();
        let next = EventId { seq: 2, ..id };
        let remembering = heard.remember(&next);
        let looking = async {
            let known = heard.already(&next).await;
            (known, disk.uncommitted())
        };
        let (_, (known, uncommitted)) = futures_util::join!(remembering, looking);
        assert_eq!((known, uncommitted), (Ok(true), 0));
    });
}

#[test]
fn pages_of_dead_letters_go_on_across_publishers() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        for (service, record) in [(Service::Users, "a/1"), (Service::Users, "a/2"), (Service::Orders, "b/1")] {
            let tree = house.storage.tree(service).unwrap();
            house.mesh.relay(service, tree.clone(), Vec::new());
            let mut outbox = Outbox::default();
            DoorOpened { number: 1 }.add_to(&mut outbox, Timestamp::UNIX_EPOCH);
            let id = EventId { publisher: service, record: record.into(), seq: 0 };
            let owed = outbox.first().unwrap().clone();
            let letter = DeadLetter::new(&id, owed, Service::Products, &MeshError::Crashed, Timestamp::MAX);
            tree.table::<DeadLetter>().create(&letter.key(), letter).unwrap();
        }
        let mut ids = Vec::new();
        while let Some((id, _)) = house.mesh.dead_letters(ids.last(), 1).unwrap().pop() {
            ids.push(id);
        }
        let ids: Vec<_> = ids.iter().map(DeadLetterId::to_string).collect();
        assert_eq!(ids, ["users:a:1:0:products", "users:a:2:0:products", "orders:b:1:0:products"]);
    });
}

#[test]
fn what_a_service_does_on_its_own_account_is_begun_anew_after_a_panic() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = begun.clone();
        house.mesh.background(Service::Products, move || {
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

/// A table in which one record cannot be read without a panic, the first time.
struct Cursed(Table<Corridor>, AtomicUsize);

impl OutboxTable for Cursed {
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
    fn settle(&self, key: &str, seq: u64) -> Result<Option<OutboxEntry>, StorageError> {
        self.0.settle(key, seq)
    }
}

#[test]
fn a_record_at_which_the_relay_panicked_is_tried_again() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        let tree = house.storage.tree(Service::Users).unwrap();
        let corridors = tree.table::<Corridor>();
        open_doors(&corridors, 1, 0..2);
        let cursed = Cursed(corridors.clone(), AtomicUsize::new(0));
        house.mesh.relay(Service::Users, tree, vec![Box::new(cursed) as Box<dyn OutboxTable>]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(*house.porter.doors.lock().unwrap(), [0, 1]);
    });
}
