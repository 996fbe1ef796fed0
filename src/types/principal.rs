//! Who is asking.

use super::{Service, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// On whose behalf a request is made. It travels with every call, so that the service that owns a record can
/// decide whether this principal may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Principal {
    Anonymous,
    User {
        id: UserId,
        role: Role,
    },
    /// A service on its own account: a saga that goes on after its customer has left, the relay, a sweeper.
    Service {
        name: Service,
    },
    /// The program itself: the command line, the demo, the audit.
    System,
}

/// What a signed-in user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Customer,
    Operator,
}

impl Principal {
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Whether this principal may look at a record that belongs to `owner`.
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
