//! What the faults of a link do to calls.

use super::fixture::*;

const WITHOUT_FAULTS: Link = Link {
    latency: Duration::ZERO,
    jitter: Duration::ZERO,
    serialised: false,
    lost_requests: 0,
    lost_replies: 0,
    duplicates: 0,
};
const SERIALISING: Link = Link { serialised: true, ..WITHOUT_FAULTS };

/// Sends a greeting over that link and waits until all copies have arrived. Gives the answer, the
/// number of greetings, and how long the call took.
fn greeted_over(link: Option<Link>) -> (Result<String, CallError<Rude>>, usize, Duration) {
    let mut seen = None;
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        fixture.mesh.set_links(link);
        let begun = tokio::time::Instant::now();
        let answer = fixture.mesh.call(&context(Duration::from_secs(2)), greet("Ada")).await;
        let took = begun.elapsed();
        tokio::time::sleep(Duration::from_secs(60)).await;
        seen = Some((answer, fixture.double.greeted.lock().len(), took));
    });
    seen.unwrap()
}

#[test]
fn a_link_without_faults_takes_no_time() {
    for link in [None, Some(WITHOUT_FAULTS), Some(SERIALISING)] {
        let (answer, times, took) = greeted_over(link);
        assert_eq!((answer.unwrap().as_str(), times, took), ("Good day, Ada", 1, Duration::ZERO));
    }
}

#[test]
fn latency_delays_request_and_reply() {
    let (answer, times, took) = greeted_over(Some(Link { latency: Duration::from_millis(300), ..WITHOUT_FAULTS }));
    assert_eq!((answer.is_ok(), times, took), (true, 1, Duration::from_millis(600)));
    let (answer, _, took) = greeted_over(Some(Link { latency: Duration::from_millis(1500), ..WITHOUT_FAULTS }));
    assert!(matches!(answer, Err(CallError::Mesh(MeshError::TimedOut))));
    assert_eq!(took, Duration::from_secs(2), "the call ends at the deadline");
}

#[test]
fn a_lost_request_is_not_carried_out_and_one_with_a_lost_reply_is() {
    for (link, done) in
        [(Link { lost_requests: 100, ..WITHOUT_FAULTS }, 0), (Link { lost_replies: 100, ..WITHOUT_FAULTS }, 1)]
    {
        let (answer, times, took) = greeted_over(Some(link));
        assert!(matches!(answer, Err(CallError::Mesh(MeshError::TimedOut))));
        assert_eq!((times, took), (done, Duration::from_secs(2)));
    }
}

#[test]
fn queries_are_duplicated_and_commands_are_not() {
    let twice = Link { duplicates: 100, ..WITHOUT_FAULTS };
    let (answer, times, _) = greeted_over(Some(twice));
    assert_eq!((answer.is_ok(), times), (true, 2));
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        fixture.mesh.set_links(Some(twice));
        let (mesh, context) = (fixture.mesh.clone(), patient());
        let call = actix::spawn(async move { mesh.call(&context, Dawdle {}).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(fixture.double.dawdling.load(Ordering::SeqCst), 1, "a command is never duplicated");
        assert!(call.await.unwrap().is_ok());
    });
}

#[test]
fn an_error_of_the_domain_passes_a_serialising_link() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        fixture.mesh.set_links(Some(SERIALISING));
        let rude = fixture.mesh.call(&patient(), greet("nobody")).await;
        assert!(matches!(rude, Err(CallError::Domain(Rude(name))) if name == "nobody"));
    });
}

#[test]
fn a_message_that_cannot_be_serialised_is_a_failure_with_its_name() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        fixture.without_breaker();
        let mumble = Mumble { word: "rhubarb".into() };
        fixture.mesh.call(&patient(), mumble.clone()).await.expect("without serialisation it arrives");
        fixture.mesh.set_links(Some(SERIALISING));
        let Err(CallError::Mesh(MeshError::Failed(message))) = fixture.mesh.call(&patient(), mumble).await else {
            panic!("a broken request was carried out");
        };
        assert!(message.starts_with("doubles.mumble cannot be read from its bytes: "), "{message}");
        assert_eq!(fixture.double.mumbled.lock().len(), 1, "the request never arrived");
        let Err(CallError::Mesh(MeshError::Failed(message))) = fixture.mesh.call(&patient(), Sing {}).await else {
            panic!("a broken reply was accepted");
        };
        assert!(message.starts_with("doubles.sing cannot be read from its bytes: "), "{message}");
    });
}
