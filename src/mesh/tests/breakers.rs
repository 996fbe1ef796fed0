//! When nobody is asked any more, and who is left out.

use super::*;
use futures_util::StreamExt;

fn state_of(house: &House, caller: Caller) -> ClientPolicyReport {
    house
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
fn a_service_that_keeps_failing_is_not_asked_for_a_while_and_then_by_a_few() {
    in_simulated_time(async || {
        let house = simulated_house(2);
        let gateway = house.mesh.for_caller(Caller::GATEWAY);
        house.porter.failures.store(usize::MAX, Ordering::SeqCst);
        let mut refused = None;
        for _ in 0..40 {
            if let Err(MeshError::CircuitOpen { retry_after }) = order(&gateway).await {
                refused = Some(retry_after);
                break;
            }
        }
        let wait = refused.expect("the breaker opens");
        assert!(wait <= Duration::from_secs(5) && wait > Duration::from_secs(4), "{wait:?}");
        let asked = house.porter.orders.load(Ordering::SeqCst);
        for _ in 0..10 {
            assert!(matches!(order(&gateway).await, Err(MeshError::CircuitOpen { .. })));
        }
        assert_eq!(house.porter.orders.load(Ordering::SeqCst), asked, "nobody was asked");
        let report = state_of(&house, Caller::GATEWAY);
        assert_eq!((report.state, report.opened, report.refused), (BreakerState::Open, 1, 11));

        house.porter.failures.store(0, Ordering::SeqCst);
        tokio::time::sleep(wait).await;
        assert_eq!(state_of(&house, Caller::GATEWAY).state, BreakerState::HalfOpen);
        for _ in 0..3 {
            order(&gateway).await.unwrap();
        }
        assert_eq!(state_of(&house, Caller::GATEWAY).state, BreakerState::Closed);
    });
}

#[test]
fn one_callers_breaker_is_not_anothers() {
    in_simulated_time(async || {
        let house = simulated_house(2);
        let carts = house.mesh.for_caller(Caller::Service(Service::Carts));
        let open = ClientPolicySettings { forced: Some(Forced::Open), ..ClientPolicySettings::default() };
        house.mesh.set_client_policy(Caller::Service(Service::Carts), Service::Products, open).unwrap();
        assert!(matches!(order(&carts).await, Err(MeshError::CircuitOpen { .. })));
        assert_eq!(order(&house.mesh.for_caller(Caller::GATEWAY)).await, Ok(()));
        house
            .mesh
            .set_client_policy(Caller::Service(Service::Carts), Service::Products, ClientPolicySettings::default())
            .unwrap();
        assert_eq!(order(&carts).await, Ok(()));
        let nonsense = BreakerSettings { failure_percent: 0, ..Default::default() };
        let refused = house.mesh.set_client_policy(
            Caller::GATEWAY,
            Service::Products,
            ClientPolicySettings { breaker: nonsense, forced: None },
        );
        assert!(refused.unwrap_err().contains("failure_percent"));
    });
}

#[test]
fn what_a_service_says_is_no_failure_however_often_it_says_it() {
    in_simulated_time(async || {
        let house = simulated_house(2);
        let gateway = house.mesh.for_caller(Caller::GATEWAY);
        for _ in 0..200 {
            let rude = gateway.call(&patient(), greet("nobody")).await;
            assert!(matches!(rude, Err(CallError::Domain(_))), "{rude:?}");
        }
        let report = state_of(&house, Caller::GATEWAY);
        assert_eq!((report.state, report.failures), (BreakerState::Closed, 0));
        assert_eq!(house.states(), [State::Ready; 2]);
    });
}

#[test]
fn a_caller_who_goes_away_says_nothing_about_the_service() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        let gateway = house.mesh.for_caller(Caller::GATEWAY);
        for _ in 0..50 {
            let _ = tokio::time::timeout(Duration::from_millis(10), gateway.call(&patient(), Dawdle {})).await;
        }
        let report = state_of(&house, Caller::GATEWAY);
        assert_eq!((report.state, report.calls), (BreakerState::Closed, 0));
    });
}

#[test]
fn an_instance_whose_calls_fail_in_a_row_is_left_out_for_half_a_minute() {
    in_simulated_time(async || {
        let (house, porters) = house_of_strangers(2);
        house.pool().set_strategy(Strategy::RoundRobin);
        porters[0].failures.store(usize::MAX, Ordering::SeqCst);
        let failed =
            futures_util::stream::iter(0..20).filter(|_| async { order(&house.mesh).await.is_err() }).count().await;
        assert!(failed <= 2, "three of five were tried at the other: {failed}");
        assert_eq!(house.states(), [State::Ejected, State::Ready]);
        let report = &house.pool().report().instances[0];
        assert!(report.ejected_for_ms.is_some_and(|ms| (29_000..=30_000).contains(&ms)), "{report:?}");
        let asked = porters[0].orders.load(Ordering::SeqCst);
        for _ in 0..50 {
            order(&house.mesh).await.unwrap();
        }
        assert_eq!(porters[0].orders.load(Ordering::SeqCst), asked);
    });
}

#[test]
fn the_last_one_is_never_left_out_and_neither_are_more_than_half() {
    in_simulated_time(async || {
        for (count, ejected) in [(1, 0), (2, 1), (3, 1), (4, 2)] {
            let (house, porters) = house_of_strangers(count);
            house.pool().set_strategy(Strategy::RoundRobin);
            house.without_breaker();
            porters.iter().for_each(|porter| porter.failures.store(usize::MAX, Ordering::SeqCst));
            for _ in 0..100 {
                assert!(order(&house.mesh).await.is_err());
            }
            let out = house.states().iter().filter(|state| **state == State::Ejected).count();
            assert_eq!(out, ejected, "of {count}");
        }
    });
}

#[test]
fn who_was_left_out_comes_back_when_the_time_is_over() {
    in_simulated_time(async || {
        let house = simulated_house(2);
        assert!(house.pool().eject("products-2"));
        assert!(!house.pool().eject("products-1"), "the other is the last one");
        assert_eq!(house.states(), [State::Ready, State::Ejected]);
        tokio::time::sleep(Duration::from_secs(28)).await;
        assert_eq!(house.states()[1], State::Ejected);
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(house.states()[1], State::Ready);
        assert!(house.pool().eject("products-2"));
        tokio::time::sleep(Duration::from_secs(32)).await;
        assert!(matches!(house.states()[1], State::Ready | State::Ejected));
        assert!(house.pool().readmit("products-2"));
        assert_eq!(house.states()[1], State::Ready);
    });
}

#[test]
fn when_fewer_than_half_are_fit_the_ejected_are_asked_too() {
    in_simulated_time(async || {
        let house = simulated_house(2);
        assert!(house.pool().eject("products-2"));
        assert!(!house.pool().report().panic);
        house.pool().set_instance("products-1", InstanceSettings { draining: true, ..Default::default() });
        assert!(house.pool().report().panic);
        assert_eq!(house.served_by("Ada").await, "products-2");
    });
}
