//! A confirmed order: packed, shipped, delivered, cancelled, returned.

use super::*;
use crate::services::payments::messages::{Refund, RefundFailed};
use Fault::*;

const CANCEL: &str = "shipping.cancel";
const HAND_OVER: &str = "shipping.hand_over";
const REFUND: &str = "payments.refund";
const PUT_BACK: &str = "products.return_stock";

fn illegal(from: &str, to: &str) -> Placed {
    Err(CallError::Domain(OrdersError::IllegalTransition { from: from.into(), to: to.into() }))
}

fn back(order_id: OrderId, key: &str, lines: &[StockLine]) -> ReturnItems {
    ReturnItems { order_id, key: key.into(), lines: lines.to_vec(), reason: "too heavy".parse().unwrap() }
}

#[test]
fn an_order_is_packed_shipped_and_delivered() {
    in_shop(async |shop| {
        let id = shop.confirmed().await;
        assert_eq!(shop.fulfil(id, Fulfilment::Shipped).await, illegal("confirmed", "shipped"));
        let packed = shop.fulfil(id, Fulfilment::Packed).await.unwrap();
        assert_eq!(shop.fulfil(id, Fulfilment::Packed).await.unwrap(), packed);
        let shipped = shop.fulfil(id, Fulfilment::Shipped).await.unwrap();
        assert_eq!(shop.fulfil(id, Fulfilment::Shipped).await.unwrap(), shipped);
        assert_eq!(shop.fulfil(id, Fulfilment::Packed).await.unwrap(), shipped, "it was packed");
        assert_eq!(shop.stage.take_calls(), [HAND_OVER]);
        shop.deliver(id);
        let delivered = shop.until(id, |order| order.status == OrderStatus::Delivered).await;
        assert_eq!(shop.fulfil(id, Fulfilment::Shipped).await.unwrap(), delivered, "it was shipped");
        let notes: Vec<_> = delivered.timeline.iter().filter_map(|entry| entry.note.as_deref()).collect();
        assert_eq!(notes[3], "Handed over to the carrier; tracking number GA473124829DE");
        shop.sleep(1).await;
        assert_eq!(shop.stage.lock().events, ["confirmed", "shipped", "delivered"]);
        assert_eq!(shop.stage.lock().last_tracking_number, "GA473124829DE");
        shop.assert_all_or_nothing(&delivered);
    });
}

#[test]
fn a_delivery_that_is_reported_before_the_order_is_shipped_is_applied_afterwards() {
    in_shop(async |shop| {
        let id = shop.confirmed().await;
        shop.fulfil(id, Fulfilment::Packed).await.unwrap();
        shop.stage.next(HAND_OVER, [ReplyLost]);
        let asked =
            shop.call_within(Duration::from_secs(1), operator(), FulfilOrder { order_id: id, to: Fulfilment::Shipped });
        assert_eq!(asked.await.unwrap().status, OrderStatus::Packed);
        shop.deliver(id);
        let order = shop.until(id, |order| order.status == OrderStatus::Delivered).await;
        let statuses: Vec<_> = order.timeline.iter().map(|entry| entry.status).collect();
        use OrderStatus::*;
        assert_eq!(statuses, [Pending, Confirmed, Packed, Shipped, Delivered]);
    });
}

#[test]
fn a_cancelled_order_is_not_shipped_but_refunded_and_put_back_in_stock() {
    for is_packed in [false, true] {
        in_shop(async |shop| {
            let id = shop.confirmed().await;
            if is_packed {
                shop.fulfil(id, Fulfilment::Packed).await.unwrap();
            }
            let cancelled = shop.cancel(id).await.unwrap();
            assert_eq!(shop.stage.take_calls(), [CANCEL, REFUND, PUT_BACK]);
            assert_eq!(
                (cancelled.status, cancelled.reason.as_ref()),
                (OrderStatus::Cancelled, Some(&Reason::Cancelled))
            );
            assert_eq!(shop.cancel(id).await.unwrap(), cancelled);
            assert!(shop.stage.take_calls().is_empty());
            shop.assert_all_or_nothing(&cancelled);
            assert_eq!(shop.stage.lock().world.on_shelf[&kettle()], 10);
            assert_eq!(shop.reconciliation(id).await.refunded, cancelled.total);
            assert_eq!(shop.fulfil(id, Fulfilment::Packed).await, illegal("cancelled", "packed"));
            shop.sleep(1).await;
            assert_eq!(shop.stage.lock().events, ["confirmed", "cancelled"]);
        });
    }
}

#[test]
fn a_cancellation_is_completed_whichever_message_is_lost() {
    for request in [CANCEL, REFUND, PUT_BACK] {
        for fault in [Down, RequestLost, ReplyLost] {
            in_shop(async |shop| {
                let id = shop.confirmed().await;
                shop.stage.always(request, fault);
                let asked =
                    shop.call_within(Duration::from_secs(1), ada(), CancelOrder { order_id: id }).await.unwrap();
                assert_eq!(asked.status, OrderStatus::Confirmed, "not yet");
                assert!(asked.in_progress.is_some());
                // While it is being cancelled, it cannot be packed or shipped.
                let busy = Err(CallError::Domain(OrdersError::Busy));
                assert_eq!(shop.fulfil(id, Fulfilment::Packed).await, busy);
                assert_eq!(shop.fulfil(id, Fulfilment::Shipped).await, busy);
                shop.sleep(300).await;
                assert!(shop.order(id).await.in_progress.unwrap().ends_with("we are looking into it"));
                shop.stage.always(request, Fault::Healthy);
                let cancelled = shop.cancel(id).await.unwrap();
                assert_eq!(cancelled.status, OrderStatus::Cancelled, "the second request waits for the first");
                shop.assert_all_or_nothing(&cancelled);
            });
        }
    }
}

#[test]
fn an_order_with_the_carrier_cannot_be_cancelled() {
    in_shop(async |shop| {
        let not_cancellable =
            |status: &str| Err(CallError::Domain(OrdersError::NotCancellable { status: status.into() }));
        let id = shop.shipped().await;
        assert_eq!(shop.cancel(id).await, not_cancellable("shipped"));
        // The parcel was handed over without the order: shipping refuses, and the order stays as it
        // is.
        let other = shop.place("other").await.unwrap();
        shop.stage.lock().world.hand_over(other.id).unwrap();
        assert_eq!(shop.cancel(other.id).await, not_cancellable("with the carrier"));
        assert_eq!(shop.order(other.id).await.status, OrderStatus::Confirmed);
        assert_eq!(shop.fulfil(other.id, Fulfilment::Packed).await.unwrap().status, OrderStatus::Packed);
    });
}

#[test]
fn an_order_that_is_being_handed_over_or_placed_cannot_be_cancelled() {
    in_shop(async |shop| {
        let id = shop.confirmed().await;
        shop.fulfil(id, Fulfilment::Packed).await.unwrap();
        shop.stage.next(HAND_OVER, [Late(Duration::from_secs(3))]);
        let ship = FulfilOrder { order_id: id, to: Fulfilment::Shipped };
        shop.call_within(Duration::from_secs(1), operator(), ship).await.unwrap();
        assert_eq!(shop.cancel(id).await, Err(CallError::Domain(OrdersError::Busy)));
        assert_eq!(shop.fulfil(id, Fulfilment::Shipped).await.unwrap().status, OrderStatus::Shipped);

        shop.stage.next("payments.capture", [Late(Duration::from_secs(3))]);
        let pending = shop.call_within(Duration::from_secs(1), ada(), order("another")).await.unwrap();
        assert_eq!(shop.cancel(pending.id).await, Err(CallError::Domain(OrdersError::Busy)));
    });
}

#[test]
fn a_pending_order_cannot_be_cancelled_at_any_step_but_can_once_it_is_confirmed() {
    let steps =
        ["products.reserve_stock", "payments.authorize", "shipping.book", "payments.capture", "products.commit_stock"];
    for step in steps {
        in_shop(async |shop| {
            shop.stage.next(step, [Late(Duration::from_secs(3))]);
            let pending = shop.call_within(Duration::from_secs(1), ada(), order("key")).await.unwrap();
            assert_eq!(pending.status, OrderStatus::Pending, "{step}");
            assert_eq!(shop.cancel(pending.id).await, Err(CallError::Domain(OrdersError::Busy)), "{step}");
            assert_eq!(shop.until_at_rest(pending.id).await.status, OrderStatus::Confirmed);
            let cancelled = shop.cancel(pending.id).await.unwrap();
            assert_eq!(cancelled.status, OrderStatus::Cancelled);
            shop.assert_all_or_nothing(&cancelled);
        });
    }
}

#[test]
fn an_order_that_an_operator_has_refunded_can_still_be_cancelled() {
    in_shop(async |shop| {
        let id = shop.confirmed().await;
        shop.stage.lock().world.refund(id, "by hand", None).unwrap();
        assert_eq!(shop.cancel(id).await.unwrap().status, OrderStatus::Cancelled);
        assert_eq!(shop.reconciliation(id).await.refunded, euro(0), "no saga of the order made this refund");
    });
}

#[test]
fn a_delivered_order_can_be_returned_piece_by_piece() {
    in_shop(async |shop| {
        let id = shop.delivered().await;
        let one_kettle = back(id, "first", &[line(kettle(), 1)]);
        let refund = shop.call(ada(), one_kettle.clone()).await.unwrap();
        assert_eq!(refund.amount, euro(4900));
        assert_eq!(shop.stage.take_calls(), [REFUND, PUT_BACK]);
        assert_eq!(shop.call(ada(), one_kettle.clone()).await.unwrap(), refund);
        let reused = ReturnItems { lines: vec![line(cup(), 1)], ..one_kettle };
        assert_eq!(shop.call(ada(), reused).await, Err(CallError::Domain(OrdersError::KeyReused)));

        let partly = shop.order(id).await;
        assert_eq!((partly.status, partly.items[0].returned), (OrderStatus::Delivered, 1));
        assert_eq!(partly.timeline.last().unwrap().note.as_deref(), Some("1 item returned"));
        let too_many = shop.call(ada(), back(id, "second", &[line(kettle(), 2)])).await;
        let left_one = OrdersError::TooManyReturned { product_id: kettle(), left: 1 };
        assert_eq!(too_many, Err(CallError::Domain(left_one)));

        shop.call(ada(), back(id, "third", &[line(kettle(), 1), line(cup(), 1)])).await.unwrap();
        let returned = shop.order(id).await;
        assert_eq!((returned.status, returned.returns.len()), (OrderStatus::Returned, 2));
        let reconciliation = shop.reconciliation(id).await;
        assert_eq!(
            (reconciliation.refunded, &reconciliation.pieces[..]),
            (euro(10_700), &[(kettle(), 0), (cup(), 0)][..])
        );
        shop.assert_all_or_nothing(&returned);
        let again = shop.call(ada(), back(id, "fourth", &[line(cup(), 1)])).await;
        assert_eq!(again, Err(CallError::Domain(OrdersError::NotReturnable { status: "returned".into() })));
        shop.sleep(1).await;
        assert_eq!(shop.stage.lock().events, ["confirmed", "shipped", "delivered", "returned", "returned"]);
    });
}

#[test]
fn only_delivered_and_bought_pieces_can_be_returned() {
    in_shop(async |shop| {
        let id = shop.shipped().await;
        let early = shop.call(ada(), back(id, "key", &[line(cup(), 1)])).await;
        assert_eq!(early, Err(CallError::Domain(OrdersError::NotReturnable { status: "shipped".into() })));
        shop.deliver(id);
        shop.until(id, |order| order.status == OrderStatus::Delivered).await;
        let (cups, none_left) = (line(cup(), 1), |product_id| OrdersError::TooManyReturned { product_id, left: 0 });
        for (lines, expected) in [
            (vec![], OrdersError::EmptyOrder),
            (vec![cups, cups], OrdersError::BadLines { most: 50 }),
            (vec![line(egg_timer(), 1)], none_left(egg_timer())),
        ] {
            assert_eq!(shop.call(ada(), back(id, "key", &lines)).await, Err(CallError::Domain(expected)));
        }
        assert!(shop.stage.take_calls().is_empty());
    });
}

#[test]
fn a_return_is_made_once_however_often_it_is_requested() {
    in_shop(async |shop| {
        let id = shop.delivered().await;
        shop.stage.next(REFUND, [ReplyLost]);
        let request = back(id, "key", &[line(kettle(), 1)]);
        let impatient = shop.call_within(Duration::from_secs(1), ada(), request.clone()).await;
        assert_eq!(impatient, Err(CallError::Domain(OrdersError::Busy)));
        let other = shop.call(ada(), back(id, "other", &[line(kettle(), 1)])).await;
        assert_eq!(other, Err(CallError::Domain(OrdersError::Busy)), "one at a time");
        assert_eq!(shop.call(ada(), request).await.unwrap().amount, euro(4900));
        shop.assert_all_or_nothing(&shop.order(id).await);
    });
}

#[test]
fn a_return_of_more_money_than_is_left_is_refused_and_changes_nothing() {
    in_shop(async |shop| {
        let id = shop.delivered().await;
        shop.stage.lock().world.refund(id, "by hand", Some(euro(7000))).unwrap();
        let refused = shop.call(ada(), back(id, "key", &[line(kettle(), 1)])).await;
        assert_eq!(refused, Err(CallError::Domain(OrdersError::RefundTooLarge { left: euro(4200) })));
        assert_eq!(shop.order(id).await.items[0].returned, 0);
        assert_eq!(shop.call(ada(), back(id, "cup", &[line(cup(), 1)])).await.unwrap().amount, euro(900));
    });
}

#[test]
fn a_refund_that_fails_later_is_noted_and_no_longer_counted() {
    in_shop(async |shop| {
        let id = shop.delivered().await;
        let refund = shop.call(ada(), back(id, "key", &[line(kettle(), 1)])).await.unwrap();
        assert_eq!(shop.reconciliation(id).await.refunded, euro(4900));
        let by_hand = Refund { id: self::id(99), ..refund.clone() };
        for refund in [by_hand, refund.clone(), refund] {
            shop.publish(&RefundFailed { order_id: id, user_id: self::id(1), refund });
        }
        shop.sleep(1).await;
        assert_eq!(shop.reconciliation(id).await.refunded, euro(0));
        let notes = shop.order(id).await.timeline.into_iter().filter_map(|entry| entry.note);
        let failed: Vec<String> = notes.filter(|note| note.contains("could not be refunded")).collect();
        assert_eq!(failed, ["EUR 49.00 could not be refunded; we will contact you"]);
    });
}
