//! Circuit breakers and ejected instances.

use super::fixture::*;
use futures_util::StreamExt;

fn state_of(fixture: &Fixture, caller: Caller) -> ClientPolicyReport {
    fixture
        .mesh
        .client_policies()
        .into_iter()
        .find(|policy| policy.caller == caller && policy.service == Service::Products)
        .unwrap()
}

async fn order(mesh: &Mesh) -> Result<(), MeshError> {
    mesh.call(&patient(), Order {}).await.map_err(CallError::into_mesh)
}

#[test]
fn after_many_failures_the_breaker_opens_and_probes_close_it() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(2);
        let gateway = fixture.mesh.for_caller(Caller::GATEWAY);
        fixture.double.failures.store(usize::MAX, Ordering::SeqCst);
        let mut refused = None;
        for _ in 0..40 {
            if let Err(MeshError::CircuitOpen { retry_after }) = order(&gateway).await {
                refused = Some(retry_after);
                break;
            }
        }
        let wait = refused.expect("the breaker opens");
        assert!(wait <= Duration::from_secs(5) && wait > Duration::from_secs(4), "{wait:?}");
        let asked = fixture.double.orders.load(Ordering::SeqCst);
        for _ in 0..10 {
            assert!(matches!(order(&gateway).await, Err(MeshError::CircuitOpen { .. })));
        }
        assert_eq!(fixture.double.orders.load(Ordering::SeqCst), asked, "an open breaker sends nothing");
        let report = state_of(&fixture, Caller::GATEWAY);
        assert_eq!((report.state, report.opened, report.refused), (BreakerState::Open, 1, 11));

        fixture.double.failures.store(0, Ordering::SeqCst);
        tokio::time::sleep(wait).await;
        assert_eq!(state_of(&fixture, Caller::GATEWAY).state, BreakerState::HalfOpen);
        for _ in 0..3 {
            order(&gateway).await.unwrap();
        }
        assert_eq!(state_of(&fixture, Caller::GATEWAY).state, BreakerState::Closed);
    });
}

#[test]
fn each_caller_has_a_breaker_of_its_own() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(2);
        let carts = fixture.mesh.for_caller(Caller::Service(Service::Carts));
        let open = ClientPolicySettings { forced: Some(Forced::Open), ..ClientPolicySettings::default() };
        fixture.mesh.set_client_policy(Caller::Service(Service::Carts), Service::Products, open).unwrap();
        assert!(matches!(order(&carts).await, Err(MeshError::CircuitOpen { .. })));
        assert_eq!(order(&fixture.mesh.for_caller(Caller::GATEWAY)).await, Ok(()));
        fixture
            .mesh
            .set_client_policy(Caller::Service(Service::Carts), Service::Products, ClientPolicySettings::default())
            .unwrap();
        assert_eq!(order(&carts).await, Ok(()));
        let nonsense = BreakerSettings { failure_percent: 0, ..Default::default() };
        let refused = fixture.mesh.set_client_policy(
            Caller::GATEWAY,
            Service::Products,
            ClientPolicySettings { breaker: nonsense, forced: None },
        );
        assert!(refused.unwrap_err().contains("failure_percent"));
    });
}

#[test]
fn an_error_of_the_domain_is_not_a_failure() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(2);
        let gateway = fixture.mesh.for_caller(Caller::GATEWAY);
        for _ in 0..200 {
            let rude = gateway.call(&patient(), greet("nobody")).await;
            assert!(matches!(rude, Err(CallError::Domain(_))), "{rude:?}");
        }
        let report = state_of(&fixture, Caller::GATEWAY);
        assert_eq!((report.state, report.failures), (BreakerState::Closed, 0));
        assert_eq!(fixture.states(), [InstanceState::Ready; 2]);
    });
}

#[test]
fn an_abandoned_call_is_not_counted() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        let gateway = fixture.mesh.for_caller(Caller::GATEWAY);
        for _ in 0..50 {
            let _ = tokio::time::timeout(Duration::from_millis(10), gateway.call(&patient(), Dawdle {})).await;
        }
        let report = state_of(&fixture, Caller::GATEWAY);
        assert_eq!((report.state, report.calls), (BreakerState::Closed, 0));
    });
}

#[test]
fn an_instance_whose_calls_fail_in_a_row_is_ejected_for_half_a_minute() {
    in_simulated_time(async || {
        let (fixture, doubles) = fixture_of_separate_doubles(2);
        fixture.pool().set_strategy(Strategy::RoundRobin);
        doubles[0].failures.store(usize::MAX, Ordering::SeqCst);
        let failed =
            futures_util::stream::iter(0..20).filter(|_| async { order(&fixture.mesh).await.is_err() }).count().await;
        assert!(failed <= 2, "three of five were retried at the other instance: {failed}");
        assert_eq!(fixture.states(), [InstanceState::Ejected, InstanceState::Ready]);
        let report = &fixture.pool().report().instances[0];
        assert!(report.ejected_for_ms.is_some_and(|ms| (29_000..=30_000).contains(&ms)), "{report:?}");
        let asked = doubles[0].orders.load(Ordering::SeqCst);
        for _ in 0..50 {
            order(&fixture.mesh).await.unwrap();
        }
        assert_eq!(doubles[0].orders.load(Ordering::SeqCst), asked);
    });
}

#[test]
fn the_last_instance_is_never_ejected_and_neither_are_more_than_half() {
    in_simulated_time(async || {
        for (count, ejected) in [(1, 0), (2, 1), (3, 1), (4, 2)] {
            let (fixture, doubles) = fixture_of_separate_doubles(count);
            fixture.pool().set_strategy(Strategy::RoundRobin);
            fixture.without_breaker();
            doubles.iter().for_each(|double| double.failures.store(usize::MAX, Ordering::SeqCst));
            for _ in 0..100 {
                assert!(order(&fixture.mesh).await.is_err());
            }
            let out = fixture.states().iter().filter(|state| **state == InstanceState::Ejected).count();
            assert_eq!(out, ejected, "of {count}");
        }
    });
}

#[test]
fn an_ejected_instance_is_readmitted_when_its_time_is_over() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(2);
        assert!(fixture.pool().eject("products-2"));
        assert!(!fixture.pool().eject("products-1"), "products-1 is the last one that is ready");
        assert_eq!(fixture.states(), [InstanceState::Ready, InstanceState::Ejected]);
        tokio::time::sleep(Duration::from_secs(28)).await;
        assert_eq!(fixture.states()[1], InstanceState::Ejected);
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(fixture.states()[1], InstanceState::Ready);
        assert!(fixture.pool().eject("products-2"));
        tokio::time::sleep(Duration::from_secs(32)).await;
        assert_eq!(fixture.states()[1], InstanceState::Ejected, "the second ejection takes twice as long");
        assert!(fixture.pool().readmit("products-2"));
        assert_eq!(fixture.states()[1], InstanceState::Ready);
    });
}

#[test]
fn with_fewer_than_half_ready_the_ejected_instances_get_calls_too() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(2);
        assert!(fixture.pool().eject("products-2"));
        assert!(!fixture.pool().report().panic);
        fixture.pool().set_instance("products-1", InstanceSettings { draining: true, ..Default::default() });
        assert!(fixture.pool().report().panic);
        assert_eq!(fixture.served_by("Ada").await, "products-2");
    });
}
