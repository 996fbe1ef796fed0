//! Who gets the calls.

use super::*;
use std::collections::BTreeMap;

async fn spread(house: &House, calls: usize) -> BTreeMap<String, usize> {
    let mut hits = BTreeMap::new();
    for n in 0..calls {
        *hits.entry(house.served_by(&format!("guest {n}")).await).or_default() += 1;
    }
    hits
}

#[test]
fn every_strategy_uses_every_instance() {
    in_simulated_time(async || {
        let house = simulated_house(3);
        for strategy in Strategy::ALL {
            house.pool().set_strategy(strategy);
            let calls: Vec<_> = (0..60)
                .map(|n| {
                    let mesh = house.mesh.clone();
                    actix::spawn(async move { mesh.call(&patient(), greet(&format!("guest {n}"))).await })
                })
                .collect();
            house.porter.slowness.store(100, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            let report = house.pool().report().instances;
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
        let (house, porters) = house_of_strangers(3);
        porters[1].slowness.store(200, Ordering::SeqCst);
        house.pool().set_strategy(Strategy::RoundRobin);
        assert_eq!(spread(&house, 30).await["products-2"], 10);
        house.pool().set_strategy(Strategy::PowerOfTwo);
        let hits = spread(&house, 300).await;
        assert!(hits.get("products-2").is_none_or(|hits| *hits < 15), "{hits:?}");
    });
}

#[test]
fn an_instance_that_fails_fast_does_not_attract_the_calls() {
    in_simulated_time(async || {
        let (house, porters) = house_of_strangers(2);
        house
            .pool()
            .set(PoolSettings {
                outlier: OutlierSettings { failures: 0, ..Default::default() },
                ..PoolSettings::default()
            })
            .await
            .unwrap();
        porters.iter().for_each(|porter| porter.slowness.store(20, Ordering::SeqCst));
        porters[0].failures.store(usize::MAX, Ordering::SeqCst);
        for _ in 0..100 {
            house.mesh.call(&patient(), Order {}).await.unwrap();
        }
        let tried = porters[0].orders.load(Ordering::SeqCst);
        assert!((1..20).contains(&tried), "{tried}");
    });
}

#[test]
fn the_same_key_goes_to_the_same_instance_until_that_is_gone() {
    in_simulated_time(async || {
        let house = simulated_house(4);
        house.pool().set_strategy(Strategy::ConsistentHash);
        let mut homes = BTreeMap::new();
        for round in 0..3 {
            for n in 0..40 {
                let (guest, home) = (format!("guest {n}"), house.served_by(&format!("guest {n}")).await);
                assert_eq!(homes.entry(guest).or_insert(home.clone()), &home, "round {round}");
            }
        }
        house.pool().set_instance("products-3", InstanceSettings { draining: true, ..Default::default() });
        for (guest, home) in &homes {
            let now = house.served_by(guest).await;
            assert!(if home == "products-3" { now != *home } else { now == *home });
        }
    });
}

#[test]
fn a_canary_gets_five_calls_of_a_hundred() {
    in_simulated_time(async || {
        let house = simulated_house(2);
        house.pool().set_strategy(Strategy::Weighted);
        assert!(house.pool().set_instance("products-1", InstanceSettings { weight: 95, ..Default::default() }));
        assert!(
            house.pool().set_instance("products-2", InstanceSettings { weight: 5, capacity: 8, ..Default::default() })
        );
        let hits = spread(&house, 2_000).await;
        assert!((70..130).contains(&hits["products-2"]), "{hits:?}");
        assert!(!house.pool().set_instance("products-7", InstanceSettings::default()));
    });
}

#[test]
fn an_instance_that_comes_to_others_gets_its_share_little_by_little() {
    in_simulated_time(async || {
        let house = simulated_house(1);
        house.pool().set_strategy(Strategy::RoundRobin);
        house
            .pool()
            .set(PoolSettings { strategy: Strategy::RoundRobin, count: 2, ..PoolSettings::default() })
            .await
            .unwrap();
        let mut shares = Vec::new();
        for _ in 0..6 {
            shares.push(spread(&house, 400).await.get("products-2").copied().unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(2_500)).await;
        }
        assert!((5..50).contains(&shares[0]), "a tenth of its half at first: {shares:?}");
        assert!(shares[0] < shares[2] && shares[2] < shares[4] && (190..210).contains(&shares[5]), "{shares:?}");
    });
}
