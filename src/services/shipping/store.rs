//! The layout of shipping's tree.
//!
//! | key | what |
//! |---|---|
//! | `shipment/ord_…` | the shipment of an order, the scans that are to come, the events owed; or that none is wanted any more |
//! | `tracking/GA………NL` | which order's shipment has the number |

use super::{
    messages::{Shipment, TrackingEvent},
    tracking_number::TrackingNumber,
};
use crate::{
    storage::{Decision, KnownTable, Outbox, OutboxTable, Record, StorageError, Table, Tree},
    types::{OrderId, Timestamp},
};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
pub struct Store {
    tree: Tree,
    shipments: Table<ShipmentRecord>,
    numbers: Table<NumberRecord>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ShipmentRecord {
    /// None where the booking was cancelled before it was made: it never will be.
    pub shipment: Option<Shipment>,
    /// The scans that the carrier has yet to make, soonest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to_come: Vec<TrackingEvent>,
    pub outbox: Outbox,
}

impl Record for ShipmentRecord {
    const TABLE: &'static str = "shipment";
    type Key = OrderId;

    fn outbox(&self) -> Option<&Outbox> {
        Some(&self.outbox)
    }

    fn outbox_mut(&mut self) -> Option<&mut Outbox> {
        Some(&mut self.outbox)
    }

    /// Also while the parcel is on its way: a start-up hands it to the carrier again.
    fn is_open(&self) -> bool {
        !self.outbox.is_empty() || !self.to_come.is_empty()
    }
}

/// Written before the shipment that has the number. One that leads to a shipment with another number is what a crash in between
/// left behind.
#[derive(Clone, Serialize, Deserialize)]
struct NumberRecord {
    order_id: OrderId,
}

impl Record for NumberRecord {
    const TABLE: &'static str = "tracking";
    /// A tracking number.
    type Key = String;
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

    /// Makes the number the order's; `false` where it is another's already.
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

    /// Returns when all that was changed is on disk.
    pub async fn commit(&self) -> Result<(), StorageError> {
        self.tree.commit().await
    }

    /// In the order of the orders' ids.
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

    /// The tables whose records owe events.
    pub fn owing(&self) -> Vec<Box<dyn OutboxTable>> {
        vec![Box::new(self.shipments.clone())]
    }
}

/// The tables of this tree, for a check that knows what is in them.
pub fn tables() -> Vec<KnownTable> {
    vec![KnownTable::of::<ShipmentRecord>("shipping"), KnownTable::of::<NumberRecord>("shipping")]
}
