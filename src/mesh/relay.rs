//! How events reach their subscribers: at least once, in order per record, as soon as the change is on disk.
//!
//! The relay reads what the records themselves owe, so it has nothing of its own to lose: after a crash it begins again with
//! the open markers. Different records do not wait for each other.

use super::{Context, DeadLetter, EventId, Mesh, MeshError, TraceId};
use crate::{
    env::Env,
    storage::{OutboxEntry, OutboxTable, StorageError, Table, Tree},
    types::{Service, Timestamp},
};
use futures_util::FutureExt;
use std::{cell::RefCell, collections::HashSet, panic::AssertUnwindSafe, rc::Rc, sync::Arc, time::Duration};

/// How long one delivery may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_MOST: Duration = Duration::from_secs(30);
/// After so many failures an event is put aside, so that the record's later ones can go on.
const ATTEMPTS: u32 = 10;

/// The tables of a service whose records owe events.
pub(super) type Tables = Arc<Vec<Box<dyn OutboxTable>>>;

struct Relay {
    mesh: Mesh,
    env: Env,
    service: Service,
    tree: Tree,
    tables: Tables,
    /// The records that are being worked on: one delivery at a time for each.
    busy: RefCell<HashSet<String>>,
}

/// Runs until its thread ends.
pub(super) async fn run(mesh: Mesh, env: Env, service: Service, tree: Tree, tables: Tables) {
    let mut woken = tree.listen();
    let relay = Rc::new(Relay { mesh, env, service, tree, tables, busy: RefCell::default() });
    for table in relay.tables.iter() {
        match table.open_keys() {
            Ok(keys) => keys.into_iter().for_each(|key| relay.clone().work_on(format!("{}/{key}", table.table()))),
            Err(error) => {
                log::error!(service = service.name(); "events owed by {} cannot be read: {error}", table.table())
            }
        }
    }
    while let Some(record) = woken.recv().await {
        relay.clone().work_on(record);
    }
}

/// An event that has not left its record yet.
#[derive(Debug, Clone)]
pub struct PendingEvent {
    pub publisher: Service,
    /// `table/key` of the record that owes it.
    pub record: String,
    pub event: OutboxEntry,
}

impl Mesh {
    /// The events that were owed before that moment and still are, the first of each record.
    pub fn pending_events(&self, before: Timestamp) -> Result<Vec<PendingEvent>, StorageError> {
        let mut owed = Vec::new();
        for publisher in Service::ALL {
            let Some(outboxes) = self.pool(publisher).outboxes() else { continue };
            for table in outboxes.tables.iter() {
                for key in table.open_keys()? {
                    let first = table.first_pending(&key)?.filter(|event| event.at < before);
                    owed.extend(first.map(|event| PendingEvent {
                        publisher,
                        record: format!("{}/{key}", table.table()),
                        event,
                    }));
                }
            }
        }
        Ok(owed)
    }
}

/// What a service owes, and what of it nobody would take.
#[derive(Clone)]
pub(super) struct Outboxes {
    pub tables: Tables,
    pub letters: Table<DeadLetter>,
}

impl Relay {
    fn work_on(self: Rc<Self>, record: String) {
        // Who is at it will see what was added, too: it reads the record anew after each event.
        if !self.busy.borrow_mut().insert(record.clone()) {
            return;
        }
        actix::spawn(async move {
            let panicked = |_| Err(MeshError::Failed("the relay panicked".into()));
            let delivered = AssertUnwindSafe(self.deliver_all(&record)).catch_unwind().await.unwrap_or_else(panicked);
            if let Err(error) = delivered {
                log::error!(service = self.service.name(), record = record.as_str(); "the events of a record wait: {error}");
                tokio::time::sleep(BACKOFF_MOST).await;
                self.busy.borrow_mut().remove(&record);
                self.work_on(record);
            }
        });
    }

    async fn deliver_all(&self, record: &str) -> Result<(), MeshError> {
        let (table, key) = record.split_once('/').unwrap_or((record, ""));
        let Some(table) = self.tables.iter().find(|known| known.table() == table) else {
            self.busy.borrow_mut().remove(record);
            return Ok(());
        };
        let mut first = table.first_pending(key)?;
        while let Some(owed) = first {
            // No subscriber learns of a change that a crash could still undo.
            self.tree.commit().await?;
            self.mesh.tell_listeners(&owed);
            let id = EventId { publisher: self.service, record: record.to_owned(), seq: owed.seq };
            for subscriber in self.mesh.subscribers(&owed.name) {
                self.deliver(subscriber, &id, &owed).await?;
            }
            first = table.settle(key, owed.seq)?;
        }
        // Nothing is awaited between that look and this, so no wake-up falls in between.
        self.busy.borrow_mut().remove(record);
        Ok(())
    }

    async fn deliver(&self, subscriber: Service, id: &EventId, owed: &OutboxEntry) -> Result<(), MeshError> {
        let mut pause = BACKOFF;
        for attempt in 1.. {
            let context = Context::of_service(self.service, PATIENCE, TraceId(self.env.bytes()));
            let Err(error) = self.mesh.deliver(&context, subscriber, id, owed, attempt).await else { break };
            // Once is nothing: the subscriber is still starting, or has yet to learn what came before.
            let level = if attempt == 1 { log::Level::Debug } else { log::Level::Warn };
            log::log!(level, event = owed.name.as_str(), record = id.record.as_str(), subscriber = subscriber.name(), attempt; "not delivered: {error}");
            if attempt == ATTEMPTS {
                return self.put_aside(subscriber, id, owed, error).await;
            }
            tokio::time::sleep(pause + self.env.jitter(pause / 2)).await;
            pause = (pause * 2).min(BACKOFF_MOST);
        }
        Ok(())
    }

    async fn put_aside(
        &self,
        subscriber: Service,
        id: &EventId,
        owed: &OutboxEntry,
        error: MeshError,
    ) -> Result<(), MeshError> {
        log::error!(event = owed.name.as_str(), record = id.record.as_str(), subscriber = subscriber.name(); "put aside as undeliverable: {error}");
        let letter = DeadLetter::new(id, owed.clone(), subscriber, &error, self.env.now());
        self.tree.table().create(&letter.key(), letter)?;
        Ok(self.tree.commit().await?)
    }
}
