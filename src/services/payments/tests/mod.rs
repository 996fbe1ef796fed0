//! Payments over a real mesh and a real data folder, with a provider that can fail and lose
//! answers.
//!
//! Most tests run on one thread with a paused clock: hours pass in no time, in the same order in
//! every run.

mod journeys;
mod provider_faults;
mod rules;
mod secrecy;
mod witness;

use super::{ProviderFaults, Sandbox, launch, messages::*};
use crate::{
    env::{Env, Threads},
    mesh::{CallError, Caller, Context, Event, Mesh, MeshError, Request, Subscriptions, TraceId},
    services::{ALLOWED_CALLS, ServiceDeps},
    storage::Storage,
    types::{
        Currency, Id, Money, OrderId, PaymentMethodId, Principal, RefundId, Role, Secret, Service, Timestamp, UserId,
    },
};
use futures_util::future::join_all;
use std::{path::Path, sync::Arc, time::Duration};
use uuid::Uuid;
use witness::Witness;

const VISA: &str = "4242 4242 4242 4242";
const NOTHING_WORKS: ProviderFaults =
    ProviderFaults { delay: Duration::ZERO, fail_rate: 100, lose_rate: 0, twice_rate: 0 };
const ANSWERS_ARE_LOST: ProviderFaults =
    ProviderFaults { delay: Duration::ZERO, fail_rate: 0, lose_rate: 100, twice_rate: 0 };

/// A mesh with payments as its only service, and the provider.
#[derive(Clone)]
struct Shop {
    mesh: Mesh,
    sandbox: Sandbox,
    witness: Witness,
}

impl Shop {
    fn open(folder: &Path, env: Env, instances: usize) -> Self {
        let storage = Storage::open(folder, &env).unwrap();
        let mesh = Mesh::new(env.clone(), ALLOWED_CALLS, journeys::SUBSCRIPTIONS);
        let sandbox = Sandbox::open(storage.outside_tree("provider").unwrap(), env.clone());
        let tree = storage.tree(Service::Payments).unwrap();
        let own = mesh.for_caller(Caller::Service(Service::Payments));
        let witness = Witness::before(sandbox.clone());
        launch(ServiceDeps { env, mesh: own, tree, instances }, Arc::new(witness.clone())).unwrap();
        Self { mesh, sandbox, witness }
    }

    async fn ask<R: Request>(
        &self,
        who: Principal,
        patience: u64,
        request: R,
    ) -> Result<R::Reply, CallError<R::Error>> {
        let context = Context::new(who, Duration::from_secs(patience), TraceId([1; 16]));
        self.mesh.call(&context, request).await
    }

    async fn by_staff<R: Request>(&self, request: R) -> Result<R::Reply, CallError<R::Error>> {
        self.ask(orders(), 10, request).await
    }

    async fn add(&self, number: &str) -> PaymentMethodId {
        self.by_staff(AddMethod { user_id: user(1), card: card(number, "123") }).await.unwrap().id
    }

    /// Authorizes the payment of a new order with that card.
    async fn authorize(&self, order: u128, number: &str) -> Result<Payment, CallError<PaymentsError>> {
        let method_id = self.add(number).await;
        self.by_staff(authorize(order, method_id)).await
    }

    async fn capture(&self, order: u128) -> Result<Payment, CallError<PaymentsError>> {
        self.by_staff(Capture { order_id: order_id(order) }).await
    }

    async fn void(&self, order: u128) -> Result<(), CallError<PaymentsError>> {
        self.by_staff(Void { order_id: order_id(order) }).await
    }

    async fn refund(&self, order: u128, key: &str, amount: Option<i64>) -> Result<Refund, CallError<PaymentsError>> {
        let payment = PaymentRef::OfOrder(order_id(order));
        let (key, reason) = (key.to_owned(), "broken".parse().unwrap());
        self.by_staff(IssueRefund { payment, key, amount: amount.map(euro), reason }).await
    }

    async fn payment(&self, order: u128) -> Payment {
        self.by_staff(GetPaymentOfOrder { order_id: order_id(order) }).await.unwrap()
    }

    async fn reconcile(&self) -> Vec<PaymentReconciliation> {
        self.by_staff(ReconcilePayments { after: None, limit: 100 }).await.unwrap()
    }

    /// The ledger of the only payment, on which both sides agree.
    async fn agreed_ledger(&self) -> Ledger {
        let reconciliations = self.reconcile().await;
        let [reconciliation] = reconciliations.as_slice() else { panic!("{reconciliations:?}") };
        assert_eq!((reconciliation.ours, reconciliation.unfinished_since), (reconciliation.provider, None));
        reconciliation.ours
    }

    /// Injects faults that end after `millis` milliseconds.
    fn disturb(&self, faults: ProviderFaults, millis: u64) {
        self.sandbox.set_faults(faults);
        let sandbox = self.sandbox.clone();
        actix::spawn(async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            sandbox.set_faults(ProviderFaults::default());
        });
    }
}

fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(runtime).block_on(test)
}

/// Runs a shop with a data folder of its own, on one thread.
fn in_a_shop<F: Future<Output = ()>>(test: impl FnOnce(Shop) -> F) {
    let folder = tempfile::tempdir().unwrap();
    on_one_thread(async { test(Shop::open(folder.path(), simulated(), 2)).await });
}

fn simulated() -> Env {
    let env = Env::simulated(7, "2026-11-23T06:00:00Z".parse::<Timestamp>().unwrap());
    assert_eq!(env.threads(), Threads::One);
    env
}

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn user(n: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(n))
}

fn customer(n: u128) -> Principal {
    Principal::User { id: user(n), role: Role::Customer }
}

fn orders() -> Principal {
    Principal::Service { name: Service::Orders }
}

fn order_id(n: u128) -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(n))
}

fn euro(amount: i64) -> Money {
    Money::new(amount, Currency::EUR).unwrap()
}

fn card(number: &str, cvc: &str) -> Card {
    let (number, cvc) = (Secret::new(number.to_owned()), Secret::new(cvc.to_owned()));
    Card { number, exp_month: 12, exp_year: 2030, cvc, name: "Zoë".parse().unwrap() }
}

fn authorize(order: u128, method_id: PaymentMethodId) -> Authorize {
    Authorize { order_id: order_id(order), user_id: user(1), method_id, amount: euro(1000) }
}

fn domain<T: std::fmt::Debug>(answer: Result<T, CallError<PaymentsError>>) -> PaymentsError {
    match answer {
        Err(CallError::Domain(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn is_outcome_unknown<T>(answer: &Result<T, CallError<PaymentsError>>) -> bool {
    matches!(answer, Err(CallError::Mesh(error)) if error.is_outcome_unknown())
}
