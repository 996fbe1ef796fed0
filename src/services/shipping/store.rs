//! The layout of shipping's tree.
//!
//! | key | record |
//! |---|---|
//! | `shipment/ord_…` | the shipment of an order, its planned scans and pending events; or that the order was cancelled |
//! | `tracking/GA………NL` | the order whose shipment has the number |

use super::{
    messages::Shipment,
    records::{NumberRecord, ShipmentRecord},
    tracking_number::TrackingNumber,
};
use crate::{
    storage::{Decision, OutboxTable, StorageError, Table, Tree},
    types::{OrderId, Timestamp},
};

#[derive(Clone)]
pub struct Store {
    tree: Tree,
    shipments: Table<ShipmentRecord>,
    numbers: Table<NumberRecord>,
}

impl Store {
    pub fn new(tree: &Tree) -> Self {
        Self { tree: tree.clone(), shipments: tree.table(), numbers: tree.table() }
    }

    pub fn get(&self, order: OrderId) -> Result<Option<ShipmentRecord>, StorageError> {
        self.shipments.get(&order)
    }

    pub fn by_number(&self, number: &TrackingNumber) -> Result<Option<Shipment>, StorageError> {
        let Some(claim) = self.numbers.get(&number.to_string())? else { return Ok(None) };
        let shipment = self.shipments.get(&claim.order_id)?.and_then(|record| record.shipment);
        Ok(shipment.filter(|shipment| shipment.tracking_number == number.as_str()))
    }

    /// Gives the number to the order; `false` if another order has it.
    pub fn claim(&self, number: &TrackingNumber, order_id: OrderId) -> Result<bool, StorageError> {
        self.numbers.create(&number.to_string(), NumberRecord { order_id })
    }

    /// See [`Table::get_or_create`].
    pub fn get_or_create(&self, order: OrderId, record: &ShipmentRecord) -> Result<ShipmentRecord, StorageError> {
        self.shipments.get_or_create(&order, record)
    }

    /// See [`Table::change`].
    pub fn change<T, E: From<StorageError>>(
        &self,
        order: OrderId,
        decide: impl FnMut(Option<ShipmentRecord>) -> Result<Decision<ShipmentRecord, T>, E>,
    ) -> Result<T, E> {
        self.shipments.change(&order, decide)
    }

    /// Returns when all changes so far are on disk.
    pub async fn commit(&self) -> Result<(), StorageError> {
        self.tree.commit().await
    }

    /// All records after `after`, sorted by order id.
    pub fn all(
        &self,
        after: Option<OrderId>,
    ) -> impl Iterator<Item = Result<(OrderId, ShipmentRecord), StorageError>> + use<> {
        self.shipments.all(after.as_ref())
    }

    /// The orders whose parcels are on their way, each with the time of its next scan.
    pub fn under_way(&self) -> Result<Vec<(Timestamp, OrderId)>, StorageError> {
        let mut found = Vec::new();
        for key in self.shipments.open_keys()? {
            let Ok(order) = key.parse() else { continue };
            let record = self.get(order)?;
            let next = record.as_ref().and_then(|record| record.to_come.first());
            found.extend(next.map(|scan| (scan.at, order)));
        }
        Ok(found)
    }

    /// The tables whose records have an outbox, for the relay.
    pub fn outbox_tables(&self) -> Vec<Box<dyn OutboxTable>> {
        vec![Box::new(self.shipments.clone())]
    }
}
