//! The books: every service is asked for its side, and the two sides of each equation are set against each other.
//!
//! The services go on working meanwhile, so an equation across services that does not hold at the first look is looked at
//! again before it is told: what was only on its way has arrived by then.

use crate::{
    env,
    mesh::{CallError, Context, Mesh, MeshError, Request},
    services::{
        orders::messages::{OrderStatus, OrderTally, TallyOrders},
        payments::messages::{PaymentStatus, PaymentTally, TallyPayments},
        products::messages::{StockTally, TallyStock},
        shipping::messages::{ShipmentStatus, ShipmentTally, TallyShipments},
    },
    types::{OrderId, ProductId, Timestamp},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

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
/// An unfinished saga older than this is a fault.
const MOST_UNFINISHED: Duration = Duration::from_secs(60);
/// Before what does not hold is looked at again.
const SECOND_LOOK: Duration = Duration::from_millis(500);
const LOOKS: u32 = 4;

/// Asks every service and reckons. The context's deadline must leave time for it: seconds on 100,000 orders.
pub async fn run(mesh: &Mesh, context: &Context, now: impl Fn() -> Timestamp) -> Result<Audit, MeshError> {
    let mut look = 1;
    loop {
        let books = Books::gather(mesh, context).await?;
        let equations = books.equations(now());
        let balanced = equations.iter().all(|equation| equation.holds);
        if balanced || look == LOOKS {
            return Ok(Audit { balanced, equations, checked_at: now() });
        }
        tokio::time::sleep(SECOND_LOOK).await;
        look += 1;
    }
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
    async fn gather(mesh: &Mesh, context: &Context) -> Result<Self, MeshError> {
        let stock =
            pages(mesh, context, |after| TallyStock { after, limit: PAGE }, |tally: &StockTally| tally.product_id)
                .await?;
        let orders =
            pages(mesh, context, |after| TallyOrders { after, limit: PAGE }, |tally: &OrderTally| tally.order_id)
                .await?;
        let payments =
            pages(mesh, context, |after| TallyPayments { after, limit: PAGE }, |tally: &PaymentTally| tally.order_id)
                .await?;
        let shipments =
            pages(mesh, context, |after| TallyShipments { after, limit: PAGE }, |tally: &ShipmentTally| tally.order_id)
                .await?;
        Ok(Self {
            stock,
            orders,
            payments: payments.into_iter().map(|tally| (tally.order_id, tally)).collect(),
            shipments: shipments.into_iter().map(|tally| (tally.order_id, tally.status)).collect(),
        })
    }

    fn equations(&self, now: Timestamp) -> Vec<Equation> {
        let mut reckoning = Reckoning::default();
        self.reckon_stock(&mut reckoning);
        self.reckon_sales(&mut reckoning);
        for order in &self.orders {
            self.reckon_order(order, now, &mut reckoning);
        }
        self.reckon_strays(&mut reckoning);
        reckoning.told()
    }

    fn reckon_stock(&self, reckoning: &mut Reckoning) {
        for tally in &self.stock {
            let left = tally.available + tally.reserved + tally.sold - tally.returned;
            reckoning.same("available + reserved + sold - returned = received", tally.product_id, left, tally.received);
            let least = tally.available.min(tally.reserved).min(tally.sold).min(tally.returned);
            reckoning.same("no count of a product is negative", tally.product_id, least.min(0), 0);
        }
    }

    /// What products sold is what orders bought: they may differ by what is on its way between the two.
    fn reckon_sales(&self, reckoning: &mut Reckoning) {
        let mut bought: BTreeMap<ProductId, i64> = BTreeMap::new();
        for (product, pieces) in
            self.orders.iter().filter(|order| order.unfinished_since.is_none()).flat_map(|order| &order.pieces)
        {
            *bought.entry(*product).or_default() += i64::from(*pieces);
        }
        if self.orders.iter().any(|order| order.unfinished_since.is_some()) {
            return;
        }
        for tally in &self.stock {
            let orders = bought.get(&tally.product_id).copied().unwrap_or_default();
            reckoning.same("sold - returned = pieces in orders", tally.product_id, tally.sold - tally.returned, orders);
        }
    }

    fn reckon_order(&self, order: &OrderTally, now: Timestamp, reckoning: &mut Reckoning) {
        let id = order.order_id;
        if let Some(since) = order.unfinished_since {
            let age = env::since(now, since);
            let old = if age > MOST_UNFINISHED { age.as_secs() } else { 0 };
            reckoning.same("no saga is unfinished for more than a minute", id, old, 0);
            // While its saga runs, an order's books are open.
            return;
        }
        let payment = self.payments.get(&id);
        if let Some(payment) = payment.filter(|payment| payment.unfinished_since.is_none()) {
            reckoning.same(
                "the payment is what the provider's ledger says",
                id,
                format!("{:?}", payment.ours),
                format!("{:?}", payment.provider),
            );
            reckoning.same(
                "refunded is at most captured",
                id,
                (payment.ours.refunded - payment.ours.captured).max(0),
                0,
            );
        }
        let paid = payment.map(|payment| payment.ours).unwrap_or_default();
        let shipment = self.shipments.get(&id).copied();
        let moving = shipment.is_some_and(|status| status != ShipmentStatus::Cancelled);
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
                let arrived = shipment == Some(ShipmentStatus::Delivered);
                reckoning.same("a delivered order's parcel has arrived", id, fulfilled && !arrived, false);
            }
        }
    }

    /// Payments and shipments that belong to no order.
    fn reckon_strays(&self, reckoning: &mut Reckoning) {
        let known: std::collections::HashSet<_> = self.orders.iter().map(|order| order.order_id).collect();
        for (id, payment) in &self.payments {
            let stray = !known.contains(id) && (payment.ours.held > 0 || payment.status == PaymentStatus::Captured);
            reckoning.same("no payment without an order", id, stray, false);
        }
        for (id, status) in &self.shipments {
            let stray = !known.contains(id) && *status != ShipmentStatus::Cancelled;
            reckoning.same("no shipment without an order", id, stray, false);
        }
    }
}

/// Counts what holds, keeps what does not.
#[derive(Default)]
struct Reckoning {
    held: BTreeMap<&'static str, usize>,
    broken: Vec<Equation>,
}

impl Reckoning {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::payments::messages::Ledger,
        types::{Currency, Id, Money},
    };
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
        books.equations(later).iter().filter(|equation| !equation.holds).map(|equation| equation.name).collect()
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
            ("no payment without an order",                             |b| b.orders.clear()),
            ("no shipment without an order",                            |b| b.orders.clear()),
        ];
        for (name, cook) in ways {
            assert!(broken(cook).contains(name), "{name}");
        }
    }
}
