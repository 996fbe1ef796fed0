//! How many pieces of a product somebody wants.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// 1 to 999 pieces: enough for a household or an office, too few to empty a warehouse in one order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(minimum = 1, maximum = 999, example = 2)]
pub struct Quantity(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to {}", Quantity::MAX)]
pub struct BadQuantity;

impl Quantity {
    pub const MAX: u32 = 999;

    pub const fn get(self) -> u32 {
        self.0
    }

    /// As much of the sum as one line may hold.
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
        // Wider than what is allowed, so that every whole number gets the same clear answer.
        let pieces = i128::deserialize(from)?;
        u32::try_from(pieces).map_err(|_| BadQuantity).and_then(Self::try_from).map_err(serde::de::Error::custom)
    }
}
