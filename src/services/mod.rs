//! The seven services: one folder per capability; none knows HTTP, none knows another but by its messages.
//!
//! Inside each, always the same rooms: `messages.rs` (the only public one: what it can be asked, what it answers, what it tells),
//! `rules.rs` (decisions as pure functions), `store.rs` (the layout of its tree), `actor.rs` (one short handler per request) and
//! `mod.rs` (what it is, and `launch`).

pub mod carts;
pub mod notifications;
pub mod orders;
pub mod payments;
pub mod products;
pub mod shipping;
pub mod users;
#[cfg(test)]
mod wire;

use self::{
    orders::messages::{OrderCancelled, OrderConfirmed, OrderDelivered, OrderRejected, OrderReturned, OrderShipped},
    payments::messages::RefundFailed,
    shipping::messages::ShipmentDelivered,
    users::messages::UserRegistered,
};
use crate::{
    env::Env,
    mesh::{Event, Mesh},
    storage::Tree,
    types::Service::{self, *},
};

/// Who may call whom. No circles: an answer that must travel the other way is an event.
#[rustfmt::skip]
pub const ALLOWED_CALLS: &[(Service, &[Service])] = &[
    (Users,         &[]),
    (Products,      &[]),
    (Payments,      &[]),
    (Shipping,      &[]),
    (Notifications, &[]),
    (Carts,         &[Products]),
    (Orders,        &[Users, Products, Carts, Payments, Shipping]),
];

/// Who hears which events. Known before anybody runs: an event waits for a hearer that has yet to start, or has just died.
pub const SUBSCRIPTIONS: &[(Service, &[&str])] = &[
    (Orders, &[ShipmentDelivered::NAME, RefundFailed::NAME]),
    (
        Notifications,
        &[
            UserRegistered::NAME,
            OrderConfirmed::NAME,
            OrderRejected::NAME,
            OrderShipped::NAME,
            OrderDelivered::NAME,
            OrderCancelled::NAME,
            OrderReturned::NAME,
            RefundFailed::NAME,
        ],
    ),
];

/// Where a service lives: what `launch` is given. A service that is cloned into each of its instances holds these.
#[derive(Clone)]
pub struct ServiceDeps {
    pub env: Env,
    /// Its own handle: calls from here are calls by this service.
    pub mesh: Mesh,
    /// Its own tree, that nobody else has.
    pub tree: Tree,
    /// How many instances to start.
    pub instances: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_back_by_those_whom_it_calls() {
        // Kahn's order: take away who calls nobody that is left, until nobody is left.
        let mut left = ALLOWED_CALLS.to_vec();
        while let Some(at) = left.iter().position(|(_, callees)| !left.iter().any(|(other, _)| callees.contains(other)))
        {
            left.remove(at);
        }
        assert!(left.is_empty(), "a circle among {left:?}");
        assert_eq!(ALLOWED_CALLS.len(), Service::COUNT);
    }

    /// The second column of a message table decides; the handler never sees the request of another principal.
    #[test]
    fn staff_and_program_requests_are_refused_to_every_other_principal() {
        use crate::{
            mesh::{Audience, Request},
            services::{payments::messages as payments, products::messages as products, users::messages as users},
            types::{Id, Principal, Role, UserId},
        };
        let user = |role| Principal::User { id: UserId::from_uuid(uuid::Uuid::nil()), role };
        let (customer, operator) = (user(Role::Customer), user(Role::Operator));
        assert_eq!(products::ReserveStock::AUDIENCE, Audience::Staff);
        for outsider in [Principal::Anonymous, customer] {
            assert_eq!(products::ReserveStock::authorize(&outsider), Err(products::ProductsError::Forbidden));
            let hidden = payments::IssueRefund::authorize(&outsider);
            assert_eq!(
                hidden,
                Err(payments::PaymentsError::PaymentNotFound),
                "a customer does not learn that it exists"
            );
        }
        for staff in [operator, Principal::Service { name: Orders }, Principal::System] {
            assert_eq!(products::ReserveStock::authorize(&staff), Ok(()));
        }
        assert_eq!(users::CreateOperator::authorize(&operator), Err(users::UsersError::Forbidden));
        assert_eq!(users::CreateOperator::authorize(&Principal::System), Ok(()));
    }
}
