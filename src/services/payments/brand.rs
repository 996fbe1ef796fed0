//! Card brands, and the published test cards of each brand: the only card numbers that this shop
//! accepts.

use serde::{Deserialize, Serialize};

/// The card scheme that issued a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Brand {
    Visa,
    Mastercard,
    Amex,
    Discover,
    Diners,
    Jcb,
}

use Brand::*;

/// Test cards of Stripe (docs.stripe.com/testing). `sandbox/behaviour.rs` says what the sandbox
/// does with each.
#[rustfmt::skip]
pub const TEST_CARDS: &[(&str, Brand)] = &[
    ("4242424242424242", Visa),
    ("4000056655665556", Visa), // a debit card
    ("5555555555554444", Mastercard),
    ("2223003122003222", Mastercard), // of the 2-series
    ("378282246310005",  Amex),
    ("6011111111111117", Discover),
    ("3056930009020004", Diners),
    ("3566002020360505", Jcb),
    ("4000000000000002", Visa),
    ("4000000000009995", Visa),
    ("4000000000009987", Visa),
    ("4000000000009979", Visa),
    ("4000000000000069", Visa),
    ("4000000000000127", Visa),
    ("4000000000000119", Visa),
    ("4000000000006975", Visa),
    ("4000000000000341", Visa),
    ("4100000000000019", Visa),
    ("4000000000005126", Visa),
];

impl Brand {
    /// The brand of a test card; `None` for digits that are not in [`TEST_CARDS`].
    pub fn of_test_card(digits: &str) -> Option<Self> {
        TEST_CARDS.iter().find(|(number, _)| *number == digits).map(|(_, brand)| *brand)
    }

    /// As in JSON and on pages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Visa => "visa",
            Self::Mastercard => "mastercard",
            Self::Amex => "amex",
            Self::Discover => "discover",
            Self::Diners => "diners",
            Self::Jcb => "jcb",
        }
    }

    /// Digits of the card verification code: American Express prints four on the front, the others
    /// three on the back.
    pub const fn cvc_digits(self) -> usize {
        if matches!(self, Self::Amex) { 4 } else { 3 }
    }
}
