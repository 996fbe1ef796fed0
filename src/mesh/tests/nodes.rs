//! The threads that instances live on.

use super::*;
use crate::mesh::node;
use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};

/// Runs something on one of the nodes, and gives what it came to with the node's number.
async fn on_a_node<T: Send + 'static, F: Future<Output = T>>(
    house: &House,
    work: impl Fn(Mesh) -> F + Clone + Send + 'static,
) -> (usize, T) {
    let (send, mut receive) = mpsc::unbounded_channel();
    let mesh = house.mesh.clone();
    house.mesh.background(Service::Products, move || {
        let (send, mesh, work) = (send.clone(), mesh.clone(), work.clone());
        async move {
            let done = work(mesh).await;
            let _ = send.send((node::here().expect("this is one"), done));
        }
    });
    receive.recv().await.expect("it is done")
}

async fn who_answers(mesh: Mesh) -> String {
    mesh.call_served(&patient(), greet("Ada")).await.0.expect("somebody answered").to_string()
}

#[actix::test]
async fn a_call_from_a_node_stays_there_and_one_from_elsewhere_goes_to_any() {
    let house = house(3);
    let (node, answered) = on_a_node(&house, async |mesh: Mesh| {
        let mut answered = Vec::new();
        for _ in 0..50 {
            answered.push(who_answers(mesh.clone()).await);
        }
        answered
    })
    .await;
    assert_eq!(answered, vec![format!("products-{node}"); 50]);
    let mut from_elsewhere = Vec::new();
    for _ in 0..100 {
        from_elsewhere.push(who_answers(house.mesh.clone()).await);
    }
    from_elsewhere.sort();
    from_elsewhere.dedup();
    // By power of two, which keeps clear of one that has been slow.
    assert!(node::here().is_none() && from_elsewhere.len() >= 2, "{from_elsewhere:?}");
}

#[actix::test]
async fn a_node_that_has_much_more_in_hand_than_others_is_helped_by_them() {
    let house = house(3);
    house.porter.slowness.store(200, Ordering::SeqCst);
    let (node, answered) =
        on_a_node(&house, async |mesh: Mesh| join_all((0..90).map(|_| who_answers(mesh.clone()))).await).await;
    let of = |number: usize| answered.iter().filter(|name| **name == format!("products-{number}")).count();
    let all = [of(1), of(2), of(3)];
    assert!(all.iter().all(|calls| *calls >= 10) && of(node) == *all.iter().max().unwrap(), "node {node}: {all:?}");
}

#[actix::test]
async fn a_crowd_of_one_moment_on_the_instances_own_node_is_more_than_its_places_and_no_overload() {
    let house = house(1);
    let settings = InstanceSettings { capacity: 16, ..InstanceSettings::default() };
    assert!(house.pool().set_instance("products-1", settings));
    // All are sent before the instance, on the same thread, has its turn.
    let crowd =
        async |mesh: Mesh| join_all((0..64).map(|_| async { mesh.call(&patient(), greet("Ada")).await.is_ok() })).await;
    let (_, answered) = on_a_node(&house, crowd).await;
    assert_eq!(answered, [true; 64]);
}

#[actix::test]
async fn a_node_on_which_the_service_has_died_is_served_by_another_and_by_its_own_when_that_is_back() {
    let house = house(2);
    let (node, ()) = on_a_node(&house, async |_| ()).await;
    let own = format!("products-{node}");
    house.pool().named(&own).unwrap().drain();
    let (_, answered) = on_a_node(&house, who_answers).await;
    assert_ne!(answered, own);
    assert!(house.pool().crash(&own).await);
    until("it is back", || house.states() == [State::Ready, State::Ready]).await;
    let settings = PoolSettings { warm_up_ms: 0, ..PoolSettings::clone(&house.pool().settings()) };
    house.pool().set(settings).await.unwrap();
    assert_eq!(on_a_node(&house, who_answers).await.1, own);
}

#[actix::test]
async fn who_was_sent_away_holds_nothing_any_more() {
    let house = house(4);
    // What every instance shares.
    let holders = || Arc::strong_count(&house.porter.doors);
    let before = holders();
    house.pool().set(PoolSettings { count: 1, ..PoolSettings::default() }).await.unwrap();
    until("three have let go", || holders() == before - 3).await;
}

#[actix::test]
async fn a_lent_thread_is_the_first_node_and_outlives_the_mesh() {
    let lent = actix::Arbiter::new();
    let house = house_on(&[lent.handle()], Env::system(), 3);
    let mesh = house.mesh.clone();
    let answered = on_thread(&lent, async move || join_all((0..8).map(|_| who_answers(mesh.clone()))).await).await;
    assert_eq!(answered, vec!["products-1"; 8]);
    house.mesh.stop();
    assert_eq!(on_thread(&lent, async || "still there").await, "still there");
}

async fn on_thread<T: Send + 'static>(thread: &actix::Arbiter, work: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    let (send, done) = oneshot::channel();
    thread.spawn_fn(move || {
        actix::spawn(async move { drop(send.send(work().await)) });
    });
    done.await.expect("it is done")
}
