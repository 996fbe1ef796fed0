//! The carriers' network: hubs in cities, and the legs between them.
//!
//! The cities and their positions are real. Carriers and prices are made up. A test checks that
//! hours fit the distances.

use super::messages::{Hub, Mode, Mode::*};
use std::sync::LazyLock;

/// Where every parcel starts: the hub of the shop's warehouse.
pub const WAREHOUSE: &str = "RTM";

#[rustfmt::skip]
const HUBS: &[(&str, &str, &str, f64, f64)] = &[
    // code  city       country   north     east
    ("RTM", "Rotterdam",    "NL",   51.92,    4.48),
    ("AMS", "Amsterdam",    "NL",   52.37,    4.90),
    ("BRU", "Brussels",     "BE",   50.85,    4.35),
    ("PAR", "Paris",        "FR",   48.86,    2.35),
    ("LYS", "Lyon",         "FR",   45.76,    4.84),
    ("MRS", "Marseille",    "FR",   43.30,    5.37),
    ("LON", "London",       "GB",   51.51,   -0.13),
    ("MAN", "Manchester",   "GB",   53.48,   -2.24),
    ("DUB", "Dublin",       "IE",   53.35,   -6.26),
    ("HAM", "Hamburg",      "DE",   53.55,    9.99),
    ("BER", "Berlin",       "DE",   52.52,   13.41),
    ("CGN", "Cologne",      "DE",   50.94,    6.96),
    ("FRA", "Frankfurt",    "DE",   50.11,    8.68),
    ("MUC", "Munich",       "DE",   48.14,   11.58),
    ("ZRH", "Zurich",       "CH",   47.37,    8.54),
    ("GVA", "Geneva",       "CH",   46.20,    6.14),
    ("VIE", "Vienna",       "AT",   48.21,   16.37),
    ("PRG", "Prague",       "CZ",   50.08,   14.43),
    ("WAW", "Warsaw",       "PL",   52.23,   21.01),
    ("BUD", "Budapest",     "HU",   47.50,   19.04),
    ("MIL", "Milan",        "IT",   45.46,    9.19),
    ("ROM", "Rome",         "IT",   41.90,   12.50),
    ("BCN", "Barcelona",    "ES",   41.39,    2.17),
    ("MAD", "Madrid",       "ES",   40.42,   -3.70),
    ("LIS", "Lisbon",       "PT",   38.72,   -9.14),
    ("CPH", "Copenhagen",   "DK",   55.68,   12.57),
    ("OSL", "Oslo",         "NO",   59.91,   10.75),
    ("STO", "Stockholm",    "SE",   59.33,   18.07),
    ("HEL", "Helsinki",     "FI",   60.17,   24.94),
    ("ATH", "Athens",       "GR",   37.98,   23.73),
    ("REK", "Reykjavik",    "IS",   64.15,  -21.94),
    ("NYC", "New York",     "US",   40.71,  -74.01),
    ("CHI", "Chicago",      "US",   41.88,  -87.63),
    ("LAX", "Los Angeles",  "US",   34.05, -118.24),
    ("YTO", "Toronto",      "CA",   43.65,  -79.38),
    ("TYO", "Tokyo",        "JP",   35.68,  139.69),
    ("SIN", "Singapore",    "SG",    1.32,  103.84),
    ("SYD", "Sydney",       "AU",  -33.87,  151.21),
];

type Row = (&'static str, &'static str, &'static str, Mode, u32, u32, u32, u32);

/// Each leg works in both directions. Pelican is the cheaper of the two airlines: its planes wait
/// until they are full.
#[rustfmt::skip]
const LEGS: &[Row] = &[
    // between   carrier         mode  ¢/kg     ¢  hours  most kg
    ("RTM", "AMS", "Longroad",     Road,    2,    35,     2, 1000),
    ("RTM", "BRU", "Longroad",     Road,    3,    35,     3, 1000),
    ("RTM", "CGN", "Longroad",     Road,    5,    35,     5, 1000),
    ("AMS", "HAM", "Longroad",     Road,    9,    35,     8, 1000),
    ("BRU", "PAR", "Longroad",     Road,    6,    35,     6, 1000),
    ("PAR", "LYS", "Longroad",     Road,    9,    35,     9, 1000),
    ("LYS", "MRS", "Longroad",     Road,    7,    35,     6, 1000),
    ("GVA", "ZRH", "Longroad",     Road,    5,    35,     5, 1000),
    ("CGN", "FRA", "Longroad",     Road,    4,    35,     4, 1000),
    ("FRA", "ZRH", "Longroad",     Road,    7,    35,     7, 1000),
    ("FRA", "MUC", "Longroad",     Road,    7,    35,     7, 1000),
    ("FRA", "PRG", "Longroad",     Road,   10,    35,     9, 1000),
    ("MUC", "VIE", "Longroad",     Road,    9,    35,     8, 1000),
    ("ZRH", "MIL", "Longroad",     Road,    5,    35,     5, 1000),
    ("MIL", "ROM", "Longroad",     Road,   11,    35,    10, 1000),
    ("BCN", "MAD", "Longroad",     Road,   12,    35,    11, 1000),
    ("MAD", "LIS", "Longroad",     Road,   12,    35,    11, 1000),
    ("HAM", "BER", "Longroad",     Road,    6,    35,     6, 1000),
    ("BER", "WAW", "Longroad",     Road,   12,    35,    11, 1000),
    ("PRG", "VIE", "Longroad",     Road,    6,    35,     6, 1000),
    ("VIE", "BUD", "Longroad",     Road,    5,    35,     5, 1000),
    ("HAM", "CPH", "Longroad",     Road,    7,    35,     7, 1000),
    ("CPH", "STO", "Longroad",     Road,   13,    35,    11, 1000),
    ("CPH", "OSL", "Longroad",     Road,   12,    35,    10, 1000),
    ("LON", "MAN", "Longroad",     Road,    6,    35,     6, 1000),
    ("MAN", "DUB", "Longroad",     Road,    6,    35,     6, 1000),
    ("NYC", "YTO", "Maple & Pine", Road,   13,    35,    12, 1000),
    ("NYC", "CHI", "Maple & Pine", Road,   27,    35,    23, 1000),
    ("RTM", "FRA", "Steelway",     Rail,    5,    45,    13, 1000),
    ("RTM", "LON", "Steelway",     Rail,    5,    45,    12, 1000),
    ("FRA", "MUC", "Steelway",     Rail,    5,    45,    12, 1000),
    ("MUC", "MIL", "Steelway",     Rail,    5,    45,    13, 1000),
    ("PAR", "BCN", "Steelway",     Rail,   12,    45,    24, 1000),
    ("FRA", "BER", "Steelway",     Rail,    6,    45,    15, 1000),
    ("BER", "WAW", "Steelway",     Rail,    8,    45,    17, 1000),
    ("VIE", "BUD", "Steelway",     Rail,    3,    45,    10, 1000),
    ("MUC", "VIE", "Steelway",     Rail,    5,    45,    13, 1000),
    ("NYC", "CHI", "Steelway",     Rail,   17,    45,    30, 1000),
    ("CHI", "LAX", "Steelway",     Rail,   42,    45,    67, 1000),
    ("HAM", "STO", "Steelway",     Rail,   12,    45,    23, 1000),
    ("RTM", "HAM", "Steelway",     Rail,    6,    45,    15, 1000),
    ("BCN", "LIS", "Steelway",     Rail,   15,    45,    27, 1000),
    ("RTM", "DUB", "Grey Gull",    Sea,    10,    50,    47, 1000),
    ("RTM", "OSL", "Grey Gull",    Sea,     9,    50,    43, 1000),
    ("RTM", "HEL", "Grey Gull",    Sea,    18,    50,    73, 1000),
    ("RTM", "LIS", "Grey Gull",    Sea,    18,    50,    77, 1000),
    ("RTM", "REK", "Grey Gull",    Sea,    20,    50,    83,  600),
    ("MRS", "ATH", "Grey Gull",    Sea,    18,    50,    73, 1000),
    ("RTM", "NYC", "Grey Gull",    Sea,    28,    90,   244, 1000),
    ("RTM", "SIN", "Grey Gull",    Sea,    69,    90,   530, 1000),
    ("SIN", "TYO", "Grey Gull",    Sea,    24,    90,   217, 1000),
    ("SIN", "SYD", "Grey Gull",    Sea,    35,    90,   292, 1000),
    ("TYO", "LAX", "Grey Gull",    Sea,    40,    90,   330, 1000),
    ("STO", "HEL", "Grey Gull",    Sea,     4,    50,    22, 1000),
    ("AMS", "LON", "Kestrel",      Air,    67,   250,     3,  150),
    ("AMS", "DUB", "Kestrel",      Air,    97,   250,     4,  150),
    ("AMS", "MAD", "Kestrel",      Air,   151,   250,     4,  150),
    ("AMS", "LIS", "Kestrel",      Air,   180,   250,     5,  150),
    ("AMS", "BCN", "Kestrel",      Air,   133,   250,     4,  150),
    ("AMS", "MRS", "Kestrel",      Air,   116,   250,     4,  150),
    ("AMS", "ROM", "Kestrel",      Air,   137,   250,     4,  150),
    ("AMS", "MIL", "Kestrel",      Air,   102,   250,     4,  150),
    ("AMS", "ZRH", "Kestrel",      Air,    86,   250,     3,  150),
    ("AMS", "MUC", "Kestrel",      Air,    90,   250,     3,  150),
    ("AMS", "VIE", "Kestrel",      Air,   110,   250,     4,  150),
    ("AMS", "BUD", "Kestrel",      Air,   126,   250,     4,  150),
    ("AMS", "WAW", "Kestrel",      Air,   122,   250,     4,  150),
    ("AMS", "BER", "Kestrel",      Air,    83,   250,     3,  150),
    ("AMS", "CPH", "Kestrel",      Air,    87,   250,     3,  150),
    ("AMS", "OSL", "Kestrel",      Air,   108,   250,     4,  150),
    ("AMS", "STO", "Kestrel",      Air,   124,   250,     4,  150),
    ("AMS", "HEL", "Kestrel",      Air,   153,   250,     5,  150),
    ("AMS", "ATH", "Kestrel",      Air,   202,   250,     5,  150),
    ("AMS", "REK", "Kestrel",      Air,   191,   250,     5,  150),
    ("AMS", "NYC", "Kestrel",      Air,   383,   250,    10,  300),
    ("AMS", "YTO", "Kestrel",      Air,   389,   250,    10,  300),
    ("AMS", "LAX", "Kestrel",      Air,   537,   250,    14,  300),
    ("AMS", "TYO", "Kestrel",      Air,   554,   250,    15,  300),
    ("AMS", "SIN", "Kestrel",      Air,   615,   250,    16,  300),
    ("NYC", "CHI", "Kestrel",      Air,   126,   250,     4,  150),
    ("SIN", "SYD", "Kestrel",      Air,   405,   250,    11,  300),
    ("CGN", "MAD", "Pelican",      Air,    68,   150,    11,  500),
    ("CGN", "ATH", "Pelican",      Air,    84,   150,    12,  500),
    ("CGN", "HEL", "Pelican",      Air,    71,   150,    12,  500),
    ("CGN", "WAW", "Pelican",      Air,    54,   150,    11,  500),
    ("CGN", "NYC", "Pelican",      Air,   191,   150,    29,  500),
    ("CGN", "YTO", "Pelican",      Air,   195,   150,    29,  500),
    ("CGN", "TYO", "Pelican",      Air,   273,   150,    33,  500),
    ("CGN", "SIN", "Pelican",      Air,   299,   150,    34,  500),
    ("NYC", "LAX", "Pelican",      Air,   143,   150,    15,  500),
    ("SIN", "SYD", "Pelican",      Air,   198,   150,    29,  500),
];

/// A carrier's connection between two hubs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// The hubs' indices in [`CarrierNetwork::hubs`].
    pub ends: (usize, usize),
    pub carrier: &'static str,
    pub mode: Mode,
    cents_per_kg: u32,
    fixed_cents: u32,
    pub hours: u32,
    /// The heaviest parcel that it carries, in kilograms.
    pub most_kg: u32,
}

impl Leg {
    /// The price in cents for this many started kilograms.
    pub fn cents(&self, kg: u32) -> u32 {
        self.fixed_cents + self.cents_per_kg * kg
    }
}

/// The tables above, with legs that refer to hubs by index.
pub struct CarrierNetwork {
    pub hubs: Vec<Hub>,
    pub legs: Vec<Leg>,
}

pub static NETWORK: LazyLock<CarrierNetwork> = LazyLock::new(CarrierNetwork::link_up);

impl CarrierNetwork {
    fn link_up() -> Self {
        let hubs = HUBS.iter().map(|&(code, city, country, latitude, longitude)| Hub {
            code: code.to_owned(),
            city: city.to_owned(),
            country: country.parse().expect("the table has only codes of ISO 3166-1"),
            latitude,
            longitude,
        });
        let legs = LEGS.iter().map(|&(from, to, carrier, mode, cents_per_kg, fixed_cents, hours, most_kg)| Leg {
            ends: (place_of(from), place_of(to)),
            carrier,
            mode,
            cents_per_kg,
            fixed_cents,
            hours,
            most_kg,
        });
        Self { hubs: hubs.collect(), legs: legs.collect() }
    }
}

/// The index of a hub in [`CarrierNetwork::hubs`].
pub fn place_of(code: &str) -> usize {
    HUBS.iter().position(|hub| hub.0 == code).expect("the tables refer only to hubs of the table")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Kilometres along the great circle, by the haversine formula.
    fn distance(a: &Hub, b: &Hub) -> f64 {
        let half_chord = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
        let (south, north) = (a.latitude.to_radians(), b.latitude.to_radians());
        let h = half_chord(a.latitude, b.latitude) + south.cos() * north.cos() * half_chord(a.longitude, b.longitude);
        2.0 * 6371.0 * h.sqrt().asin()
    }

    fn ends(leg: &Leg) -> (&'static Hub, &'static Hub) {
        (&NETWORK.hubs[leg.ends.0], &NETWORK.hubs[leg.ends.1])
    }

    #[test]
    fn known_distances_are_right_within_one_per_cent() {
        let hub = |code| &NETWORK.hubs[place_of(code)];
        for (from, to, kilometres) in [("BER", "PAR", 878.0), ("LON", "NYC", 5570.0), ("SIN", "SYD", 6300.0)] {
            let found = distance(hub(from), hub(to));
            assert!((found / kilometres - 1.0).abs() < 0.01, "{from} to {to}: {found} km");
        }
    }

    #[test]
    fn the_speed_of_each_leg_fits_its_kind_of_transport() {
        for leg in &NETWORK.legs {
            let (from, to) = ends(leg);
            let speed = distance(from, to) / f64::from(leg.hours);
            let (slowest, fastest) = match leg.mode {
                Road => (20.0, 90.0),
                Rail => (15.0, 160.0),
                Air => (80.0, 900.0),
                Sea => (10.0, 45.0),
            };
            assert!(
                (slowest..=fastest).contains(&speed),
                "{} to {}: {speed:.0} km/h by {:?}",
                from.code,
                to.code,
                leg.mode
            );
        }
    }

    #[test]
    fn between_the_same_hubs_the_faster_leg_costs_more() {
        for leg in &NETWORK.legs {
            for other in NETWORK.legs.iter().filter(|other| other.ends == leg.ends && other.hours < leg.hours) {
                assert!(other.cents(10) > leg.cents(10), "{leg:?} and {other:?}");
            }
        }
    }

    #[test]
    fn hubs_have_unique_codes_and_valid_positions() {
        let codes: HashSet<_> = NETWORK.hubs.iter().map(|hub| &hub.code).collect();
        assert_eq!(codes.len(), NETWORK.hubs.len());
        for hub in &NETWORK.hubs {
            assert!(hub.code.len() == 3 && hub.code.bytes().all(|b| b.is_ascii_uppercase()), "{}", hub.code);
            assert!(hub.latitude.abs() <= 90.0 && hub.longitude.abs() <= 180.0, "{}", hub.code);
        }
        let countries: HashSet<_> = NETWORK.hubs.iter().map(|hub| hub.country).collect();
        assert!(NETWORK.hubs.len() >= 24 && countries.len() >= 10);
    }
}
