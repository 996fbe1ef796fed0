//! The names of the seven services.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;

/// One of the seven services. `services::ALLOWED_CALLS` lists which service may call which; each
/// service is described in its folder under `services/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Accounts, sign-in, addresses.
    Users,
    /// The catalogue and the stock.
    Products,
    /// Carts.
    Carts,
    /// Orders and their sagas.
    Orders,
    /// Payments, refunds, saved cards.
    Payments,
    /// Shipments, quotes, tracking.
    Shipping,
    /// Messages to users.
    Notifications,
}

impl Service {
    /// The number of services.
    pub const COUNT: usize = 7;
    /// All services, in a fixed order.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Users, Self::Products, Self::Carts, Self::Orders, Self::Payments, Self::Shipping, Self::Notifications];

    /// The name, in lower case, as in paths, settings and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Products => "products",
            Self::Carts => "carts",
            Self::Orders => "orders",
            Self::Payments => "payments",
            Self::Shipping => "shipping",
            Self::Notifications => "notifications",
        }
    }
}

/// The text is not the name of a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no service of that name; there are users, products, carts, orders, payments, shipping, notifications"
)]
pub struct UnknownService;

impl FromStr for Service {
    type Err = UnknownService;
    fn from_str(name: &str) -> Result<Self, UnknownService> {
        Self::ALL.into_iter().find(|service| service.name() == name).ok_or(UnknownService)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
