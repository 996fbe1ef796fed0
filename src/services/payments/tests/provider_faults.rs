//! Payments while answers are lost, the provider is down, or the shop crashes.

use super::{super::sandbox::ledger::AUTHORIZATION_LASTS, *};

#[test]
fn a_lost_answer_is_looked_up_by_its_key_and_no_customer_pays_twice() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        shop.disturb(ANSWERS_ARE_LOST, 2_000);
        assert_eq!(shop.by_staff(authorize(1, method)).await.unwrap().status, PaymentStatus::Authorized);
        shop.disturb(ANSWERS_ARE_LOST, 2_000);
        assert_eq!(shop.capture(1).await.unwrap().status, PaymentStatus::Captured);
        shop.disturb(ANSWERS_ARE_LOST, 2_000);
        assert_eq!(shop.refund(1, "a", Some(400)).await.unwrap().amount, euro(400));
        let ledger = Ledger { authorizations: 1, captures: 1, held: 0, captured: 1000, refunded: 400 };
        assert_eq!(shop.agreed_ledger().await, ledger);
    });
}

#[test]
fn an_unknown_outcome_is_looked_up_before_the_request_is_sent_again() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        shop.disturb(ANSWERS_ARE_LOST, 1_000);
        shop.by_staff(authorize(1, method)).await.unwrap();
        assert_eq!(shop.witness.asked(), ["do authorize", "find authorize"]);
        shop.disturb(NOTHING_WORKS, 1_000);
        shop.capture(1).await.unwrap();
        let asked = shop.witness.asked();
        let (first, again) = (asked.first().unwrap(), asked.last_chunk::<2>().unwrap());
        assert_eq!((first.as_str(), again), ("do capture", &["find capture".to_owned(), "do capture".to_owned()]));
    });
}

#[test]
fn the_outcome_of_an_intent_that_was_there_before_is_looked_up_first() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        shop.sandbox.set_faults(ANSWERS_ARE_LOST);
        assert!(is_outcome_unknown(&shop.ask(customer(1), 1, authorize(1, method)).await));
        shop.sandbox.set_faults(ProviderFaults::default());
        shop.witness.asked();
        shop.by_staff(authorize(1, method)).await.unwrap();
        assert_eq!(shop.witness.asked(), ["find authorize"]);
    });
}

#[test]
fn a_failure_report_that_arrives_before_the_outcome_records_both() {
    in_a_shop(async |shop| {
        shop.authorize(1, "4000000000005126").await.unwrap();
        shop.capture(1).await.unwrap();
        // The answer to the refund is lost. The report of its failure arrives before payments looks
        // up the outcome.
        shop.disturb(ANSWERS_ARE_LOST, 500);
        let refund = shop.refund(1, "a", None).await.unwrap();
        assert_eq!(refund.status, RefundStatus::Failed);
        let kinds: Vec<_> = shop.payment(1).await.events.iter().skip(2).map(|event| event.kind).collect();
        assert_eq!(kinds, [PaymentEventKind::Refunded, PaymentEventKind::RefundFailed]);
        assert_eq!(shop.agreed_ledger().await.refunded, 0);
    });
}

#[test]
fn a_request_that_arrives_after_its_timeout_changes_nothing() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        shop.disturb(ProviderFaults { delay: Duration::from_secs(20), ..ProviderFaults::default() }, 1_000);
        let authorized = shop.by_staff(authorize(1, method)).await.unwrap();
        assert_eq!(shop.void(1).await, Ok(()));
        // Now the first request arrives.
        wait(30).await;
        assert_eq!((authorized.status, shop.agreed_ledger().await.held), (PaymentStatus::Authorized, 0));
    });
}

#[test]
fn an_outcome_that_stays_unknown_is_a_fault_and_the_sweeper_looks_it_up() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        for faults in [NOTHING_WORKS, ANSWERS_ARE_LOST] {
            let order = faults.lose_rate.into();
            shop.sandbox.set_faults(faults);
            assert!(is_outcome_unknown(&shop.by_staff(authorize(order, method)).await));
            assert!(is_outcome_unknown(&shop.void(order).await));
            assert_eq!(shop.payment(order).await.status, PaymentStatus::Pending);
            shop.sandbox.set_faults(ProviderFaults::default());
            wait(10).await;
            assert_eq!(shop.payment(order).await.status, PaymentStatus::Authorized);
        }
        assert!(
            shop.reconcile().await.iter().all(
                |reconciliation| reconciliation.ours == reconciliation.provider && reconciliation.ours.held == 1000
            )
        );
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
fn a_void_completes_an_unknown_authorization_before_it_releases_the_amount() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        shop.sandbox.set_faults(ANSWERS_ARE_LOST);
        assert!(is_outcome_unknown(&shop.ask(customer(1), 1, authorize(1, method)).await));
        shop.sandbox.set_faults(ProviderFaults::default());
        assert_eq!(shop.void(1).await, Ok(()));
        assert_eq!(shop.agreed_ledger().await, Ledger { authorizations: 1, ..Ledger::default() });
        assert_eq!(domain(shop.by_staff(authorize(1, method)).await), PaymentsError::AlreadyVoided);
    });
}

#[test]
fn intents_survive_a_crash_and_are_completed() {
    let (folder, left_behind) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    on_one_thread(async {
        let shop = Shop::open(folder.path(), simulated(), 2);
        let (visa, lost) = (shop.add(VISA).await, shop.add("4000000000009987").await);
        for order in [1, 2] {
            shop.by_staff(authorize(order, visa)).await.unwrap();
        }
        shop.capture(2).await.unwrap();
        shop.sandbox.set_faults(ANSWERS_ARE_LOST);
        let patience = Duration::from_millis(500);
        let context = Context::new(orders(), patience, TraceId([1; 16]));
        assert!(shop.mesh.call(&context, Capture { order_id: order_id(1) }).await.is_err());
        shop.sandbox.set_faults(NOTHING_WORKS);
        assert!(is_outcome_unknown(&shop.ask(customer(1), 1, authorize(3, visa)).await));
        assert!(is_outcome_unknown(&shop.ask(customer(1), 1, authorize(4, lost)).await));
        assert!(is_outcome_unknown(&shop.refund(2, "a", Some(400)).await));
        let unfinished = shop.payment(3).await;
        assert_eq!((unfinished.status, unfinished.events), (PaymentStatus::Pending, vec![]));
        // The state that a kill leaves: without the data in memory that a shutdown would write.
        copy(folder.path(), left_behind.path());
    });
    on_one_thread(async {
        let shop = Shop::open(left_behind.path(), simulated(), 2);
        wait(1).await;
        let mut statuses = Vec::new();
        for order in 1..=4 {
            statuses.push(shop.payment(order).await.status);
        }
        use PaymentStatus::*;
        assert_eq!(statuses, [Captured, PartiallyRefunded, Authorized, Declined]);
        for reconciliation in shop.reconcile().await {
            assert_eq!((reconciliation.ours, reconciliation.unfinished_since), (reconciliation.provider, None));
            assert!(reconciliation.provider.authorizations <= 1 && reconciliation.provider.captures <= 1);
        }
    });
}

#[test]
fn an_abandoned_authorization_is_voided_when_it_expires_also_after_a_restart() {
    let (folder, left_behind) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let week = AUTHORIZATION_LASTS.as_secs();
    on_one_thread(async {
        let shop = Shop::open(folder.path(), simulated(), 2);
        for order in [1, 2] {
            shop.authorize(order, VISA).await.unwrap();
        }
        shop.capture(2).await.unwrap();
        // No request for these orders comes any more.
        copy(folder.path(), left_behind.path());
    });
    on_one_thread(async {
        let shop = Shop::open(left_behind.path(), simulated(), 2);
        // The clock jumps over the week. With `TEST_FULL=1` it ticks, and so does everything that
        // looks at it every second.
        match std::env::var("TEST_FULL").as_deref() {
            Ok("1") => wait(week - 60).await,
            _ => tokio::time::advance(Duration::from_secs(week - 60)).await,
        }
        assert_eq!(shop.payment(1).await.status, PaymentStatus::Authorized);
        // The void is recorded and sent to the provider; the clock alone changes nothing.
        shop.sandbox.set_faults(NOTHING_WORKS);
        wait(120).await;
        shop.sandbox.set_faults(ProviderFaults::default());
        wait(10).await;
        assert_eq!(shop.payment(1).await.status, PaymentStatus::Voided);
        assert_eq!(shop.payment(2).await.status, PaymentStatus::Captured);
        assert_eq!(domain(shop.capture(1).await), PaymentsError::AlreadyVoided);
        for reconciliation in shop.reconcile().await {
            assert_eq!((reconciliation.ours, reconciliation.unfinished_since), (reconciliation.provider, None));
            assert_eq!(reconciliation.ours.held, 0);
        }
    });
}

#[test]
fn the_reconciliation_says_which_payment_is_unfinished() {
    in_a_shop(async |shop| {
        shop.authorize(1, VISA).await.unwrap();
        shop.sandbox.set_faults(ANSWERS_ARE_LOST);
        assert!(is_outcome_unknown(&shop.ask(orders(), 1, Capture { order_id: order_id(1) }).await));
        shop.sandbox.set_faults(ProviderFaults::default());
        let reconciliation = shop.reconcile().await.remove(0);
        assert_eq!((reconciliation.ours.held, reconciliation.provider.captured), (1000, 1000));
        assert!(reconciliation.unfinished_since.is_some());
        let next = ReconcilePayments { after: Some(reconciliation.order_id), limit: 100 };
        assert_eq!(shop.by_staff(next).await, Ok(vec![]));
    });
}

#[test]
fn after_an_hour_of_all_faults_every_payment_is_finished_and_all_ledgers_agree() {
    in_a_shop(async |shop| {
        let method = shop.add(VISA).await;
        shop.sandbox.set_faults(ProviderFaults {
            delay: Duration::from_millis(900),
            fail_rate: 30,
            lose_rate: 20,
            twice_rate: 20,
        });
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
        shop.sandbox.set_faults(ProviderFaults::default());
        wait(10).await;
        let reconciliations = shop.reconcile().await;
        assert_eq!(reconciliations.len(), 40);
        for reconciliation in reconciliations {
            assert_eq!(
                (reconciliation.ours, reconciliation.unfinished_since),
                (reconciliation.provider, None),
                "{}",
                reconciliation.order_id
            );
            assert!(reconciliation.provider.authorizations <= 1 && reconciliation.provider.captures <= 1);
        }
    });
}

#[test]
fn the_same_command_at_several_instances_at_once_is_carried_out_once() {
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
        assert_eq!(shop.agreed_ledger().await, ledger);
        shop.mesh.stop();
    });
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
