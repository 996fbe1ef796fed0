//! Calls, their errors, and crashed instances.

use super::fixture::*;

#[actix::test]
async fn an_error_of_the_domain_differs_from_an_error_of_the_mesh() {
    let fixture = fixture(2);
    assert_eq!(fixture.mesh.call(&patient(), greet("Ada")).await.unwrap(), "Good day, Ada");
    let rude = fixture.mesh.call(&patient(), greet("nobody")).await;
    assert!(matches!(rude, Err(CallError::Domain(Rude(name))) if name == "nobody"));
    let gone = context(Duration::ZERO);
    assert!(matches!(fixture.mesh.call(&gone, greet("Ada")).await, Err(CallError::Mesh(MeshError::TimedOut))));
}

#[actix::test]
async fn a_call_that_is_not_allowed_is_refused() {
    let fixture = fixture(1);
    let orders = fixture.mesh.for_caller(Caller::Service(Service::Orders));
    assert!(matches!(orders.call(&patient(), greet("Ada")).await, Err(CallError::Mesh(MeshError::Refused))));
    let carts = fixture.mesh.for_caller(Caller::Service(Service::Carts));
    assert!(carts.call(&patient(), greet("Ada")).await.is_ok());
}

#[actix::test]
async fn a_panic_fails_only_its_own_call_and_the_instance_is_replaced() {
    let fixture = fixture(2);
    let slow: Vec<_> = (0..6)
        .map(|_| {
            let mesh = fixture.mesh.clone();
            actix::spawn(async move { mesh.call(&patient(), Dawdle {}).await })
        })
        .collect();
    until("six calls run", || fixture.double.dawdling.load(Ordering::SeqCst) == 6).await;
    let crashed = fixture.mesh.call(&patient(), greet("panic")).await;
    assert!(matches!(crashed, Err(CallError::Mesh(MeshError::Crashed))));
    for _ in 0..50 {
        assert!(fixture.mesh.call(&patient(), greet("Ada")).await.is_ok());
    }
    let pool = fixture.mesh.pool(Service::Products).clone();
    until("two are ready again", || {
        pool.report().instances.iter().filter(|instance| instance.state == InstanceState::Ready).count() == 2
    })
    .await;
    assert_eq!(pool.report().instances.iter().map(|instance| instance.restarts).sum::<u32>(), 1);
    for call in slow {
        assert!(call.await.unwrap().is_ok(), "another call failed");
    }
}

#[actix::test]
async fn an_injected_crash_fails_no_other_call() {
    let fixture = fixture(2);
    let pool = fixture.mesh.pool(Service::Products).clone();
    for round in 1..=3 {
        assert!(pool.crash("products-1").await);
        for _ in 0..20 {
            assert!(fixture.mesh.call(&patient(), greet("Ada")).await.is_ok());
        }
        until("it is replaced", || pool.report().instances[0].restarts == round).await;
    }
    assert!(!pool.crash("products-9").await);
}

#[actix::test]
async fn without_an_instance_a_call_fails_with_no_instance() {
    let fixture = fixture(1);
    let pool = fixture.mesh.pool(Service::Users);
    assert!(!pool.is_ready());
    fixture.mesh.stop();
    assert!(matches!(fixture.mesh.call(&patient(), greet("Ada")).await, Err(CallError::Mesh(MeshError::NoInstance))));
}

#[actix::test]
async fn calls_in_flight_are_bounded_and_an_abandoned_call_keeps_its_slot() {
    let fixture = fixture(1);
    fixture.without_breaker();
    fixture.without_ejection().await;
    let capacity = fixture.mesh.pool(Service::Products).report().instances[0].capacity;
    let calls: Vec<_> = (0..capacity)
        .map(|_| {
            let mesh = fixture.mesh.clone();
            actix::spawn(async move { mesh.call(&context(Duration::from_millis(300)), Dawdle {}).await })
        })
        .collect();
    until("all slots are taken", || fixture.double.dawdling.load(Ordering::SeqCst) == capacity).await;
    assert!(matches!(fixture.mesh.call(&patient(), greet("Ada")).await, Err(CallError::Mesh(MeshError::Overloaded))));
    for call in calls {
        assert!(matches!(call.await.unwrap(), Err(CallError::Mesh(MeshError::TimedOut))));
    }
    // The callers have stopped waiting. The handlers still run and hold their slots.
    assert!(matches!(fixture.mesh.call(&patient(), greet("Ada")).await, Err(CallError::Mesh(MeshError::Overloaded))));
    until("the handlers have ended", || fixture.double.dawdling.load(Ordering::SeqCst) == 0).await;
    assert!(fixture.mesh.call(&patient(), greet("Ada")).await.is_ok());
}
