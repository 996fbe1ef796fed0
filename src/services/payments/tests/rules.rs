//! The rules of payments against the sandbox's ledger, without a runtime.

use crate::{
    env::later,
    services::payments::{
        messages::{Ledger, PaymentEventKind, PaymentStatus, PaymentsError, RefundStatus},
        provider::{CardToken, IdempotencyKey, Operation, OperationOutcome, OperationRefusal},
        records::{Charge, Method, PaymentStage},
        rules::{
            Instruction,
            Progress::{self, Done, Pending},
            RefundRequest,
        },
        sandbox::{
            behaviour::{CardBehaviour, DeclineCode},
            ledger::{AuthorizationRecord, OperationRequest},
        },
    },
    types::{Currency, Id, Money, OrderId, PaymentMethodId, RefundId, Timestamp, UserId},
};
use proptest::prelude::*;
use std::time::Duration;
use uuid::Uuid;

const AMOUNT: i64 = 1000;

/// A payment and its provider; the test decides which messages between them arrive.
struct World {
    charge: Charge,
    provider: AuthorizationRecord,
    now: Timestamp,
    refunds: u128,
    /// The last answer, which can arrive again.
    last: Option<(Operation, OperationOutcome)>,
}

impl World {
    fn new(behaviour: CardBehaviour) -> Self {
        let (order_id, now) = (OrderId::from_uuid(Uuid::from_u128(1)), Timestamp::UNIX_EPOCH);
        let method = Method {
            id: PaymentMethodId::from_uuid(Uuid::from_u128(3)),
            token: CardToken("tok_1".into()),
            brand: "visa".into(),
            last4: "4242".into(),
            exp_month: 12,
            exp_year: 2030,
        };
        let user_id = UserId::from_uuid(Uuid::from_u128(2));
        let charge = Charge::open(order_id, user_id, method, euro(AMOUNT), now);
        let provider =
            AuthorizationRecord::new(IdempotencyKey { order_id, operation: Operation::Authorize }, behaviour);
        Self { charge, provider, now, refunds: 0, last: None }
    }

    /// A captured payment.
    fn captured(behaviour: CardBehaviour) -> Self {
        let mut world = Self::new(behaviour);
        world.finish();
        world.charge.capture(world.now).unwrap();
        world.finish();
        world
    }

    fn refund(&mut self, key: &str, amount: Option<i64>) -> Result<Progress, PaymentsError> {
        self.refunds += 1;
        let id = RefundId::from_uuid(Uuid::from_u128(self.refunds));
        let (key, amount, reason) = (key.to_owned(), amount.map(euro), "broken".to_owned());
        self.charge.refund(&RefundRequest { id, key, amount, reason }, self.now)
    }

    /// Sends the pending operation `times` times; the answer arrives only if `answered`.
    fn send(&mut self, times: usize, answered: bool) {
        let Some(instruction) = self.charge.next() else { return };
        let operation = instruction.operation();
        let request = match instruction {
            Instruction::Authorize { token, amount } => OperationRequest::Authorize { token, amount },
            Instruction::Capture { .. } => OperationRequest::Capture,
            Instruction::Void { .. } => OperationRequest::Void,
            Instruction::Refund { amount, .. } => OperationRequest::Refund { amount },
        };
        let key = IdempotencyKey { order_id: self.charge.order_id, operation };
        for _ in 0..times {
            let outcome = self.provider.perform(key, &request, self.now);
            let refused = matches!(outcome, OperationOutcome::Refused(why) if why != OperationRefusal::NotHeld);
            assert!(!refused, "{request:?} was {outcome:?}");
            self.last = Some((operation, outcome));
        }
        if answered {
            self.receive_again();
        }
    }

    fn receive_again(&mut self) {
        if let Some((operation, outcome)) = &self.last {
            self.charge.apply_outcome(*operation, outcome, self.now);
        }
    }

    fn fetch_failures(&mut self) {
        for key in self.provider.failed_refunds(self.now).collect::<Vec<_>>() {
            let Operation::Refund(id) = key.operation else { panic!("{key} is no refund") };
            self.charge.apply_outcome(key.operation, &OperationOutcome::Refunded, self.now);
            self.charge.fail_refund(id, self.now);
            self.provider.acknowledge(key);
        }
    }

    /// Until nothing is pending and the provider has nothing more to report.
    fn finish(&mut self) {
        while self.charge.next().is_some() {
            self.send(1, true);
        }
        self.wait(3);
        self.fetch_failures();
    }

    fn wait(&mut self, seconds: u64) {
        self.now = later(self.now, Duration::from_secs(seconds));
    }

    fn ledgers(&self) -> (Ledger, Ledger) {
        (self.charge.ledger(self.now), self.provider.ledger(self.now))
    }
}

fn euro(amount: i64) -> Money {
    Money::new(amount, Currency::EUR).unwrap()
}

#[test]
fn a_declined_payment_stays_declined() {
    let mut world = World::new(CardBehaviour::Declines(DeclineCode::LostCard));
    world.finish();
    let declined = Err(PaymentsError::Declined { code: "lost_card".into() });
    assert_eq!([world.charge.authorize(), world.charge.capture(world.now)], [declined.clone(), declined]);
    assert_eq!(world.charge.void(world.now), Ok(Done));
    assert_eq!(world.charge.view().decline_code.as_deref(), Some("lost_card"));
    assert_eq!(world.refund("a", None), Err(PaymentsError::NotCaptured));
}

#[test]
fn a_payment_is_voided_or_captured_and_never_both() {
    let mut world = World::captured(CardBehaviour::Approves);
    assert_eq!(world.charge.void(world.now), Err(PaymentsError::AlreadyCaptured));
    let mut world = World::new(CardBehaviour::Approves);
    world.finish();
    assert_eq!(world.charge.void(world.now), Ok(Pending));
    assert_eq!(world.charge.capture(world.now), Err(PaymentsError::AlreadyVoided));
    world.finish();
    assert_eq!((world.charge.void(world.now), world.charge.status()), (Ok(Done), PaymentStatus::Voided));
    assert_eq!(world.charge.authorize(), Err(PaymentsError::AlreadyVoided));
}

#[test]
fn a_void_waits_until_the_outcome_of_the_authorization_is_known() {
    let mut world = World::new(CardBehaviour::Approves);
    world.send(1, false);
    assert_eq!((world.charge.void(world.now), &world.charge.stage), (Ok(Pending), &PaymentStage::Authorizing));
    world.send(1, true);
    assert_eq!(world.charge.void(world.now), Ok(Pending));
    world.finish();
    assert_eq!((world.charge.status(), world.ledgers().1.held), (PaymentStatus::Voided, 0));
}

#[test]
fn the_sweeper_voids_an_expired_authorization() {
    let mut world = World::new(CardBehaviour::Approves);
    world.finish();
    assert_eq!(world.charge.sweep(world.now), Done);
    world.wait(7 * 24 * 60 * 60);
    assert_eq!(world.charge.sweep(world.now), Pending);
    world.finish();
    assert_eq!((world.charge.status(), world.charge.is_unfinished()), (PaymentStatus::Voided, false));
}

#[test]
fn an_expired_authorization_cannot_be_captured() {
    let mut world = World::new(CardBehaviour::Approves);
    world.finish();
    world.wait(8 * 24 * 60 * 60);
    assert_eq!(world.charge.capture(world.now), Ok(Pending));
    world.finish();
    assert_eq!(world.charge.capture(world.now), Err(PaymentsError::AlreadyVoided));
}

#[test]
fn refunds_add_up_to_no_more_than_was_captured() {
    let mut world = World::captured(CardBehaviour::Approves);
    assert_eq!(world.refund("a", Some(400)), Ok(Pending));
    // A refund with an unknown outcome counts as refunded.
    assert_eq!(world.refund("b", Some(601)), Err(PaymentsError::RefundTooLarge { left: euro(600) }));
    assert_eq!(world.refund("c", None), Ok(Pending));
    world.finish();
    assert_eq!(world.charge.status(), PaymentStatus::Refunded);
    assert_eq!(world.refund("d", None), Err(PaymentsError::RefundTooLarge { left: euro(0) }));
    assert_eq!(world.refund("d", Some(0)), Err(PaymentsError::RefundAmount));
    let dollars = Money::new(1, "USD".parse().unwrap()).unwrap();
    let (id, reason) = (RefundId::from_uuid(Uuid::nil()), "broken".to_owned());
    let request = RefundRequest { id, key: "e".into(), amount: Some(dollars), reason };
    assert_eq!(world.charge.refund(&request, world.now), Err(PaymentsError::RefundAmount));
}

#[test]
fn a_key_refunds_once() {
    let mut world = World::captured(CardBehaviour::Approves);
    world.refund("a", Some(400)).unwrap();
    assert_eq!(world.refund("a", Some(400)), Ok(Pending));
    world.finish();
    assert_eq!(world.refund("a", Some(400)), Ok(Done));
    assert_eq!(world.refund("a", Some(401)), Err(PaymentsError::KeyReused));
    assert_eq!(world.refund("a", None), Err(PaymentsError::KeyReused));
    assert_eq!((world.charge.refunds.len(), world.charge.view().refunded), (1, euro(400)));
}

#[test]
fn a_refund_that_fails_later_can_be_requested_again() {
    let mut world = World::captured(CardBehaviour::FailsRefunds);
    world.refund("a", None).unwrap();
    world.send(1, true);
    assert_eq!(world.charge.status(), PaymentStatus::Refunded);
    world.finish();
    assert_eq!(
        (world.charge.status(), world.charge.view().refunds[0].status),
        (PaymentStatus::Captured, RefundStatus::Failed)
    );
    let kinds: Vec<_> = world.charge.events.iter().map(|event| event.kind).collect();
    use PaymentEventKind::*;
    assert_eq!(kinds, [Authorized, Captured, Refunded, RefundFailed]);
    assert_eq!(world.refund("b", None), Ok(Pending));
}

#[derive(Debug, Clone)]
enum Act {
    Capture,
    Void,
    Refund { key: u8, amount: Option<i64> },
    Sweep,
    Send { times: usize, answered: bool },
    ReceiveAgain,
    FetchFailures,
    Wait { seconds: u64 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        2 => Just(Act::Capture),
        1 => Just(Act::Void),
        4 => (0u8..5, prop::option::of(0..=AMOUNT + 1)).prop_map(|(key, amount)| Act::Refund { key, amount }),
        1 => Just(Act::Sweep),
        6 => (1usize..4, any::<bool>()).prop_map(|(times, answered)| Act::Send { times, answered }),
        2 => Just(Act::ReceiveAgain),
        1 => Just(Act::FetchFailures),
        2 => prop_oneof![4 => 0u64..5, 1 => 0u64..9 * 24 * 60 * 60].prop_map(|seconds| Act::Wait { seconds }),
    ];
    prop::collection::vec(act, 0..40)
}

fn behaviours() -> impl Strategy<Value = CardBehaviour> {
    prop_oneof![
        4 => Just(CardBehaviour::Approves),
        1 => Just(CardBehaviour::Declines(DeclineCode::InsufficientFunds)),
        4 => Just(CardBehaviour::FailsRefunds),
    ]
}

fn holds(ledger: &Ledger) -> bool {
    let authorized = i64::from(ledger.authorizations) * AMOUNT;
    ledger.authorizations <= 1
        && ledger.captures <= 1
        && 0 <= ledger.refunded
        && ledger.refunded <= ledger.captured
        && ledger.captured + ledger.held <= authorized
}

proptest! {
    #[test]
    fn with_lost_and_repeated_messages_no_money_appears_and_the_ledgers_agree(behaviour in behaviours(), acts in acts()) {
        let mut world = World::new(behaviour);
        for act in acts {
            match act.clone() {
                Act::Capture => drop(world.charge.capture(world.now)),
                Act::Void => drop(world.charge.void(world.now)),
                Act::Refund { key, amount } => drop(world.refund(&key.to_string(), amount)),
                Act::Sweep => drop(world.charge.sweep(world.now)),
                Act::Send { times, answered } => world.send(times, answered),
                Act::ReceiveAgain => world.receive_again(),
                Act::FetchFailures => world.fetch_failures(),
                Act::Wait { seconds } => world.wait(seconds),
            }
            let (ours, theirs) = world.ledgers();
            prop_assert!(holds(&ours) && holds(&theirs), "after {:?}: {:?} {:?}", act, ours, theirs);
        }
        world.finish();
        let (ours, theirs) = world.ledgers();
        prop_assert_eq!(ours, theirs);
        prop_assert!(world.charge.next().is_none());
    }

    #[test]
    fn a_command_is_pending_only_while_there_is_an_operation_to_send(behaviour in behaviours(), acts in acts()) {
        let mut world = World::new(behaviour);
        for act in acts {
            let progress = match act {
                Act::Capture => world.charge.capture(world.now),
                Act::Void => world.charge.void(world.now),
                Act::Refund { key, amount } => world.refund(&key.to_string(), amount),
                Act::Send { times, answered } => { world.send(times, answered); continue }
                _ => Ok(world.charge.sweep(world.now)),
            };
            prop_assert!(progress != Ok(Pending) || world.charge.next().is_some());
        }
    }
}
