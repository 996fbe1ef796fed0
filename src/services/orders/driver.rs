//! Drives sagas: sends what is due, writes down the answer, until nothing is due.
//!
//! Two drivers of one order do no harm: an answer is written down only for the action that is due, and the other side does
//! everything once. That it is one, as a rule, only saves work. And a driver may vanish at any point, with its instance or with the
//! whole program: the sweeper finds what nobody drives, and goes on from what is written.

use super::{
    messages::{Order, OrderStatus},
    participants::{Errand, Fault},
    record::OrderRecord,
    saga::{Answer, Due, Saga},
    store::Store,
};
use crate::{
    env::{Env, since},
    mesh::{Context, Failure, Mesh, MeshError, TraceId},
    storage::StorageError,
    telemetry::{Outcome, What},
    types::{OrderId, Service},
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Semaphore;

/// How long one call may take.
const CALL_PATIENCE: Duration = Duration::from_secs(5);
/// Before an action is sent again; doubled each time.
const BACKOFF: Duration = Duration::from_millis(25);
const BACKOFF_MOST: Duration = Duration::from_secs(2);
/// The same for an action that is sent until it succeeds.
const BACKOFF_MOST_UNTIL_DONE: Duration = Duration::from_secs(30);
/// After so many failures of such an action people should look.
const ATTENTION_AFTER: u32 = 10;
const SWEEP_EVERY: Duration = Duration::from_secs(2);
/// Calls at a time for sagas that were found by the sweeper: a long outage is not made up for all at once.
const SWEPT_AT_A_TIME: usize = 64;

#[derive(Clone)]
pub struct Driver {
    env: Env,
    mesh: Mesh,
    store: Store,
    seats: Seats,
    /// Who drives what the sweeper found calls only with one of these.
    slots: Arc<Semaphore>,
    /// Under way when the program last ended, and not looked at since.
    left_behind: Arc<Mutex<HashSet<OrderId>>>,
}

impl Driver {
    /// `left_behind`: what had something unfinished when the program last ended.
    pub fn new(env: Env, mesh: Mesh, store: Store, left_behind: Vec<OrderId>) -> Self {
        Self {
            env,
            mesh,
            store,
            seats: Seats::default(),
            slots: Arc::new(Semaphore::new(SWEPT_AT_A_TIME)),
            left_behind: Arc::new(Mutex::new(left_behind.into_iter().collect())),
        }
    }

    /// Drives the order's saga to its end in the background, if it has one and nobody is at it. `record` is what is written.
    pub fn drive(&self, record: OrderRecord, trace: TraceId) {
        actix::spawn(Drive { driver: self.clone(), trace, slots: None }.go_on(record));
    }

    /// Finds, for ever, what nobody drives: first what was under way when the program last ended.
    pub async fn sweep(self) {
        loop {
            if let Err(error) = self.sweep_once().await {
                log::error!("unfinished orders cannot be read: {error}");
            }
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    }

    async fn sweep_once(&self) -> Result<(), StorageError> {
        let mut found = 0;
        for id in self.store.open()? {
            if self.seats.is_taken(id) {
                continue;
            }
            if let Some(record) = self.unfinished(id).await? {
                let (trace, slots) = (TraceId(self.env.bytes()), Some(self.slots.clone()));
                actix::spawn(Drive { driver: self.clone(), trace, slots }.go_on(record));
                found += 1;
            }
        }
        if found > 0 {
            log::info!(found; "going on with orders that nobody drives");
        }
        Ok(())
    }

    /// The order, if a saga of it is under way.
    async fn unfinished(&self, id: OrderId) -> Result<Option<OrderRecord>, StorageError> {
        let found = self.store.order(id)?.filter(|record| record.saga.is_some());
        if found.is_some() {
            // Its intent may have been written by another a moment ago: on disk first, then sent.
            self.store.commit().await?;
        }
        Ok(found)
    }
}

/// Somebody at the wheel of one order.
struct Drive {
    driver: Driver,
    /// For a saga that does not know in which trace it was begun.
    trace: TraceId,
    slots: Option<Arc<Semaphore>>,
}

impl Drive {
    /// Drives until nothing is under way, unless another does.
    async fn go_on(self, record: OrderRecord) {
        let id = record.order.id;
        let mut next = Some(record).filter(|record| record.saga.is_some());
        while let Some(record) = next {
            let Some(seat) = self.driver.seats.take(id) else { return };
            let driven = self.run(record).await;
            drop(seat);
            // Whoever began another saga while the seat was taken has left it to us: hence this look after it is free.
            let looked = match driven {
                Ok(()) => self.driver.unfinished(id).await.map_err(MeshError::from),
                Err(error) => Err(error),
            };
            next = looked.unwrap_or_else(|error| {
                log::error!(order = id.to_string().as_str(); "left to the sweeper: {error}");
                None
            });
        }
    }

    /// Sends and writes down until the saga is over. `record` is what is written.
    async fn run(&self, mut record: OrderRecord) -> Result<(), MeshError> {
        let Driver { env, store, .. } = &self.driver;
        let id = record.order.id;
        if lock(&self.driver.left_behind).contains(&id) {
            let doubted = store.change(id, |record| Ok(record.saga.as_mut().is_some_and(Saga::doubt)));
            record = doubted.await.map_err(Failure::into_mesh)?;
            lock(&self.driver.left_behind).remove(&id);
        }
        let mut failures = 0;
        while let Some(saga) = &record.saga
            && let Some(due) = saga.due()
        {
            let span = self.driver.mesh.tracer().open_later(saga.cause, self.trace, || What::Step {
                order_id: id,
                saga: saga.number,
                action: format!("{:?}", due.action).into(),
            });
            let context =
                Context::of_service(Service::Orders, CALL_PATIENCE, saga.cause.map_or(self.trace, |it| it.trace));
            let context = context.in_span(span.id());
            match span.here().run(self.attempt(context, &record.order, saga, due)).await {
                Ok(answer) => {
                    failures = 0;
                    let now = env.now();
                    let settled =
                        span.here().run(store.change_and_go_on(id, |record| record.settle(due, &answer, now)));
                    let (plan, number, begun_at) = (saga.plan.name(), saga.number, saga.begun_at);
                    record = settled.await.map_err(Failure::into_mesh)?;
                    if record.saga.as_ref().is_none_or(|saga| saga.number != number) {
                        let is_undone =
                            record.refusal_of(number).is_some() || record.order.status == OrderStatus::Rejected;
                        let outcome = if is_undone { "undone" } else { "done" };
                        self.driver.mesh.tracer().count_saga(plan, outcome, since(env.now(), begun_at));
                    }
                    span.end(|| match &answer {
                        Answer::Refused(refusal) => Outcome::new("refused", format!("{refusal:?}")),
                        Answer::Missing => Outcome::new("timed_out", "given up"),
                        _ => Outcome::OK,
                    });
                }
                Err(fault) => {
                    span.end(|| Outcome::new("failed", fault.to_string()));
                    failures += 1;
                    self.wait_out(&record, due, &fault, failures).await?;
                    let Some(fresh) = self.driver.unfinished(id).await? else { return Ok(()) };
                    record = fresh;
                }
            }
        }
        Ok(())
    }

    /// Sends the action that is due once, unless it is time to do without.
    async fn attempt(&self, context: Context, order: &Order, saga: &Saga, due: Due) -> Result<Answer, Fault> {
        if saga.gives_up(self.driver.env.now()) {
            return Ok(Answer::Missing);
        }
        let _slot = match &self.slots {
            Some(slots) => slots.acquire().await.ok(),
            None => None,
        };
        let errand = Errand { mesh: &self.driver.mesh, context: &context, order, saga };
        match errand.send(due.action).await? {
            Answer::Refused(refusal) if !saga.may_be_refused() => {
                Err(Fault::Contradiction(format!("{:?} was refused: {refusal:?}", due.action)))
            }
            answer => Ok(answer),
        }
    }

    /// Says what is wrong to those who should know, and lets some time go by.
    async fn wait_out(&self, record: &OrderRecord, due: Due, fault: &Fault, failures: u32) -> Result<(), MeshError> {
        let order = record.order.id.to_string();
        let must_succeed = record.saga.as_ref().is_some_and(Saga::must_succeed);
        let is_contradiction = matches!(fault, Fault::Contradiction(_));
        if is_contradiction {
            log::error!(order = order.as_str(), action:? = due.action, failures; "{fault}");
        }
        if must_succeed && !record.needs_attention && (is_contradiction || failures >= ATTENTION_AFTER) {
            log::warn!(order = order.as_str(), action:? = due.action, failures; "an order needs attention: {fault}");
            let now = self.driver.env.now();
            let marked = self.driver.store.change(record.order.id, |record| Ok(record.call_for_attention(due, now)));
            marked.await.map_err(Failure::into_mesh)?;
        }
        let most = if must_succeed { BACKOFF_MOST_UNTIL_DONE } else { BACKOFF_MOST };
        let pause = (BACKOFF * 2u32.pow(failures.min(16) - 1)).min(most);
        tokio::time::sleep(pause / 2 + self.driver.env.jitter(pause / 2)).await;
        Ok(())
    }
}

/// The orders that somebody in this process drives: whoever has an order's seat. Shared by all instances.
#[derive(Clone, Default)]
struct Seats(Arc<Mutex<HashSet<OrderId>>>);

/// Free again when this is dropped, also by a panic.
struct Seat {
    seats: Seats,
    id: OrderId,
}

impl Seats {
    fn take(&self, id: OrderId) -> Option<Seat> {
        lock(&self.0).insert(id).then(|| Seat { seats: self.clone(), id })
    }

    fn is_taken(&self, id: OrderId) -> bool {
        lock(&self.0).contains(&id)
    }
}

fn lock(orders: &Mutex<HashSet<OrderId>>) -> MutexGuard<'_, HashSet<OrderId>> {
    orders.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.seats.0).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Id;

    #[test]
    fn a_seat_is_free_again_also_when_its_driver_panics() {
        let (seats, id) = (Seats::default(), OrderId::from_uuid(uuid::Uuid::nil()));
        let taken = seats.take(id).unwrap();
        assert!(seats.take(id).is_none() && seats.is_taken(id));
        let died = std::panic::catch_unwind(move || {
            let _taken = taken;
            panic!("the driver died");
        });
        assert!(died.is_err() && !seats.is_taken(id));
    }
}
