//! The carrier: moves the parcels that it was handed along their routes, on a clock that may run faster than the world's.
//!
//! It stands for a company that reports scans. Where a parcel will be scanned when is in the shipment's record since it was
//! handed over, so the carrier remembers nothing that a crash could take: it starts with the parcels that it finds under way,
//! and makes up for the scans that it missed, each with the time for which it was planned.

use super::{
    messages::{ShipmentDelivered, ShipmentMoved, ShipmentStatus},
    rules,
    store::{ShipmentRecord, Store},
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

/// A parcel that is to be scanned, and when.
pub type Due = (Timestamp, OrderId);

/// Scans that are due closer together are made together.
const SHORTEST_SLEEP: Duration = Duration::from_millis(50);
/// A clock that was set forward, or a machine that slept, is noticed after as long.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Before the next try where the disk refused.
const RETRY: Duration = Duration::from_secs(1);

pub struct Carrier {
    env: Env,
    store: Store,
    /// Every parcel under way, by its next scan.
    agenda: BTreeSet<Due>,
    handed_over: UnboundedReceiver<Due>,
}

impl Carrier {
    /// A carrier with all parcels that are under way, and where to tell it of more.
    pub fn new(env: Env, store: Store) -> Result<(Self, UnboundedSender<Due>), StorageError> {
        let (tell, handed_over) = unbounded_channel();
        let agenda = store.under_way()?.into_iter().collect();
        Ok((Self { env, store, agenda, handed_over }, tell))
    }

    /// Until nobody is left who could hand over a parcel.
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

    /// Nothing is committed here: the relay does before it tells anybody, and a scan that a crash undoes is made again, the same.
    async fn scan_what_is_due(&mut self) {
        let now = self.env.now();
        while let Some(due) = self.agenda.first().copied().filter(|(at, _)| *at <= now) {
            self.agenda.remove(&due);
            let (_, order) = due;
            match self.scan(order, now) {
                Ok(next) => self.agenda.extend(next.map(|at| (at, order))),
                Err(error) => {
                    log::error!(order = order.to_string().as_str(); "a parcel waits for its scan: {error}");
                    self.agenda.insert((later(now, RETRY), order));
                }
            }
            // Many may be due at once; the requests that share this thread go in between.
            tokio::task::yield_now().await;
        }
    }

    /// Makes the parcel's scans that are due; gives the time of the next.
    fn scan(&self, order: OrderId, now: Timestamp) -> Result<Option<Timestamp>, StorageError> {
        self.store.change(order, |record| {
            let mut record = record.unwrap_or_default();
            let changed = make_due_scans(&mut record, now);
            let next = next_scan(&record);
            Ok(if changed { Decision::Save(record, next) } else { Decision::Keep(next) })
        })
    }
}

/// Makes the scans whose time has come, and owes the news of them in the same change; says whether there were any.
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

pub fn next_scan(record: &ShipmentRecord) -> Option<Timestamp> {
    record.to_come.first().map(|scan| scan.at)
}
