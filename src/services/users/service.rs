//! The state that every instance of users shares, and what its handlers have in common.
//!
//! The handlers are in `actor.rs` (profile, address book), `sign_in.rs` and `operators.rs`.

use super::{login_throttle::LoginThrottle, messages::*, passwords::PasswordPool, records::UserRecord, store::Store};
use crate::{
    env::Env,
    mesh::{Context, Failure},
    types::{Email, Role, UserId},
};

#[derive(Clone)]
pub(super) struct Users {
    pub(super) env: Env,
    pub(super) store: Store,
    pub(super) passwords: PasswordPool,
    pub(super) throttle: LoginThrottle,
}

impl Users {
    /// The account, if the principal may see it. The error is the same for an account that does not
    /// exist and for one that belongs to another user.
    pub(super) fn account(&self, context: &Context, id: UserId) -> Result<UserRecord, Failure<UsersError>> {
        let found = if context.principal.may_see(id) { self.store.user(id)? } else { None };
        found.ok_or(UsersError::UserNotFound.into())
    }

    pub(super) fn new_user(&self, email: Email, name: PersonName, role: Role) -> User {
        User { id: self.env.id(), email, name, role, created_at: self.env.now() }
    }
}
