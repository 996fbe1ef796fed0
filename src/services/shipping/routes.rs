//! The cheapest, the fastest and a balanced route from the warehouse to each hub, for every weight.
//!
//! The network is constant, so all routes are computed once, with Dijkstra's algorithm. A quote is
//! a lookup.

use super::{
    messages::ShippingService::{self, *},
    network::{Leg, NETWORK, WAREHOUSE, place_of},
};
use crate::env::Env;
use petgraph::{algo::dijkstra, graph::NodeIndex, visit::EdgeFiltered};
use std::sync::OnceLock;

/// The heaviest parcel that the shop sends, in kilograms.
pub const MOST_KG: u32 = 1_000;

/// Hours between a parcel's arrival at a hub and its departure.
pub const HUB_HOURS: u32 = 3;

/// What one hour less is worth with the service Standard, in cents. With this value a light parcel
/// flies overseas, and a heavy parcel goes by ship.
const CENTS_PER_HOUR: u32 = 5;

/// A route from the warehouse's hub to another hub.
#[derive(Debug, Clone)]
pub struct HubRoute {
    /// One ride for each hub after the warehouse's.
    pub rides: Vec<RideTo>,
    /// The heaviest parcel, in kilograms, for which this route is the best.
    most_kg: u32,
    /// The price of the heaviest parcel that takes the route before this one. A heavier parcel
    /// never costs less, even if it must take a cheaper route because the faster one does not carry
    /// it.
    least_cents: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RideTo {
    /// The index of the hub in the network.
    pub hub: usize,
    pub leg: &'static Leg,
}

impl HubRoute {
    /// The price in cents for this many started kilograms.
    pub fn cents(&self, kg: u32) -> u32 {
        self.rides.iter().map(|ride| ride.leg.cents(kg)).sum::<u32>().max(self.least_cents)
    }

    /// The hubs, the warehouse's first, with the hours after which a parcel reaches them.
    pub fn stops(&self) -> impl Iterator<Item = (usize, u32)> {
        let mut hours = 0;
        let rides = self.rides.iter().map(move |ride| {
            hours += HUB_HOURS + ride.leg.hours;
            (ride.hub, hours)
        });
        std::iter::once((place_of(WAREHOUSE), 0)).chain(rides)
    }
}

/// The service's route to the hub for a parcel of this many started kilograms; `None` if the parcel
/// is too heavy for every route.
pub fn best(service: ShippingService, hub: usize, kg: u32) -> Option<&'static HubRoute> {
    let by_weight = &routes()[service as usize][hub];
    by_weight.get(by_weight.partition_point(|route| route.most_kg < kg))
}

/// The heaviest parcel that any route to the hub carries, in kilograms.
pub fn most_kg(hub: usize) -> u32 {
    routes()[Economy as usize][hub].last().map_or(0, |route| route.most_kg)
}

/// By service and hub: the routes, sorted by the weights that they are best for.
type Routes = [Vec<Vec<HubRoute>>; 3];

/// Computes all routes, once, on a thread for blocking work. Must be awaited before a route is
/// looked up, so that no instance computes them on its own thread.
pub async fn prepare(env: &Env) {
    if ROUTES.get().is_none() {
        // If this fails, the first lookup computes them.
        let _ = env.blocking(|| _ = routes()).await;
    }
}

static ROUTES: OnceLock<Routes> = OnceLock::new();

fn routes() -> &'static Routes {
    ROUTES.get_or_init(|| {
        let graph = Graph::from_edges(NETWORK.legs.iter().flat_map(|leg| {
            let (a, b) = (leg.ends.0 as u32, leg.ends.1 as u32);
            [(a, b, leg), (b, a, leg)]
        }));
        ShippingService::ALL.map(|service| {
            let mut routes = vec![Vec::new(); NETWORK.hubs.len()];
            for kg in 1..=MOST_KG {
                extend(&mut routes, &graph, service, kg);
            }
            routes
        })
    })
}

type Graph = petgraph::Graph<(), &'static Leg>;

/// Adds the routes that are best for a parcel one kilogram heavier than before.
fn extend(routes: &mut [Vec<HubRoute>], graph: &Graph, service: ShippingService, kg: u32) {
    let open = EdgeFiltered::from_fn(graph, |edge| edge.weight().most_kg >= kg);
    let effort = |leg: &Leg| effort(service, leg, kg);
    let start = NodeIndex::new(place_of(WAREHOUSE));
    let mut efforts = vec![None; graph.node_count()];
    for (hub, sum) in dijkstra(&open, start, None, |edge| effort(edge.weight())) {
        efforts[hub.index()] = Some(sum);
    }
    // The leg that made each hub's effort: the first one in the network, where several did.
    let mut last_legs = vec![None; graph.node_count()];
    for edge in graph.raw_edges().iter().filter(|edge| edge.weight.most_kg >= kg) {
        let (from, to) = (edge.source().index(), edge.target().index());
        if efforts[from].is_some_and(|sum| Some(sum + effort(edge.weight)) == efforts[to]) {
            last_legs[to].get_or_insert((from, edge.weight));
        }
    }
    for hub in (0..efforts.len()).filter(|hub| efforts[*hub].is_some()) {
        // Back from the hub to the warehouse, then the other way round.
        let mut rides = Vec::new();
        let mut at = hub;
        while let Some((from, leg)) = last_legs[at] {
            rides.push(RideTo { hub: at, leg });
            at = from;
        }
        rides.reverse();
        let routes = &mut routes[hub];
        match routes.last_mut() {
            Some(same) if same.rides == rides => same.most_kg = kg,
            lighter => {
                let least_cents = lighter.map_or(0, |route| route.cents(route.most_kg));
                routes.push(HubRoute { rides, most_kg: kg, least_cents });
            }
        }
    }
}

/// The weight of a leg that the service minimises: two numbers in one, the important one in the
/// high 32 bits, the tie-breaker in the low 32 bits. Both add up along a route.
///
/// So Standard never costs more than Express: a route that is neither cheaper nor faster is not the
/// best balanced one. For the same reason Standard is never slower than Economy.
fn effort(service: ShippingService, leg: &Leg, kg: u32) -> u64 {
    let (cents, hours) = (leg.cents(kg), HUB_HOURS + leg.hours);
    let (first, then) = match service {
        Economy => (cents, hours),
        Standard => (cents + CENTS_PER_HOUR * hours, hours),
        Express => (hours, cents),
    };
    (u64::from(first) << 32) + u64::from(then)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place() -> impl Strategy<Value = usize> {
        0..NETWORK.hubs.len()
    }

    fn hours(route: &HubRoute) -> u32 {
        route.stops().last().unwrap().1
    }

    fn codes(service: ShippingService, to: &str, kg: u32) -> Vec<&'static str> {
        let stops = best(service, place_of(to), kg).unwrap().stops();
        stops.map(|(hub, _)| NETWORK.hubs[hub].code.as_str()).collect()
    }

    #[test]
    fn the_three_services_go_different_ways_where_there_are() {
        assert_eq!(codes(Economy, "NYC", 2), ["RTM", "NYC"]);
        assert_eq!(codes(Standard, "NYC", 2), ["RTM", "CGN", "NYC"]);
        assert_eq!(codes(Express, "NYC", 2), ["RTM", "AMS", "NYC"]);
        assert_eq!(codes(Express, "RTM", 2), ["RTM"]);
        let differ = |hub: &usize| best(Economy, *hub, 2).unwrap().rides != best(Express, *hub, 2).unwrap().rides;
        assert!((0..NETWORK.hubs.len()).filter(differ).count() > NETWORK.hubs.len() / 2);
    }

    #[test]
    fn every_hub_is_reached_and_the_heaviest_parcel_by_nearly_all() {
        let heaviest: Vec<u32> = (0..NETWORK.hubs.len()).map(most_kg).collect();
        assert_eq!(heaviest.iter().filter(|most| **most < MOST_KG).count(), 1);
        assert_eq!(most_kg(place_of("REK")), 600);
        assert!(best(Express, place_of("REK"), 601).is_none());
    }

    #[test]
    fn a_route_leads_from_the_warehouse_leg_by_leg_to_the_hub_and_carries_the_weight() {
        for (hub, routes) in routes().iter().flat_map(|by_hub| by_hub.iter().enumerate()) {
            for route in routes {
                let mut at = place_of(WAREHOUSE);
                for ride in &route.rides {
                    let (a, b) = ride.leg.ends;
                    assert!((a, b) == (at, ride.hub) || (b, a) == (at, ride.hub));
                    assert!(ride.leg.most_kg >= route.most_kg);
                    at = ride.hub;
                }
                assert_eq!(at, hub);
            }
        }
    }

    proptest! {
        #[test]
        fn economy_is_cheapest_express_is_fastest_and_standard_lies_between(hub in place(), kg in 1..=MOST_KG) {
            let routes = ShippingService::ALL.map(|service| best(service, hub, kg));
            if let [Some(economy), Some(standard), Some(express)] = routes {
                prop_assert!(economy.cents(kg) <= standard.cents(kg) && standard.cents(kg) <= express.cents(kg));
                prop_assert!(hours(express) <= hours(standard) && hours(standard) <= hours(economy));
            } else {
                prop_assert!(routes.iter().all(Option::is_none) && kg > most_kg(hub));
            }
        }

        #[test]
        fn a_heavier_parcel_never_costs_less(hub in place(), kg in 1..MOST_KG, more in 1..MOST_KG) {
            let heavier = (kg + more).min(MOST_KG);
            for service in ShippingService::ALL {
                if let (Some(light), Some(heavy)) = (best(service, hub, kg), best(service, hub, heavier)) {
                    prop_assert!(light.cents(kg) <= heavy.cents(heavier));
                }
            }
        }

        /// Checks Dijkstra's result with the algorithm of Bellman and Ford: it relaxes all legs,
        /// until nothing gets better.
        #[test]
        fn no_other_way_takes_less_effort(kg in 1..=600u32, hub in place()) {
            for service in ShippingService::ALL {
                let mut efforts = vec![u64::MAX; NETWORK.hubs.len()];
                efforts[place_of(WAREHOUSE)] = 0;
                for _round in &NETWORK.hubs {
                    for leg in NETWORK.legs.iter().filter(|leg| leg.most_kg >= kg) {
                        for (from, to) in [leg.ends, (leg.ends.1, leg.ends.0)] {
                            efforts[to] = efforts[to].min(efforts[from].saturating_add(effort(service, leg, kg)));
                        }
                    }
                }
                let rides = best(service, hub, kg).unwrap().rides.iter();
                prop_assert_eq!(rides.map(|ride| effort(service, ride.leg, kg)).sum::<u64>(), efforts[hub]);
            }
        }
    }
}
