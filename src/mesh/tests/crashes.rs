//! What a death leaves behind: nothing that is held, and nobody who waits in vain.

use super::*;

#[actix::test]
async fn what_waits_before_an_instance_that_is_given_up_goes_to_a_sibling_and_is_done_once() {
    let house = house(2);
    house.mesh.pool(Service::Products).set_strategy(Strategy::RoundRobin);
    let stalled = {
        let mesh = house.mesh.clone();
        actix::spawn(async move { mesh.call(&patient(), greet("stall")).await })
    };
    until("one is stalled", || house.porter.greeted.lock().unwrap().len() == 1).await;
    // Every other of them comes to lie in the mailbox of the instance that does not answer.
    let names: Vec<String> = (0..10).map(|n| format!("guest {n}")).collect();
    let calls = names.iter().map(|name| {
        let (mesh, name) = (house.mesh.clone(), name.clone());
        actix::spawn(async move { mesh.call(&context(Duration::from_secs(6)), greet(&name)).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap().is_ok());
    }
    assert!(matches!(stalled.await.unwrap(), Err(CallError::Mesh(MeshError::TimedOut))), "it was begun: nobody knows");
    // The stalled one wakes up and finds what was taken back from it.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut greeted = house.porter.greeted.lock().unwrap().clone();
    greeted.retain(|name| name != "stall");
    greeted.sort();
    assert_eq!(greeted, names);
}

#[actix::test]
async fn however_often_instances_die_their_places_are_free_again() {
    let house = house(2);
    house.without_breaker();
    house.without_ejection().await;
    let pool = house.mesh.pool(Service::Products).clone();
    for round in 0..4 {
        let calls: Vec<_> = (0..60)
            .map(|n| {
                let mesh = house.mesh.clone();
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
            pool.report().instances.iter().filter(|instance| instance.state == State::Ready).count() == 2
        })
        .await;
    }
    until("nothing is in flight", || pool.report().instances.iter().all(|instance| instance.in_flight == 0)).await;
    assert!(house.mesh.call(&patient(), greet("Ada")).await.is_ok());
}
