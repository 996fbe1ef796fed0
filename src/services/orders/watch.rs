//! Notifies tasks that wait for an order to change, as soon as the change is on disk, whichever
//! instance made it.

use super::records::OrderRecord;
use crate::types::OrderId;
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::watch;

/// One channel per order that a task waits for. All instances share it.
#[derive(Clone, Default)]
pub struct Changes(Arc<Mutex<HashMap<OrderId, watch::Sender<OrderNews>>>>);

/// What a task can wait for. Both numbers only go up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OrderNews {
    pub version: u64,
    /// Number of sagas of the order that have ended.
    pub concluded: u32,
}

impl OrderNews {
    pub fn of(record: &OrderRecord) -> Self {
        Self { version: record.order.version, concluded: record.concluded() }
    }
}

impl Changes {
    /// Subscribes to the changes of an order from now on. Subscribe before reading the order, so
    /// that no change between the two is missed.
    pub fn listen(&self, order_id: OrderId) -> ChangeListener {
        let receiver = self.lock().entry(order_id).or_default().subscribe();
        ChangeListener { changes: self.clone(), order_id, receiver: Some(receiver) }
    }

    pub fn notify(&self, record: &OrderRecord) {
        if let Some(sender) = self.lock().get(&record.order.id) {
            let fresh = OrderNews::of(record);
            // Two changes may arrive here in the wrong order; the later version stays.
            sender.send_if_modified(|news| {
                let is_later = fresh.version > news.version;
                *news = if is_later { fresh } else { *news };
                is_later
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrderId, watch::Sender<OrderNews>>> {
        self.0.lock()
    }
}

/// Receives the changes of one order.
pub struct ChangeListener {
    changes: Changes,
    order_id: OrderId,
    /// `None` only while it is being dropped.
    receiver: Option<watch::Receiver<OrderNews>>,
}

impl ChangeListener {
    /// Returns when the order is as wanted.
    pub async fn wait_for(&mut self, wanted: impl FnMut(&OrderNews) -> bool) {
        if let Some(receiver) = &mut self.receiver {
            // The sender lives as long as a receiver does, so this cannot fail.
            let _ = receiver.wait_for(wanted).await;
        }
    }

    /// The last change that was notified: it is on disk.
    pub fn latest(&self) -> OrderNews {
        self.receiver.as_ref().map(|receiver| *receiver.borrow()).unwrap_or_default()
    }
}

impl Drop for ChangeListener {
    fn drop(&mut self) {
        self.receiver = None;
        let mut waited_for = self.changes.lock();
        if waited_for.get(&self.order_id).is_some_and(|sender| sender.receiver_count() == 0) {
            waited_for.remove(&self.order_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Id;
    use uuid::Uuid;

    #[test]
    fn an_order_without_listeners_has_no_channel() {
        let changes = Changes::default();
        let order = OrderId::from_uuid(Uuid::from_u128(1));
        let (one, other) = (changes.listen(order), changes.listen(order));
        drop(one);
        assert_eq!(changes.lock().len(), 1);
        drop(other);
        assert!(changes.lock().is_empty());
    }
}
