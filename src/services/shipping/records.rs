//! The records in shipping's tree; [`super::store`] says where each is kept.

use super::messages::{Shipment, TrackingEvent};
use crate::{
    storage::{KnownTable, Outbox, record},
    types::OrderId,
};
use serde::{Deserialize, Serialize};

/// The shipment of one order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ShipmentRecord {
    /// `None` if the order was cancelled before a shipment was booked: then none can be booked.
    pub shipment: Option<Shipment>,
    /// The scans that the carrier has not made yet, earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to_come: Vec<TrackingEvent>,
    pub outbox: Outbox,
}

/// The order that has a tracking number. It is written before the shipment. A crash in between
/// leaves a number behind that leads to no shipment, or to a shipment with another number.
#[derive(Clone, Serialize, Deserialize)]
pub struct NumberRecord {
    pub order_id: OrderId,
}

record! {
    // Also open while the parcel is on its way, so that a new process finds it for the carrier.
    ShipmentRecord {
        table: "shipment",
        key: OrderId,
        outbox: outbox,
        open_while: |record| !record.to_come.is_empty(),
    }
    // The key is a tracking number.
    NumberRecord { table: "tracking", key: String }
}

/// The tables of this tree, for `galleria check`.
pub fn tables() -> Vec<KnownTable> {
    vec![KnownTable::of::<ShipmentRecord>("shipping"), KnownTable::of::<NumberRecord>("shipping")]
}
