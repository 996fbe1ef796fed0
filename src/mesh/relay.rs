//! The message relay of the transactional outbox (Richardson, "Microservices Patterns", 2018, ch.
//! 3). It delivers events to their subscribers: at least once, in order per record, as soon as the
//! change is on disk.
//!
//! The relay reads the outboxes in the records and keeps nothing of its own, so it has nothing to
//! lose. After a crash it begins again with the open markers. Different records do not wait for
//! each other.

use super::{
    Context, EventId, Mesh, MeshError, TraceId,
    dead_letters::DeadLetter,
    deliver::DELIVERY_TIMEOUT,
    outboxes::{Outboxes, Tables},
};
use crate::{
    env::{Backoff, Env},
    storage::{OutboxEntry, OutboxTable, StorageError, Tree},
    types::{Service, Timestamp},
};
use futures_util::FutureExt;
use std::{cell::RefCell, collections::HashSet, panic::AssertUnwindSafe, rc::Rc, sync::Arc, time::Duration};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), BACKOFF_MOST);
const BACKOFF_MOST: Duration = Duration::from_secs(30);
/// The number of failed deliveries after which an event becomes a dead letter, so that later events
/// of its record go on.
const MOST_ATTEMPTS: u32 = 10;

/// An event that is still in the outbox of its record.
#[derive(Debug, Clone)]
pub struct PendingEvent {
    /// The service whose record holds the event.
    pub publisher: Service,
    /// `table/key` of the record.
    pub record: String,
    /// The event, as it is in the outbox.
    pub event: OutboxEntry,
}

impl Mesh {
    /// Starts to deliver the events in the outboxes of the service's tables. To be called after
    /// [`Mesh::launch`].
    pub fn relay(&self, service: Service, tree: Tree, tables: Vec<Box<dyn OutboxTable>>) {
        let (mesh, env, tables) = (self.clone(), self.inner.env.clone(), Arc::new(tables));
        self.set_outboxes(service, Outboxes { tables: tables.clone(), dead_letters: tree.table() });
        self.background(service, move || run(mesh.clone(), env.clone(), service, tree.clone(), tables.clone()));
    }

    /// The events that were published before `before` and are still in an outbox: the first event
    /// of each record.
    ///
    /// # Errors
    /// If a tree cannot be read.
    pub fn pending_events(&self, before: Timestamp) -> Result<Vec<PendingEvent>, StorageError> {
        let mut pending = Vec::new();
        for publisher in Service::ALL {
            let Some(outboxes) = self.outboxes(publisher) else { continue };
            for table in outboxes.tables.iter() {
                for key in table.open_keys()? {
                    let first = table.first_pending(&key)?.filter(|event| event.at < before);
                    pending.extend(first.map(|event| PendingEvent {
                        publisher,
                        record: format!("{}/{key}", table.table()),
                        event,
                    }));
                }
            }
        }
        Ok(pending)
    }
}

/// Runs until its thread stops.
async fn run(mesh: Mesh, env: Env, service: Service, tree: Tree, tables: Tables) {
    let mut woken = tree.listen();
    let relay = Rc::new(Relay { mesh, env, service, tree, tables, busy: RefCell::default() });
    for table in relay.tables.iter() {
        match table.open_keys() {
            Ok(keys) => keys.into_iter().for_each(|key| relay.clone().work_on(format!("{}/{key}", table.table()))),
            Err(error) => {
                log::error!(service = service.name(); "the pending events of {} cannot be read: {error}", table.table())
            }
        }
    }
    while let Some(record) = woken.recv().await {
        relay.clone().work_on(record);
    }
}

struct Relay {
    mesh: Mesh,
    env: Env,
    service: Service,
    tree: Tree,
    tables: Tables,
    /// The records that are being relayed: one delivery at a time for each.
    busy: RefCell<HashSet<String>>,
}

impl Relay {
    fn work_on(self: Rc<Self>, record: String) {
        // If the record is already being relayed, there is nothing to do: the running task reads it
        // again after each event.
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
        while let Some(entry) = first {
            // Commit first: a subscriber must not learn of a change that a crash could undo.
            self.tree.commit().await?;
            self.mesh.notify_listeners_of(&entry);
            let id = EventId { publisher: self.service, record: record.to_owned(), seq: entry.seq };
            for subscriber in self.mesh.subscribers(&entry.name) {
                self.deliver(subscriber, &id, &entry).await?;
            }
            first = table.mark_delivered(key, entry.seq)?;
        }
        // Nothing is awaited between reading the outbox and this line, so no wake-up is missed.
        self.busy.borrow_mut().remove(record);
        Ok(())
    }

    /// Delivers the event to one subscriber, or makes it a dead letter.
    async fn deliver(&self, subscriber: Service, id: &EventId, entry: &OutboxEntry) -> Result<(), MeshError> {
        for attempt in 1.. {
            let context = Context::of_service(self.service, DELIVERY_TIMEOUT, TraceId(self.env.bytes()));
            let Err(error) = self.mesh.deliver(&context, subscriber, id, entry, attempt).await else { break };
            // A single failure is normal: the subscriber is still starting, or has not yet handled
            // an earlier event.
            let level = if attempt == 1 { log::Level::Debug } else { log::Level::Warn };
            log::log!(level, event = entry.name.as_str(), record = id.record.as_str(), subscriber = subscriber.name(), attempt; "not delivered: {error}");
            if attempt == MOST_ATTEMPTS {
                return self.put_aside(subscriber, id, entry, error).await;
            }
            tokio::time::sleep(BACKOFF.pause(attempt, &self.env)).await;
        }
        Ok(())
    }

    async fn put_aside(
        &self,
        subscriber: Service,
        id: &EventId,
        entry: &OutboxEntry,
        error: MeshError,
    ) -> Result<(), MeshError> {
        log::error!(event = entry.name.as_str(), record = id.record.as_str(), subscriber = subscriber.name(); "put aside as a dead letter: {error}");
        let dead_letter = DeadLetter::new(id, entry.clone(), subscriber, &error, self.env.now());
        self.tree.table().create(&dead_letter.key(), dead_letter)?;
        Ok(self.tree.commit().await?)
    }
}
