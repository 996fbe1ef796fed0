//! What is tried again, and what is not.

use super::*;
use crate::telemetry::{SpanKind, Tracer};

#[test]
fn a_keyed_command_that_failed_is_tried_twice_more_at_the_most() {
    in_simulated_time(async || {
        let house = simulated_house(2);
        for (failures, succeeds, tries) in [(1, true, 2), (2, true, 3), (3, false, 3)] {
            house.porter.orders.store(0, Ordering::SeqCst);
            house.porter.failures.store(failures, Ordering::SeqCst);
            let answer = house.mesh.call(&patient(), Order {}).await;
            assert_eq!((answer.is_ok(), house.porter.orders.load(Ordering::SeqCst)), (succeeds, tries));
            house.porter.failures.store(0, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
}

#[test]
fn each_try_is_a_span_of_its_own_in_the_span_of_who_asks() {
    in_simulated_time(async || {
        let mut house = simulated_house(2);
        let tracer = Tracer::new(&house.mesh.shared.env, 1 << 20, Duration::from_secs(60), None);
        house.mesh = house.mesh.traced(tracer.clone());
        house.porter.failures.store(2, Ordering::SeqCst);
        let outer = tracer.open(patient().trace, None, || SpanKind::Commit { tree: "orders" });
        assert!(house.mesh.call(&patient().in_span(outer.id()), Order {}).await.is_ok());
        let spans = tracer.ring().unwrap().trace(patient().trace);
        let tries: Vec<_> = spans
            .iter()
            .map(|span| match &span.what {
                SpanKind::Call { attempt, request, .. } => (*attempt, *request, span.outcome.kind, span.parent_id),
                other => panic!("{other:?}"),
            })
            .collect();
        let request = Order::NAME;
        let tried = |attempt, outcome| (attempt, request, outcome, outer.id());
        assert_eq!(tries, [tried(1, "failed"), tried(2, "failed"), tried(3, "ok")]);
        let text = tracer.metrics().unwrap().text(&Default::default());
        assert!(text.contains(r#"galleria_mesh_retries_total{caller="system",service="products"} 2"#), "{text}");
    });
}

#[test]
fn it_is_tried_again_at_another_instance() {
    in_simulated_time(async || {
        let (house, porters) = house_of_strangers(2);
        porters[0].failures.store(1_000, Ordering::SeqCst);
        for _ in 0..12 {
            assert!(house.mesh.call(&patient(), Order {}).await.is_ok());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
}

#[actix::test]
async fn a_request_that_brings_down_its_instance_is_not_handed_to_the_next() {
    let house = house(2);
    let crashed = house.mesh.call(&patient(), greet("panic")).await;
    assert!(matches!(crashed, Err(CallError::Mesh(MeshError::Crashed))));
    assert_eq!(house.porter.greeted.lock().unwrap().len(), 1);
}

#[actix::test]
async fn a_query_waits_a_moment_for_an_instance_to_be_there() {
    let house = house(1);
    let mesh = house.mesh.clone();
    let mut answered = 0;
    for _ in 0..20 {
        house.pool().set_instance("products-1", InstanceSettings { draining: true, ..Default::default() });
        let mesh = mesh.clone();
        let call = actix::spawn(async move { mesh.call(&patient(), greet("Ada")).await });
        tokio::task::yield_now().await;
        house.pool().set_instance("products-1", InstanceSettings::default());
        answered += usize::from(call.await.unwrap().is_ok());
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(answered, 20);
}

#[test]
fn nothing_is_tried_past_the_deadline() {
    in_simulated_time(async || {
        let house = simulated_house(2);
        house.porter.failures.store(usize::MAX, Ordering::SeqCst);
        for millis in 1..40 {
            let begun = tokio::time::Instant::now();
            let answer = house.mesh.call(&context(Duration::from_millis(millis)), Order {}).await;
            assert!(answer.is_err());
            assert!(begun.elapsed() <= Duration::from_millis(millis), "{millis}: {:?}", begun.elapsed());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
}

#[test]
fn tries_are_a_fifth_of_the_calls_and_three_a_second_in_any_case() {
    in_simulated_time(async || {
        let house = simulated_house(2);
        house.without_breaker();
        house.porter.failures.store(usize::MAX, Ordering::SeqCst);
        let calls = (0..500).map(|_| {
            let mesh = house.mesh.clone();
            actix::spawn(async move { mesh.call(&patient(), Order {}).await })
        });
        for call in calls.collect::<Vec<_>>() {
            assert!(call.await.unwrap().is_err());
        }
        let tried = house.porter.orders.load(Ordering::SeqCst);
        assert!((503..=640).contains(&tried), "{tried} tries of 500 calls");
    });
}

#[test]
fn the_callee_sees_what_is_left_of_the_time() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        house.mesh.set_links(Some(Link { latency: Duration::from_millis(700), ..Link::default() }));
        let context = context(Duration::from_secs(2));
        house.mesh.call(&context, greet("Ada")).await.unwrap();
        assert_eq!(context.time_left(), Duration::from_millis(600), "of two seconds, after 700 ms there and back");
        assert_eq!(context.within(Duration::from_secs(9)).time_left(), Duration::from_millis(600));
    });
}
