//! Payments as its callers meet it: over a real mesh and a real folder, with a provider that loses answers.
//!
//! On one thread under a paused clock: hours pass in no time, and always in the same order.

use super::{Faults, Sandbox, launch, messages::*};
use crate::{
    env::{Env, Threads},
    mesh::{CallError, Caller, Context, Mesh, MeshError, Request, TraceId},
    services::{CALLS, Home},
    storage::Storage,
    types::{
        Currency, Id, Money, OrderId, PaymentMethodId, Principal, RefundId, Role, Secret, Service, Timestamp, UserId,
    },
};
use futures_util::future::join_all;
use std::{path::Path, sync::Arc, time::Duration};
use uuid::Uuid;

const VISA: &str = "4242 4242 4242 4242";
const NOTHING_WORKS: Faults = Faults { delay: Duration::ZERO, fail_rate: 100, lose_rate: 0 };
const ANSWERS_ARE_LOST: Faults = Faults { delay: Duration::ZERO, fail_rate: 0, lose_rate: 100 };

/// A mesh with nobody in it but payments, and the provider outside.
#[derive(Clone)]
struct Shop {
    mesh: Mesh,
    sandbox: Sandbox,
}

impl Shop {
    fn open(folder: &Path, env: Env, instances: usize) -> Self {
        let storage = Storage::open(folder, &env).unwrap();
        let mesh = Mesh::new(env.clone(), CALLS);
        let sandbox = Sandbox::open(storage.outside_tree("provider").unwrap(), env.clone());
        let tree = storage.tree(Service::Payments).unwrap();
        let own = mesh.for_caller(Caller::Service(Service::Payments));
        launch(Home { env, mesh: own, tree, instances }, Arc::new(sandbox.clone()));
        Self { mesh, sandbox }
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
        self.ask(Principal::Service { name: Service::Orders }, 10, request).await
    }

    async fn add(&self, number: &str) -> PaymentMethodId {
        self.by_staff(AddMethod { user_id: user(1), card: card(number, "123") }).await.unwrap().id
    }

    /// A new order's authorization with that card.
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

    async fn tally(&self) -> Vec<PaymentTally> {
        self.by_staff(TallyPayments { after: None, limit: 100 }).await.unwrap()
    }

    /// The only tally there is, agreed upon by both sides.
    async fn agreed(&self) -> Ledger {
        let tallies = self.tally().await;
        let [tally] = tallies.as_slice() else { panic!("{tallies:?}") };
        assert_eq!((tally.ours, tally.unfinished_since), (tally.provider, None));
        tally.ours
    }

    /// Faults that end after so many seconds.
    fn disturb(&self, faults: Faults, seconds: u64) {
        self.sandbox.set_faults(faults);
        let sandbox = self.sandbox.clone();
        actix::spawn(async move {
            wait(seconds).await;
            sandbox.set_faults(Faults::default());
        });
    }
}

fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(runtime).block_on(test)
}

/// One shop in a folder of its own, on one thread.
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

#[test]
fn a_payment_goes_its_way_and_the_provider_books_agree() {
    in_a_shop(async |shop| {
        let authorized = shop.authorize(1, VISA).await.unwrap();
        assert_eq!((authorized.status, authorized.captured), (PaymentStatus::Authorized, euro(0)));
        assert_eq!((authorized.method.brand.as_str(), authorized.method.last4.as_str()), ("visa", "4242"));
        assert_eq!(shop.capture(1).await.unwrap().status, PaymentStatus::Captured);
        let refund = shop.refund(1, "a", Some(400)).await.unwrap();
        assert_eq!((refund.status, refund.amount), (RefundStatus::Succeeded, euro(400)));
        assert_eq!(shop.payment(1).await.status, PaymentStatus::PartiallyRefunded);
        assert_eq!(shop.refund(1, "b", None).await.unwrap().amount, euro(600));
        let payment = shop.payment(1).await;
        assert_eq!((payment.status, payment.refunded), (PaymentStatus::Refunded, euro(1000)));
        let told: Vec<_> = payment.events.iter().map(|event| (event.kind, event.amount.amount())).collect();
        use PaymentEventKind::*;
        assert_eq!(told, [(Authorized, 1000), (Captured, 1000), (Refunded, 400), (Refunded, 600)]);
        let ledger = Ledger { authorizations: 1, captures: 1, held: 0, captured: 1000, refunded: 1000 };
        assert_eq!(shop.agreed().await, ledger);
    });
}

#[test]
fn asking_again_gives_the_first_outcome() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        let first = shop.by_staff(authorize(1, method)).await.unwrap();
        let other = Authorize { amount: euro(9), method_id: shop.add(VISA).await, ..authorize(1, method) };
        assert_eq!(shop.by_staff(other).await.unwrap(), first);
        let captured = shop.capture(1).await.unwrap();
        assert_eq!(shop.capture(1).await.unwrap(), captured);
        let refund = shop.refund(1, "a", Some(400)).await.unwrap();
        assert_eq!(shop.refund(1, "a", Some(400)).await.unwrap(), refund);
        assert_eq!(domain(shop.refund(1, "a", Some(300)).await), PaymentsError::KeyReused);
        assert_eq!(domain(shop.refund(1, "b", Some(601)).await), PaymentsError::RefundTooLarge { left: euro(600) });
        assert_eq!(domain(shop.void(1).await), PaymentsError::AlreadyCaptured);
        assert_eq!(shop.agreed().await.refunded, 400);
    });
}

#[test]
fn every_card_that_declines_can_be_added_and_says_why_when_it_is_charged() {
    in_a_shop(async |shop| {
        #[rustfmt::skip]
        let cards = [
            ("4000000000000002", "card_declined"),    ("4000000000009995", "insufficient_funds"),
            ("4000000000009987", "lost_card"),        ("4000000000009979", "stolen_card"),
            ("4000000000000069", "expired_card"),     ("4000000000000127", "incorrect_cvc"),
            ("4000000000000119", "processing_error"), ("4000000000006975", "card_velocity_exceeded"),
            ("4000000000000341", "card_declined"),    ("4100000000000019", "card_declined"),
        ];
        for (order, (number, code)) in (1..).zip(cards) {
            let declined = PaymentsError::Declined { code: code.into() };
            assert_eq!(domain(shop.authorize(order, number).await), declined);
            assert_eq!(domain(shop.capture(order).await), declined);
            assert_eq!(shop.void(order).await, Ok(()));
            assert_eq!(shop.payment(order).await.decline_code.as_deref(), Some(code));
        }
        assert!(shop.tally().await.iter().all(|tally| tally.ours == tally.provider && tally.ours.authorizations == 0));
    });
}

#[test]
fn a_number_that_is_no_test_card_is_refused() {
    in_a_shop(async |shop| {
        for (number, code) in [("4539578763621486", "not_a_test_card"), ("4242424242424241", "incorrect_number")] {
            let refused = domain(shop.by_staff(AddMethod { user_id: user(1), card: card(number, "123") }).await);
            let PaymentsError::InvalidCard { field, code: told, reason } = refused else { panic!("{refused:?}") };
            assert_eq!((field.as_str(), told.as_str()), ("number", code));
            assert!(reason.contains("demo") && !reason.contains(number));
        }
        assert!(shop.by_staff(ListMethods { user_id: user(1) }).await.unwrap().is_empty());
    });
}

#[test]
fn what_was_voided_before_it_was_authorized_stays_voided() {
    in_a_shop(async |shop| {
        assert_eq!(shop.void(1).await, Ok(()));
        assert_eq!(domain(shop.authorize(1, VISA).await), PaymentsError::AlreadyVoided);
        assert_eq!(domain(shop.capture(1).await), PaymentsError::AlreadyVoided);
        assert_eq!(shop.void(1).await, Ok(()));
        let look = shop.by_staff(GetPaymentOfOrder { order_id: order_id(1) }).await;
        assert_eq!((domain(look), shop.tally().await), (PaymentsError::PaymentNotFound, vec![]));
    });
}

#[test]
fn a_void_gives_back_what_was_set_aside() {
    in_a_shop(async |shop| {
        shop.authorize(1, VISA).await.unwrap();
        assert_eq!((shop.void(1).await, shop.void(1).await), (Ok(()), Ok(())));
        assert_eq!(domain(shop.capture(1).await), PaymentsError::AlreadyVoided);
        assert_eq!(shop.agreed().await, Ledger { authorizations: 1, ..Ledger::default() });
    });
}

#[test]
fn a_lost_answer_is_asked_for_by_its_key_and_nobody_pays_twice() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        shop.disturb(ANSWERS_ARE_LOST, 2);
        assert_eq!(shop.by_staff(authorize(1, method)).await.unwrap().status, PaymentStatus::Authorized);
        shop.disturb(ANSWERS_ARE_LOST, 2);
        assert_eq!(shop.capture(1).await.unwrap().status, PaymentStatus::Captured);
        shop.disturb(ANSWERS_ARE_LOST, 2);
        assert_eq!(shop.refund(1, "a", Some(400)).await.unwrap().amount, euro(400));
        let ledger = Ledger { authorizations: 1, captures: 1, held: 0, captured: 1000, refunded: 400 };
        assert_eq!(shop.agreed().await, ledger);
    });
}

#[test]
fn a_request_that_arrives_after_everybody_gave_up_changes_nothing_any_more() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        shop.disturb(Faults { delay: Duration::from_secs(20), ..Faults::default() }, 1);
        let authorized = shop.by_staff(authorize(1, method)).await.unwrap();
        assert_eq!(shop.void(1).await, Ok(()));
        // Now the first one arrives.
        wait(30).await;
        assert_eq!((authorized.status, shop.agreed().await.held), (PaymentStatus::Authorized, 0));
    });
}

#[test]
fn an_outcome_that_stays_unknown_is_a_fault_and_the_sweeper_finds_it_out() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        for faults in [NOTHING_WORKS, ANSWERS_ARE_LOST] {
            let order = faults.lose_rate.into();
            shop.sandbox.set_faults(faults);
            assert!(is_outcome_unknown(&shop.by_staff(authorize(order, method)).await));
            assert!(is_outcome_unknown(&shop.void(order).await));
            assert_eq!(shop.payment(order).await.status, PaymentStatus::Pending);
            shop.sandbox.set_faults(Faults::default());
            wait(10).await;
            assert_eq!(shop.payment(order).await.status, PaymentStatus::Authorized);
        }
        assert!(shop.tally().await.iter().all(|tally| tally.ours == tally.provider && tally.ours.held == 1000));
    });
}

#[test]
fn a_provider_that_cannot_be_reached_fails_the_request_shortly_before_its_deadline() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        shop.sandbox.set_faults(NOTHING_WORKS);
        let failed = shop.by_staff(authorize(1, method)).await;
        assert_eq!(failed, Err(CallError::Mesh(MeshError::Failed("the payment provider is unavailable".into()))));
        let failed = shop.by_staff(AddMethod { user_id: user(1), card: card(VISA, "123") }).await;
        assert!(is_outcome_unknown(&failed));
    });
}

#[test]
fn a_void_of_unknown_outcome_finds_out_first_and_then_gives_back() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        shop.sandbox.set_faults(ANSWERS_ARE_LOST);
        assert!(is_outcome_unknown(&shop.ask(customer(1), 1, authorize(1, method)).await));
        shop.sandbox.set_faults(Faults::default());
        assert_eq!(shop.void(1).await, Ok(()));
        assert_eq!(shop.agreed().await, Ledger { authorizations: 1, ..Ledger::default() });
        assert_eq!(domain(shop.by_staff(authorize(1, method)).await), PaymentsError::AlreadyVoided);
    });
}

#[test]
fn intents_survive_a_crash_and_are_brought_to_their_end() {
    let folder = tempfile::tempdir().unwrap();
    on_one_thread(async {
        let shop = Shop::open(folder.path(), simulated(), 2);
        let (visa, lost) = (shop.add(VISA).await, shop.add("4000000000009987").await);
        for order in [1, 2] {
            shop.by_staff(authorize(order, visa)).await.unwrap();
        }
        shop.capture(2).await.unwrap();
        shop.sandbox.set_faults(ANSWERS_ARE_LOST);
        let patience = Duration::from_millis(500);
        let context = Context::new(customer(1), patience, TraceId([1; 16]));
        assert!(shop.mesh.call(&context, Capture { order_id: order_id(1) }).await.is_err());
        shop.sandbox.set_faults(NOTHING_WORKS);
        assert!(is_outcome_unknown(&shop.ask(customer(1), 1, authorize(3, visa)).await));
        assert!(is_outcome_unknown(&shop.ask(customer(1), 1, authorize(4, lost)).await));
        assert!(is_outcome_unknown(&shop.refund(2, "a", Some(400)).await));
        let unfinished = shop.payment(3).await;
        assert_eq!((unfinished.status, unfinished.events), (PaymentStatus::Pending, vec![]));
    });
    on_one_thread(async {
        let shop = Shop::open(folder.path(), simulated(), 2);
        wait(1).await;
        let mut statuses = Vec::new();
        for order in 1..=4 {
            statuses.push(shop.payment(order).await.status);
        }
        use PaymentStatus::*;
        assert_eq!(statuses, [Captured, PartiallyRefunded, Authorized, Declined]);
        for tally in shop.tally().await {
            assert_eq!((tally.ours, tally.unfinished_since), (tally.provider, None));
            assert!(tally.provider.authorizations <= 1 && tally.provider.captures <= 1);
        }
    });
}

#[test]
fn the_tally_names_what_is_on_its_way() {
    in_a_shop(async |shop| {
        shop.authorize(1, VISA).await.unwrap();
        shop.sandbox.set_faults(ANSWERS_ARE_LOST);
        assert!(is_outcome_unknown(&shop.ask(customer(1), 1, Capture { order_id: order_id(1) }).await));
        shop.sandbox.set_faults(Faults::default());
        let tally = shop.tally().await.remove(0);
        assert_eq!((tally.ours.held, tally.provider.captured), (1000, 1000));
        assert!(tally.unfinished_since.is_some());
        let next = TallyPayments { after: Some(tally.order_id), limit: 100 };
        assert_eq!(shop.by_staff(next).await, Ok(vec![]));
    });
}

#[test]
fn a_refund_that_fails_later_is_the_shops_money_again_and_is_told() {
    in_a_shop(async |shop| {
        let heard = ear::listen(&shop.mesh);
        shop.authorize(1, "4000 0000 0000 5126").await.unwrap();
        shop.capture(1).await.unwrap();
        let refund = shop.refund(1, "a", None).await.unwrap();
        assert_eq!((refund.status, shop.payment(1).await.refunded), (RefundStatus::Succeeded, euro(1000)));
        wait(5).await;
        let payment = shop.payment(1).await;
        assert_eq!((payment.status, payment.refunded), (PaymentStatus::Captured, euro(0)));
        assert_eq!(payment.refunds[0].status, RefundStatus::Failed);
        assert_eq!(shop.agreed().await.refunded, 0);
        assert_eq!(*heard.lock().unwrap(), [(refund.id, "refunded"), (refund.id, "failed")]);
    });
}

#[test]
fn a_wallet_holds_twenty_methods_and_belongs_to_one() {
    in_a_shop(async |shop| {
        let ids = join_all((0..20).map(|_| shop.add(VISA))).await;
        let more = shop.by_staff(AddMethod { user_id: user(1), card: card(VISA, "123") }).await;
        assert_eq!(domain(more), PaymentsError::TooManyMethods { most: 20 });
        let remove = RemoveMethod { user_id: user(1), method_id: ids[0] };
        let stranger = shop.ask(customer(2), 10, remove.clone()).await;
        assert_eq!(domain(stranger), PaymentsError::MethodNotFound);
        assert_eq!(shop.ask(customer(1), 10, remove.clone()).await, Ok(()));
        assert_eq!(shop.ask(customer(1), 10, remove.clone()).await, Ok(()));
        let unknown = RemoveMethod { method_id: PaymentMethodId::from_uuid(Uuid::nil()), ..remove };
        assert_eq!(domain(shop.by_staff(unknown).await), PaymentsError::MethodNotFound);
        assert_eq!(shop.by_staff(ListMethods { user_id: user(1) }).await.unwrap().len(), 19);
        assert_eq!(domain(shop.by_staff(authorize(1, ids[0])).await), PaymentsError::MethodNotFound);
        let others = Authorize { user_id: user(2), ..authorize(1, ids[1]) };
        assert_eq!(domain(shop.by_staff(others).await), PaymentsError::MethodNotFound);
    });
}

#[test]
fn a_payment_is_for_its_owner_and_refunds_are_for_staff() {
    in_a_shop(async |shop| {
        let payment_id = shop.authorize(1, VISA).await.unwrap().id;
        shop.capture(1).await.unwrap();
        assert!(shop.ask(customer(1), 10, GetPayment { payment_id }).await.is_ok());
        let not_found = PaymentsError::PaymentNotFound;
        assert_eq!(domain(shop.ask(customer(2), 10, GetPayment { payment_id }).await), not_found);
        assert_eq!(domain(shop.ask(customer(2), 10, Capture { order_id: order_id(1) }).await), not_found);
        assert_eq!(domain(shop.ask(customer(2), 10, Void { order_id: order_id(1) }).await), not_found);
        let (payment, key, reason) = (PaymentRef::Id(payment_id), "a".to_owned(), "broken".parse().unwrap());
        let refund = IssueRefund { payment, key, amount: None, reason };
        assert_eq!(domain(shop.ask(customer(1), 10, refund.clone()).await), not_found);
        assert_eq!(domain(shop.ask(customer(1), 10, TallyPayments { after: None, limit: 1 }).await), not_found);
        let operator = Principal::User { id: user(9), role: Role::Operator };
        assert_eq!(shop.ask(operator, 10, refund).await.unwrap().payment_id, payment_id);
    });
}

#[test]
fn after_an_hour_of_every_fault_all_payments_are_at_rest_and_all_books_agree() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        shop.sandbox.set_faults(Faults { delay: Duration::from_millis(900), fail_rate: 30, lose_rate: 20 });
        join_all((1..=40).map(|order| {
            let shop = shop.clone();
            async move {
                let _ = shop.ask(customer(1), 1 + order as u64 % 9, authorize(order, method)).await;
                let _ = if order % 4 == 0 { shop.void(order).await } else { shop.capture(order).await.map(|_| ()) };
                let _ = shop.refund(order, "a", Some(300)).await;
                let _ = shop.refund(order, "b", None).await;
            }
        }))
        .await;
        wait(3600).await;
        shop.sandbox.set_faults(Faults::default());
        wait(10).await;
        let tallies = shop.tally().await;
        assert_eq!(tallies.len(), 40);
        for tally in tallies {
            assert_eq!((tally.ours, tally.unfinished_since), (tally.provider, None), "{}", tally.order_id);
            assert!(tally.provider.authorizations <= 1 && tally.provider.captures <= 1);
        }
    });
}

#[test]
fn the_same_command_at_many_instances_at_once_is_carried_out_once() {
    let folder = tempfile::tempdir().unwrap();
    actix::System::new().block_on(async {
        let shop = Shop::open(folder.path(), Env::system(), 4);
        let method = shop.add(VISA).await;
        let authorized = join_all((0..16).map(|_| shop.by_staff(authorize(1, method)))).await;
        assert!(authorized.iter().all(Result::is_ok), "{authorized:?}");
        let captured = join_all((0..16).map(|_| shop.capture(1))).await;
        assert!(captured.iter().all(Result::is_ok), "{captured:?}");
        let keys = ["a", "b", "c", "d"];
        let refunds = join_all((0..16).map(|n| shop.refund(1, keys[n % 4], Some(300)))).await;
        assert_eq!(refunds.iter().filter(|refund| refund.is_ok()).count(), 12, "{refunds:?}");
        let ledger = Ledger { authorizations: 1, captures: 1, held: 0, captured: 1000, refunded: 900 };
        assert_eq!(shop.agreed().await, ledger);
        shop.mesh.stop();
    });
}

#[test]
fn neither_number_nor_code_of_a_card_is_anywhere_to_be_read() {
    const NUMBER: &str = "378282246310005";
    const SPELLINGS: [&str; 3] = [NUMBER, "3782 822463 10005", "3782-822463-10005"];
    const CODE: &str = "7391";
    let folder = tempfile::tempdir().unwrap();
    let add = || AddMethod { user_id: user(1), card: card(SPELLINGS[1], CODE) };
    on_one_thread(async {
        let shop = Shop::open(folder.path(), simulated(), 1);
        let method = shop.by_staff(add()).await.unwrap();
        assert_eq!((method.brand.as_str(), method.last4.as_str()), ("amex", "0005"));
        shop.by_staff(authorize(1, method.id)).await.unwrap();
        shop.capture(1).await.unwrap();
        shop.refund(1, "a", None).await.unwrap();
        wait(5).await;
    });
    let mut texts = vec![format!("{:?}", add()), serde_json::to_string(&add()).unwrap()];
    texts.extend(files_under(folder.path()));
    assert!(texts.len() > 2 && texts.iter().any(|text| text.contains("\"0005\"")), "the records are there to be read");
    for text in &texts {
        assert!(!SPELLINGS.iter().any(|number| text.contains(number)));
        // Four digits alone turn up by chance in ids and times; a value of its own they are never.
        assert!(!text.contains(&format!("\"{CODE}\"")) && !text.contains(&format!(":{CODE},")));
    }
}

/// What the files of a folder hold, as far as it is text.
fn files_under(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files_under(&path),
            false => vec![String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()],
        })
        .collect()
}

/// Somebody who hears what payments tells.
mod ear {
    use super::*;
    use crate::mesh::{Heard, service};
    use std::sync::Mutex;

    type Told = Arc<Mutex<Vec<(RefundId, &'static str)>>>;

    #[derive(Clone)]
    struct Ear {
        told: Told,
        heard: Heard,
    }

    service! { Ear,
        answers {}
        hears {
            PaymentRefunded => refunded,
            RefundFailed    => failed,
        }
    }

    pub fn listen(mesh: &Mesh) -> Told {
        let told = Told::default();
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path(), &simulated()).unwrap();
        let heard = Heard::in_tree(&storage.tree(Service::Notifications).unwrap());
        let ear = Ear { told: told.clone(), heard };
        mesh.register(Service::Notifications, start(&ear, &actix::Arbiter::current()));
        told
    }

    impl Ear {
        async fn refunded(&self, _: Context, event: PaymentRefunded) -> Result<(), MeshError> {
            self.told.lock().unwrap().push((event.refund.id, "refunded"));
            Ok(())
        }

        async fn failed(&self, _: Context, event: RefundFailed) -> Result<(), MeshError> {
            self.told.lock().unwrap().push((event.refund.id, "failed"));
            Ok(())
        }

        fn heard(&self) -> &Heard {
            &self.heard
        }
    }
}
