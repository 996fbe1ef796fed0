//! More instances, fewer instances, and no call lost.

use super::*;

fn with_count(count: usize) -> PoolSettings {
    PoolSettings { count, ..PoolSettings::default() }
}

#[actix::test]
async fn under_steady_calls_a_service_grows_and_shrinks_and_loses_none() {
    let house = house(2);
    let (done, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let (mesh, done, failed) = (house.mesh.clone(), done.clone(), failed.clone());
            actix::spawn(async move {
                loop {
                    // A command without a key: nothing tries it again.
                    let answer = mesh.call(&patient(), Rush {}).await;
                    done.fetch_add(1, Ordering::SeqCst);
                    failed.fetch_add(usize::from(answer.is_err()), Ordering::SeqCst);
                }
            })
        })
        .collect();
    for count in [6, 1, 4, 2, 8, 1] {
        house.pool().set(with_count(count)).await.unwrap();
        let so_far = done.load(Ordering::SeqCst);
        until("calls go on", || done.load(Ordering::SeqCst) > so_far + 100).await;
        until("those that go are gone", || house.states() == vec![State::Ready; count]).await;
    }
    callers.iter().for_each(|caller| caller.abort());
    assert_eq!(failed.load(Ordering::SeqCst), 0, "of {}", done.load(Ordering::SeqCst));
}

#[actix::test]
async fn who_is_sent_away_finishes_what_it_has() {
    let house = house(4);
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let mesh = house.mesh.clone();
            actix::spawn(async move { mesh.call(&patient(), Dawdle {}).await })
        })
        .collect();
    until("all are under way", || house.porter.dawdling.load(Ordering::SeqCst) == 40).await;
    house.pool().set(with_count(1)).await.unwrap();
    assert_eq!(house.states(), [State::Ready, State::Draining, State::Draining, State::Draining]);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    until("they are gone", || house.states().len() == 1).await;
}

#[actix::test]
async fn a_service_that_is_told_to_grow_while_it_shrinks_keeps_who_was_to_go() {
    let house = house(3);
    let mesh = house.mesh.clone();
    let call = actix::spawn(async move {
        futures_util::future::join_all((0..9).map(|_| async { mesh.call(&patient(), Dawdle {}).await })).await
    });
    until("all are under way", || house.porter.dawdling.load(Ordering::SeqCst) == 9).await;
    house.pool().set(with_count(1)).await.unwrap();
    house.pool().set(with_count(3)).await.unwrap();
    assert!(call.await.unwrap().into_iter().all(|answer| answer.is_ok()));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(house.states(), [State::Ready; 3]);
    assert_eq!(house.pool().report().instances.iter().map(|it| it.restarts).sum::<u32>(), 0);
}

#[actix::test]
async fn a_drained_instance_gets_no_calls_until_it_is_let_back() {
    let house = house(2);
    let drained = InstanceSettings { draining: true, ..InstanceSettings::default() };
    assert!(house.pool().set_instance("products-1", drained));
    for _ in 0..30 {
        assert_eq!(house.served_by("Ada").await, "products-2");
    }
    // Whoever dies drained comes back drained.
    house.pool().crash("products-1").await;
    until("it is replaced", || house.pool().report().instances[0].restarts == 1).await;
    assert_eq!(house.states()[0], State::Draining);
    house.pool().set_instance("products-1", InstanceSettings::default());
    assert_eq!(house.states()[0], State::Ready);
}

#[test]
fn settings_that_make_no_sense_change_nothing() {
    in_simulated_time(async || {
        let house = simulated_house(2);
        let before = house.pool().settings();
        for (bad, word) in [
            (with_count(0), "count"),
            (with_count(33), "count"),
            (PoolSettings { warm_up_ms: 1_000_000, ..before.as_ref().clone() }, "warm_up_ms"),
            (
                PoolSettings {
                    autoscale: Some(Autoscale { least: 3, most: 2, in_flight: 1 }),
                    ..before.as_ref().clone()
                },
                "autoscale",
            ),
        ] {
            assert!(house.pool().set(bad).await.unwrap_err().contains(word));
        }
        assert_eq!(house.pool().settings(), before);
        assert_eq!(house.states().len(), 2);
    });
}

#[test]
fn with_more_in_hand_than_it_should_have_a_service_grows_and_with_less_it_shrinks() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        let autoscale = Some(Autoscale { least: 1, most: 3, in_flight: 5 });
        house.pool().set(PoolSettings { count: 1, autoscale, ..PoolSettings::default() }).await.unwrap();
        let mesh = house.mesh.clone();
        let busy = actix::spawn(async move {
            loop {
                futures_util::future::join_all((0..40).map(|_| async { mesh.call(&patient(), Dawdle {}).await })).await;
            }
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(house.states().len(), 3);
        busy.abort();
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(house.states().len(), 1);
        house.pool().set(with_count(2)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(house.states().len(), 2, "nobody looks after it any more");
    });
}

#[test]
fn a_paused_instance_is_found_out_and_replaced() {
    in_simulated_time(async || {
        let house = simulated_house(2);
        assert!(house.pool().pause("products-1", Duration::from_secs(3_600)));
        for _ in 0..20 {
            assert!(
                house.mesh.call(&context(Duration::from_secs(30)), greet("Ada")).await.is_ok(),
                "a sibling has it in the end"
            );
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(house.pool().report().instances[0].restarts, 1);
        assert!(!house.pool().pause("products-9", Duration::ZERO));
    });
}
