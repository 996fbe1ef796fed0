//! Payment methods, payments, refunds.

use super::{Answer, Nothing, Paging, created, no_content, ok, page_of};
use crate::{
    gateway::{
        body::{Body, PathId, Query},
        duties::idempotency::Held,
        visit::Visit,
    },
    services::payments::messages::*,
    types::{Money, Page, PaymentId, PaymentMethodId, RefundId, Text},
};
use serde::Deserialize;
use utoipa::ToSchema;

pub async fn list_methods(visit: Visit, Query(paging): Query<Paging>) -> Answer<Page<PaymentMethod>> {
    let user_id = visit.user()?;
    let methods = visit.call(ListMethods { user_id }).await?;
    page_of(&format!("payment methods of {user_id}"), methods, paging, |method| method.id)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMethod {
    card: Card,
}

pub async fn add_method(visit: Visit, Body(NewMethod { card }): Body<NewMethod>) -> Answer<PaymentMethod, 201> {
    let method = visit.call(AddMethod { user_id: visit.user()?, card }).await?;
    created(format!("/api/v1/users/me/payment_methods/{}", method.id), method)
}

pub async fn remove_method(visit: Visit, PathId(method_id): PathId<PaymentMethodId>) -> Answer<Nothing, 204> {
    visit.call(RemoveMethod { user_id: visit.user()?, method_id }).await?;
    no_content()
}

pub async fn get(visit: Visit, PathId(payment_id): PathId<PaymentId>) -> Answer<Payment> {
    ok(visit.call(GetPayment { payment_id }).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRefund {
    /// All that is left where absent.
    amount: Option<Money>,
    reason: Text<1, 200>,
}

pub async fn refund(
    visit: Visit,
    PathId(payment_id): PathId<PaymentId>,
    Body(new): Body<NewRefund>,
) -> Answer<Refund, 201> {
    let given = visit.noted::<Held>().map(|held| format!("{}:{}", held.scope, held.key));
    // Without a key of the client's, each request is a refund of its own. Its trace would not do: the client names that.
    let key = given.unwrap_or_else(|| visit.gateway.env.id::<RefundId>().to_string());
    let NewRefund { amount, reason } = new;
    let refund = visit.call(IssueRefund { payment: PaymentRef::Id(payment_id), key, amount, reason }).await?;
    created(format!("/api/v1/payments/{payment_id}"), refund)
}
