//! The number of instances changes, and no call is lost.

use super::fixture::*;

fn with_count(count: usize) -> PoolSettings {
    PoolSettings { count, ..PoolSettings::default() }
}

#[actix::test]
async fn a_service_that_grows_and_shrinks_under_load_loses_no_call() {
    let fixture = fixture(2);
    let (done, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let (mesh, done, failed) = (fixture.mesh.clone(), done.clone(), failed.clone());
            actix::spawn(async move {
                loop {
                    // A command without a key is not retried.
                    let answer = mesh.call(&patient(), Rush {}).await;
                    done.fetch_add(1, Ordering::SeqCst);
                    failed.fetch_add(usize::from(answer.is_err()), Ordering::SeqCst);
                }
            })
        })
        .collect();
    for count in [6, 1, 4, 2, 8, 1] {
        fixture.mesh.set_pool(Service::Products, with_count(count)).await.unwrap();
        let so_far = done.load(Ordering::SeqCst);
        until("calls succeed", || done.load(Ordering::SeqCst) > so_far + 100).await;
        until("removed instances are gone", || fixture.states() == vec![InstanceState::Ready; count]).await;
    }
    callers.iter().for_each(|caller| caller.abort());
    assert_eq!(failed.load(Ordering::SeqCst), 0, "of {}", done.load(Ordering::SeqCst));
}

#[actix::test]
async fn a_removed_instance_finishes_its_calls() {
    let fixture = fixture(4);
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let mesh = fixture.mesh.clone();
            actix::spawn(async move { mesh.call(&patient(), Dawdle {}).await })
        })
        .collect();
    until("all calls run", || fixture.double.dawdling.load(Ordering::SeqCst) == 40).await;
    fixture.mesh.set_pool(Service::Products, with_count(1)).await.unwrap();
    assert_eq!(
        fixture.states(),
        [InstanceState::Ready, InstanceState::Draining, InstanceState::Draining, InstanceState::Draining]
    );
    for call in calls {
        call.await.unwrap().unwrap();
    }
    until("the removed instances are gone", || fixture.states().len() == 1).await;
}

#[actix::test]
async fn a_service_that_grows_while_it_shrinks_keeps_its_instances() {
    let fixture = fixture(3);
    let mesh = fixture.mesh.clone();
    let call = actix::spawn(async move {
        futures_util::future::join_all((0..9).map(|_| async { mesh.call(&patient(), Dawdle {}).await })).await
    });
    until("all calls run", || fixture.double.dawdling.load(Ordering::SeqCst) == 9).await;
    fixture.mesh.set_pool(Service::Products, with_count(1)).await.unwrap();
    fixture.mesh.set_pool(Service::Products, with_count(3)).await.unwrap();
    assert!(call.await.unwrap().into_iter().all(|answer| answer.is_ok()));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(fixture.states(), [InstanceState::Ready; 3]);
    assert_eq!(fixture.pool().report().instances.iter().map(|it| it.restarts).sum::<u32>(), 0);
}

#[actix::test]
async fn a_drained_instance_gets_no_calls_until_it_is_ready_again() {
    let fixture = fixture(2);
    let drained = InstanceSettings { draining: true, ..InstanceSettings::default() };
    assert!(fixture.pool().set_instance("products-1", drained));
    for _ in 0..30 {
        assert_eq!(fixture.served_by("Ada").await, "products-2");
    }
    // The replacement of a drained instance is drained, too.
    fixture.pool().crash("products-1").await;
    until("it is replaced", || fixture.pool().report().instances[0].restarts == 1).await;
    assert_eq!(fixture.states()[0], InstanceState::Draining);
    fixture.pool().set_instance("products-1", InstanceSettings::default());
    assert_eq!(fixture.states()[0], InstanceState::Ready);
}

#[test]
fn invalid_settings_change_nothing() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(2);
        let before = fixture.pool().settings();
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
            assert!(fixture.mesh.set_pool(Service::Products, bad).await.unwrap_err().contains(word));
        }
        assert_eq!(fixture.pool().settings(), before);
        assert_eq!(fixture.states().len(), 2);
    });
}

#[test]
fn a_busy_service_gets_more_instances_and_an_idle_one_fewer() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        let autoscale = Some(Autoscale { least: 1, most: 3, in_flight: 5 });
        fixture
            .mesh
            .set_pool(Service::Products, PoolSettings { count: 1, autoscale, ..PoolSettings::default() })
            .await
            .unwrap();
        let mesh = fixture.mesh.clone();
        let busy = actix::spawn(async move {
            loop {
                futures_util::future::join_all((0..40).map(|_| async { mesh.call(&patient(), Dawdle {}).await })).await;
            }
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(fixture.states().len(), 3);
        busy.abort();
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(fixture.states().len(), 1);
        fixture.mesh.set_pool(Service::Products, with_count(2)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(fixture.states().len(), 2, "autoscaling is off");
    });
}

#[test]
fn a_paused_instance_is_detected_and_replaced() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(2);
        assert!(fixture.pool().pause("products-1", Duration::from_secs(3_600)));
        for _ in 0..20 {
            assert!(
                fixture.mesh.call(&context(Duration::from_secs(30)), greet("Ada")).await.is_ok(),
                "the request goes to another instance in the end"
            );
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(fixture.pool().report().instances[0].restarts, 1);
        assert!(!fixture.pool().pause("products-9", Duration::ZERO));
    });
}
