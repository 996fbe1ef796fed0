//! Placing an order: its steps, its failures, and that it is done once.

use super::*;
use crate::types::Quantity;
use Fault::*;

const RESERVE: &str = "products.reserve_stock";
const RELEASE: &str = "products.release_stock";
const COMMIT: &str = "products.commit_stock";
const AUTHORIZE: &str = "payments.authorize";
const VOID: &str = "payments.void";
const CAPTURE: &str = "payments.capture";
const REFUND: &str = "payments.refund";
const BOOK: &str = "shipping.book";
const CANCEL: &str = "shipping.cancel";
const CHECK_OUT: &str = "carts.check_out";

#[test]
fn an_order_is_reserved_authorized_booked_captured_and_confirmed() {
    in_shop(async |shop| {
        let order = shop.place("key").await.unwrap();
        assert_eq!(shop.stage.take_calls(), [RESERVE, AUTHORIZE, BOOK, CAPTURE, COMMIT]);
        assert_eq!((order.status, order.in_progress.as_deref()), (OrderStatus::Confirmed, None));
        assert_eq!([order.subtotal, order.shipping_cost, order.total], [euro(10_700), euro(500), euro(11_200)]);
        let statuses: Vec<OrderStatus> = order.timeline.iter().map(|entry| entry.status).collect();
        assert_eq!(statuses, [OrderStatus::Pending, OrderStatus::Confirmed]);
        shop.assert_all_or_nothing(&order);
        assert_eq!(shop.stage.lock().world.on_shelf[&kettle()], 8);
        shop.sleep(1).await;
        assert_eq!(shop.stage.lock().events, ["confirmed"]);
    });
}

#[test]
fn an_order_of_the_cart_empties_it() {
    in_shop(async |shop| {
        shop.stage.lock().cart = vec![(kettle(), Quantity::try_from(3).unwrap())];
        let from_cart = PlaceOrder { items: None, ..order("key") };
        let order = shop.call(ada(), from_cart.clone()).await.unwrap();
        assert_eq!(shop.stage.take_calls(), [RESERVE, AUTHORIZE, BOOK, CAPTURE, COMMIT, CHECK_OUT]);
        assert_eq!(order.items[0].quantity.get(), 3);
        // The cart is empty now, and the same request still gives the same order.
        shop.stage.lock().cart.clear();
        assert_eq!(shop.call(ada(), from_cart).await.unwrap(), order);
    });
}

#[test]
fn several_clicks_at_once_order_a_cart_once() {
    in_shop(async |shop| {
        shop.stage.lock().cart = vec![(kettle(), Quantity::try_from(3).unwrap())];
        let click = async |key: &str| shop.call(ada(), PlaceOrder { items: None, ..order(key) }).await;
        let clicks = futures_util::future::join_all(["a", "b", "c", "d"].map(click)).await;
        let (placed, refused): (Vec<_>, Vec<_>) = clicks.into_iter().partition(Result::is_ok);
        let placed: Vec<Order> = placed.into_iter().map(Result::unwrap).collect();
        assert_eq!((placed.len(), placed[0].status), (1, OrderStatus::Confirmed));
        let in_checkout = Err(CallError::Domain(OrdersError::CartInCheckout { order_id: placed[0].id }));
        assert!(refused.iter().all(|refused| *refused == in_checkout), "{refused:?}");
        // A cart that is filled again can be ordered again.
        assert_eq!(click("e").await.unwrap().status, OrderStatus::Confirmed);
        assert_eq!(shop.all_orders().await.len(), 2);
    });
}

#[test]
fn a_cart_can_be_ordered_again_after_its_order_was_rejected_and_not_while_it_is_pending() {
    in_shop(async |shop| {
        shop.stage.lock().cart = vec![(kettle(), Quantity::try_from(3).unwrap())];
        let from_cart = |key: &str| PlaceOrder { items: None, ..order(key) };
        shop.stage.lock().world.declines = Some("insufficient_funds");
        assert_eq!(shop.call(ada(), from_cart("declined")).await.unwrap().status, OrderStatus::Rejected);
        shop.stage.lock().world.declines = None;
        // The cart is emptied by the last step: until then it is being ordered.
        shop.stage.next(CHECK_OUT, [Late(Duration::from_secs(4))]);
        let pending = shop.call_within(Duration::from_secs(1), ada(), from_cart("key")).await.unwrap();
        let in_checkout = Err(CallError::Domain(OrdersError::CartInCheckout { order_id: pending.id }));
        assert_eq!(shop.call(ada(), from_cart("impatient")).await, in_checkout);
        let other = shop.place("items instead of the cart").await.unwrap();
        assert_eq!(other.status, OrderStatus::Confirmed);
        assert_eq!(shop.until_at_rest(pending.id).await.status, OrderStatus::Confirmed);
        assert_eq!(shop.call(ada(), from_cart("impatient")).await.unwrap().status, OrderStatus::Confirmed);
    });
}

#[test]
fn a_product_that_is_retired_while_it_is_ordered_is_named_in_the_reason() {
    in_shop(async |shop| {
        shop.stage.next(RESERVE, [Late(Duration::from_secs(3))]);
        let retire = async {
            shop.sleep(1).await;
            let mut props = shop.stage.lock();
            props.world.off_sale.insert(cup());
            props.catalogue.iter_mut().find(|product| product.id == cup()).unwrap().retired = true;
        };
        let (order, ()) = futures_util::future::join(shop.place("key"), retire).await;
        let order = order.unwrap();
        let gone = crate::services::products::messages::Shortage { product_id: cup(), requested: 1, available: 0 };
        assert_eq!(
            (order.status, order.reason.as_ref()),
            (OrderStatus::Rejected, Some(&Reason::OutOfStock { lines: vec![gone] }))
        );
        shop.assert_all_or_nothing(&order);
    });
}

#[test]
fn an_order_that_cannot_be_placed_is_refused_before_it_is_saved() {
    in_shop(async |shop| {
        let with = |items: &[StockLine]| PlaceOrder { items: Some(items.to_vec()), ..order("key") };
        let many: Vec<StockLine> = (100..151).map(|n| line(id(n), 1)).collect();
        let elsewhere = Destination::Given(address("AQ"));
        let (kettles, cups) = (line(kettle(), 1), line(cup(), 1));
        let undeliverable = |reason: &str| OrdersError::Undeliverable { reason: reason.into() };
        shop.stage.lock().catalogue.push(sold(id(9), i64::MAX, 1));
        for (request, expected) in [
            (with(&[]), OrdersError::EmptyOrder),
            (PlaceOrder { items: None, ..order("key") }, OrdersError::EmptyOrder),
            (with(&[kettles, cups, kettles]), OrdersError::BadLines { most: 50 }),
            (with(&many), OrdersError::BadLines { most: 50 }),
            (with(&[kettles, line(id(99), 1)]), OrdersError::ProductNotFound { product_id: id(99) }),
            (with(&[line(egg_timer(), 1)]), OrdersError::ProductNotFound { product_id: egg_timer() }),
            (with(&[line(id(9), 2)]), OrdersError::TooExpensive),
            (with(&[line(id(9), 1)]), OrdersError::TooExpensive),
            (PlaceOrder { destination: Destination::Saved(id(99)), ..order("key") }, OrdersError::AddressNotFound),
            (PlaceOrder { destination: elsewhere, ..order("key") }, undeliverable("no carrier goes there")),
            (
                PlaceOrder { shipping_service: ShippingService::Standard, ..order("key") },
                undeliverable("not with this shipping service"),
            ),
            (PlaceOrder { payment_method_id: id(99), ..order("key") }, OrdersError::MethodNotFound),
            (PlaceOrder { user_id: id(2), ..order("key") }, OrdersError::Forbidden),
        ] {
            assert_eq!(shop.call(ada(), request).await, Err(CallError::Domain(expected)));
        }
        assert!(shop.stage.take_calls().is_empty());
        assert!(shop.all_orders().await.is_empty());
        // A refused request does not use up its key.
        assert_eq!(shop.place("key").await.unwrap().status, OrderStatus::Confirmed);
    });
}

#[test]
fn a_refusal_compensates_the_begun_steps_last_first_and_rejects_the_order() {
    let out_of_stock =
        |stage: &Stage| stage.lock().world.reserve(id(50), &[line(kettle(), 9)], Timestamp::MAX).unwrap();
    let declined = |stage: &Stage| stage.lock().world.declines = Some("insufficient_funds");
    let undeliverable = |stage: &Stage| stage.lock().world.is_undeliverable = true;
    let shortage = crate::services::products::messages::Shortage { product_id: kettle(), requested: 2, available: 1 };
    type Obstacle = fn(&Stage);
    let cases: [(Obstacle, &[&str], Reason); 3] = [
        (out_of_stock, &[RESERVE, RELEASE], Reason::OutOfStock { lines: vec![shortage] }),
        (
            declined,
            &[RESERVE, AUTHORIZE, VOID, RELEASE],
            Reason::PaymentDeclined { decline_code: "insufficient_funds".into() },
        ),
        (
            undeliverable,
            &[RESERVE, AUTHORIZE, BOOK, CANCEL, VOID, RELEASE],
            Reason::Undeliverable { detail: "the bridge is out".into() },
        ),
    ];
    for (obstacle, expected, reason) in cases {
        in_shop(async |shop| {
            obstacle(&shop.stage);
            let order = shop.place("key").await.unwrap();
            assert_eq!(shop.stage.take_calls(), expected);
            assert_eq!((order.status, order.reason.as_ref()), (OrderStatus::Rejected, Some(&reason)));
            shop.assert_all_or_nothing(&order);
            shop.sleep(1).await;
            assert_eq!(shop.stage.lock().events, ["rejected"]);
            // The same key gives the same order, also after the obstacle is gone.
            assert_eq!(shop.place("key").await.unwrap(), order);
        });
    }
}

#[test]
fn a_step_whose_outcome_is_unknown_is_sent_again_and_done_once() {
    for request in [RESERVE, AUTHORIZE, BOOK, CAPTURE, COMMIT, CHECK_OUT] {
        for fault in [Down, RequestLost, ReplyLost, Late(Duration::from_secs(7))] {
            in_shop(async |shop| {
                shop.stage.lock().cart = vec![(kettle(), Quantity::try_from(3).unwrap())];
                shop.stage.next(request, [fault, fault]);
                let order = shop.call(ada(), PlaceOrder { items: None, ..order("key") }).await.unwrap();
                let sent = shop.stage.take_calls().iter().filter(|name| **name == request).count();
                assert_eq!((order.status, sent), (OrderStatus::Confirmed, 3), "{request} {fault:?}");
                shop.assert_all_or_nothing(&order);
            });
        }
    }
}

#[test]
fn without_a_reply_for_a_minute_the_order_is_compensated() {
    for (request, back) in [(RESERVE, &[RELEASE][..]), (AUTHORIZE, &[VOID, RELEASE]), (BOOK, &[CANCEL, VOID, RELEASE])]
    {
        for fault in [Down, RequestLost, ReplyLost] {
            in_shop(async |shop| {
                shop.stage.always(request, fault);
                let order = shop.place("key").await.unwrap();
                let calls = shop.stage.take_calls();
                assert_eq!(&calls[calls.len() - back.len()..], back, "{request} {fault:?}");
                assert_eq!(order.reason, Some(Reason::Unavailable));
                let took = order.timeline[1].at.duration_since(order.placed_at).as_secs();
                assert!((60..70).contains(&took), "{took} s");
                shop.assert_all_or_nothing(&order);
            });
        }
    }
}

#[test]
fn a_request_that_arrives_after_its_compensation_is_rejected() {
    for request in [RESERVE, AUTHORIZE, BOOK] {
        in_shop(async |shop| {
            shop.stage.next(request, [Late(Duration::from_secs(90))]);
            shop.stage.always(request, Down);
            let order = shop.place("key").await.unwrap();
            assert_eq!(order.status, OrderStatus::Rejected);
            shop.sleep(60).await;
            shop.assert_all_or_nothing(&order);
        });
    }
}

#[test]
fn from_the_pivot_on_each_step_is_repeated_until_it_succeeds() {
    for request in [CAPTURE, COMMIT] {
        in_shop(async |shop| {
            shop.stage.always(request, ReplyLost);
            let pending = shop.place("key").await.unwrap();
            assert_eq!(pending.status, OrderStatus::Pending);
            shop.sleep(600).await;
            let words = shop.order(pending.id).await.in_progress.unwrap();
            assert!(words.ends_with("we are looking into it"), "{words}");
            shop.stage.always(request, Fault::Healthy);
            let order = shop.until_at_rest(pending.id).await;
            assert_eq!(order.status, OrderStatus::Confirmed);
            shop.assert_all_or_nothing(&order);
        });
    }
}

#[test]
fn a_compensation_that_fails_is_repeated_until_it_succeeds_and_is_visible_meanwhile() {
    for request in [RELEASE, VOID, CANCEL] {
        in_shop(async |shop| {
            shop.stage.lock().world.is_undeliverable = true;
            shop.stage.always(request, Down);
            let pending = shop.place("key").await.unwrap();
            assert_eq!(pending.status, OrderStatus::Pending);
            let words = shop.order(pending.id).await.in_progress.unwrap();
            assert!(words.ends_with("we are looking into it"), "{words}");
            shop.stage.always(request, Fault::Healthy);
            let order = shop.until_at_rest(pending.id).await;
            assert_eq!(order.status, OrderStatus::Rejected);
            shop.assert_all_or_nothing(&order);
        });
    }
}

#[test]
fn an_order_that_needs_attention_has_one_note_and_is_counted_until_it_ends_also_after_a_restart() {
    let (folder, stage) = (tempfile::tempdir().unwrap(), new_stage());
    let looked_into = |order: &Order| {
        let notes = order.timeline.iter().filter_map(|entry| entry.note.as_deref());
        notes.filter(|note| note.contains("looking into it")).count()
    };
    let id = run(folder.path(), &stage, Timestamp::UNIX_EPOCH, async |shop| {
        stage.lock().world.is_undeliverable = true;
        stage.always(VOID, Down);
        assert_eq!(shop.needing_attention().await, 0);
        let pending = shop.place("key").await.unwrap();
        assert_eq!((looked_into(&shop.order(pending.id).await), shop.needing_attention().await), (1, 1));
        let forbidden = Err(CallError::Domain(OrdersError::Forbidden));
        assert_eq!(shop.call(ada(), CountNeedingAttention {}).await, forbidden);
        assert_eq!(shop.call(ada(), CountUnfinished {}).await, forbidden);
        pending.id
    });
    run(folder.path(), &stage, later(Timestamp::UNIX_EPOCH, Duration::from_secs(3600)), async |shop| {
        shop.sleep(600).await;
        assert_eq!((looked_into(&shop.order(id).await), shop.needing_attention().await), (1, 1));
        stage.always(VOID, Fault::Healthy);
        let order = shop.until_at_rest(id).await;
        assert_eq!((order.status, shop.needing_attention().await), (OrderStatus::Rejected, 0));
        shop.assert_all_or_nothing(&order);
    });
}

#[test]
fn a_paid_order_whose_reservation_expired_is_refunded() {
    in_shop(async |shop| {
        shop.stage.next(CAPTURE, [ReplyLost]);
        shop.stage.always(COMMIT, Down);
        let pending = shop.place("key").await.unwrap();
        shop.sleep(15 * 60).await;
        shop.stage.take_calls();
        shop.stage.always(COMMIT, Fault::Healthy);
        let order = shop.until_at_rest(pending.id).await;
        assert_eq!(shop.stage.take_calls(), [COMMIT, CANCEL, REFUND]);
        assert_eq!((order.status, order.reason.as_ref()), (OrderStatus::Rejected, Some(&Reason::Unavailable)));
        shop.assert_all_or_nothing(&order);
        assert_eq!(shop.reconciliation(order.id).await.refunded, order.total);
    });
}

#[test]
fn a_request_with_an_early_deadline_gets_the_pending_order() {
    in_shop(async |shop| {
        shop.stage.next(BOOK, [Late(Duration::from_secs(3))]);
        let asked_at = shop.env.now();
        let pending = shop.call_within(Duration::from_secs(1), ada(), order("key")).await.unwrap();
        assert_eq!(shop.env.now(), later(asked_at, Duration::from_millis(950)));
        assert_eq!(pending.status, OrderStatus::Pending);
        assert_eq!(pending.in_progress.as_deref(), Some("the shipment is being booked"));
        // Staff find it among the pending orders only.
        let listed = async |status| shop.list(operator(), None, Some(status)).await.unwrap().items;
        assert_eq!(listed(OrderStatus::Pending).await, std::slice::from_ref(&pending));
        assert_eq!(listed(OrderStatus::Confirmed).await, []);
        // The saga goes on without the caller, and the same key finds the order.
        let again = shop.place("key").await.unwrap();
        assert_eq!((again.id, again.status), (pending.id, OrderStatus::Confirmed));
    });
}

#[test]
fn a_completed_step_is_visible_and_not_repeated_while_the_next_step_fails() {
    in_shop(async |shop| {
        shop.stage.always(AUTHORIZE, Down);
        let pending = shop.call_within(Duration::from_secs(1), ada(), order("key")).await.unwrap();
        assert_eq!(pending.in_progress.as_deref(), Some("the payment is being authorized"));
        let calls = shop.stage.take_calls();
        assert_eq!(calls.iter().filter(|call| **call == RESERVE).count(), 1, "{calls:?}");
    });
}

#[test]
fn the_same_key_gives_the_same_order_and_refuses_another_one() {
    in_shop(async |shop| {
        let first = shop.place("key").await.unwrap();
        assert_eq!(shop.place("key").await.unwrap(), first);
        let other = PlaceOrder { shipping_service: ShippingService::Express, ..order("key") };
        assert_eq!(shop.call(ada(), other).await, Err(CallError::Domain(OrdersError::KeyReused)));
        assert_ne!(shop.place("other key").await.unwrap().id, first.id);
        shop.stage.lock().methods[0].id = id(6);
        let bobs = PlaceOrder { user_id: id(2), payment_method_id: id(6), ..order("key") };
        assert_ne!(shop.call(bob(), bobs).await.unwrap().id, first.id);
    });
}

#[test]
fn many_requests_at_once_with_the_same_key_place_one_order() {
    in_shop(async |shop| {
        let all = futures_util::future::join_all((0..20).map(|_| shop.place("key"))).await;
        let first = all[0].as_ref().unwrap();
        assert!(all.iter().all(|order| order.as_ref().unwrap() == first));
        assert_eq!(shop.all_orders().await.len(), 1);
        assert_eq!(shop.stage.take_calls(), [RESERVE, AUTHORIZE, BOOK, CAPTURE, COMMIT]);
    });
}

#[test]
fn a_crash_of_the_instances_does_not_stop_a_saga() {
    in_shop(async |shop| {
        shop.stage.next(BOOK, [Late(Duration::from_secs(3))]);
        let pending = shop.call_within(Duration::from_secs(1), ada(), order("key")).await.unwrap();
        for instance in ["orders-1", "orders-2"] {
            assert!(shop.mesh.pool(Service::Orders).crash(instance).await);
        }
        shop.sleep(5).await;
        assert_eq!(shop.until_at_rest(pending.id).await.status, OrderStatus::Confirmed);
    });
}

#[test]
fn of_many_orders_at_once_on_several_threads_as_many_are_confirmed_as_there_are_pieces() {
    let (folder, stage) = (tempfile::tempdir().unwrap(), new_stage());
    run_for_real(folder.path(), &stage, async |shop| {
        let place = async |n: usize| {
            let items = Some(vec![line(kettle(), 1)]);
            shop.call(ada(), PlaceOrder { items, ..order(&n.to_string()) }).await.unwrap()
        };
        let orders = futures_util::future::join_all((0..100).map(place)).await;
        orders.iter().for_each(|order| shop.assert_all_or_nothing(order));
        let confirmed = orders.iter().filter(|order| order.status == OrderStatus::Confirmed).count();
        assert_eq!((confirmed, stage.lock().world.on_shelf[&kettle()]), (10, 0));
    });
}
