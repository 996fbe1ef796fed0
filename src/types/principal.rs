//! The principal: on whose behalf a request is made.

use super::{Service, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// On whose behalf a request is made. Every call carries it, so that the service that owns a record
/// can decide whether this principal may see the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Principal {
    /// A client without a valid access token.
    Anonymous,
    /// A signed-in user.
    User {
        /// The account.
        id: UserId,
        /// What the user may do.
        role: Role,
    },
    /// A service by itself: a saga that continues after its customer has disconnected, the relay, a
    /// sweeper.
    Service {
        /// The service.
        name: Service,
    },
    /// The program itself: the command line, the demo, the audit.
    System,
}

/// What a signed-in user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Buys: sees their own records.
    Customer,
    /// Runs the shop: sees all records and may change products, orders and settings.
    Operator,
}

impl Principal {
    /// The signed-in user, if there is one.
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Whether this principal may see a record that belongs to the user `owner`.
    pub fn may_see(&self, owner: UserId) -> bool {
        match self {
            Self::Anonymous => false,
            Self::User { id, role } => *id == owner || *role == Role::Operator,
            Self::Service { .. } | Self::System => true,
        }
    }

    /// Whether this principal runs the shop: an operator, a service, the program itself.
    pub fn is_staff(&self) -> bool {
        !matches!(self, Self::Anonymous | Self::User { role: Role::Customer, .. })
    }
}
