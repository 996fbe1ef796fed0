//! The books: every service is asked for its side, and the two sides of each equation are set against each other.
//!
//! The shop goes on meanwhile. There is no moment at which all trees could be read at once, and none is needed:
//!
//! - An equation within one record (a product's pieces) is read in one look, and is always exact.
//! - An equation about one order is across services. Where it does not hold at the first look, the order is a suspect: it is read, then
//!   its payment and shipment, then the order once more. Only where it is the same before and after, at the same version, was all
//!   between read of one moment, and only then is the equation told broken. While an order's saga runs, its books are open.
//! - What a product sold against what orders bought is a sum over all orders. The product is read first. An order that was at
//!   rest then and has not changed since counts exactly; one that has moved counts for anything from none to all of its pieces.
//!   In a shop at rest that is an equation, under load a bound as narrow as what moves during one look.

use crate::{
    env,
    mesh::{CallError, Context, Mesh, MeshError, Request},
    services::{
        orders::messages::{OrderStatus, OrderTally, TallyOrders},
        payments::messages::{PaymentStatus, PaymentTally, TallyPayments},
        products::messages::{StockTally, TallyStock},
        shipping::messages::{ShipmentStatus, ShipmentTally, TallyShipments},
    },
    types::{Id, OrderId, ProductId, Timestamp},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};
use uuid::Uuid;

/// What the books say.
#[derive(Debug, Clone, Serialize)]
pub struct Audit {
    pub balanced: bool,
    pub equations: Vec<Equation>,
    pub checked_at: Timestamp,
}

/// `left = right`, about a subject. Those that hold for every one of many subjects are told once, with their number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Equation {
    pub name: &'static str,
    pub subject: String,
    pub left: String,
    pub right: String,
    pub holds: bool,
}

const PAGE: usize = 1000;
/// An unfinished saga older than this is a fault: the minute after which an order that is being placed is given up (`PATIENCE` in
/// `orders/saga.rs`), and the time that it then needs to undo what it has begun.
const MOST_UNFINISHED: Duration = Duration::from_secs(60 + 15);
/// Before suspects are looked at again.
const NEXT_LOOK: Duration = Duration::from_millis(100);
/// How often a suspect is looked at again. One that still moves then is at work, not at fault.
const LOOKS: u32 = 5;

/// Asks every service and reckons. The context's deadline must leave time for it: seconds on 100,000 orders.
pub async fn run(mesh: &Mesh, context: &Context, now: impl Fn() -> Timestamp) -> Result<Audit, MeshError> {
    let began = now();
    let (mut reckoning, mut suspects) = Books::gather(mesh, context).await?.reckon(began, now());
    for _ in 0..LOOKS {
        if suspects.is_empty() {
            break;
        }
        tokio::time::sleep(NEXT_LOOK).await;
        for id in std::mem::take(&mut suspects).into_keys() {
            let found = OrderBooks::at_one_moment(mesh, context, id).await?.map(|books| books.reckon(now()));
            match found {
                Some(found) if found.broken.is_empty() => reckoning.add(found),
                found => drop(suspects.insert(id, found.unwrap_or_default())),
            }
        }
    }
    suspects.into_values().for_each(|found| reckoning.add(found));
    let equations = reckoning.told();
    Ok(Audit { balanced: equations.iter().all(|equation| equation.holds), equations, checked_at: now() })
}

/// What the services say.
#[derive(Debug, Default)]
struct Books {
    stock: Vec<StockTally>,
    orders: Vec<OrderTally>,
    payments: HashMap<OrderId, PaymentTally>,
    shipments: HashMap<OrderId, ShipmentStatus>,
}

impl Books {
    /// Stock before orders (see [`Books::reckon_sales`]), and orders last: what names an order was written after it.
    async fn gather(mesh: &Mesh, context: &Context) -> Result<Self, MeshError> {
        let stock =
            pages(mesh, context, |after| TallyStock { after, limit: PAGE }, |tally: &StockTally| tally.product_id)
                .await?;
        let shipments =
            pages(mesh, context, |after| TallyShipments { after, limit: PAGE }, |tally: &ShipmentTally| tally.order_id)
                .await?;
        let payments =
            pages(mesh, context, |after| TallyPayments { after, limit: PAGE }, |tally: &PaymentTally| tally.order_id)
                .await?;
        let orders =
            pages(mesh, context, |after| TallyOrders { after, limit: PAGE }, |tally: &OrderTally| tally.order_id)
                .await?;
        Ok(Self {
            stock,
            orders,
            payments: payments.into_iter().map(|tally| (tally.order_id, tally)).collect(),
            shipments: shipments.into_iter().map(|tally| (tally.order_id, tally.status)).collect(),
        })
    }

    /// What can be told at once, and what was found about each order for which something does not hold.
    fn reckon(self, began: Timestamp, now: Timestamp) -> (Reckoning, BTreeMap<OrderId, Reckoning>) {
        let (mut reckoning, mut suspects) = (Reckoning::default(), BTreeMap::new());
        self.reckon_stock(&mut reckoning);
        self.reckon_sales(began, &mut reckoning);
        for books in self.by_order() {
            let found = books.reckon(now);
            if found.broken.is_empty() {
                reckoning.add(found);
            } else {
                suspects.insert(books.id, found);
            }
        }
        (reckoning, suspects)
    }

    /// Each order's, also of those that only a payment or a shipment names.
    fn by_order(self) -> impl Iterator<Item = OrderBooks> {
        let Self { orders, mut payments, mut shipments, .. } = self;
        let mut orders: HashMap<_, _> = orders.into_iter().map(|order| (order.order_id, order)).collect();
        let ids: BTreeSet<OrderId> = orders.keys().chain(payments.keys()).chain(shipments.keys()).copied().collect();
        ids.into_iter().map(move |id| OrderBooks {
            id,
            order: orders.remove(&id),
            payment: payments.remove(&id),
            shipment: shipments.remove(&id),
        })
    }

    fn reckon_stock(&self, reckoning: &mut Reckoning) {
        for tally in &self.stock {
            let left = tally.available + tally.reserved + tally.sold - tally.returned;
            reckoning.same("available + reserved + sold - returned = received", tally.product_id, left, tally.received);
            let least = tally.available.min(tally.reserved).min(tally.sold).min(tally.returned);
            reckoning.same("no count of a product is negative", tally.product_id, least.min(0), 0);
        }
    }

    /// What products sold, when the books were begun, is what orders had bought by then.
    fn reckon_sales(&self, began: Timestamp, reckoning: &mut Reckoning) {
        // At least so many pieces of each product, and at most so many.
        let mut bought: HashMap<ProductId, (i64, i64)> = HashMap::new();
        for order in &self.orders {
            let has_moved = order.unfinished_since.is_some() || order.changed_at >= began;
            for (product, pieces) in if has_moved { &order.asked_for } else { &order.pieces } {
                let (least, most) = bought.entry(*product).or_default();
                *least += if has_moved { 0 } else { i64::from(*pieces) };
                *most += i64::from(*pieces);
            }
        }
        for tally in &self.stock {
            let (least, most) = bought.get(&tally.product_id).copied().unwrap_or_default();
            let sold = tally.sold - tally.returned;
            reckoning.same("sold - returned = pieces in orders", tally.product_id, sold, sold.clamp(least, most));
        }
    }
}

/// What the services say of one order.
#[derive(Debug, PartialEq)]
struct OrderBooks {
    id: OrderId,
    order: Option<OrderTally>,
    payment: Option<PaymentTally>,
    shipment: Option<ShipmentStatus>,
}

impl OrderBooks {
    /// `None` where the order moved while the others were asked: they may speak of different moments.
    async fn at_one_moment(mesh: &Mesh, context: &Context, id: OrderId) -> Result<Option<Self>, MeshError> {
        let after = Some(OrderId::from_uuid(Uuid::from_u128(id.uuid().as_u128().saturating_sub(1))));
        let order = one(mesh, context, TallyOrders { after, limit: 1 }, |found| found.order_id == id).await?;
        let payment = one(mesh, context, TallyPayments { after, limit: 1 }, |found| found.order_id == id).await?;
        let shipment = one(mesh, context, TallyShipments { after, limit: 1 }, |found| found.order_id == id).await?;
        let again = one(mesh, context, TallyOrders { after, limit: 1 }, |found| found.order_id == id).await?;
        let shipment = shipment.map(|tally| tally.status);
        Ok((order == again).then_some(Self { id, order, payment, shipment }))
    }

    fn reckon(&self, now: Timestamp) -> Reckoning {
        let mut reckoning = Reckoning::default();
        self.reckon_payment(&mut reckoning);
        self.reckon_stray(&mut reckoning);
        if let Some(order) = &self.order {
            self.reckon_order(order, now, &mut reckoning);
        }
        reckoning
    }

    /// Of every payment, whatever its order is doing.
    fn reckon_payment(&self, reckoning: &mut Reckoning) {
        let Some(payment) = &self.payment else { return };
        let (id, provider) = (self.id, payment.provider);
        let often = (provider.authorizations.min(1), provider.captures.min(1));
        reckoning.same(
            "an order is authorized and captured at most once",
            id,
            (provider.authorizations, provider.captures),
            often,
        );
        if payment.unfinished_since.is_some() {
            return;
        }
        reckoning.same(
            "the payment is what the provider's ledger says",
            id,
            format!("{:?}", payment.ours),
            format!("{provider:?}"),
        );
        reckoning.same("refunded is at most captured", id, (payment.ours.refunded - payment.ours.captured).max(0), 0);
    }

    /// A payment or a shipment that belongs to no order.
    fn reckon_stray(&self, reckoning: &mut Reckoning) {
        let is_stray = self.order.is_none();
        if let Some(payment) = &self.payment {
            let costs = payment.ours.held > 0 || payment.status == PaymentStatus::Captured;
            reckoning.same("no payment without an order", self.id, is_stray && costs, false);
        }
        if let Some(status) = self.shipment {
            let moves = status != ShipmentStatus::Cancelled;
            reckoning.same("no shipment without an order", self.id, is_stray && moves, false);
        }
    }

    fn reckon_order(&self, order: &OrderTally, now: Timestamp, reckoning: &mut Reckoning) {
        let id = self.id;
        if let Some(since) = order.unfinished_since {
            let age = env::since(now, since);
            let old = if age > MOST_UNFINISHED { age.as_secs() } else { 0 };
            reckoning.same("no saga is unfinished for more than a minute", id, old, 0);
            // While its saga runs, an order's books are open.
            return;
        }
        let paid = self.payment.as_ref().map(|payment| payment.ours).unwrap_or_default();
        let moving = self.shipment.is_some_and(|status| status != ShipmentStatus::Cancelled);
        match order.status {
            OrderStatus::Pending => reckoning.same("a pending order has a saga under way", id, "none", "one"),
            OrderStatus::Rejected | OrderStatus::Cancelled => {
                reckoning.same("nothing is held for an order that came to nothing", id, paid.held, 0);
                // A cancelled order was captured and given back; a refund that its bank refused later is told by the payment.
                let kept = if order.status == OrderStatus::Rejected { paid.captured } else { 0 };
                reckoning.same("a rejected order costs nothing", id, kept, 0);
                reckoning.same("no shipment without a confirmed order", id, moving, false);
            }
            _ => {
                reckoning.same(
                    "a confirmed order has one authorization and one capture",
                    id,
                    (paid.authorizations, paid.captures),
                    (1, 1),
                );
                reckoning.same("a confirmed order was paid in full", id, paid.captured, order.total.amount());
                reckoning.same("a confirmed order has a shipment", id, moving, true);
                let fulfilled = matches!(order.status, OrderStatus::Delivered | OrderStatus::Returned);
                let arrived = self.shipment == Some(ShipmentStatus::Delivered);
                reckoning.same("a delivered order's parcel has arrived", id, fulfilled && !arrived, false);
            }
        }
    }
}

/// Counts what holds, keeps what does not.
#[derive(Debug, Default)]
struct Reckoning {
    held: BTreeMap<&'static str, usize>,
    broken: Vec<Equation>,
}

impl Reckoning {
    fn add(&mut self, other: Self) {
        for (name, count) in other.held {
            *self.held.entry(name).or_default() += count;
        }
        self.broken.extend(other.broken);
    }

    fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        name: &'static str,
        subject: impl std::fmt::Display,
        left: T,
        right: T,
    ) {
        *self.held.entry(name).or_default() += usize::from(left == right);
        if left != right {
            let (left, right) = (format!("{left:?}"), format!("{right:?}"));
            self.broken.push(Equation { name, subject: subject.to_string(), left, right, holds: false });
        }
    }

    /// What is broken first, one by one; then a line for all subjects for which an equation holds.
    fn told(self) -> Vec<Equation> {
        let summed = self.held.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| {
            let (left, right) = (count.to_string(), count.to_string());
            Equation { name, subject: "all others".into(), left, right, holds: true }
        });
        self.broken.into_iter().chain(summed).collect()
    }
}

/// A whole table, a page at a time.
async fn pages<R, T, K: Copy>(
    mesh: &Mesh,
    context: &Context,
    ask: impl Fn(Option<K>) -> R,
    key: impl Fn(&T) -> K,
) -> Result<Vec<T>, MeshError>
where
    R: Request<Reply = Vec<T>>,
{
    let mut all = Vec::new();
    loop {
        let page = mesh.call(context, ask(all.last().map(&key))).await.map_err(CallError::into_mesh)?;
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// The record that is looked for, of a table that is asked for it alone.
async fn one<R, T>(mesh: &Mesh, context: &Context, ask: R, is_it: impl Fn(&T) -> bool) -> Result<Option<T>, MeshError>
where
    R: Request<Reply = Vec<T>>,
{
    let found = mesh.call(context, ask).await.map_err(CallError::into_mesh)?;
    Ok(found.into_iter().find(is_it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::payments::messages::Ledger,
        types::{Currency, Money},
    };

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
            stock: vec![StockTally {
                product_id: product(),
                available: 8,
                reserved: 0,
                sold: 2,
                returned: 0,
                received: 10,
            }],
            orders: vec![OrderTally {
                order_id: order(),
                status: OrderStatus::Confirmed,
                total: Money::new(PRICE, Currency::EUR).unwrap(),
                refunded: Money::zero(Currency::EUR),
                pieces: vec![(product(), 2)],
                asked_for: vec![(product(), 2)],
                version: 5,
                changed_at: Timestamp::UNIX_EPOCH,
                unfinished_since: None,
            }],
            payments: [(
                order(),
                PaymentTally {
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

    fn broken(change: impl Fn(&mut Books)) -> Vec<&'static str> {
        let mut books = books();
        change(&mut books);
        let later = env::later(Timestamp::UNIX_EPOCH, Duration::from_secs(3600));
        let (mut reckoning, suspects) = books.reckon(later, later);
        suspects.into_values().for_each(|found| reckoning.add(found));
        reckoning.told().iter().filter(|equation| !equation.holds).map(|equation| equation.name).collect()
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
            ("no payment without an order",                             |b| b.orders.clear()),
            ("no shipment without an order",                            |b| b.orders.clear()),
        ];
        for (name, cook) in ways {
            assert!(broken(cook).contains(name), "{name}");
        }
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
}
