//! The access column of the message tables.

use crate::{
    mesh::{Audience, Request},
    services::{payments::messages as payments, products::messages as products, users::messages as users},
    types::{Id, Principal, Role, Service, UserId},
};

/// The mesh checks the access column, so the handler never gets the request of another principal.
#[test]
fn staff_and_program_requests_are_refused_to_every_other_principal() {
    let user = |role| Principal::User { id: UserId::from_uuid(uuid::Uuid::nil()), role };
    let (customer, operator) = (user(Role::Customer), user(Role::Operator));
    assert_eq!(products::ReserveStock::AUDIENCE, Audience::Staff);
    for outsider in [Principal::Anonymous, customer] {
        assert_eq!(products::ReserveStock::authorize(&outsider), Err(products::ProductsError::Forbidden));
        let hidden = payments::IssueRefund::authorize(&outsider);
        assert_eq!(hidden, Err(payments::PaymentsError::PaymentNotFound), "a customer does not learn that it exists");
    }
    for staff in [operator, Principal::Service { name: Service::Orders }, Principal::System] {
        assert_eq!(products::ReserveStock::authorize(&staff), Ok(()));
    }
    assert_eq!(users::CreateOperator::authorize(&operator), Err(users::UsersError::Forbidden));
    assert_eq!(users::CreateOperator::authorize(&Principal::System), Ok(()));
}
