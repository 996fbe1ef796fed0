//! The actor: one short handler per request.

use super::{
    card::ValidCard,
    driver::{Driver, patiently},
    messages::*,
    provider::PaymentProvider,
    rules::{self, Charge, Method, Progress, RefundWish},
    store::{PaymentRecord, Store},
};
use crate::{
    mesh::{Context, Failure, HandlerResult, service},
    services::ServiceDeps,
    types::{OrderId, Service, UserId},
};
use std::sync::Arc;

/// What every instance shares.
#[derive(Clone)]
struct Payments {
    store: Store,
    driver: Driver,
}

service! { Payments,
    handles {
        AddMethod         => add_method,
        ListMethods       => list_methods,
        RemoveMethod      => remove_method,
        Authorize         => authorize,
        Capture           => capture,
        Void              => void,
        IssueRefund       => refund,
        GetPayment        => get,
        GetPaymentOfOrder => get_of_order,
        ReconcilePayments => tally,
    }
}

pub fn launch(deps: ServiceDeps, provider: Arc<dyn PaymentProvider>) {
    let ServiceDeps { env, mesh, tree, instances } = deps;
    let store = Store::new(&tree);
    let driver = Driver { env, store: store.clone(), provider };
    let payments = Payments { store: store.clone(), driver: driver.clone() };
    mesh.launch(Service::Payments, instances, move |on| start(&payments, on));
    mesh.relay(Service::Payments, tree, vec![Box::new(store.payments())]);
    mesh.background(Service::Payments, move || driver.clone().sweep_for_ever());
}

/// Payments in one answer to the audit.
const MOST_TALLIED: usize = 1000;

impl Payments {
    /// The only place where a card number is: it comes with the request, goes to the provider, and is wiped.
    async fn add_method(&self, context: Context, request: AddMethod) -> HandlerResult<AddMethod> {
        visible_methods(&context, request.user_id)?;
        let card = ValidCard::parse(&request.card, self.driver.env.now()).map_err(PaymentsError::from)?;
        self.store.wallet(request.user_id)?.has_room()?;
        // One that is vaulted twice because the first answer was lost leaves a token that nobody has: no harm.
        let tokenize = |_| patiently(self.driver.provider.tokenize(&card));
        let vaulted = self.driver.insist(context.deadline, tokenize).await?;
        let method = Method {
            id: self.driver.env.id(),
            token: vaulted.token,
            brand: vaulted.brand.name().to_owned(),
            last4: vaulted.last4,
            exp_month: card.expiry.month,
            exp_year: card.expiry.year,
        };
        let view = method.view();
        self.store.add_method(request.user_id, method).await?;
        Ok(view)
    }

    async fn list_methods(&self, context: Context, request: ListMethods) -> HandlerResult<ListMethods> {
        visible_methods(&context, request.user_id)?;
        Ok(self.store.wallet(request.user_id)?.methods.iter().map(Method::view).collect())
    }

    async fn remove_method(&self, context: Context, request: RemoveMethod) -> HandlerResult<RemoveMethod> {
        visible_methods(&context, request.user_id)?;
        self.store.remove_method(request.user_id, request.method_id).await
    }

    async fn authorize(&self, context: Context, request: Authorize) -> HandlerResult<Authorize> {
        visible_methods(&context, request.user_id)?;
        let Authorize { order_id, user_id, method_id, amount } = request;
        let method = self.store.wallet(user_id)?.methods.into_iter().find(|method| method.id == method_id);
        let now = self.driver.env.now();
        let authorized = self.driver.carry_out(order_id, context.deadline, |found| match found {
            None => {
                let method = method.clone().ok_or(PaymentsError::MethodNotFound)?;
                *found = Some(PaymentRecord::of(Charge::open(order_id, user_id, method, amount, now)));
                Ok(Progress::Pending)
            }
            Some(PaymentRecord { charge: None, .. }) => Err(PaymentsError::AlreadyVoided),
            Some(PaymentRecord { charge: Some(charge), .. }) if charge.user_id != user_id => {
                Err(PaymentsError::PaymentNotFound)
            }
            Some(PaymentRecord { charge: Some(charge), .. }) => charge.authorize(),
        });
        shown(authorized.await?)
    }

    async fn capture(&self, context: Context, request: Capture) -> HandlerResult<Capture> {
        let now = self.driver.env.now();
        let captured = self.driver.carry_out(request.order_id, context.deadline, |found| match found {
            Some(PaymentRecord { charge: None, .. }) => Err(PaymentsError::AlreadyVoided),
            found => visible(&context, found)?.capture(now),
        });
        shown(captured.await?)
    }

    async fn void(&self, context: Context, request: Void) -> HandlerResult<Void> {
        let now = self.driver.env.now();
        let voided = self.driver.carry_out(request.order_id, context.deadline, |found| match found {
            None => {
                *found = Some(PaymentRecord::tombstone());
                Ok(Progress::Done)
            }
            Some(PaymentRecord { charge: None, .. }) => Ok(Progress::Done),
            found => visible(&context, found)?.void(now),
        });
        voided.await?;
        Ok(())
    }

    async fn refund(&self, context: Context, request: IssueRefund) -> HandlerResult<IssueRefund> {
        let order_id = match request.payment {
            PaymentRef::Id(id) => rules::order_id(id),
            PaymentRef::OfOrder(id) => id,
        };
        let IssueRefund { key, amount, reason, .. } = request;
        let wish = RefundWish { id: self.driver.env.id(), key, amount, reason: reason.into_string() };
        let now = self.driver.env.now();
        let refunded =
            self.driver.carry_out(order_id, context.deadline, |found| visible(&context, found)?.refund(&wish, now));
        let charge = refunded.await?.ok_or(PaymentsError::PaymentNotFound)?;
        let entry = charge.refunds.iter().find(|entry| entry.key == wish.key);
        Ok(entry.and_then(|entry| entry.view(order_id)).ok_or(PaymentsError::PaymentNotFound)?)
    }

    async fn get(&self, context: Context, request: GetPayment) -> HandlerResult<GetPayment> {
        self.look(&context, rules::order_id(request.payment_id))
    }

    async fn get_of_order(&self, context: Context, request: GetPaymentOfOrder) -> HandlerResult<GetPaymentOfOrder> {
        self.look(&context, request.order_id)
    }

    fn look(&self, context: &Context, order_id: OrderId) -> Result<Payment, Failure<PaymentsError>> {
        shown(self.store.charge(order_id)?.filter(|charge| context.principal.may_see(charge.user_id)))
    }

    async fn tally(&self, context: Context, request: ReconcilePayments) -> HandlerResult<ReconcilePayments> {
        self.driver.hear_of_failed_refunds().await?;
        let charges = self.store.charges(request.after).take(request.limit.min(MOST_TALLIED));
        let charges: Vec<Charge> = charges.collect::<Result<_, _>>()?;
        let orders: Vec<OrderId> = charges.iter().map(|charge| charge.order_id).collect();
        let ask = |_| patiently(self.driver.provider.ledgers(&orders));
        let theirs = self.driver.insist(context.deadline, ask).await?;
        let now = self.driver.env.now();
        charges
            .into_iter()
            .zip(theirs)
            .map(|(charge, provider)| {
                // One that has moved on while the provider was asked cannot be compared.
                let after =
                    self.store.charge(charge.order_id)?.filter(|after| charge.next().is_some() || *after != charge);
                Ok(PaymentReconciliation {
                    order_id: charge.order_id,
                    status: charge.status(),
                    ours: charge.ledger(now),
                    provider,
                    unfinished_since: after.map(|after| after.asked_at),
                })
            })
            .collect()
    }
}

fn shown(charge: Option<Charge>) -> Result<Payment, Failure<PaymentsError>> {
    Ok(charge.ok_or(PaymentsError::PaymentNotFound)?.view())
}

/// The payment, where there is one that this principal may see.
fn visible<'a>(context: &Context, record: &'a mut Option<PaymentRecord>) -> Result<&'a mut Charge, PaymentsError> {
    let charge = record.as_mut().and_then(|record| record.charge.as_mut());
    charge.filter(|charge| context.principal.may_see(charge.user_id)).ok_or(PaymentsError::PaymentNotFound)
}

/// Somebody else's wallet looks as if there were nothing in it to be found.
fn visible_methods(context: &Context, owner: UserId) -> Result<(), PaymentsError> {
    if context.principal.may_see(owner) { Ok(()) } else { Err(PaymentsError::MethodNotFound) }
}
