//! What the services say, read while the shop goes on.

use crate::{
    mesh::{CallError, Context, Mesh, MeshError, Request},
    services::{
        orders::messages::{OrderTally, TallyOrders},
        payments::messages::{PaymentTally, TallyPayments},
        products::messages::{ReservationTally, StockTally, TallyReservations, TallyStock},
        shipping::messages::{ShipmentStatus, ShipmentTally, TallyShipments},
    },
    types::{Id, OrderId},
};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

pub(super) const PAGE: usize = 1000;

/// What the services say.
#[derive(Debug, Default)]
pub struct Books {
    pub stock: Vec<StockTally>,
    /// Pieces that are promised and neither sold nor given up.
    pub reservations: HashMap<OrderId, ReservationTally>,
    pub orders: Vec<OrderTally>,
    pub payments: HashMap<OrderId, PaymentTally>,
    pub shipments: HashMap<OrderId, ShipmentStatus>,
}

impl Books {
    /// Stock before orders (see [`Books::reckon_sales`]), and orders last: what names an order was written after it.
    pub async fn gather(mesh: &Mesh, context: &Context) -> Result<Self, MeshError> {
        let stock =
            pages(mesh, context, |after| TallyStock { after, limit: PAGE }, |tally: &StockTally| tally.product_id)
                .await?;
        let reservations = pages(
            mesh,
            context,
            |after| TallyReservations { after, limit: PAGE },
            |tally: &ReservationTally| tally.order_id,
        )
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
            reservations: reservations.into_iter().map(|tally| (tally.order_id, tally)).collect(),
            orders,
            payments: payments.into_iter().map(|tally| (tally.order_id, tally)).collect(),
            shipments: shipments.into_iter().map(|tally| (tally.order_id, tally.status)).collect(),
        })
    }

    /// Each order's, also of those that only a payment or a shipment names.
    pub fn by_order(self) -> impl Iterator<Item = OrderBooks> {
        let Self { orders, mut reservations, mut payments, mut shipments, .. } = self;
        let mut orders: HashMap<_, _> = orders.into_iter().map(|order| (order.order_id, order)).collect();
        let ids: BTreeSet<OrderId> = {
            let strays = reservations.keys().chain(payments.keys()).chain(shipments.keys());
            orders.keys().chain(strays).copied().collect()
        };
        ids.into_iter().map(move |id| OrderBooks {
            id,
            order: orders.remove(&id),
            reservation: reservations.remove(&id),
            payment: payments.remove(&id),
            shipment: shipments.remove(&id),
        })
    }
}

/// What the services say of one order.
#[derive(Debug, PartialEq)]
pub struct OrderBooks {
    pub id: OrderId,
    pub order: Option<OrderTally>,
    pub reservation: Option<ReservationTally>,
    pub payment: Option<PaymentTally>,
    pub shipment: Option<ShipmentStatus>,
}

impl OrderBooks {
    /// `None` where the order moved while the others were asked: they may speak of different moments.
    pub async fn at_one_moment(mesh: &Mesh, context: &Context, id: OrderId) -> Result<Option<Self>, MeshError> {
        let after = Some(OrderId::from_uuid(Uuid::from_u128(id.uuid().as_u128().saturating_sub(1))));
        let order = one(mesh, context, TallyOrders { after, limit: 1 }, |found| found.order_id == id).await?;
        let reservation =
            one(mesh, context, TallyReservations { after, limit: 1 }, |found| found.order_id == id).await?;
        let payment = one(mesh, context, TallyPayments { after, limit: 1 }, |found| found.order_id == id).await?;
        let shipment = one(mesh, context, TallyShipments { after, limit: 1 }, |found| found.order_id == id).await?;
        let again = one(mesh, context, TallyOrders { after, limit: 1 }, |found| found.order_id == id).await?;
        let shipment = shipment.map(|tally| tally.status);
        Ok((order == again).then_some(Self { id, order, reservation, payment, shipment }))
    }
}

/// A whole table, a page at a time.
pub(super) async fn pages<R, T, K: Copy>(
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
