//! The threads on which instances run.

use super::fixture::*;
use crate::mesh::node::current_node;
use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};

/// Runs something on one of the nodes, and gives its result with the node's number.
async fn on_a_node<T: Send + 'static, F: Future<Output = T>>(
    fixture: &Fixture,
    work: impl Fn(Mesh) -> F + Clone + Send + 'static,
) -> (usize, T) {
    let (send, mut receive) = mpsc::unbounded_channel();
    let mesh = fixture.mesh.clone();
    fixture.mesh.background(Service::Products, move || {
        let (send, mesh, work) = (send.clone(), mesh.clone(), work.clone());
        async move {
            let done = work(mesh).await;
            let _ = send.send((current_node().expect("this thread is a node"), done));
        }
    });
    receive.recv().await.expect("it is done")
}

async fn answering_instance(mesh: Mesh) -> String {
    mesh.call_served(&patient(), greet("Ada")).await.0.expect("an instance answered").to_string()
}

#[actix::test]
async fn a_call_from_a_node_stays_there_and_a_call_from_another_thread_goes_to_any_node() {
    let fixture = fixture(3);
    let (node, answered) = on_a_node(&fixture, async |mesh: Mesh| {
        let mut answered = Vec::new();
        for _ in 0..50 {
            answered.push(answering_instance(mesh.clone()).await);
        }
        answered
    })
    .await;
    assert_eq!(answered, vec![format!("products-{node}"); 50]);
    let mut from_elsewhere = Vec::new();
    for _ in 0..100 {
        from_elsewhere.push(answering_instance(fixture.mesh.clone()).await);
    }
    from_elsewhere.sort();
    from_elsewhere.dedup();
    // Power of two may avoid an instance that has been slow.
    assert!(current_node().is_none() && from_elsewhere.len() >= 2, "{from_elsewhere:?}");
}

#[actix::test]
async fn calls_from_a_busy_node_spread_to_other_nodes() {
    let fixture = fixture(3);
    fixture.double.slowness.store(200, Ordering::SeqCst);
    let (node, answered) =
        on_a_node(&fixture, async |mesh: Mesh| join_all((0..90).map(|_| answering_instance(mesh.clone()))).await).await;
    let of = |number: usize| answered.iter().filter(|name| **name == format!("products-{number}")).count();
    let all = [of(1), of(2), of(3)];
    assert!(all.iter().all(|calls| *calls >= 10) && of(node) == *all.iter().max().unwrap(), "node {node}: {all:?}");
}

#[actix::test]
async fn a_burst_on_the_instances_own_node_is_no_overload() {
    let fixture = fixture(1);
    let settings = InstanceSettings { capacity: 16, ..InstanceSettings::default() };
    assert!(fixture.pool().set_instance("products-1", settings));
    // All requests are sent before the instance on the same thread runs.
    let burst =
        async |mesh: Mesh| join_all((0..64).map(|_| async { mesh.call(&patient(), greet("Ada")).await.is_ok() })).await;
    let (_, answered) = on_a_node(&fixture, burst).await;
    assert_eq!(answered, [true; 64]);
}

#[actix::test]
async fn a_node_whose_instance_died_is_served_by_another_until_it_is_replaced() {
    let fixture = fixture(2);
    let (node, ()) = on_a_node(&fixture, async |_| ()).await;
    let own = format!("products-{node}");
    fixture.pool().named(&own).unwrap().drain();
    let (_, answered) = on_a_node(&fixture, answering_instance).await;
    assert_ne!(answered, own);
    assert!(fixture.pool().crash(&own).await);
    until("it is replaced", || fixture.states() == [InstanceState::Ready, InstanceState::Ready]).await;
    let settings = PoolSettings { warm_up_ms: 0, ..PoolSettings::clone(&fixture.pool().settings()) };
    fixture.mesh.set_pool(Service::Products, settings).await.unwrap();
    assert_eq!(on_a_node(&fixture, answering_instance).await.1, own);
}

#[actix::test]
async fn a_removed_instance_drops_what_it_held() {
    let fixture = fixture(4);
    // Every instance holds this.
    let holders = || Arc::strong_count(&fixture.double.doors);
    let before = holders();
    fixture.mesh.set_pool(Service::Products, PoolSettings { count: 1, ..PoolSettings::default() }).await.unwrap();
    until("three instances are dropped", || holders() == before - 3).await;
}

#[actix::test]
async fn a_lent_thread_is_the_first_node_and_outlives_the_mesh() {
    let lent = actix::Arbiter::new();
    let fixture = fixture_on(&[lent.handle()], Env::system(), 3);
    let mesh = fixture.mesh.clone();
    let answered =
        on_thread(&lent, async move || join_all((0..8).map(|_| answering_instance(mesh.clone()))).await).await;
    assert_eq!(answered, vec!["products-1"; 8]);
    fixture.mesh.stop();
    assert_eq!(on_thread(&lent, async || "still there").await, "still there");
}

async fn on_thread<T: Send + 'static>(thread: &actix::Arbiter, work: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    let (send, done) = oneshot::channel();
    thread.spawn_fn(move || {
        actix::spawn(async move { drop(send.send(work().await)) });
    });
    done.await.expect("it is done")
}
