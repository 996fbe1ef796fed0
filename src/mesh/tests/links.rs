//! What a bad link does to a call, and what it does not.

use super::*;

const PERFECT: Link = Link {
    latency: Duration::ZERO,
    jitter: Duration::ZERO,
    serialised: false,
    lost_requests: 0,
    lost_replies: 0,
    duplicates: 0,
};
const OF_BYTES: Link = Link { serialised: true, ..PERFECT };

/// Calls "Ada" over that link, waits until all copies have arrived, and gives the answer, how often she was greeted, and how long it took.
fn greeted_over(link: Option<Link>) -> (Result<String, CallError<Rude>>, usize, Duration) {
    let mut seen = None;
    in_simulated_time(async || {
        let house = simulated_house(1);
        house.mesh.set_links(link);
        let begun = tokio::time::Instant::now();
        let answer = house.mesh.call(&context(Duration::from_secs(2)), greet("Ada")).await;
        let took = begun.elapsed();
        tokio::time::sleep(Duration::from_secs(60)).await;
        seen = Some((answer, house.porter.greeted.lock().unwrap().len(), took));
    });
    seen.unwrap()
}

#[test]
fn a_link_that_nothing_is_wrong_with_takes_no_time() {
    for link in [None, Some(PERFECT), Some(OF_BYTES)] {
        let (answer, times, took) = greeted_over(link);
        assert_eq!((answer.unwrap().as_str(), times, took), ("Good day, Ada", 1, Duration::ZERO));
    }
}

#[test]
fn both_ways_take_their_time() {
    let (answer, times, took) = greeted_over(Some(Link { latency: Duration::from_millis(300), ..PERFECT }));
    assert_eq!((answer.is_ok(), times, took), (true, 1, Duration::from_millis(600)));
    let (answer, _, took) = greeted_over(Some(Link { latency: Duration::from_millis(1500), ..PERFECT }));
    assert!(matches!(answer, Err(CallError::Mesh(MeshError::TimedOut))));
    assert_eq!(took, Duration::from_secs(2), "nobody waits longer than the deadline");
}

#[test]
fn a_lost_request_is_not_carried_out_and_a_lost_reply_is_of_one_that_was() {
    for (link, done) in [(Link { lost_requests: 100, ..PERFECT }, 0), (Link { lost_replies: 100, ..PERFECT }, 1)] {
        let (answer, times, took) = greeted_over(Some(link));
        assert!(matches!(answer, Err(CallError::Mesh(MeshError::TimedOut))));
        assert_eq!((times, took), (done, Duration::from_secs(2)));
    }
}

#[test]
fn what_may_be_sent_twice_arrives_twice_and_what_may_not_once() {
    let twice = Link { duplicates: 100, ..PERFECT };
    let (answer, times, _) = greeted_over(Some(twice));
    assert_eq!((answer.is_ok(), times), (true, 2));
    in_simulated_time(async || {
        let house = simulated_house(1);
        house.mesh.set_links(Some(twice));
        let (mesh, context) = (house.mesh.clone(), patient());
        let call = actix::spawn(async move { mesh.call(&context, Dawdle {}).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(house.porter.dawdling.load(Ordering::SeqCst), 1, "a command is never doubled");
        assert!(call.await.unwrap().is_ok());
    });
}

#[test]
fn over_a_link_of_bytes_the_service_still_has_its_own_words() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        house.mesh.set_links(Some(OF_BYTES));
        let rude = house.mesh.call(&patient(), greet("nobody")).await;
        assert!(matches!(rude, Err(CallError::Domain(Rude(name))) if name == "nobody"));
    });
}

#[test]
fn what_does_not_come_through_as_bytes_is_a_failure_that_names_it() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        house.without_breaker();
        let mumble = Mumble { word: "rhubarb".into() };
        house.mesh.call(&patient(), mumble.clone()).await.expect("it is only unfit to be sent");
        house.mesh.set_links(Some(OF_BYTES));
        let Err(CallError::Mesh(MeshError::Failed(words))) = house.mesh.call(&patient(), mumble).await else {
            panic!("half a request was carried out");
        };
        assert!(words.starts_with("doubles.mumble cannot be read from its bytes: "), "{words}");
        assert_eq!(house.porter.mumbled.lock().unwrap().len(), 1, "it never got there");
        let Err(CallError::Mesh(MeshError::Failed(words))) = house.mesh.call(&patient(), Sing {}).await else {
            panic!("half a reply was taken for one");
        };
        assert!(words.starts_with("doubles.sing cannot be read from its bytes: "), "{words}");
    });
}
