//! Books in order, and every way of cooking them.

use super::{books::Books, *};
use crate::{
    mesh::PendingEvent,
    services::{
        orders::messages::{OrderReconciliation, OrderStatus},
        payments::messages::{Ledger, PaymentReconciliation, PaymentStatus},
        products::messages::{ReservationReconciliation, StockReconciliation},
        shipping::messages::ShipmentStatus,
    },
    storage::OutboxEntry,
    types::{Currency, Id, Money, OrderId, ProductId, Service},
};
use std::collections::HashMap;
use uuid::Uuid;

const PRICE: i64 = 1999;

fn order() -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(1))
}

fn product() -> ProductId {
    ProductId::from_uuid(Uuid::from_u128(2))
}

/// A shop that received ten pieces and sold two in one confirmed order.
fn books() -> Books {
    let ledger = Ledger { authorizations: 1, captures: 1, held: 0, captured: PRICE, refunded: 0 };
    Books {
        reservations: HashMap::new(),
        stock: vec![StockReconciliation {
            product_id: product(),
            available: 8,
            reserved: 0,
            sold: 2,
            returned: 0,
            received: 10,
        }],
        orders: vec![OrderReconciliation {
            order_id: order(),
            status: OrderStatus::Confirmed,
            total: Money::new(PRICE, Currency::EUR).unwrap(),
            lines: PRICE - 500,
            shipping: 500,
            illegal_steps: 0,
            needs_attention: false,
            refunded: Money::zero(Currency::EUR),
            pieces: vec![(product(), 2)],
            asked_for: vec![(product(), 2)],
            version: 5,
            changed_at: Timestamp::UNIX_EPOCH,
            unfinished_since: None,
        }],
        payments: [(
            order(),
            PaymentReconciliation {
                order_id: order(),
                status: PaymentStatus::Captured,
                ours: ledger,
                provider: ledger,
                unfinished_since: None,
            },
        )]
        .into(),
        shipments: [(order(), ShipmentStatus::LabelCreated)].into(),
    }
}

/// An hour after everything.
fn now() -> Timestamp {
    env::later(Timestamp::UNIX_EPOCH, Duration::from_secs(3600))
}

/// The order holds pieces until so long after ten minutes before the books are looked at.
fn reserve(books: &mut Books, until: Duration) {
    let until = env::later(env::earlier(now(), Duration::from_secs(600)), until);
    books.reservations.insert(order(), ReservationReconciliation { order_id: order(), until });
}

const LATER: Duration = Duration::from_secs(900);

fn broken(change: impl Fn(&mut Books)) -> Vec<&'static str> {
    let mut books = books();
    change(&mut books);
    let (mut reconciliation, suspects) = books.reconcile(now(), now());
    suspects.into_iter().for_each(|(_, found)| reconciliation.add(found));
    reconciliation.told().iter().filter(|equation| !equation.holds).map(|equation| equation.name).collect()
}

#[test]
fn books_in_order_balance() {
    assert_eq!(broken(|_| {}), [""; 0]);
}

/// Each way of cooking the books, and the equation that finds it.
#[test]
fn books_that_were_cooked_do_not_balance() {
    type Cook = fn(&mut Books);
    #[rustfmt::skip]
    let ways: &[(&str, Cook)] = &[
        ("available + reserved + sold - returned = received",       |b| b.stock[0].available -= 1),
        ("no count of a product is negative",                       |b| { b.stock[0].reserved = -1; b.stock[0].available = 9 }),
        ("sold - returned = pieces in orders",                      |b| b.orders[0].pieces[0].1 = 1),
        ("the payment is what the provider's ledger says",          |b| b.payments.get_mut(&order()).unwrap().provider.captured = 0),
        ("refunded is at most captured",                            |b| b.payments.get_mut(&order()).unwrap().ours.refunded = PRICE + 1),
        ("a confirmed order has one authorization and one capture", |b| b.payments.get_mut(&order()).unwrap().ours.captures = 2),
        ("a confirmed order was paid in full",                      |b| b.payments.get_mut(&order()).unwrap().ours.captured = 1),
        ("a confirmed order has a shipment",                        |b| b.shipments.clear()),
        ("a delivered order's parcel has arrived",                  |b| b.orders[0].status = OrderStatus::Delivered),
        ("no shipment without a confirmed order",                   |b| b.orders[0].status = OrderStatus::Rejected),
        ("a rejected order costs nothing",                          |b| b.orders[0].status = OrderStatus::Rejected),
        ("nothing is held for an order that came to nothing",       |b| { b.orders[0].status = OrderStatus::Rejected; b.payments.get_mut(&order()).unwrap().ours.held = 5 }),
        ("no saga is unfinished for more than a minute",            |b| b.orders[0].unfinished_since = Some(Timestamp::UNIX_EPOCH)),
        ("a pending order has a saga under way",                    |b| b.orders[0].status = OrderStatus::Pending),
        ("an order is authorized and captured at most once",       |b| b.payments.get_mut(&order()).unwrap().provider.captures = 2),
        ("an order's total = its lines + shipping",                 |b| b.orders[0].shipping += 1),
        ("an order goes from state to state as it may",             |b| b.orders[0].illegal_steps = 1),
        ("no order needs attention",                                |b| b.orders[0].needs_attention = true),
        ("nothing is promised to an order at rest",                 |b| reserve(b, LATER)),
        ("held + captured is at most an order's total",             |b| b.payments.get_mut(&order()).unwrap().ours.held = 1),
        ("what an order gave back its payment gave back",           |b| b.orders[0].refunded = Money::new(1, Currency::EUR).unwrap()),
        ("no reservation without an order",                         |b| { b.orders.clear(); reserve(b, LATER) }),
        ("no reservation outlives its time",                        |b| reserve(b, Duration::ZERO)),
        ("no payment without an order",                             |b| b.orders.clear()),
        ("no shipment without an order",                            |b| b.orders.clear()),
    ];
    for (name, cook) in ways {
        assert!(broken(cook).contains(name), "{name}");
    }
}

#[test]
fn an_order_that_was_paid_and_given_back_because_its_pieces_were_gone_is_in_order() {
    let rejected = |books: &mut Books| {
        books.orders[0].status = OrderStatus::Rejected;
        books.orders[0].pieces.clear();
        (books.stock[0].sold, books.stock[0].available) = (0, 10);
        books.shipments.insert(order(), ShipmentStatus::Cancelled);
        let payment = books.payments.get_mut(&order()).unwrap();
        (payment.ours.refunded, payment.provider.refunded) = (PRICE, PRICE);
    };
    assert_eq!(broken(rejected), [""; 0]);
}

#[test]
fn an_order_that_moves_counts_for_none_to_all_of_its_pieces_and_for_no_more() {
    let sold = |pieces| {
        broken(|books| {
            books.orders[0].unfinished_since = Some(env::later(Timestamp::UNIX_EPOCH, Duration::from_secs(3590)));
            (books.stock[0].sold, books.stock[0].available) = (pieces, 10 - pieces);
        })
    };
    for pieces in 0..=2 {
        assert_eq!(sold(pieces), [""; 0]);
    }
    assert_eq!(sold(3), ["sold - returned = pieces in orders"]);
}

#[test]
fn an_event_that_nobody_took_or_put_aside_is_told() {
    assert!(equations::reckon_owed(&[], now()).broken.is_empty());
    let event = OutboxEntry {
        seq: 3,
        name: "orders.shipped".into(),
        payload: 0.into(),
        at: Timestamp::UNIX_EPOCH,
        cause: None,
    };
    let owed = PendingEvent { publisher: Service::Orders, record: "order/ord_1".into(), event };
    let told = equations::reckon_owed(&[owed], now()).told();
    assert_eq!(told[0].subject, "orders/order/ord_1/3 (orders.shipped)");
    assert_eq!((told[0].left.as_str(), told[0].holds), ("\"owed for 3600 s\"", false));
}
