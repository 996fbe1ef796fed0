//! The published test cards, and what each of them stands for: the list at a glance.
//!
//! They are Stripe's (docs.stripe.com/testing), so that whoever knows those knows these.

use super::card::{Brand, CardNumber};
use serde::{Deserialize, Serialize};

/// What a provider's sandbox does with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    Approves,
    /// Can be added, and is declined when it is charged.
    Declines(DeclineCode),
    /// Is charged and refunded, and then the refund turns out to have failed.
    FailsRefunds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineCode {
    CardDeclined,
    InsufficientFunds,
    LostCard,
    StolenCard,
    ExpiredCard,
    IncorrectCvc,
    ProcessingError,
    CardVelocityExceeded,
}

impl DeclineCode {
    pub const fn name(self) -> &'static str {
        match self {
            Self::CardDeclined => "card_declined",
            Self::InsufficientFunds => "insufficient_funds",
            Self::LostCard => "lost_card",
            Self::StolenCard => "stolen_card",
            Self::ExpiredCard => "expired_card",
            Self::IncorrectCvc => "incorrect_cvc",
            Self::ProcessingError => "processing_error",
            Self::CardVelocityExceeded => "card_velocity_exceeded",
        }
    }
}

use {Behaviour::*, Brand::*, DeclineCode::*};

#[rustfmt::skip]
const TEST_CARDS: &[(&str, Brand, Behaviour)] = &[
    ("4242424242424242", Visa,       Approves),
    ("4000056655665556", Visa,       Approves), // a debit card
    ("5555555555554444", Mastercard, Approves),
    ("2223003122003222", Mastercard, Approves), // of the 2-series
    ("378282246310005",  Amex,       Approves),
    ("6011111111111117", Discover,   Approves),
    ("3056930009020004", Diners,     Approves),
    ("3566002020360505", Jcb,        Approves),
    ("4000000000000002", Visa,       Declines(CardDeclined)),
    ("4000000000009995", Visa,       Declines(InsufficientFunds)),
    ("4000000000009987", Visa,       Declines(LostCard)),
    ("4000000000009979", Visa,       Declines(StolenCard)),
    ("4000000000000069", Visa,       Declines(ExpiredCard)),
    ("4000000000000127", Visa,       Declines(IncorrectCvc)),
    ("4000000000000119", Visa,       Declines(ProcessingError)),
    ("4000000000006975", Visa,       Declines(CardVelocityExceeded)),
    ("4000000000000341", Visa,       Declines(CardDeclined)),
    ("4100000000000019", Visa,       Declines(CardDeclined)), // blocked as fraudulent, which its holder is not told
    ("4000000000005126", Visa,       FailsRefunds),
];

/// `None` where the digits are no test card's.
pub fn brand_of(digits: &str) -> Option<Brand> {
    find(digits).map(|(_, brand, _)| *brand)
}

pub fn behaviour_of(number: &CardNumber) -> Behaviour {
    // No number becomes a `CardNumber` that is not in the list; should one, it must not be charged.
    find(number.expose()).map_or(Declines(CardDeclined), |(_, _, behaviour)| *behaviour)
}

fn find(digits: &str) -> Option<&'static (&'static str, Brand, Behaviour)> {
    TEST_CARDS.iter().find(|(number, ..)| *number == digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_of_the_list_is_a_card_number_and_behaves_as_listed() {
        for (number, brand, behaviour) in TEST_CARDS {
            let parsed: CardNumber = number.parse().unwrap();
            assert_eq!((parsed.brand(), behaviour_of(&parsed)), (*brand, *behaviour), "{number}");
        }
    }

    #[test]
    fn a_decline_code_is_written_as_it_is_named() {
        let Ok(written) = serde_json::to_value(CardVelocityExceeded) else { panic!() };
        assert_eq!(written, CardVelocityExceeded.name());
    }
}
