//! Drives sagas: sends what is due, writes down the answer, until nothing is due.
//!
//! Two drivers of one order do no harm: an answer is written down only for the action that is due, and the other side does
//! everything once. That it is one, as a rule, only saves work. And a driver may vanish at any point, with its thread or with the
//! whole program: the sweeper finds what nobody drives, and goes on from what is written; whoever takes over from one that vanished
//! doubts that it is all.

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
    telemetry::{SpanKind, SpanStatus},
    types::{OrderId, Service, Timestamp},
};
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashSet, pin::pin, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How long one call may take.
const CALL_PATIENCE: Duration = Duration::from_secs(5);
/// Before an action is sent again; doubled each time.
const BACKOFF: Duration = Duration::from_millis(25);
const BACKOFF_MOST: Duration = Duration::from_secs(2);
/// The same for an action that is sent until it succeeds.
const BACKOFF_MOST_UNTIL_DONE: Duration = Duration::from_secs(30);
/// An action that takes longer is one that people who look at the order should see.
const SHOWN_AFTER: Duration = Duration::from_millis(100);
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
    /// Under way when the program last ended or their drivers vanished, and not looked at since.
    left_behind: LeftBehind,
}

type LeftBehind = Arc<Mutex<HashSet<OrderId>>>;

impl Driver {
    /// `left_behind`: the orders whose saga was under way when the program last ended.
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
        let Driver { env, store, left_behind, .. } = &self.driver;
        let id = record.order.id;
        if lock(left_behind).contains(&id) {
            let doubted = store.change(id, |record| Ok(record.saga.as_mut().is_some_and(Saga::doubt)));
            record = doubted.await.map_err(Failure::into_mesh)?;
            lock(left_behind).remove(&id);
        }
        let mut unwritten = Unwritten { store, left_behind, id, answers: Vec::new() };
        let mut failures = 0;
        while let Some(saga) = &record.saga
            && let Some(due) = saga.due()
        {
            let span = self.driver.mesh.tracer().open_later(saga.cause, self.trace, || SpanKind::Step {
                order_id: id,
                saga: saga.number,
                action: format!("{:?}", due.action).into(),
            });
            let context =
                Context::of_service(Service::Orders, CALL_PATIENCE, saga.cause.map_or(self.trace, |it| it.trace));
            let context = context.in_span(span.id());
            let sending = span.here().run(self.attempt(context, &record.order, saga, due));
            match unwritten.shown_during(sending).await? {
                Ok(answer) => {
                    failures = 0;
                    let (plan, number, begun_at) = (saga.plan.name(), saga.number, saga.begun_at);
                    let outcome = match &answer {
                        Answer::Refused(refusal) => SpanStatus::new("refused", format!("{refusal:?}")),
                        Answer::Missing => SpanStatus::new("timed_out", "given up"),
                        Answer::Done(_) => SpanStatus::OK,
                    };
                    let now = env.now();
                    record.settle(due, &answer, now).map_err(|error| Failure::from(error).into_mesh())?;
                    unwritten.answers.push((due, answer, now));
                    if !record.may_go_on() {
                        record = span.here().run(unwritten.write()).await?.unwrap_or(record);
                    }
                    if record.saga.as_ref().is_none_or(|saga| saga.number != number) {
                        let is_undone =
                            record.refusal_of(number).is_some() || record.order.status == OrderStatus::Rejected;
                        let outcome = if is_undone { "undone" } else { "done" };
                        self.driver.mesh.tracer().count_saga(plan, outcome, since(env.now(), begun_at));
                    }
                    span.end(|| outcome);
                }
                Err(fault) => {
                    span.end(|| SpanStatus::new("failed", fault.to_string()));
                    failures += 1;
                    unwritten.write().await?;
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

/// What an order has come to since it was written last: in its driver's hands only, as long as the saga may go on. Where they let go of it,
/// it is as after a crash, and its order is left behind.
struct Unwritten<'a> {
    store: &'a Store,
    left_behind: &'a LeftBehind,
    id: OrderId,
    answers: Vec<(Due, Answer, Timestamp)>,
}

impl Unwritten<'_> {
    /// Writes it down; gives the order as it is then, on disk. `None` where there is nothing to be written.
    async fn write(&mut self) -> Result<Option<OrderRecord>, MeshError> {
        if self.answers.is_empty() {
            return Ok(None);
        }
        let settle = |record: &mut OrderRecord| {
            self.answers
                .iter()
                .try_fold(false, |changed, (due, answer, at)| Ok(record.settle(*due, answer, *at)? | changed))
        };
        let record = self.store.change(self.id, settle).await.map_err(Failure::into_mesh)?;
        self.answers.clear();
        Ok(Some(record))
    }

    /// Awaits what is being sent. Where that takes its time, whoever looks at the order is to see how far it is.
    async fn shown_during<T>(&mut self, sending: impl Future<Output = T>) -> Result<T, MeshError> {
        let mut sending = pin!(sending);
        if !self.answers.is_empty() {
            match tokio::time::timeout(SHOWN_AFTER, &mut sending).await {
                Ok(sent) => return Ok(sent),
                Err(_) => self.write().await?,
            };
        }
        Ok(sending.await)
    }
}

impl Drop for Unwritten<'_> {
    fn drop(&mut self) {
        if !self.answers.is_empty() {
            lock(self.left_behind).insert(self.id);
        }
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
    orders.lock()
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.seats.0).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{services::orders::saga::Plan, storage::Storage, types::Id};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_seat_is_free_again_also_when_its_driver_panics() {
        let (seats, id) = (Seats::default(), OrderId::from_uuid(uuid::Uuid::nil()));
        let taken = seats.take(id).unwrap();
        assert!(seats.take(id).is_none() && seats.is_taken(id));
        let died = catch_unwind(AssertUnwindSafe(move || {
            let _taken = taken;
            panic!("the driver died");
        }));
        assert!(died.is_err() && !seats.is_taken(id));
    }

    #[test]
    fn an_order_is_left_behind_by_a_driver_that_vanishes_before_it_has_written_all() {
        let (folder, now) = (tempfile::tempdir().unwrap(), Timestamp::UNIX_EPOCH);
        let storage = Storage::open(folder.path(), &Env::system()).unwrap();
        let store = Store::new(&storage.tree(Service::Orders).unwrap());
        let (left_behind, id) = (LeftBehind::default(), OrderId::from_uuid(uuid::Uuid::nil()));
        let vanish = |answers| {
            let died = catch_unwind(AssertUnwindSafe(|| {
                let _unwritten = Unwritten { store: &store, left_behind: &left_behind, id, answers };
                panic!("the driver died");
            }));
            assert!(died.is_err());
            lock(&left_behind).contains(&id)
        };
        assert!(!vanish(Vec::new()), "all was written");
        let due = Saga::begin(1, Plan::Ship, now).due().unwrap();
        assert!(vanish(vec![(due, Answer::Missing, now)]));
    }
}
