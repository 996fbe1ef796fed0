//! Payment methods, payments, refunds.

use super::{
    orders::idempotency_key,
    paging::{Paging, page_of},
};
use crate::{
    gateway::{
        context::RequestContext,
        extract::{Body, PathId, Query},
        respond::{
            ReplyResult,
            reply::{Nothing, created, no_content, ok},
        },
    },
    services::payments::messages::*,
    types::{Money, Page, PaymentId, PaymentMethodId, Text},
};
use serde::Deserialize;
use utoipa::ToSchema;

pub async fn list_methods(context: RequestContext, Query(paging): Query<Paging>) -> ReplyResult<Page<PaymentMethod>> {
    let user_id = context.user()?;
    let methods = context.call(ListMethods { user_id }).await?;
    page_of(&format!("payment methods of {user_id}"), methods, paging, |method| method.id)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMethod {
    card: Card,
}

pub async fn add_method(
    context: RequestContext,
    Body(NewMethod { card }): Body<NewMethod>,
) -> ReplyResult<PaymentMethod, 201> {
    let method = context.call(AddMethod { user_id: context.user()?, card }).await?;
    created(format!("/api/v1/users/me/payment_methods/{}", method.id), method)
}

pub async fn remove_method(
    context: RequestContext,
    PathId(method_id): PathId<PaymentMethodId>,
) -> ReplyResult<Nothing, 204> {
    context.call(RemoveMethod { user_id: context.user()?, method_id }).await?;
    no_content()
}

pub async fn get(context: RequestContext, PathId(payment_id): PathId<PaymentId>) -> ReplyResult<Payment> {
    ok(context.call(GetPayment { payment_id }).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRefund {
    /// If absent, the rest of the payment is refunded.
    amount: Option<Money>,
    reason: Text<1, 200>,
}

pub async fn refund(
    context: RequestContext,
    PathId(payment_id): PathId<PaymentId>,
    Body(new): Body<NewRefund>,
) -> ReplyResult<Refund, 201> {
    let key = idempotency_key(&context);
    let NewRefund { amount, reason } = new;
    let refund = context.call(IssueRefund { payment: PaymentRef::Id(payment_id), key, amount, reason }).await?;
    created(format!("/api/v1/payments/{payment_id}"), refund)
}
