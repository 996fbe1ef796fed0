//! The decisions of a saga: for every step and every result, and with random faults.

use super::*;
use crate::services::orders::{
    records::OrderRecord,
    rules,
    saga::{Action, Learned, Plan, RESERVED_FOR, ReturnPlan, Saga, StepRefusal, StepReply, TIMEOUT},
};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// Each row: a step whose predecessors all succeeded, its result, and the actions that follow if
/// they all succeed.
#[rustfmt::skip]
const WHAT_FOLLOWS: &str = "
place
  ReserveStock      done     AuthorizePayment BookShipment CapturePayment CommitStock EmptyCart, completed
  ReserveStock      refused  ReleaseStock, turned back
  ReserveStock      missing  ReleaseStock, turned back
  AuthorizePayment  done     BookShipment CapturePayment CommitStock EmptyCart, completed
  AuthorizePayment  refused  VoidPayment ReleaseStock, turned back
  AuthorizePayment  missing  VoidPayment ReleaseStock, turned back
  BookShipment      done     CapturePayment CommitStock EmptyCart, completed
  BookShipment      refused  CancelShipment VoidPayment ReleaseStock, turned back
  BookShipment      missing  CancelShipment VoidPayment ReleaseStock, turned back
  CapturePayment    done     CommitStock EmptyCart, completed
  CapturePayment    refused  CancelShipment VoidPayment ReleaseStock, turned back
  CapturePayment    missing  is sent again
  CommitStock       done     EmptyCart, completed
  CommitStock       refused  CancelShipment RefundPayment, turned back
  CommitStock       missing  is sent again
  EmptyCart         done     completed
  EmptyCart         refused  is sent again
  EmptyCart         missing  is sent again
cancel
  CancelShipment    done     RefundPayment ReturnStock, completed
  CancelShipment    refused  turned back
  CancelShipment    missing  is sent again
  RefundPayment     done     ReturnStock, completed
  RefundPayment     refused  is sent again
  RefundPayment     missing  is sent again
  ReturnStock       done     completed
  ReturnStock       refused  is sent again
  ReturnStock       missing  is sent again
ship
  HandOver          done     completed
  HandOver          refused  turned back
  HandOver          missing  is sent again
return
  RefundPayment     done     ReturnStock, completed
  RefundPayment     refused  turned back
  RefundPayment     missing  is sent again
  ReturnStock       done     completed
  ReturnStock       refused  is sent again
  ReturnStock       missing  is sent again
";

#[test]
fn the_table_of_what_follows_each_step_and_result_is_complete() {
    let plans = [
        ("place", Plan::Place { from_cart: true }),
        ("cancel", Plan::Cancel { return_id: id(1) }),
        ("ship", Plan::Ship),
        ("return", Plan::Return(return_of_nothing())),
    ];
    let mut told = String::from("\n");
    for (name, plan) in plans {
        told += &format!("{name}\n");
        let mut saga = Saga::begin(1, plan, NOW);
        while let Some(due) = saga.due() {
            for outcome in ["done", "refused", "missing"] {
                let action = format!("{:?}", due.action);
                told += &format!("  {action:<17} {outcome:<8} {}\n", what_follows(saga.clone(), outcome));
            }
            saga.apply_reply(&StepReply::Done(Learned::Nothing), NOW);
        }
    }
    assert_eq!(told, WHAT_FOLLOWS, "{told}");
}

fn what_follows(mut saga: Saga, outcome: &str) -> String {
    let late = later(NOW, TIMEOUT);
    let answer = match outcome {
        "done" => StepReply::Done(Learned::Nothing),
        "refused" if saga.may_be_refused() => StepReply::Refused(StepRefusal::HandedOver),
        "missing" if saga.gives_up(late) => StepReply::Missing,
        _ => return "is sent again".into(),
    };
    let mut ending = saga.apply_reply(&answer, NOW);
    let mut followed = Vec::new();
    while let Some(due) = saga.due() {
        followed.push(format!("{:?}", due.action));
        ending = saga.apply_reply(&StepReply::Done(Learned::Nothing), NOW);
    }
    let ending = if ending.unwrap().is_ok() { "completed" } else { "turned back" };
    if followed.is_empty() { ending.into() } else { format!("{}, {ending}", followed.join(" ")) }
}

fn return_of_nothing() -> ReturnPlan {
    ReturnPlan { key: "key".into(), return_id: id(1), lines: vec![], reason: "no".parse().unwrap(), amount: euro(1) }
}

#[test]
fn a_saga_in_doubt_compensates_every_compensatable_step() {
    let mut saga = Saga::begin(1, Plan::Place { from_cart: true }, NOW);
    assert!(saga.doubt() && !saga.doubt());
    assert_eq!(
        what_follows(saga.clone(), "done"),
        "AuthorizePayment BookShipment CapturePayment CommitStock EmptyCart, completed"
    );
    assert_eq!(what_follows(saga, "refused"), "CancelShipment VoidPayment ReleaseStock, turned back");
}

#[test]
fn only_the_pivot_and_compensations_wait_for_the_disk() {
    let mut saga = Saga::begin(1, Plan::Place { from_cart: true }, NOW);
    let mut waited_for = Vec::new();
    let answers = ["done", "done", "done", "done", "refused", "done", "done"];
    for answer in answers {
        waited_for.extend((!saga.may_go_on()).then(|| saga.due().unwrap().action));
        saga.apply_reply(
            &match answer {
                "done" => StepReply::Done(Learned::Nothing),
                _ => StepReply::Refused(StepRefusal::HandedOver),
            },
            NOW,
        );
    }
    assert_eq!(waited_for, [Action::CapturePayment, Action::CancelShipment, Action::RefundPayment]);
    assert!(saga.due().is_none() && !saga.may_go_on());
}

#[test]
fn a_failed_refund_is_reported_again_later_while_the_saga_that_may_have_made_it_runs() {
    let mut record = OrderRecord::placed(pending(1), false);
    while let Some(due) = record.due() {
        record.apply_reply(due, &StepReply::Done(Learned::Nothing), NOW).unwrap();
    }
    let mut world = World::with_stock([(kettle(), 1)]);
    world.authorize(id(77), euro(1)).unwrap();
    world.capture(id(77)).unwrap();
    let refund = world.refund(id(77), "key", None).unwrap();
    assert_eq!(record.fail_refund(&refund, NOW), Ok(false), "no saga of this order made it");
    let mut cancelled = record.clone();
    cancelled.cancel(id(1), NOW).unwrap();
    assert_eq!(cancelled.due().unwrap().action, Action::CancelShipment);
    assert_eq!(cancelled.fail_refund(&refund, NOW), Err(OrdersError::Busy));
    record.pack(NOW).unwrap();
    record.ship(NOW).unwrap();
    assert_eq!(record.fail_refund(&refund, NOW), Ok(false), "shipping makes no refund");
}

#[test]
fn an_order_that_is_not_of_the_cart_does_not_empty_it() {
    let mut saga = Saga::begin(1, Plan::Place { from_cart: false }, NOW);
    while let Some(due) = saga.due() {
        assert_ne!(due.action, Action::EmptyCart);
        saga.apply_reply(&StepReply::Done(Learned::Nothing), NOW);
    }
}

#[test]
fn after_the_time_limit_the_payment_is_not_captured_and_before_it_no_reservation_expires() {
    assert!(TIMEOUT * 2 < RESERVED_FOR);
    let late = later(NOW, TIMEOUT);
    let mut saga = Saga::begin(1, Plan::Place { from_cart: false }, NOW);
    saga.apply_reply(&StepReply::Done(Learned::Nothing), NOW);
    saga.apply_reply(&StepReply::Done(Learned::Nothing), NOW);
    saga.apply_reply(&StepReply::Done(Learned::Nothing), late);
    assert_eq!(saga.due().unwrap().action, Action::CancelShipment);
    assert!(!saga.gives_up(later(late, TIMEOUT)), "a compensation is not given up");
}

/// The circumstances of one attempt at an action.
#[derive(Debug, Clone, Copy)]
struct Chance {
    /// Seconds before the attempt.
    wait: u64,
    fate: Fate,
    /// If `Some`, the shop crashes and restarts from disk, where this many of the last changes that
    /// were not waited for are missing.
    lost_in_a_crash: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    RequestLost,
    ReplyLost,
    /// Arrives this many attempts later.
    Late(usize),
}

fn chance() -> impl Strategy<Value = Chance> {
    let wait = prop_oneof![8 => 0u64..5, 2 => 20u64..50, 1 => 900u64..2000];
    let fate = prop_oneof![
        5 => Just(Fate::Answered),
        1 => Just(Fate::RequestLost),
        1 => Just(Fate::ReplyLost),
        2 => (1usize..8).prop_map(Fate::Late),
    ];
    let lost = prop_oneof![2 => Just(None), 1 => (0usize..6).prop_map(Some)];
    (wait, fate, lost).prop_map(|(wait, fate, lost_in_a_crash)| Chance { wait, fate, lost_in_a_crash })
}

/// A shop in which each attempt has its own circumstances, until these are used up; then all goes
/// well.
struct RandomFaults {
    world: World,
    record: OrderRecord,
    /// The first is on disk for certain; the others were written since.
    written: Vec<OrderRecord>,
    now: Timestamp,
    chances: std::vec::IntoIter<Chance>,
    attempts: usize,
    under_way: Vec<(usize, Saga, Action)>,
}

impl RandomFaults {
    /// Runs until the saga has ended.
    fn drive(&mut self) {
        self.written = vec![self.record.clone()];
        while self.record.saga.is_some() {
            let calm = Chance { wait: 1, fate: Fate::Answered, lost_in_a_crash: None };
            let chance = self.chances.next().unwrap_or(calm);
            self.now = later(self.now, Duration::from_secs(chance.wait));
            self.world.lapse(self.now);
            self.attempts += 1;
            self.let_arrive(self.attempts);
            if let Some(lost) = chance.lost_in_a_crash {
                self.crash(lost);
            }
            let saga = self.record.saga.clone().unwrap();
            let due = saga.due().unwrap();
            let answer = match chance.fate {
                _ if saga.gives_up(self.now) => Some(StepReply::Missing),
                Fate::Answered => Some(self.perform(&saga, due.action)),
                Fate::RequestLost => None,
                Fate::ReplyLost => {
                    self.perform(&saga, due.action);
                    None
                }
                Fate::Late(by) => {
                    self.under_way.push((self.attempts + by, saga.clone(), due.action));
                    None
                }
            };
            if let Some(answer) = answer {
                let is_refused = matches!(answer, StepReply::Refused(_));
                assert!(!is_refused || saga.may_be_refused(), "{:?} was refused", due.action);
                assert!(self.record.apply_reply(due, &answer, self.now).unwrap());
                assert!(!self.record.apply_reply(due, &answer, self.now).unwrap(), "a second execution comes too late");
                if !self.record.may_go_on() {
                    self.written.clear();
                }
                self.written.push(self.record.clone());
            }
        }
    }

    fn crash(&mut self, lost: usize) {
        self.written.truncate(self.written.len().saturating_sub(lost).max(1));
        let kept = serde_json::to_string(self.written.last().unwrap()).unwrap();
        self.record = serde_json::from_str(&kept).unwrap();
        self.record.saga.as_mut().unwrap().doubt();
        self.written = vec![self.record.clone()];
    }

    fn let_arrive(&mut self, until: usize) {
        let (arrived, under_way) = std::mem::take(&mut self.under_way).into_iter().partition(|(at, ..)| *at <= until);
        self.under_way = under_way;
        for (_, saga, action) in arrived as Vec<(usize, Saga, Action)> {
            self.perform(&saga, action);
        }
    }

    /// Translates replies as `participants.rs` does. The reply to a late request is ignored.
    fn perform(&mut self, saga: &Saga, action: Action) -> StepReply {
        let (world, order) = (&mut self.world, &self.record.order);
        let (id, lines) = (order.id, rules::lines_of(&order.items));
        let rejected = StepReply::Refused(StepRefusal::Rejected(Reason::Unavailable));
        let is_done = match action {
            Action::ReserveStock => world.reserve(id, &lines, later(saga.begun_at, RESERVED_FOR)).is_ok(),
            Action::ReleaseStock => world.release(id).is_ok(),
            Action::CommitStock => world.commit(id).is_ok(),
            Action::AuthorizePayment => world.authorize(id, order.total).is_ok(),
            Action::VoidPayment => world.void(id).is_ok(),
            Action::CapturePayment => world.capture(id).is_ok(),
            Action::BookShipment => world.book(id).is_ok(),
            Action::CancelShipment => world.cancel_shipment(id).is_ok(),
            Action::HandOver => world.hand_over(id).is_ok(),
            Action::EmptyCart => {
                world.empty_cart(id);
                true
            }
            Action::RefundPayment => {
                let amount = if let Plan::Return(what) = &saga.plan { Some(what.amount) } else { None };
                return match world.refund(id, &saga.number.to_string(), amount) {
                    Ok(refund) => StepReply::Done(Learned::Refund(refund)),
                    Err(_) => rejected,
                };
            }
            Action::ReturnStock => match &saga.plan {
                Plan::Return(what) => world.put_back(what.return_id, &what.lines).is_ok(),
                Plan::Cancel { return_id } => world.put_back(*return_id, &lines).is_ok(),
                Plan::Place { .. } | Plan::Ship => false,
            },
        };
        if is_done { StepReply::Done(Learned::Nothing) } else { rejected }
    }

    fn at_rest(&mut self) -> OrderStatus {
        self.drive();
        self.let_arrive(usize::MAX);
        self.world.lapse(later(self.now, RESERVED_FOR * 2));
        let order = self.record.clone().into_view();
        assert_eq!(order.in_progress, None);
        self.world.assert_agrees_with(&order);
        order.status
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn with_any_lost_late_or_refused_messages_an_order_ends_complete_or_undone(
        pieces in 1u32..=11,
        (declines, is_undeliverable) in (prop::bool::weighted(0.1), prop::bool::weighted(0.1)),
        chances in prop::collection::vec(chance(), 0..60),
        wants in prop::collection::vec(0u8..5, 0..6),
    ) {
        let mut world = World::with_stock([(kettle(), 10), (cup(), 10)]);
        world.declines = declines.then_some("card_declined");
        world.is_undeliverable = is_undeliverable;
        let record = OrderRecord::placed(pending(pieces), true);
        let chances = chances.into_iter();
        let mut shop = RandomFaults { world, record, written: Vec::new(), now: NOW, chances, attempts: 0, under_way: Vec::new() };
        let placed = shop.at_rest();
        prop_assert!(matches!(placed, OrderStatus::Confirmed | OrderStatus::Rejected));
        prop_assert!(placed == OrderStatus::Rejected || (pieces <= 10 && !declines && !is_undeliverable));
        for (n, want) in wants.into_iter().enumerate() {
            let (record, now) = (&mut shop.record, shop.now);
            let lines = vec![line(kettle(), 1)];
            let back = ReturnItems { order_id: id(77), key: n.to_string(), lines, reason: "no".parse().unwrap() };
            // A forbidden command changes nothing; an allowed one is completed.
            let _ = match want {
                0 => record.cancel(id(n as u128), now),
                1 => record.pack(now),
                2 => record.ship(now),
                3 => record.deliver(now),
                _ => record.take_back(&back, id(100 + n as u128), now),
            };
            shop.at_rest();
        }
    }
}
