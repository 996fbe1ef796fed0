//! The records that the services report, read while the shop runs.

use crate::{
    mesh::{CallError, Context, Mesh, MeshError, Request},
    services::{
        orders::messages::{OrderReconciliation, ReconcileOrders},
        payments::messages::{PaymentReconciliation, ReconcilePayments},
        products::messages::{ReconcileReservations, ReconcileStock, ReservationReconciliation, StockReconciliation},
        shipping::messages::{ReconcileShipments, ShipmentReconciliation, ShipmentStatus},
    },
    types::{Id, OrderId},
};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

pub(super) const PAGE: usize = 1000;

/// What all services report.
#[derive(Debug, Default)]
pub struct Books {
    pub stock: Vec<StockReconciliation>,
    /// Reservations that are neither committed nor released.
    pub reservations: HashMap<OrderId, ReservationReconciliation>,
    pub orders: Vec<OrderReconciliation>,
    pub payments: HashMap<OrderId, PaymentReconciliation>,
    pub shipments: HashMap<OrderId, ShipmentStatus>,
}

impl Books {
    /// Reads the stock first (see [`Books::reconcile_sales`]) and the orders last: every record
    /// that names an order was written after it.
    pub async fn gather(mesh: &Mesh, context: &Context) -> Result<Self, MeshError> {
        let stock = pages(
            mesh,
            context,
            |after| ReconcileStock { after, limit: PAGE },
            |row: &StockReconciliation| row.product_id,
        )
        .await?;
        let reservations = pages(
            mesh,
            context,
            |after| ReconcileReservations { after, limit: PAGE },
            |row: &ReservationReconciliation| row.order_id,
        )
        .await?;
        let shipments = pages(
            mesh,
            context,
            |after| ReconcileShipments { after, limit: PAGE },
            |row: &ShipmentReconciliation| row.order_id,
        )
        .await?;
        let payments = pages(
            mesh,
            context,
            |after| ReconcilePayments { after, limit: PAGE },
            |row: &PaymentReconciliation| row.order_id,
        )
        .await?;
        let orders = pages(
            mesh,
            context,
            |after| ReconcileOrders { after, limit: PAGE },
            |row: &OrderReconciliation| row.order_id,
        )
        .await?;
        Ok(Self {
            stock,
            reservations: reservations.into_iter().map(|row| (row.order_id, row)).collect(),
            orders,
            payments: payments.into_iter().map(|row| (row.order_id, row)).collect(),
            shipments: shipments.into_iter().map(|row| (row.order_id, row.status)).collect(),
        })
    }

    /// The records of each order; also of an order that only a payment, a shipment or a reservation
    /// names.
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

/// What the services report about one order.
#[derive(Debug, PartialEq)]
pub struct OrderBooks {
    pub id: OrderId,
    pub order: Option<OrderReconciliation>,
    pub reservation: Option<ReservationReconciliation>,
    pub payment: Option<PaymentReconciliation>,
    pub shipment: Option<ShipmentStatus>,
}

impl OrderBooks {
    /// Reads the records of one order as of one moment. `None` if the order changed while the other
    /// services answered.
    pub async fn at_one_moment(mesh: &Mesh, context: &Context, id: OrderId) -> Result<Option<Self>, MeshError> {
        let after = Some(OrderId::from_uuid(Uuid::from_u128(id.uuid().as_u128().saturating_sub(1))));
        let order = one(mesh, context, ReconcileOrders { after, limit: 1 }, |found| found.order_id == id).await?;
        let reservation =
            one(mesh, context, ReconcileReservations { after, limit: 1 }, |found| found.order_id == id).await?;
        let payment = one(mesh, context, ReconcilePayments { after, limit: 1 }, |found| found.order_id == id).await?;
        let shipment = one(mesh, context, ReconcileShipments { after, limit: 1 }, |found| found.order_id == id).await?;
        let again = one(mesh, context, ReconcileOrders { after, limit: 1 }, |found| found.order_id == id).await?;
        let shipment = shipment.map(|row| row.status);
        Ok((order == again).then_some(Self { id, order, reservation, payment, shipment }))
    }
}

/// Reads a whole table, page by page.
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

/// The record that `is_it` recognises, from an answer of at most one record.
async fn one<R, T>(mesh: &Mesh, context: &Context, ask: R, is_it: impl Fn(&T) -> bool) -> Result<Option<T>, MeshError>
where
    R: Request<Reply = Vec<T>>,
{
    let found = mesh.call(context, ask).await.map_err(CallError::into_mesh)?;
    Ok(found.into_iter().find(is_it))
}
