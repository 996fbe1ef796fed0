//! A postal address, and its country.

use super::{parsed::parsed_string, text::Text};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use utoipa::ToSchema;

/// Where a parcel is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// The whole name of the receiver, as on an envelope.
    pub name: Text<1, 100>,
    /// Street and number, or whatever the country uses.
    pub line1: Text<1, 120>,
    /// A second line, such as a flat or a company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line2: Option<Text<1, 120>>,
    /// The town.
    pub city: Text<1, 80>,
    /// The postal code, in any form. Shipping chooses a hub by its first characters.
    pub postal_code: Text<1, 16>,
    /// The country.
    pub country: Country,
    /// A telephone number for the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Text<3, 32>>,
}

/// An ISO 3166-1 alpha-2 country code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, pattern = "^[A-Z]{2}$", example = "DE")]
pub struct Country([u8; 2]);

/// The officially assigned codes of ISO 3166-1.
const CODES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW \
    BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE \
    KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV \
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC \
    SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ \
    VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// The text is not an officially assigned country code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an ISO 3166-1 alpha-2 country code such as DE")]
pub struct UnknownCountry;

impl Country {
    /// The two capital letters.
    pub fn code(&self) -> &str {
        // Every value is one of the ASCII codes of the list above.
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }
}

impl FromStr for Country {
    type Err = UnknownCountry;
    fn from_str(text: &str) -> Result<Self, UnknownCountry> {
        let code: [u8; 2] = text.as_bytes().try_into().map_err(|_| UnknownCountry)?;
        CODES.split_ascii_whitespace().find(|known| *known == text).map(|_| Self(code)).ok_or(UnknownCountry)
    }
}

parsed_string! { Country: code; }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_the_assigned_codes() {
        assert_eq!(CODES.split_ascii_whitespace().count(), 249);
        assert!("DE".parse::<Country>().is_ok());
        for bad in ["", "de", "ZZ", "DEU", "é"] {
            assert!(bad.parse::<Country>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_with_an_unknown_field_is_refused() {
        let address =
            r#"{"name":"Ada","line1":"1 St","city":"Ulm","postal_code":"89073","country":"DE","planet":"Earth"}"#;
        assert!(serde_json::from_str::<Address>(address).unwrap_err().to_string().contains("planet"));
    }
}
