//! Crashed instances hold no slots, and no caller waits for them in vain.

use super::fixture::*;

#[actix::test]
async fn a_request_queued_at_a_dead_instance_goes_to_another_and_runs_once() {
    let fixture = fixture(2);
    fixture.mesh.pool(Service::Products).set_strategy(Strategy::RoundRobin);
    let stalled = {
        let mesh = fixture.mesh.clone();
        actix::spawn(async move { mesh.call(&patient(), greet("stall")).await })
    };
    until("one is stalled", || fixture.double.greeted.lock().len() == 1).await;
    // Every second call is queued in the mailbox of the stalled instance.
    let names: Vec<String> = (0..10).map(|n| format!("guest {n}")).collect();
    let calls = names.iter().map(|name| {
        let (mesh, name) = (fixture.mesh.clone(), name.clone());
        actix::spawn(async move { mesh.call(&context(Duration::from_secs(6)), greet(&name)).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap().is_ok());
    }
    assert!(
        matches!(stalled.await.unwrap(), Err(CallError::Mesh(MeshError::TimedOut))),
        "its handler had started, so its result is unknown"
    );
    // The stalled instance continues and finds cancelled requests in its mailbox.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut greeted = fixture.double.greeted.lock().clone();
    greeted.retain(|name| name != "stall");
    greeted.sort();
    assert_eq!(greeted, names);
}

#[actix::test]
async fn after_any_number_of_crashes_all_slots_are_free() {
    let fixture = fixture(2);
    fixture.without_breaker();
    fixture.without_ejection().await;
    let pool = fixture.mesh.pool(Service::Products).clone();
    for round in 0..4 {
        let calls: Vec<_> = (0..60)
            .map(|n| {
                let mesh = fixture.mesh.clone();
                actix::spawn(async move {
                    match n % 20 {
                        7 => _ = mesh.call(&patient(), greet("panic")).await,
                        _ => _ = mesh.call(&context(Duration::from_millis(500)), Dawdle {}).await,
                    }
                })
            })
            .collect();
        pool.crash(&format!("products-{}", 1 + round % 2)).await;
        for call in calls {
            call.await.unwrap();
        }
        until("both are ready again", || {
            pool.report().instances.iter().filter(|instance| instance.state == InstanceState::Ready).count() == 2
        })
        .await;
    }
    until("nothing is in flight", || pool.report().instances.iter().all(|instance| instance.in_flight == 0)).await;
    assert!(fixture.mesh.call(&patient(), greet("Ada")).await.is_ok());
}
