//! The shop is killed at every call that a saga makes, before and after it is done, and started again: what was begun is
//! finished or undone, and the same key finds the same order.

use super::*;

/// What stands in the way of the order.
const SCENARIOS: [(&str, fn(&Stage)); 4] = [
    ("all is well", |_| {}),
    ("out of stock", |stage| stage.lock().world.reserve(id(50), &[line(kettle(), 9)], Timestamp::MAX).unwrap()),
    ("declined", |stage| stage.lock().world.declines = Some("card_declined")),
    ("undeliverable", |stage| stage.lock().world.is_undeliverable = true),
];

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const MINUTE: Duration = Duration::from_secs(60);
/// How long the shop is down. The longest is more than a reservation holds.
const OUTAGES: [Duration; 3] = [Duration::from_secs(1), MINUTE, Duration::from_secs(16 * 60)];

#[test]
fn an_order_is_whole_or_undone_whenever_the_shop_is_killed() {
    for (scenario, obstacle) in SCENARIOS {
        for outage in OUTAGES {
            for after_it_is_done in [false, true] {
                let mut call = 1;
                while killed_while_placing(obstacle, call, after_it_is_done, outage) {
                    call += 1;
                }
                assert!(call > 2, "{scenario}: the shop was killed at {} calls only", call - 1);
            }
        }
    }
}

/// Kills the shop at the n-th call; `false` where it never came to that.
fn killed_while_placing(obstacle: fn(&Stage), call: u32, after_it_is_done: bool, outage: Duration) -> bool {
    let (folder, stage) = (tempfile::tempdir().unwrap(), new_stage());
    obstacle(&stage);
    let was_killed = run(folder.path(), &stage, NOW, async |shop| kill(&shop, call, after_it_is_done).await);
    run(folder.path(), &stage, later(NOW, outage), async |shop| {
        let order = shop.place("key").await.unwrap();
        assert_eq!(shop.all_orders().await.len(), 1);
        stage.lock().world.assert_agrees_with(&order);
        let events = match order.status {
            OrderStatus::Confirmed => ["confirmed"],
            _ => ["rejected"],
        };
        shop.sleep(1).await;
        assert_eq!(stage.lock().events, events);
    });
    was_killed
}

async fn kill(shop: &Shop, call: u32, after_it_is_done: bool) -> bool {
    let stopped = shop.stage.stop_at(call, after_it_is_done);
    let was_killed = tokio::select! {
        biased;
        () = stopped.notified() => true,
        placed = shop.place("key") => { placed.unwrap(); false }
    };
    shop.stage.go_on();
    was_killed
}
