//! The shop is killed at every call of a saga, before and after the call is done, and started
//! again. Every saga must then be completed or compensated, once, and the repeated request must
//! find it.

use super::*;
use crate::services::orders::{records::OrderRecord, store::Store};

/// What makes a step refuse.
#[rustfmt::skip]
const OBSTACLES: [fn(&Stage); 4] = [
    |_| {},
    |stage| stage.lock().world.reserve(id(50), &[line(kettle(), 9)], Timestamp::MAX).unwrap(),
    |stage| stage.lock().world.declines = Some("card_declined"),
    |stage| stage.lock().world.is_undeliverable = true,
];

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
/// Seconds until the restart: short enough for the saga to go on; past the saga's time limit; and
/// longer than a reservation holds.
const OUTAGES: [u64; 3] = [1, 60, 16 * 60];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Request {
    Place,
    Cancel,
    Ship,
    Return,
}

/// Kills the shop at the n-th call after the request, before or after that call is done.
#[derive(Debug, Clone, Copy)]
struct Kill {
    call: u32,
    after_it_is_done: bool,
}

#[test]
fn an_order_is_complete_or_undone_whenever_the_shop_is_killed() {
    for obstacle in OBSTACLES {
        for outage in OUTAGES {
            assert!(survived_kills(|kill| killed(Request::Place, obstacle, &[kill], outage)).calls >= 2);
        }
    }
}

#[test]
fn an_order_is_complete_or_undone_also_when_the_shop_is_killed_again_while_it_recovers() {
    for obstacle in [OBSTACLES[0], OBSTACLES[3]] {
        for again in [Kill { call: 1, after_it_is_done: true }, Kill { call: 2, after_it_is_done: false }] {
            let survived = survived_kills(|kill| killed(Request::Place, obstacle, &[kill, again], 1));
            assert!(survived.calls >= 2 && survived.most_kills == 2, "{again:?}: {survived:?}");
        }
    }
}

#[test]
fn a_later_saga_is_completed_whenever_the_shop_is_killed() {
    for (request, calls) in [(Request::Cancel, 3), (Request::Ship, 1), (Request::Return, 2)] {
        for outage in OUTAGES {
            let survived = survived_kills(|kill| killed(request, OBSTACLES[0], &[kill], outage));
            assert_eq!(survived, Survived { calls, most_kills: 1 }, "{request:?}");
        }
    }
}

#[test]
fn an_interrupted_saga_is_continued_within_seconds() {
    in_shop(async |shop| {
        let left_behind = OrderRecord::placed(pending(2), false);
        shop.orders.table().create(&id(77), left_behind).unwrap();
        shop.sleep(3).await;
        let order = shop.order(id(77)).await;
        assert_eq!(order.status, OrderStatus::Confirmed);
        shop.assert_all_or_nothing(&order);
    });
}

#[test]
fn only_an_order_whose_saga_was_under_way_is_in_doubt_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let tree = Storage::open(folder.path(), &Env::system()).unwrap().tree(Service::Orders).unwrap();
    let under_way = OrderRecord::placed(pending(2), false);
    let mut owing = OrderRecord { saga: None, ..under_way.clone() };
    owing.order.id = id(78);
    owing.outbox.push("orders.delivered", serde_json::Value::Null, NOW);
    assert!(tree.table().create(&id(77), under_way).unwrap() && tree.table().create(&id(78), owing).unwrap());
    let store = Store::new(&tree);
    let open = store.open_orders().unwrap();
    assert_eq!(open, [id(77), id(78)]);
    assert_eq!(store.with_running_saga(open).unwrap(), [id(77)]);
}

/// The kills that orders survived.
#[derive(Debug, PartialEq)]
struct Survived {
    /// How many calls a request makes at which the shop was killed.
    calls: u32,
    /// The highest number of kills in one run.
    most_kills: usize,
}

/// Kills the shop at one call after another, until the request makes no more calls.
fn survived_kills(kills_at: impl Fn(Kill) -> usize) -> Survived {
    let mut survived = Survived { calls: 0, most_kills: 0 };
    for call in 1.. {
        let kills = [false, true].map(|after_it_is_done| kills_at(Kill { call, after_it_is_done }));
        if kills == [0, 0] {
            break;
        }
        survived.calls = call;
        survived.most_kills = kills.into_iter().fold(survived.most_kills, usize::max);
    }
    survived
}

/// Kills the shop during a request, starts it again after the outage, and repeats this for each
/// kill; then checks that all is well. Gives the number of kills that took place: a request that
/// makes fewer calls than `Kill::call` is not killed.
fn killed(request: Request, obstacle: fn(&Stage), kills: &[Kill], outage: u64) -> usize {
    let (folder, stage) = (tempfile::tempdir().unwrap(), new_stage());
    obstacle(&stage);
    let mut killed = 0;
    let mut now = NOW;
    for (n, kill) in kills.iter().enumerate() {
        let end = run(folder.path(), &stage, now, async |shop| {
            if n == 0 {
                shop.prepare(request).await;
            }
            killed += usize::from(shop.killed_when_asked(request, *kill).await);
            shop.env.now()
        });
        now = later(end, Duration::from_secs(outage));
    }
    run(folder.path(), &stage, now, async |shop| {
        shop.ask(request).await;
        let orders = shop.all_orders().await;
        assert_eq!(orders.len(), 1, "{request:?} {kills:?}");
        stage.lock().world.assert_agrees_with(&orders[0]);
        shop.sleep(1).await;
        let expected = match (request, orders[0].status) {
            (Request::Place, OrderStatus::Confirmed) => "confirmed",
            (Request::Place, OrderStatus::Rejected) => "rejected",
            (Request::Cancel, OrderStatus::Cancelled) => "cancelled",
            (Request::Ship, OrderStatus::Shipped) => "shipped",
            (Request::Return, OrderStatus::Delivered) => "returned",
            other => panic!("{other:?} {kills:?}"),
        };
        let events = stage.lock().events.clone();
        assert_eq!(events.iter().filter(|event| **event == expected).count(), 1, "{events:?}");
    });
    killed
}

impl Shop {
    async fn prepare(&self, request: Request) {
        match request {
            Request::Place => {}
            Request::Cancel => drop(self.confirmed().await),
            Request::Ship => drop(self.fulfil(self.confirmed().await, Fulfilment::Packed).await),
            Request::Return => drop(self.delivered().await),
        }
    }

    async fn ask(&self, request: Request) {
        if request == Request::Place {
            self.place("key").await.unwrap();
            return;
        }
        let order_id = self.all_orders().await[0].id;
        let (key, lines, reason) = ("key".into(), vec![line(kettle(), 1)], "broken".parse().unwrap());
        match request {
            Request::Place | Request::Cancel => drop(self.cancel(order_id).await.unwrap()),
            Request::Ship => drop(self.fulfil(order_id, Fulfilment::Shipped).await.unwrap()),
            Request::Return => {
                drop(self.call(ada(), ReturnItems { order_id, key, lines, reason }).await.unwrap());
            }
        }
    }

    async fn killed_when_asked(&self, request: Request, kill: Kill) -> bool {
        let killed = self.stage.stop_at(kill.call, kill.after_it_is_done);
        let was_killed = tokio::select! {
            biased;
            () = killed.notified() => true,
            () = self.ask(request) => false,
        };
        self.stage.go_on();
        was_killed
    }
}
