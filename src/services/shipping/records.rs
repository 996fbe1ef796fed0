//! The records in shipping's tree; [`super::store`] says where each is kept.

use super::messages::{Shipment, TrackingEvent};
use crate::{
    storage::{KnownTable, Outbox, Record},
    types::OrderId,
};
use serde::{Deserialize, Serialize};

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
pub struct NumberRecord {
    pub order_id: OrderId,
}

impl Record for NumberRecord {
    const TABLE: &'static str = "tracking";
    /// A tracking number.
    type Key = String;
}

/// The tables of this tree, for a check that knows what is in them.
pub fn tables() -> Vec<KnownTable> {
    vec![KnownTable::of::<ShipmentRecord>("shipping"), KnownTable::of::<NumberRecord>("shipping")]
}
