//! Money: an integer of minor units with an ISO 4217 currency; checked arithmetic, never a float.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;

/// An amount of money that somebody can pay, so never negative: `{"amount": 1999, "currency": "EUR"}` is 19.99 euro.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(deny_unknown_fields)] // as `Parts` below
pub struct Money {
    /// In minor units of the currency: cents.
    #[schema(minimum = 0, example = 1999)]
    amount: i64,
    currency: Currency,
}

/// Why a sum of money could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("an amount of money must not be negative")]
    Negative,
    #[error("the amount of money is too large")]
    Overflow,
    #[error("amounts in different currencies cannot be combined")]
    CurrencyMismatch,
}

impl Money {
    /// `amount` in minor units (cents).
    pub fn new(amount: i64, currency: Currency) -> Result<Self, MoneyError> {
        if amount < 0 { Err(MoneyError::Negative) } else { Ok(Self { amount, currency }) }
    }

    pub const fn zero(currency: Currency) -> Self {
        Self { amount: 0, currency }
    }

    /// In minor units.
    pub const fn amount(self) -> i64 {
        self.amount
    }

    pub const fn currency(self) -> Currency {
        self.currency
    }

    pub const fn is_zero(self) -> bool {
        self.amount == 0
    }

    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let amount = self.amount.checked_add(other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }

    /// Fails with [`MoneyError::Negative`] where `other` is the larger.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Self::new(self.amount - other.amount, self.currency)
    }

    pub fn times(self, factor: u32) -> Result<Self, MoneyError> {
        let amount = self.amount.checked_mul(factor.into()).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }

    /// The sum; zero in `currency` where there is nothing to add.
    pub fn sum(parts: impl IntoIterator<Item = Self>, currency: Currency) -> Result<Self, MoneyError> {
        parts.into_iter().try_fold(Self::zero(currency), Self::plus)
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency { Ok(()) } else { Err(MoneyError::CurrencyMismatch) }
    }
}

/// `EUR 19.99`: for logs and labels; people read what their browser makes of the two fields.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.currency.exponent() {
            0 => write!(f, "{} {}", self.currency, self.amount),
            digits => {
                let unit = 10i64.pow(digits);
                let (whole, part) = (self.amount / unit, self.amount % unit);
                write!(f, "{} {whole}.{part:0width$}", self.currency, width = digits as usize)
            }
        }
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Parts {
            amount: i64,
            currency: Currency,
        }
        let Parts { amount, currency } = Parts::deserialize(from)?;
        Money::new(amount, currency).map_err(serde::de::Error::custom)
    }
}

/// An ISO 4217 currency code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "EUR")]
pub struct Currency([u8; 3]);

/// The active codes of ISO 4217, without funds, metals and testing codes.
const CODES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD \
    CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL \
    HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD \
    MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR \
    SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES \
    VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG";
const WITHOUT_MINOR_UNIT: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
const IN_THOUSANDTHS: &str = "BHD IQD JOD KWD LYD OMR TND";

impl Currency {
    pub const EUR: Self = Self(*b"EUR");

    pub fn code(&self) -> &str {
        // Only ASCII codes from the list above are ever built.
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// How many decimal digits a minor unit is of the major one.
    pub fn exponent(&self) -> u32 {
        match self.code() {
            code if WITHOUT_MINOR_UNIT.contains(code) => 0,
            code if IN_THOUSANDTHS.contains(code) => 3,
            _ => 2,
        }
    }
}

/// The text is no ISO 4217 code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an ISO 4217 currency code such as EUR")]
pub struct UnknownCurrency;

impl FromStr for Currency {
    type Err = UnknownCurrency;
    fn from_str(text: &str) -> Result<Self, UnknownCurrency> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| UnknownCurrency)?;
        CODES.split_ascii_whitespace().find(|known| *known == text).map(|_| Self(code)).ok_or(UnknownCurrency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn euro(amount: i64) -> Money {
        Money::new(amount, Currency::EUR).unwrap()
    }

    #[test]
    fn money_is_written_with_the_digits_of_its_currency() {
        let yen = Money::new(500, "JPY".parse().unwrap()).unwrap();
        let dinar = Money::new(1_005, "KWD".parse().unwrap()).unwrap();
        assert_eq!([euro(1999).to_string(), yen.to_string(), dinar.to_string()], ["EUR 19.99", "JPY 500", "KWD 1.005"]);
    }

    #[test]
    fn currencies_do_not_mix() {
        let dollars = Money::new(1, "USD".parse().unwrap()).unwrap();
        assert_eq!(euro(1).plus(dollars), Err(MoneyError::CurrencyMismatch));
        assert_eq!(euro(1).minus(dollars), Err(MoneyError::CurrencyMismatch));
    }

    #[test]
    fn json_takes_whole_minor_units_and_nothing_else() {
        for bad in [
            r#"{"amount": 19.99, "currency": "EUR"}"#,
            r#"{"amount": "1999", "currency": "EUR"}"#,
            r#"{"amount": -1, "currency": "EUR"}"#,
            r#"{"amount": 9223372036854775808, "currency": "EUR"}"#,
            r#"{"amount": 1, "currency": "eur"}"#,
            r#"{"amount": 1, "currency": "XYZ"}"#,
            r#"{"amount": 1, "currency": "EUR", "more": 1}"#,
        ] {
            assert!(serde_json::from_str::<Money>(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn arithmetic_is_exact_or_refused(a in 0..=i64::MAX, b in 0..=i64::MAX, n: u32) {
            let (x, y) = (euro(a), euro(b));
            prop_assert_eq!(x.plus(y).ok().map(Money::amount), a.checked_add(b));
            prop_assert_eq!(x.minus(y).ok().map(Money::amount), Some(a - b).filter(|d| *d >= 0));
            prop_assert_eq!(x.times(n).ok().map(Money::amount), a.checked_mul(n.into()));
        }

        #[test]
        fn what_is_added_can_be_taken_away(a in 0..=i64::MAX / 2, b in 0..=i64::MAX / 2) {
            prop_assert_eq!(euro(a).plus(euro(b)).unwrap().minus(euro(b)).unwrap(), euro(a));
        }

        #[test]
        fn json_reads_back_as_itself(a in 0..=i64::MAX) {
            let json = serde_json::to_string(&euro(a)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), euro(a));
        }
    }
}
