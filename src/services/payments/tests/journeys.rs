//! What a payment can go through when everything works.

use super::*;

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
        assert_eq!(domain(shop.ask(customer(1), 10, ReconcilePayments { after: None, limit: 1 }).await), not_found);
        let operator = Principal::User { id: user(9), role: Role::Operator };
        assert_eq!(shop.ask(operator, 10, refund).await.unwrap().payment_id, payment_id);
    });
}

pub const SUBSCRIPTIONS: Subscriptions = &[(Service::Notifications, &[PaymentRefunded::NAME, RefundFailed::NAME])];

/// Somebody who hears what payments tells.
mod ear {
    use super::*;
    use crate::mesh::{ProcessedEvents, service};
    use std::sync::Mutex;

    type Told = Arc<Mutex<Vec<(RefundId, &'static str)>>>;

    #[derive(Clone)]
    struct Ear {
        told: Told,
        heard: ProcessedEvents,
        _folder: Arc<tempfile::TempDir>,
    }

    service! { Ear,
        handles {}
        subscribes {
            PaymentRefunded => refunded,
            RefundFailed    => failed,
        }
    }

    pub fn listen(mesh: &Mesh) -> Told {
        let told = Told::default();
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path(), &simulated()).unwrap();
        let heard = ProcessedEvents::in_tree(&storage.tree(Service::Notifications).unwrap());
        let ear = Ear { told: told.clone(), heard, _folder: Arc::new(folder) };
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

        fn processed_events(&self) -> &ProcessedEvents {
            &self.heard
        }
    }
}
