//! The price of a parcel, and the promised time of delivery.

use super::{
    coverage::hub_serving,
    messages::{ShippingService::*, *},
    network::NETWORK,
    routes::{self, HubRoute, MOST_KG},
};
use crate::{
    env::later,
    types::{Country, Currency, Money, Timestamp},
};
use std::time::Duration;

/// The promise holds if the parcel leaves the warehouse within this time.
const WAREHOUSE_HOURS: u32 = 24;

/// Hours of the van's round from the last hub to the customers.
pub const ROUND_HOURS: u32 = 5;

/// What a service adds to its route: cents for handling, and hours at the last hub until the next
/// round. So each service costs more and is faster than the one before, even on the same route.
const fn terms(service: ShippingService) -> (u32, u32) {
    match service {
        Economy => (350, 20),
        Standard => (450, 8),
        Express => (750, 1),
    }
}

/// The route of a parcel with one service: it is quoted, and then booked.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    pub service: ShippingService,
    pub cost: Money,
    pub delivery_by: Timestamp,
    pub route: Vec<Stop>,
}

/// What the service offers at `now`. The cost is the sum of the legs for each started kilogram,
/// plus handling. `grams`: the weight; 0 counts as 1. Errors: `Undeliverable`.
pub fn offer(
    service: ShippingService,
    country: Country,
    postal_code: &str,
    grams: u64,
    now: Timestamp,
) -> Result<Offer, ShippingError> {
    let (hub, kg) = (hub_serving(country, postal_code)?, started_kg(grams)?);
    let route = routes::best(service, hub, kg).ok_or_else(|| {
        let (most, city) = (routes::most_kg(hub), &NETWORK.hubs[hub].city);
        ShippingError::Undeliverable { reason: format!("our carriers take at most {most} kg to {city}") }
    })?;
    let (handling, waiting) = terms(service);
    let cents = i64::from(route.cents(kg) + handling);
    let cost = Money::new(cents, Currency::EUR).expect("the sum of two unsigned numbers is not negative");
    let stops = stops(route, later(now, hours(WAREHOUSE_HOURS)));
    let at_last_hub = stops.last().map_or(now, |stop| stop.planned_at);
    Ok(Offer { service, cost, delivery_by: later(at_last_hub, hours(waiting + ROUND_HOURS)), route: stops })
}

/// Kilograms to pay for: rounded up, at least 1.
fn started_kg(grams: u64) -> Result<u32, ShippingError> {
    match u32::try_from(grams.max(1).div_ceil(1_000)) {
        Ok(kg) if kg <= MOST_KG => Ok(kg),
        _ => Err(ShippingError::Undeliverable { reason: format!("a parcel weighs at most {MOST_KG} kg") }),
    }
}

fn stops(route: &HubRoute, start: Timestamp) -> Vec<Stop> {
    let rides = route.rides.iter().map(|ride| Ride { carrier: ride.leg.carrier.to_owned(), mode: ride.leg.mode });
    let by = std::iter::once(None).chain(rides.map(Some));
    let stop = |((hub, after), by): ((usize, u32), Option<Ride>)| Stop {
        hub: NETWORK.hubs[hub].clone(),
        planned_at: later(start, hours(after)),
        by,
    };
    route.stops().zip(by).map(stop).collect()
}

pub const fn hours(hours: u32) -> Duration {
    Duration::from_secs(hours as u64 * 3_600)
}

impl From<Offer> for Quote {
    fn from(offer: Offer) -> Self {
        let route = offer.route.into_iter().map(|stop| stop.hub.city).collect();
        Self { service: offer.service, cost: offer.cost, delivery_by: offer.delivery_by, route }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offers(country: &str, postal_code: &str, grams: u64) -> Result<[Offer; 3], ShippingError> {
        let country = country.parse().unwrap();
        let [economy, standard, express] =
            ShippingService::ALL.map(|service| offer(service, country, postal_code, grams, Timestamp::UNIX_EPOCH));
        Ok([economy?, standard?, express?])
    }

    fn served() -> impl Strategy<Value = String> {
        let countries = NETWORK.hubs.iter().map(|hub| hub.country.to_string()).collect::<Vec<_>>();
        prop::sample::select(countries)
    }

    #[test]
    fn the_cost_is_that_of_the_legs_for_started_kilograms_and_the_handling() {
        // Rotterdam, Brussels, Paris: 35 + 3 a kilogram, 35 + 6 a kilogram; and 350.
        for (grams, cents) in [(1, 429), (1_000, 429), (1_001, 438), (20_000, 600)] {
            let [economy, ..] = offers("FR", "75001", grams).unwrap();
            assert_eq!(economy.cost.amount(), cents, "{grams} g");
        }
    }

    #[test]
    fn on_the_same_route_each_service_still_costs_more_and_is_faster_than_the_one_before() {
        let [economy, standard, express] = offers("NL", "3011", 500).unwrap();
        assert_eq!((&economy.route, &standard.route), (&standard.route, &express.route));
        assert!(economy.cost.amount() < standard.cost.amount() && standard.cost.amount() < express.cost.amount());
        assert!(economy.delivery_by > standard.delivery_by && standard.delivery_by > express.delivery_by);
        let promised = later(Timestamp::UNIX_EPOCH, hours(WAREHOUSE_HOURS + 1 + ROUND_HOURS));
        assert_eq!(express.delivery_by, promised);
    }

    #[test]
    fn a_parcel_that_no_carrier_takes_is_undeliverable_and_the_error_says_why() {
        let reason = |country, grams| match offers(country, "", grams) {
            Err(ShippingError::Undeliverable { reason }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason("DE", 1_000_001), "a parcel weighs at most 1000 kg");
        assert_eq!(reason("DE", u64::MAX), "a parcel weighs at most 1000 kg");
        assert_eq!(reason("IS", 600_001), "our carriers take at most 600 kg to Reykjavik");
        assert_eq!(reason("AQ", 1), "none of our carriers delivers to AQ");
    }

    #[test]
    fn a_weight_of_zero_counts_as_one_gram() {
        assert_eq!(offers("DE", "", 0), offers("DE", "", 1));
    }

    proptest! {
        #[test]
        fn services_are_offered_from_the_cheapest_and_slowest_to_the_dearest_and_fastest(
            country in served(), postal_code: String, grams in 0..=600_000u64,
        ) {
            let offers = offers(&country, &postal_code, grams).unwrap();
            prop_assert!(offers.is_sorted_by(|a, b| a.cost.amount() < b.cost.amount()));
            prop_assert!(offers.is_sorted_by(|a, b| a.delivery_by > b.delivery_by));
            for offer in offers {
                prop_assert!(offer.route.is_sorted_by_key(|stop| stop.planned_at));
                prop_assert_eq!(&offer.route[0].hub.code, "RTM");
                prop_assert_eq!(offer.route.last().unwrap().hub.country.to_string(), country.as_str());
            }
        }

        #[test]
        fn a_heavier_parcel_never_costs_less(country in served(), grams in 0..=600_000u64, more in 0..=600_000u64) {
            let (light, heavy) = (offers(&country, "", grams).unwrap(), offers(&country, "", (grams + more).min(600_000)).unwrap());
            for (light, heavy) in light.iter().zip(&heavy) {
                prop_assert!(light.cost.amount() <= heavy.cost.amount());
            }
        }
    }
}
