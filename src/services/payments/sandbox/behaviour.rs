//! What the provider's sandbox does with each of the published test cards.
//!
//! The cards and their behaviour are Stripe's (docs.stripe.com/testing).

use super::super::card::CardNumber;
use serde::{Deserialize, Serialize};

/// What the sandbox does with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardBehaviour {
    Approves,
    /// The card can be added; every authorization is declined with this code.
    Declines(DeclineCode),
    /// Charges and refunds are accepted; each refund is reported as failed later.
    FailsRefunds,
}

/// Why an authorization is declined: Stripe's decline codes.
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

use {CardBehaviour::*, DeclineCode::*};

#[rustfmt::skip]
const BEHAVIOURS: &[(&str, CardBehaviour)] = &[
    ("4242424242424242", Approves),
    ("4000056655665556", Approves),
    ("5555555555554444", Approves),
    ("2223003122003222", Approves),
    ("378282246310005",  Approves),
    ("6011111111111117", Approves),
    ("3056930009020004", Approves),
    ("3566002020360505", Approves),
    ("4000000000000002", Declines(CardDeclined)),
    ("4000000000009995", Declines(InsufficientFunds)),
    ("4000000000009987", Declines(LostCard)),
    ("4000000000009979", Declines(StolenCard)),
    ("4000000000000069", Declines(ExpiredCard)),
    ("4000000000000127", Declines(IncorrectCvc)),
    ("4000000000000119", Declines(ProcessingError)),
    ("4000000000006975", Declines(CardVelocityExceeded)),
    ("4000000000000341", Declines(CardDeclined)),
    ("4100000000000019", Declines(CardDeclined)), // blocked as fraudulent; the card holder is not told so
    ("4000000000005126", FailsRefunds),
];

impl CardBehaviour {
    /// A number without a row is declined. No such [`CardNumber`] exists; if one did, it must not
    /// be charged.
    pub fn of(number: &CardNumber) -> Self {
        let row = BEHAVIOURS.iter().find(|(listed, _)| *listed == number.expose());
        row.map_or(Declines(CardDeclined), |(_, behaviour)| *behaviour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::payments::brand::TEST_CARDS;

    #[test]
    fn every_test_card_parses_as_its_brand_and_has_its_behaviour() {
        assert_eq!(TEST_CARDS.len(), BEHAVIOURS.len());
        for ((number, brand), (listed, behaviour)) in TEST_CARDS.iter().zip(BEHAVIOURS) {
            let parsed: CardNumber = number.parse().unwrap();
            assert_eq!((number, parsed.brand(), CardBehaviour::of(&parsed)), (listed, *brand, *behaviour));
        }
    }

    #[test]
    fn a_decline_code_is_written_as_it_is_named() {
        let Ok(written) = serde_json::to_value(CardVelocityExceeded) else { panic!() };
        assert_eq!(written, CardVelocityExceeded.name());
    }
}
