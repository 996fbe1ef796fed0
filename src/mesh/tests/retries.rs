//! Which calls are retried.

use super::fixture::*;
use crate::telemetry::{SpanKind, Tracer};

#[test]
fn a_failed_command_with_a_key_is_retried_twice_at_most() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(2);
        for (failures, succeeds, tries) in [(1, true, 2), (2, true, 3), (3, false, 3)] {
            fixture.double.orders.store(0, Ordering::SeqCst);
            fixture.double.failures.store(failures, Ordering::SeqCst);
            let answer = fixture.mesh.call(&patient(), Order {}).await;
            assert_eq!((answer.is_ok(), fixture.double.orders.load(Ordering::SeqCst)), (succeeds, tries));
            fixture.double.failures.store(0, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
}

#[test]
fn each_attempt_is_a_span_inside_the_callers_span() {
    in_simulated_time(async || {
        let mut fixture = simulated_fixture(2);
        let tracer = Tracer::new(&fixture.mesh.inner.env, 1 << 20, Duration::from_secs(60), None);
        fixture.mesh = fixture.mesh.traced(tracer.clone());
        fixture.double.failures.store(2, Ordering::SeqCst);
        let outer = tracer.open(patient().trace, None, || SpanKind::Commit { tree: "orders" });
        assert!(fixture.mesh.call(&patient().in_span(outer.id()), Order {}).await.is_ok());
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
fn a_retry_goes_to_another_instance() {
    in_simulated_time(async || {
        let (fixture, doubles) = fixture_of_separate_doubles(2);
        doubles[0].failures.store(1_000, Ordering::SeqCst);
        for _ in 0..12 {
            assert!(fixture.mesh.call(&patient(), Order {}).await.is_ok());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
}

#[actix::test]
async fn a_request_that_crashes_its_instance_is_not_retried() {
    let fixture = fixture(2);
    let crashed = fixture.mesh.call(&patient(), greet("panic")).await;
    assert!(matches!(crashed, Err(CallError::Mesh(MeshError::Crashed))));
    assert_eq!(fixture.double.greeted.lock().len(), 1);
}

#[actix::test]
async fn a_query_is_retried_until_an_instance_is_ready() {
    let fixture = fixture(1);
    let mesh = fixture.mesh.clone();
    let mut answered = 0;
    for _ in 0..20 {
        fixture.pool().set_instance("products-1", InstanceSettings { draining: true, ..Default::default() });
        let mesh = mesh.clone();
        let call = actix::spawn(async move { mesh.call(&patient(), greet("Ada")).await });
        tokio::task::yield_now().await;
        fixture.pool().set_instance("products-1", InstanceSettings::default());
        answered += usize::from(call.await.unwrap().is_ok());
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(answered, 20);
}

#[test]
fn no_retry_is_made_past_the_deadline() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(2);
        fixture.double.failures.store(usize::MAX, Ordering::SeqCst);
        for millis in 1..40 {
            let begun = tokio::time::Instant::now();
            let answer = fixture.mesh.call(&context(Duration::from_millis(millis)), Order {}).await;
            assert!(answer.is_err());
            assert!(begun.elapsed() <= Duration::from_millis(millis), "{millis}: {:?}", begun.elapsed());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
}

#[test]
fn retries_are_a_fifth_of_the_calls_or_three_a_second() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(2);
        fixture.without_breaker();
        fixture.double.failures.store(usize::MAX, Ordering::SeqCst);
        let calls = (0..500).map(|_| {
            let mesh = fixture.mesh.clone();
            actix::spawn(async move { mesh.call(&patient(), Order {}).await })
        });
        for call in calls.collect::<Vec<_>>() {
            assert!(call.await.unwrap().is_err());
        }
        let tried = fixture.double.orders.load(Ordering::SeqCst);
        assert!((503..=640).contains(&tried), "{tried} tries of 500 calls");
    });
}

#[test]
fn the_service_sees_the_remaining_time() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        fixture.mesh.set_links(Some(Link { latency: Duration::from_millis(700), ..Link::default() }));
        let context = context(Duration::from_secs(2));
        fixture.mesh.call(&context, greet("Ada")).await.unwrap();
        assert_eq!(context.time_left(), Duration::from_millis(600), "of two seconds, after 700 ms there and back");
        assert_eq!(context.within(Duration::from_secs(9)).time_left(), Duration::from_millis(600));
    });
}
