//! Which instance gets a call.

use super::fixture::*;
use std::collections::BTreeMap;

async fn spread(fixture: &Fixture, calls: usize) -> BTreeMap<String, usize> {
    let mut hits = BTreeMap::new();
    for n in 0..calls {
        *hits.entry(fixture.served_by(&format!("guest {n}")).await).or_default() += 1;
    }
    hits
}

#[test]
fn every_strategy_uses_every_instance() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(3);
        for strategy in Strategy::ALL {
            fixture.pool().set_strategy(strategy);
            let calls: Vec<_> = (0..60)
                .map(|n| {
                    let mesh = fixture.mesh.clone();
                    actix::spawn(async move { mesh.call(&patient(), greet(&format!("guest {n}"))).await })
                })
                .collect();
            fixture.double.slowness.store(100, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            let report = fixture.pool().report().instances;
            assert!(report.iter().all(|it| (8..=32).contains(&it.in_flight)), "{strategy:?} {report:?}");
            for call in calls {
                call.await.unwrap().unwrap();
            }
        }
    });
}

#[test]
fn a_slow_instance_gets_few_calls_by_power_of_two_and_its_share_by_round_robin() {
    in_simulated_time(async || {
        let (fixture, doubles) = fixture_of_separate_doubles(3);
        doubles[1].slowness.store(200, Ordering::SeqCst);
        fixture.pool().set_strategy(Strategy::RoundRobin);
        assert_eq!(spread(&fixture, 30).await["products-2"], 10);
        fixture.pool().set_strategy(Strategy::PowerOfTwo);
        let hits = spread(&fixture, 300).await;
        assert!(hits.get("products-2").is_none_or(|hits| *hits < 15), "{hits:?}");
    });
}

#[test]
fn an_instance_that_fails_fast_does_not_attract_the_calls() {
    in_simulated_time(async || {
        let (fixture, doubles) = fixture_of_separate_doubles(2);
        fixture
            .mesh
            .set_pool(
                Service::Products,
                PoolSettings {
                    outlier: OutlierSettings { failures: 0, ..Default::default() },
                    ..PoolSettings::default()
                },
            )
            .await
            .unwrap();
        doubles.iter().for_each(|double| double.slowness.store(20, Ordering::SeqCst));
        doubles[0].failures.store(usize::MAX, Ordering::SeqCst);
        for _ in 0..100 {
            fixture.mesh.call(&patient(), Order {}).await.unwrap();
        }
        let tried = doubles[0].orders.load(Ordering::SeqCst);
        assert!((1..20).contains(&tried), "{tried}");
    });
}

#[test]
fn the_same_key_goes_to_the_same_instance_until_it_is_gone() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(4);
        fixture.pool().set_strategy(Strategy::ConsistentHash);
        let mut homes = BTreeMap::new();
        for round in 0..3 {
            for n in 0..40 {
                let (guest, home) = (format!("guest {n}"), fixture.served_by(&format!("guest {n}")).await);
                assert_eq!(homes.entry(guest).or_insert(home.clone()), &home, "round {round}");
            }
        }
        fixture.pool().set_instance("products-3", InstanceSettings { draining: true, ..Default::default() });
        for (guest, home) in &homes {
            let now = fixture.served_by(guest).await;
            assert!(if home == "products-3" { now != *home } else { now == *home });
        }
    });
}

#[test]
fn a_canary_gets_five_calls_of_a_hundred() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(2);
        fixture.pool().set_strategy(Strategy::Weighted);
        assert!(fixture.pool().set_instance("products-1", InstanceSettings { weight: 95, ..Default::default() }));
        assert!(
            fixture
                .pool()
                .set_instance("products-2", InstanceSettings { weight: 5, capacity: 8, ..Default::default() })
        );
        let hits = spread(&fixture, 2_000).await;
        assert!((70..130).contains(&hits["products-2"]), "{hits:?}");
        assert!(!fixture.pool().set_instance("products-7", InstanceSettings::default()));
    });
}

#[test]
fn a_new_instance_gets_its_share_step_by_step() {
    in_simulated_time(async || {
        let fixture = simulated_fixture(1);
        fixture.pool().set_strategy(Strategy::RoundRobin);
        fixture
            .mesh
            .set_pool(
                Service::Products,
                PoolSettings { strategy: Strategy::RoundRobin, count: 2, ..PoolSettings::default() },
            )
            .await
            .unwrap();
        let mut shares = Vec::new();
        for _ in 0..6 {
            shares.push(spread(&fixture, 400).await.get("products-2").copied().unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(2_500)).await;
        }
        assert!((5..50).contains(&shares[0]), "at first a tenth of its half: {shares:?}");
        assert!(shares[0] < shares[2] && shares[2] < shares[4] && (190..210).contains(&shares[5]), "{shares:?}");
    });
}
