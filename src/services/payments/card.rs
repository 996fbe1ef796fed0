//! Parses a card as it was typed: gives a card that can be charged, or what is wrong with it.
//!
//! Card numbers exist only here and at the provider. Only the numbers of the published test cards
//! become a [`CardNumber`], so no real card can enter the shop.

use super::{
    brand::Brand,
    messages::{Card, PaymentsError},
};
use crate::types::{Timestamp, secret::MASK};
use jiff::tz::TimeZone;
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

/// A card for the provider. It cannot be serialized. Dropping it wipes number and code from memory.
#[derive(Debug)]
pub struct ValidCard {
    pub number: CardNumber,
    pub expiry: Expiry,
    pub cvc: Cvc,
}

impl ValidCard {
    /// `now` decides whether the card has expired.
    pub fn parse(card: &Card, now: Timestamp) -> Result<Self, CardFlaw> {
        let number: CardNumber = card.number.expose().parse()?;
        let expiry = Expiry::parse(card.exp_month, card.exp_year, now)?;
        let cvc = Cvc::parse(card.cvc.expose(), number.brand())?;
        Ok(Self { number, expiry, cvc })
    }
}

/// The number of a test card: digits only, with a valid check digit.
pub struct CardNumber {
    digits: Zeroizing<String>,
    brand: Brand,
}

/// The most digits of a card number (ISO/IEC 7812-1).
const MOST_DIGITS: usize = 19;
/// The fewest digits that a brand issues.
const FEWEST_DIGITS: usize = 12;

impl FromStr for CardNumber {
    type Err = CardFlaw;

    /// Ignores spaces and dashes.
    fn from_str(typed: &str) -> Result<Self, CardFlaw> {
        // Full capacity from the start: a string that grows leaves copies in memory that are not
        // wiped.
        let mut digits = Zeroizing::new(String::with_capacity(MOST_DIGITS));
        for c in typed.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            if !c.is_ascii_digit() || digits.len() == MOST_DIGITS {
                return Err(CardFlaw::NoNumber);
            }
            digits.push(c);
        }
        if digits.len() < FEWEST_DIGITS {
            return Err(CardFlaw::NoNumber);
        }
        if !passes_luhn(&digits) {
            return Err(CardFlaw::CheckDigit);
        }
        let brand = Brand::of_test_card(&digits).ok_or(CardFlaw::NotATestCard)?;
        Ok(Self { digits, brand })
    }
}

impl CardNumber {
    pub fn brand(&self) -> Brand {
        self.brand
    }

    /// The last four digits, which may be shown and stored.
    pub fn last4(&self) -> String {
        self.digits[self.digits.len() - 4..].to_owned()
    }

    /// The number itself. Review every call of this function.
    pub fn expose(&self) -> &str {
        &self.digits
    }
}

impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// The Luhn check (ISO/IEC 7812-1, annex B): every second digit from the right is doubled, and the
/// sum of all digits of the results is a multiple of ten.
fn passes_luhn(digits: &str) -> bool {
    let weigh = |(place, digit): (usize, u8)| match u32::from(digit - b'0') << (place % 2) {
        twice if twice > 9 => twice - 9,
        weight => weight,
    };
    digits.bytes().rev().enumerate().map(weigh).sum::<u32>().is_multiple_of(10)
}

/// The last month in which a card is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    pub month: u8,
    pub year: u16,
}

/// A year further ahead than this is a typing mistake.
const MOST_YEARS_AHEAD: u16 = 50;

impl Expiry {
    pub fn parse(month: u8, year: u16, now: Timestamp) -> Result<Self, CardFlaw> {
        let today = now.to_zoned(TimeZone::UTC);
        let (this_year, this_month) = (today.year().unsigned_abs(), today.month().unsigned_abs());
        if !(1..=12).contains(&month) {
            Err(CardFlaw::Month)
        } else if year < this_year || year > this_year + MOST_YEARS_AHEAD {
            Err(CardFlaw::Year)
        } else if year == this_year && month < this_month {
            Err(CardFlaw::Expired)
        } else {
            Ok(Self { month, year })
        }
    }
}

/// The card verification code.
pub struct Cvc(Zeroizing<String>);

impl Cvc {
    pub fn parse(typed: &str, brand: Brand) -> Result<Self, CardFlaw> {
        let digits = typed.trim();
        if digits.len() == brand.cvc_digits() && digits.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(Zeroizing::new(digits.to_owned())))
        } else {
            Err(CardFlaw::Cvc { digits: brand.cvc_digits() })
        }
    }

    /// Only for the provider. It must not be stored (PCI DSS 4.0.1, 3.3.1).
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cvc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// What is wrong with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardFlaw {
    NoNumber,
    CheckDigit,
    NotATestCard,
    Month,
    Year,
    Expired,
    Cvc { digits: usize },
}

impl CardFlaw {
    /// The field, the code (Stripe's, and `not_a_test_card`) and the text for the card holder.
    #[rustfmt::skip]
    fn describe(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::NoNumber        => ("number",    "invalid_number",       "A card number has 12 to 19 digits. This is a demo: use a test card such as 4242 4242 4242 4242, never a real one."),
            Self::CheckDigit      => ("number",    "incorrect_number",     "The card number has a wrong digit. This is a demo: use a test card such as 4242 4242 4242 4242, never a real one."),
            Self::NotATestCard    => ("number",    "not_a_test_card",      "This is a demo that accepts only published test cards, such as 4242 4242 4242 4242. Never enter a real card here."),
            Self::Month           => ("exp_month", "invalid_expiry_month", "The month must be from 1 to 12."),
            Self::Expired         => ("exp_month", "invalid_expiry_month", "The card has expired."),
            Self::Year            => ("exp_year",  "invalid_expiry_year",  "The year must have four digits, from this year to 50 years ahead."),
            Self::Cvc {digits: 4} => ("cvc",       "invalid_cvc",          "The security code of this card has four digits."),
            Self::Cvc {..}        => ("cvc",       "invalid_cvc",          "The security code of this card has three digits."),
        }
    }
}

impl From<CardFlaw> for PaymentsError {
    fn from(flaw: CardFlaw) -> Self {
        let (field, code, reason) = flaw.describe();
        Self::InvalidCard { field: field.into(), code: code.into(), reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;
    use proptest::prelude::*;

    fn november_2026() -> Timestamp {
        "2026-11-23T06:00:00Z".parse().unwrap()
    }

    fn typed(number: &str, exp_month: u8, exp_year: u16, cvc: &str) -> Result<ValidCard, CardFlaw> {
        let (number, cvc) = (Secret::new(number.to_owned()), Secret::new(cvc.to_owned()));
        let card = Card { number, exp_month, exp_year, cvc, name: "Zoë".parse().unwrap() };
        ValidCard::parse(&card, november_2026())
    }

    #[test]
    fn a_number_may_have_spaces_and_dashes() {
        for number in ["4242424242424242", "4242 4242 4242 4242", " 4242-4242-4242-4242", "4242\u{a0}42424242 4242"] {
            let card = typed(number, 12, 2030, "123").unwrap();
            assert_eq!((card.number.brand(), card.number.last4().as_str()), (Brand::Visa, "4242"));
        }
    }

    #[test]
    fn a_typing_mistake_and_a_real_card_get_different_errors() {
        assert_eq!(typed("4242424242424241", 12, 2030, "123").unwrap_err(), CardFlaw::CheckDigit);
        // The check digit is valid, so the card could be real.
        assert_eq!(typed("4539578763621486", 12, 2030, "123").unwrap_err(), CardFlaw::NotATestCard);
        for bad in ["", "4242", "4242x42424242424", "42424242424242424242", "４２４２424242424242"] {
            assert_eq!(typed(bad, 12, 2030, "123").unwrap_err(), CardFlaw::NoNumber, "{bad:?}");
        }
    }

    #[test]
    fn the_error_for_a_real_card_says_that_this_is_a_demo() {
        let PaymentsError::InvalidCard { field, code, reason } = CardFlaw::NotATestCard.into() else { panic!() };
        assert_eq!((field.as_str(), code.as_str()), ("number", "not_a_test_card"));
        assert!(reason.contains("demo") && reason.contains("test cards"), "{reason}");
    }

    #[test]
    fn a_card_is_valid_to_the_end_of_its_month() {
        let visa = |month, year| typed("4242424242424242", month, year, "123").map(|card| card.expiry);
        assert_eq!(visa(11, 2026), Ok(Expiry { month: 11, year: 2026 }));
        assert_eq!(visa(10, 2026).unwrap_err(), CardFlaw::Expired);
        assert_eq!(visa(12, 2025).unwrap_err(), CardFlaw::Year);
        assert_eq!((visa(12, 2076).is_ok(), visa(1, 2077).unwrap_err()), (true, CardFlaw::Year));
        assert_eq!([visa(0, 2030).unwrap_err(), visa(13, 2030).unwrap_err()], [CardFlaw::Month; 2]);
        assert_eq!(visa(11, 26).unwrap_err(), CardFlaw::Year);
    }

    #[test]
    fn american_express_has_a_code_of_four_digits() {
        assert!(typed("378282246310005", 12, 2030, "1234").is_ok());
        assert_eq!(typed("378282246310005", 12, 2030, "123").unwrap_err(), CardFlaw::Cvc { digits: 4 });
        assert_eq!(typed("4242424242424242", 12, 2030, "1234").unwrap_err(), CardFlaw::Cvc { digits: 3 });
        assert_eq!(typed("4242424242424242", 12, 2030, "12x").unwrap_err(), CardFlaw::Cvc { digits: 3 });
    }

    #[test]
    fn a_card_shows_neither_its_number_nor_its_code() {
        let shown = format!("{:?}", typed("5555555555554444", 12, 2030, "987").unwrap());
        assert!(!shown.contains("5555") && !shown.contains("987") && shown.contains(MASK), "{shown}");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_a_panic(number: String, cvc: String, month: u8, year: u16) {
            let _ = typed(&number, month, year, &cvc);
        }

        #[test]
        fn one_wrong_digit_is_always_refused(place in 0usize..16, digit in 0u8..10) {
            let mut number = *b"4242424242424242";
            let right = number[place] == b'0' + digit;
            number[place] = b'0' + digit;
            let number = std::str::from_utf8(&number).unwrap();
            prop_assert_eq!(typed(number, 12, 2030, "123").is_ok(), right);
        }
    }
}
