//! The carrier: scans parcels along their routes, on a clock that can run faster than real time.
//!
//! It stands for a company that reports scans. The record of a shipment says when the parcel will
//! be scanned and where, so the carrier has no state that a crash could lose. It starts with the
//! parcels that are on their way. Missed scans are made up for, each with its planned time.

use super::{
    messages::{ShipmentDelivered, ShipmentMoved, ShipmentStatus},
    records::ShipmentRecord,
    rules,
    store::Store,
};
use crate::{
    env::{Env, later, since},
    mesh::Event,
    storage::{Decision, StorageError},
    types::{OrderId, Timestamp},
};
use std::{collections::BTreeSet, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

/// When the parcel of which order is scanned next.
pub type DueScan = (Timestamp, OrderId);

/// Scans that are closer together than this are made together.
const SHORTEST_SLEEP: Duration = Duration::from_millis(50);
/// After this long the carrier looks at the clock again, in case the clock was set forward or the
/// machine was suspended.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// The pause before a scan that failed on disk is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub struct Carrier {
    env: Env,
    store: Store,
    /// Every parcel on its way, by the time of its next scan.
    agenda: BTreeSet<DueScan>,
    handed_over: UnboundedReceiver<DueScan>,
}

impl Carrier {
    /// A carrier with all parcels that are on their way, and the sender that gives it more.
    pub fn new(env: Env, store: Store) -> Result<(Self, UnboundedSender<DueScan>), StorageError> {
        let (tell, handed_over) = unbounded_channel();
        let agenda = store.under_way()?.into_iter().collect();
        Ok((Self { env, store, agenda, handed_over }, tell))
    }

    /// Runs until all senders are gone.
    pub async fn run(&mut self) {
        loop {
            self.scan_what_is_due().await;
            let told = match self.agenda.first() {
                Some((next, _)) => {
                    let sleep = since(*next, self.env.now()).clamp(SHORTEST_SLEEP, LONGEST_SLEEP);
                    timeout(sleep, self.handed_over.recv()).await
                }
                None => Ok(self.handed_over.recv().await),
            };
            match told {
                Ok(Some(due)) => _ = self.agenda.insert(due),
                Ok(None) => return,
                Err(_slept) => {}
            }
        }
    }

    /// Commits nothing: the relay commits before it publishes, and a scan that a crash undoes is
    /// made again with the same values.
    async fn scan_what_is_due(&mut self) {
        let now = self.env.now();
        while let Some(due) = self.agenda.first().copied().filter(|(at, _)| *at <= now) {
            self.agenda.remove(&due);
            let (_, order) = due;
            match self.scan(order, now) {
                Ok(next) => self.agenda.extend(next.map(|at| (at, order))),
                Err(error) => {
                    log::error!(order = order.to_string().as_str(); "scanning a parcel failed; trying again: {error}");
                    self.agenda.insert((later(now, RETRY), order));
                }
            }
            // Many scans may be due at once, and requests share this thread.
            tokio::task::yield_now().await;
        }
    }

    /// Makes the parcel's scans that are due; gives the time of its next scan.
    fn scan(&self, order: OrderId, now: Timestamp) -> Result<Option<Timestamp>, StorageError> {
        self.store.change(order, |record| {
            let mut record = record.unwrap_or_default();
            let changed = make_due_scans(&mut record, now);
            let next = next_scan(&record);
            Ok(if changed { Decision::Save(record, next) } else { Decision::Keep(next) })
        })
    }
}

/// Makes the scans that are due, and adds their events to the outbox in the same change; `false` if
/// none was due.
pub fn make_due_scans(record: &mut ShipmentRecord, now: Timestamp) -> bool {
    let due = record.to_come.iter().take_while(|scan| scan.at <= now).count();
    for scan in record.to_come.drain(..due) {
        let Some(shipment) = &mut record.shipment else { continue };
        if !rules::scan(shipment, &scan) {
            continue;
        }
        let at = scan.at;
        let (order_id, user_id, shipment_id) = (shipment.order_id, shipment.user_id, shipment.id);
        let tracking_number = shipment.tracking_number.clone();
        ShipmentMoved { order_id, user_id, shipment_id, tracking_number, event: scan }.add_to(&mut record.outbox, at);
        if shipment.status == ShipmentStatus::Delivered {
            ShipmentDelivered { order_id, user_id, shipment_id, at }.add_to(&mut record.outbox, at);
        }
    }
    due > 0
}

/// When the parcel is scanned next; `None` if no scan is planned.
pub fn next_scan(record: &ShipmentRecord) -> Option<Timestamp> {
    record.to_come.first().map(|scan| scan.at)
}
