//! Who waits for an order to change: told by whichever instance changed it, as soon as the change is on disk.

use super::record::OrderRecord;
use crate::types::OrderId;
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::watch;

/// Shared by all instances. Holds something only for orders that somebody waits for.
#[derive(Clone, Default)]
pub struct Changes(Arc<Mutex<HashMap<OrderId, watch::Sender<News>>>>);

/// What is worth waiting for. Both only go up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    pub version: u64,
    /// How many sagas of the order are over.
    pub concluded: u32,
}

impl News {
    pub fn of(record: &OrderRecord) -> Self {
        Self { version: record.order.version, concluded: record.concluded() }
    }
}

impl Changes {
    /// Hears of every change from now on: to be called before the order is looked at.
    pub fn listen(&self, order_id: OrderId) -> Listener {
        let news = self.lock().entry(order_id).or_default().subscribe();
        Listener { changes: self.clone(), order_id, news: Some(news) }
    }

    pub fn tell(&self, record: &OrderRecord) {
        if let Some(sender) = self.lock().get(&record.order.id) {
            let fresh = News::of(record);
            // Two changes may be told of in the wrong order; the later one stands.
            sender.send_if_modified(|news| {
                let is_later = fresh.version > news.version;
                *news = if is_later { fresh } else { *news };
                is_later
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrderId, watch::Sender<News>>> {
        self.0.lock()
    }
}

pub struct Listener {
    changes: Changes,
    order_id: OrderId,
    /// There until it is dropped.
    news: Option<watch::Receiver<News>>,
}

impl Listener {
    /// Returns when there are news like that.
    pub async fn wait_for(&mut self, wanted: impl FnMut(&News) -> bool) {
        if let Some(news) = &mut self.news {
            // The sender stays as long as somebody listens.
            let _ = news.wait_for(wanted).await;
        }
    }

    /// What was told last: it is on disk.
    pub fn told(&self) -> News {
        self.news.as_ref().map(|news| *news.borrow()).unwrap_or_default()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.news = None;
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
    fn nothing_is_kept_for_orders_that_nobody_waits_for() {
        let changes = Changes::default();
        let order = OrderId::from_uuid(Uuid::from_u128(1));
        let (one, other) = (changes.listen(order), changes.listen(order));
        drop(one);
        assert_eq!(changes.lock().len(), 1);
        drop(other);
        assert!(changes.lock().is_empty());
    }
}
