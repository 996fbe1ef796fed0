//! How many pieces of a product are wanted.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// 1 to 999 pieces. This is enough for a household or an office, and too little to empty a
/// warehouse with one order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(minimum = 1, maximum = 999, example = 2)]
pub struct Quantity(u32);

/// The number is not from 1 to 999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to {}", Quantity::MAX)]
pub struct BadQuantity;

impl Quantity {
    /// The most pieces of one line.
    pub const MAX: u32 = 999;

    /// The number of pieces.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The sum, but at most [`Quantity::MAX`].
    pub fn plus_at_most(self, other: Self) -> Self {
        Self((self.0 + other.0).min(Self::MAX))
    }
}

impl TryFrom<u32> for Quantity {
    type Error = BadQuantity;
    fn try_from(pieces: u32) -> Result<Self, BadQuantity> {
        if (1..=Self::MAX).contains(&pieces) { Ok(Self(pieces)) } else { Err(BadQuantity) }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Wider than allowed, so that every whole number out of range gets the same error.
        let pieces = i128::deserialize(from)?;
        u32::try_from(pieces).map_err(|_| BadQuantity).and_then(Self::try_from).map_err(serde::de::Error::custom)
    }
}
