//! The countries of delivery, and the last hub on the way to an address.

use super::{messages::ShippingError, network::place_of};
use crate::types::Country;

/// A hub, and the beginnings of the postal codes that it serves instead of the country's usual hub.
type Regions = &'static [(&'static str, &'static str)];

/// By ISO 3166-1 code: the usual hub of each country. It lies in the country if the country has
/// any.
#[rustfmt::skip]
const COUNTRIES: &[(&str, &str, &str, Regions)] = &[
    // code country           hub    and for these postal codes
    ("AD", "Andorra",         "BCN", &[]),
    ("AT", "Austria",         "VIE", &[]),
    ("AU", "Australia",       "SYD", &[]),
    ("BE", "Belgium",         "BRU", &[]),
    ("BG", "Bulgaria",        "ATH", &[]),
    ("CA", "Canada",          "YTO", &[]),
    ("CH", "Switzerland",     "ZRH", &[("GVA", "1")]),
    ("CY", "Cyprus",          "ATH", &[]),
    ("CZ", "Czechia",         "PRG", &[]),
    ("DE", "Germany",         "FRA", &[("BER", "0 1"), ("HAM", "2"), ("CGN", "4 5"), ("MUC", "8 9")]),
    ("DK", "Denmark",         "CPH", &[]),
    ("EE", "Estonia",         "HEL", &[]),
    ("ES", "Spain",           "MAD", &[("BCN", "07 08 12 17 22 25 43 44 50")]),
    ("FI", "Finland",         "HEL", &[]),
    ("FR", "France",          "PAR", &[("LYS", "01 03 07 26 38 39 42 43 63 69 71 73 74"), ("MRS", "04 05 06 13 20 30 34 83 84")]),
    ("GB", "United Kingdom",  "LON", &[("MAN", "BB BD BL CA CH CW DH DL FY HD HG HU HX L LA LL LS M NE OL PR S SK SR TS WA WF WN YO")]),
    ("GR", "Greece",          "ATH", &[]),
    ("HR", "Croatia",         "VIE", &[]),
    ("HU", "Hungary",         "BUD", &[]),
    ("IE", "Ireland",         "DUB", &[]),
    ("IS", "Iceland",         "REK", &[]),
    ("IT", "Italy",           "ROM", &[("MIL", "1 2 3 4")]),
    ("JP", "Japan",           "TYO", &[]),
    ("LI", "Liechtenstein",   "ZRH", &[]),
    ("LT", "Lithuania",       "WAW", &[]),
    ("LU", "Luxembourg",      "CGN", &[]),
    ("LV", "Latvia",          "HEL", &[]),
    ("MC", "Monaco",          "MRS", &[]),
    ("MT", "Malta",           "ROM", &[]),
    ("NL", "Netherlands",     "RTM", &[("AMS", "1")]),
    ("NO", "Norway",          "OSL", &[]),
    ("NZ", "New Zealand",     "SYD", &[]),
    ("PL", "Poland",          "WAW", &[]),
    ("PT", "Portugal",        "LIS", &[]),
    ("RO", "Romania",         "BUD", &[]),
    ("SE", "Sweden",          "STO", &[]),
    ("SG", "Singapore",       "SIN", &[]),
    ("SI", "Slovenia",        "VIE", &[]),
    ("SK", "Slovakia",        "VIE", &[]),
    ("SM", "San Marino",      "ROM", &[]),
    ("US", "United States",   "NYC", &[("CHI", "4 5 6 7"), ("LAX", "8 9")]),
    ("VA", "Vatican City",    "ROM", &[]),
];

/// The index in [`CarrierNetwork::hubs`](super::network::CarrierNetwork) of the hub that serves the
/// address. Errors: `Undeliverable`.
pub fn hub_serving(country: Country, postal_code: &str) -> Result<usize, ShippingError> {
    let Some((_, _, usual, regions)) = row(country) else {
        return Err(ShippingError::Undeliverable { reason: format!("none of our carriers delivers to {country}") });
    };
    let region = regions.iter().find(|(_, begins)| begins.split(' ').any(|area| lies_in(postal_code, area)));
    Ok(place_of(region.map_or(usual, |(hub, _)| hub)))
}

/// The country's name; its code if we do not deliver there.
pub fn name_of(country: Country) -> String {
    row(country).map_or_else(|| country.to_string(), |(_, name, _, _)| (*name).to_owned())
}

fn row(country: Country) -> Option<&'static (&'static str, &'static str, &'static str, Regions)> {
    COUNTRIES.iter().find(|row| row.0 == country.code())
}

/// An area of digits is the beginning of a postal code. An area of letters is everything before the
/// first digit, as in `M1 2AB`.
fn lies_in(postal_code: &str, area: &str) -> bool {
    let mut code = postal_code.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_uppercase());
    let begins = area.chars().all(|c| code.next() == Some(c));
    begins && (area.ends_with(|c: char| c.is_ascii_digit()) || code.next().is_none_or(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{super::network::NETWORK, *};

    fn hub(country: &str, postal_code: &str) -> &'static str {
        let place = hub_serving(country.parse().unwrap(), postal_code).unwrap();
        &NETWORK.hubs[place].code
    }

    #[test]
    fn the_beginning_of_the_postal_code_picks_among_a_countrys_hubs() {
        for (country, postal_code, expected) in [
            ("DE", "10115", "BER"),
            ("DE", "80331", "MUC"),
            ("DE", "70173", "FRA"),
            ("FR", "13001", "MRS"),
            ("FR", "75001", "PAR"),
            ("FR", " 69-001", "LYS"),
            ("GB", "M1 2AB", "MAN"),
            ("GB", "m60 1aa", "MAN"),
            ("GB", "ME4 4TZ", "LON"),
            ("GB", "SW1A 1AA", "LON"),
            ("US", "94103", "LAX"),
            ("US", "10001", "NYC"),
            ("NL", "1012 AB", "AMS"),
            ("NL", "", "RTM"),
            ("JP", "見本", "TYO"),
        ] {
            assert_eq!(hub(country, postal_code), expected, "{country} {postal_code}");
        }
    }

    #[test]
    fn a_country_with_hubs_is_served_by_its_own() {
        for (code, _, usual, regions) in COUNTRIES {
            let country: Country = code.parse().unwrap();
            let own: Vec<_> = NETWORK.hubs.iter().filter(|hub| hub.country == country).map(|hub| &*hub.code).collect();
            let mut serving: Vec<_> = regions.iter().map(|(hub, _)| *hub).chain([*usual]).collect();
            if !own.is_empty() {
                let mut own = own;
                own.sort_unstable();
                serving.sort_unstable();
                assert_eq!(serving, own, "{code}");
            }
        }
    }

    #[test]
    fn every_country_has_one_line_and_every_hub_a_country() {
        assert!(COUNTRIES.is_sorted_by(|a, b| a.0 < b.0));
        for hub in &NETWORK.hubs {
            assert!(row(hub.country).is_some(), "{}", hub.code);
        }
    }

    #[test]
    fn a_country_without_delivery_is_named_in_the_error() {
        let refused = hub_serving("AQ".parse().unwrap(), "").unwrap_err();
        assert_eq!(refused.to_string(), "we do not deliver there: none of our carriers delivers to AQ");
    }
}
