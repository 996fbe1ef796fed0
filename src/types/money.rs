//! Money: a whole number of minor units of an ISO 4217 currency. Arithmetic is checked; no float is
//! used.

use super::parsed::parsed_string;
use serde::{Deserialize, Deserializer, Serialize};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;

/// An amount of money to pay, never negative: `{"amount": 1999, "currency": "EUR"}` is 19.99 euro.
/// The largest amount is 2⁶³ − 1 minor units.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(deny_unknown_fields)] // as `UncheckedMoney` below
pub struct Money {
    /// In minor units of the currency: cents.
    #[schema(minimum = 0, example = 1999)]
    amount: i64,
    currency: Currency,
}

/// Why an amount of money could not be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The result would be below zero.
    #[error("an amount of money must not be negative")]
    Negative,
    /// The result would be above 2⁶³ − 1 minor units.
    #[error("the amount of money is too large")]
    Overflow,
    /// The two amounts have different currencies.
    #[error("amounts in different currencies cannot be combined")]
    CurrencyMismatch,
}

impl Money {
    /// An amount in minor units (cents). Fails with [`MoneyError::Negative`] below zero.
    pub fn new(amount: i64, currency: Currency) -> Result<Self, MoneyError> {
        if amount < 0 { Err(MoneyError::Negative) } else { Ok(Self { amount, currency }) }
    }

    /// Nothing, in this currency.
    pub const fn zero(currency: Currency) -> Self {
        Self { amount: 0, currency }
    }

    /// The amount in minor units.
    pub const fn amount(self) -> i64 {
        self.amount
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether the amount is zero.
    pub const fn is_zero(self) -> bool {
        self.amount == 0
    }

    /// The sum. Fails with [`MoneyError::CurrencyMismatch`] or [`MoneyError::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let amount = self.amount.checked_add(other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }

    /// The difference. Fails with [`MoneyError::CurrencyMismatch`], or with
    /// [`MoneyError::Negative`] if `other` is larger.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Self::new(self.amount - other.amount, self.currency)
    }

    /// The product. Fails with [`MoneyError::Overflow`].
    pub fn times(self, factor: u32) -> Result<Self, MoneyError> {
        let amount = self.amount.checked_mul(factor.into()).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }

    /// The sum of all; zero in `currency` if there is nothing to add. Fails as [`Money::plus`].
    pub fn sum(parts: impl IntoIterator<Item = Self>, currency: Currency) -> Result<Self, MoneyError> {
        parts.into_iter().try_fold(Self::zero(currency), Self::plus)
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency { Ok(()) } else { Err(MoneyError::CurrencyMismatch) }
    }
}

/// `EUR 19.99`, for logs and labels. A browser formats the two fields for its user's language.
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
        struct UncheckedMoney {
            amount: i64,
            currency: Currency,
        }
        let UncheckedMoney { amount, currency } = UncheckedMoney::deserialize(from)?;
        Money::new(amount, currency).map_err(serde::de::Error::custom)
    }
}

/// An active ISO 4217 currency code, such as `EUR`. Funds, metals and testing codes are refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "EUR")]
pub struct Currency([u8; 3]);

/// The codes that are accepted.
const CODES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD \
    CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL \
    HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD \
    MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR \
    SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES \
    VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG";
/// The currencies without a minor unit, and those whose minor unit is a thousandth (ISO 4217).
const WITHOUT_MINOR_UNIT: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
const IN_THOUSANDTHS: &str = "BHD IQD JOD KWD LYD OMR TND";

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// The three capital letters.
    pub fn code(&self) -> &str {
        // Every value is one of the ASCII codes of the list above.
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// The number of decimal digits of the minor unit (ISO 4217's exponent): 2 for cents, 0 for
    /// yen.
    pub fn exponent(&self) -> u32 {
        match self.code() {
            code if WITHOUT_MINOR_UNIT.contains(code) => 0,
            code if IN_THOUSANDTHS.contains(code) => 3,
            _ => 2,
        }
    }
}

/// The text is not an accepted currency code.
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

parsed_string! { Currency: code; }

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
    fn json_takes_whole_minor_units_only() {
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
        fn an_amount_that_was_added_can_be_subtracted(a in 0..=i64::MAX / 2, b in 0..=i64::MAX / 2) {
            prop_assert_eq!(euro(a).plus(euro(b)).unwrap().minus(euro(b)).unwrap(), euro(a));
        }

        #[test]
        fn json_reads_back_as_itself(a in 0..=i64::MAX) {
            let json = serde_json::to_string(&euro(a)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), euro(a));
        }
    }
}
