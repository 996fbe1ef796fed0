//! The actor of payments: one short handler per request.

use super::{
    card::ValidCard,
    messages::*,
    operations::{PaymentOperations, with_timeout},
    provider::PaymentProvider,
    records::{Charge, Method, PaymentRecord},
    rules::{self, Progress, RefundRequest},
    store::Store,
};
use crate::{
    mesh::{Context, Failure, HandlerResult, service},
    services::ServiceDeps,
    storage::StorageError,
    types::{OrderId, Service, UserId},
};
use std::sync::Arc;

/// What all instances share.
#[derive(Clone)]
struct Payments {
    store: Store,
    operations: PaymentOperations,
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
        ReconcilePayments => reconcile,
    }
}

/// Starts the service, and completes the payments that were unfinished when the program last ended.
///
/// `provider` is not part of [`ServiceDeps`], because payments alone calls the world outside. The
/// result is that of every service; nothing here can fail.
pub fn launch(deps: ServiceDeps, provider: Arc<dyn PaymentProvider>) -> Result<(), StorageError> {
    let ServiceDeps { env, mesh, tree, instances } = deps;
    let store = Store::new(&tree);
    let operations = PaymentOperations { env, store: store.clone(), provider };
    let payments = Payments { store: store.clone(), operations: operations.clone() };
    mesh.launch(Service::Payments, instances, move |on| start(&payments, on));
    mesh.relay(Service::Payments, tree, store.outbox_tables());
    mesh.background(Service::Payments, move || operations.clone().sweep_forever());
    Ok(())
}

/// The most payments in one reply to the audit.
const MOST_RECONCILED: usize = 1000;

impl Payments {
    /// The only handler that sees a card number: the number arrives with the request, goes to the
    /// provider, and is wiped from memory.
    async fn add_method(&self, context: Context, request: AddMethod) -> HandlerResult<AddMethod> {
        check_owner(&context, request.user_id)?;
        let card = ValidCard::parse(&request.card, self.operations.env.now()).map_err(PaymentsError::from)?;
        self.store.wallet(request.user_id)?.has_room()?;
        // If the first answer is lost, the card is tokenized twice. The first token is never used.
        let tokenize = |_| with_timeout(self.operations.provider.tokenize(&card));
        let vaulted = self.operations.retry_until(context.deadline, tokenize).await?;
        let method = Method {
            id: self.operations.env.id(),
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
        check_owner(&context, request.user_id)?;
        Ok(self.store.wallet(request.user_id)?.methods.iter().map(Method::view).collect())
    }

    async fn remove_method(&self, context: Context, request: RemoveMethod) -> HandlerResult<RemoveMethod> {
        check_owner(&context, request.user_id)?;
        self.store.remove_method(request.user_id, request.method_id).await
    }

    async fn authorize(&self, context: Context, request: Authorize) -> HandlerResult<Authorize> {
        check_owner(&context, request.user_id)?;
        let Authorize { order_id, user_id, method_id, amount } = request;
        let method = self.store.wallet(user_id)?.methods.into_iter().find(|method| method.id == method_id);
        let now = self.operations.env.now();
        let authorized = self.operations.carry_out(order_id, context.deadline, |found| match found {
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
        let now = self.operations.env.now();
        let captured = self.operations.carry_out(request.order_id, context.deadline, |found| match found {
            Some(PaymentRecord { charge: None, .. }) => Err(PaymentsError::AlreadyVoided),
            found => existing(found)?.capture(now),
        });
        shown(captured.await?)
    }

    async fn void(&self, context: Context, request: Void) -> HandlerResult<Void> {
        let now = self.operations.env.now();
        let voided = self.operations.carry_out(request.order_id, context.deadline, |found| match found {
            None => {
                *found = Some(PaymentRecord::tombstone());
                Ok(Progress::Done)
            }
            Some(PaymentRecord { charge: None, .. }) => Ok(Progress::Done),
            found => existing(found)?.void(now),
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
        let wanted = RefundRequest { id: self.operations.env.id(), key, amount, reason: reason.into_string() };
        let now = self.operations.env.now();
        let refunded =
            self.operations.carry_out(order_id, context.deadline, |found| existing(found)?.refund(&wanted, now));
        let charge = refunded.await?.ok_or(PaymentsError::PaymentNotFound)?;
        let entry = charge.refunds.iter().find(|entry| entry.key == wanted.key);
        Ok(entry.and_then(|entry| entry.view(order_id)).ok_or(PaymentsError::PaymentNotFound)?)
    }

    async fn get(&self, context: Context, request: GetPayment) -> HandlerResult<GetPayment> {
        self.visible_payment(&context, rules::order_id(request.payment_id))
    }

    async fn get_of_order(&self, context: Context, request: GetPaymentOfOrder) -> HandlerResult<GetPaymentOfOrder> {
        self.visible_payment(&context, request.order_id)
    }

    /// The payment, if it exists and the principal may see it.
    fn visible_payment(&self, context: &Context, order_id: OrderId) -> Result<Payment, Failure<PaymentsError>> {
        shown(self.store.charge(order_id)?.filter(|charge| context.principal.may_see(charge.user_id)))
    }

    async fn reconcile(&self, context: Context, request: ReconcilePayments) -> HandlerResult<ReconcilePayments> {
        self.operations.fetch_failed_refunds().await?;
        let charges = self.store.charges(request.after).take(request.limit.min(MOST_RECONCILED));
        let charges: Vec<Charge> = charges.collect::<Result<_, _>>()?;
        let orders: Vec<OrderId> = charges.iter().map(|charge| charge.order_id).collect();
        let ask = |_| with_timeout(self.operations.provider.ledgers(&orders));
        let theirs = self.operations.retry_until(context.deadline, ask).await?;
        let now = self.operations.env.now();
        charges
            .into_iter()
            .zip(theirs)
            .map(|(charge, provider)| {
                // A payment that changed during the call to the provider cannot be compared: it
                // counts as unfinished.
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

fn existing(record: &mut Option<PaymentRecord>) -> Result<&mut Charge, PaymentsError> {
    record.as_mut().and_then(|record| record.charge.as_mut()).ok_or(PaymentsError::PaymentNotFound)
}

/// Another user's wallet looks empty.
fn check_owner(context: &Context, owner: UserId) -> Result<(), PaymentsError> {
    if context.principal.may_see(owner) { Ok(()) } else { Err(PaymentsError::MethodNotFound) }
}
