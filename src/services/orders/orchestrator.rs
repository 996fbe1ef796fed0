//! Executes sagas: sends the action that is due, records the reply, until nothing is due.
//!
//! Two executions of one order do no harm: a reply is recorded only for the action that is due, and
//! the participants are idempotent. [`OrderLocks`] keeps it at one, which only saves work.
//!
//! An execution can end at any point, with its thread or with the whole program. The sweeper finds
//! orders that nothing executes and continues from the saved record. The new execution assumes that
//! more was sent than was saved ([`Saga::doubt`]).

use super::{
    messages::OrderStatus,
    order_locks::OrderLocks,
    participants::{Participants, StepFault},
    records::OrderRecord,
    saga::{DueAction, Saga, StepReply},
    store::Store,
};
use crate::{
    env::{Backoff, Env, since},
    mesh::{Context, Failure, Mesh, MeshError, TraceId},
    storage::StorageError,
    telemetry::{ActiveSpan, SpanKind, SpanStatus},
    types::{OrderId, Service, Timestamp},
};
use parking_lot::Mutex;
use std::{collections::HashSet, pin::pin, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// Deadline of one call to a participant.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two attempts at an action that can still be given up.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(25), Duration::from_secs(2));
/// Between two attempts at an action that is repeated until it succeeds.
const BACKOFF_UNTIL_DONE: Backoff = Backoff::new(Duration::from_millis(25), Duration::from_secs(30));
/// While a call takes longer than this, the order shows which action is under way.
const SHOWN_AFTER: Duration = Duration::from_millis(100);
/// After this many failures of an action that must succeed, the order needs attention.
const ATTENTION_AFTER: u32 = 10;
const SWEEP_EVERY: Duration = Duration::from_secs(2);
/// The most calls at a time for orders that the sweeper found, so that the end of a long outage
/// does not start all of them at once.
const CONCURRENT_SWEPT_CALLS: usize = 64;

/// Starts the executions of sagas. All instances of the service share one.
#[derive(Clone)]
pub struct Orchestrator {
    env: Env,
    mesh: Mesh,
    store: Store,
    locks: OrderLocks,
    /// Executions that the sweeper started need one of these permits for each call.
    slots: Arc<Semaphore>,
    left_behind: LeftBehind,
}

/// Orders whose saga was interrupted (by the end of the program or of its execution) and was not
/// continued yet.
type LeftBehind = Arc<Mutex<HashSet<OrderId>>>;

impl Orchestrator {
    /// `left_behind`: the orders whose saga was running when the program last ended.
    pub fn new(env: Env, mesh: Mesh, store: Store, left_behind: Vec<OrderId>) -> Self {
        Self {
            env,
            mesh,
            store,
            locks: OrderLocks::default(),
            slots: Arc::new(Semaphore::new(CONCURRENT_SWEPT_CALLS)),
            left_behind: Arc::new(Mutex::new(left_behind.into_iter().collect())),
        }
    }

    /// Executes the order's saga in the background, unless it has none or an execution already
    /// runs. `record` is the saved record; `trace` is for a saga that records no trace of its own.
    pub fn execute(&self, record: OrderRecord, trace: TraceId) {
        actix::spawn(SagaExecution { orchestrator: self.clone(), trace, slots: None }.run_to_rest(record));
    }

    /// Runs forever: starts executions for interrupted sagas. The first sweep finds those that were
    /// running when the program last ended.
    pub async fn sweep_forever(self) {
        loop {
            if let Err(error) = self.sweep().await {
                log::error!("cannot read the unfinished orders: {error}");
            }
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    }

    async fn sweep(&self) -> Result<(), StorageError> {
        let mut found = 0;
        for id in self.store.open_orders()? {
            if self.locks.is_taken(id) {
                continue;
            }
            if let Some(record) = self.unfinished(id).await? {
                let (trace, slots) = (TraceId(self.env.bytes()), Some(self.slots.clone()));
                actix::spawn(SagaExecution { orchestrator: self.clone(), trace, slots }.run_to_rest(record));
                found += 1;
            }
        }
        if found > 0 {
            log::info!(found; "continuing interrupted sagas");
        }
        Ok(())
    }

    /// The order, if a saga of it is running. The record is on disk.
    async fn unfinished(&self, id: OrderId) -> Result<Option<OrderRecord>, StorageError> {
        let found = self.store.order(id)?.filter(|record| record.saga.is_some());
        if found.is_some() {
            // Another task may have written the intent a moment ago. It must be on disk before the
            // action is sent.
            self.store.commit().await?;
        }
        Ok(found)
    }
}

/// Runs the saga of one order. At most one exists per order.
struct SagaExecution {
    orchestrator: Orchestrator,
    /// The trace for a saga that records no trace of its own.
    trace: TraceId,
    /// Bounds the concurrent calls, if the sweeper started this execution.
    slots: Option<Arc<Semaphore>>,
}

impl SagaExecution {
    /// Runs one saga of the order after the other, until none is left or another execution holds
    /// the order.
    async fn run_to_rest(self, record: OrderRecord) {
        let id = record.order.id;
        let mut next = Some(record).filter(|record| record.saga.is_some());
        while let Some(record) = next {
            let Some(lock) = self.orchestrator.locks.take(id) else { return };
            let ran = self.run(record).await;
            drop(lock);
            // A request that began another saga while the lock was held did not start an execution.
            // So this execution looks again after it has released the lock.
            let looked = match ran {
                Ok(()) => self.orchestrator.unfinished(id).await.map_err(MeshError::from),
                Err(error) => Err(error),
            };
            next = looked.unwrap_or_else(|error| {
                log::error!(order = id.to_string().as_str(); "saga interrupted, the sweeper will continue it: {error}");
                None
            });
        }
    }

    /// Sends actions and records replies until the saga is over. `record` is the saved record.
    async fn run(&self, record: OrderRecord) -> Result<(), MeshError> {
        let Orchestrator { store, left_behind, .. } = &self.orchestrator;
        let id = record.order.id;
        let mut record = self.doubt_if_interrupted(record).await?;
        let mut unsaved = UnsavedProgress { store, left_behind, id, replies: Vec::new() };
        let mut failures = 0;
        while let Some(due) = record.due() {
            let span = self.open_span(&record, due);
            let sending = span.context().run(self.attempt(&span, &record, due));
            match unsaved.shown_during(sending).await? {
                Ok(reply) => {
                    failures = 0;
                    let status = status_of(&reply);
                    record = self.apply(record, due, reply, &mut unsaved, &span).await?;
                    span.end(|| status);
                }
                Err(fault) => {
                    span.end(|| SpanStatus::new("failed", fault.to_string()));
                    failures += 1;
                    unsaved.save().await?;
                    self.wait_after(&record, due, &fault, failures).await?;
                    let Some(fresh) = self.orchestrator.unfinished(id).await? else { return Ok(()) };
                    record = fresh;
                }
            }
        }
        Ok(())
    }

    /// Marks the saga as in doubt, if it was interrupted.
    async fn doubt_if_interrupted(&self, record: OrderRecord) -> Result<OrderRecord, MeshError> {
        let Orchestrator { store, left_behind, .. } = &self.orchestrator;
        let id = record.order.id;
        if !left_behind.lock().contains(&id) {
            return Ok(record);
        }
        let doubted = store.change(id, |record| Ok(record.saga.as_mut().is_some_and(Saga::doubt)));
        let record = doubted.await.map_err(Failure::into_mesh)?;
        left_behind.lock().remove(&id);
        Ok(record)
    }

    fn open_span(&self, record: &OrderRecord, due: DueAction) -> ActiveSpan {
        let cause = record.saga.as_ref().and_then(|saga| saga.cause);
        self.orchestrator.mesh.tracer().open_later(cause, self.trace, || SpanKind::Step {
            order_id: record.order.id,
            saga: due.saga,
            action: format!("{:?}", due.action).into(),
        })
    }

    /// Sends the action that is due once; gives [`StepReply::Missing`] without sending it when the
    /// saga has run out of time for it.
    async fn attempt(&self, span: &ActiveSpan, record: &OrderRecord, due: DueAction) -> Result<StepReply, StepFault> {
        let Some(saga) = &record.saga else { return Ok(StepReply::Missing) };
        if saga.gives_up(self.orchestrator.env.now()) {
            return Ok(StepReply::Missing);
        }
        let _slot = match &self.slots {
            Some(slots) => slots.acquire().await.ok(),
            None => None,
        };
        let trace = saga.cause.map_or(self.trace, |cause| cause.trace);
        let context = Context::of_service(Service::Orders, CALL_TIMEOUT, trace).in_span(span.id());
        let participants =
            Participants { mesh: &self.orchestrator.mesh, context: &context, order: &record.order, saga };
        match participants.send(due.action).await? {
            StepReply::Refused(refusal) if !saga.may_be_refused() => {
                Err(StepFault::Contradiction(format!("{:?} was refused: {refusal:?}", due.action)))
            }
            reply => Ok(reply),
        }
    }

    /// Applies the reply to the record, and saves it unless the saga may go on without.
    async fn apply(
        &self,
        mut record: OrderRecord,
        due: DueAction,
        reply: StepReply,
        unsaved: &mut UnsavedProgress<'_>,
        span: &ActiveSpan,
    ) -> Result<OrderRecord, MeshError> {
        let Orchestrator { env, mesh, .. } = &self.orchestrator;
        let begun = record.saga.as_ref().map(|saga| (saga.plan.name(), saga.number, saga.begun_at));
        let now = env.now();
        record.apply_reply(due, &reply, now).map_err(|error| Failure::from(error).into_mesh())?;
        unsaved.replies.push((due, reply, now));
        if !record.may_go_on() {
            record = span.context().run(unsaved.save()).await?.unwrap_or(record);
        }
        if let Some((plan, number, begun_at)) = begun
            && record.saga.as_ref().is_none_or(|saga| saga.number != number)
        {
            let is_undone = record.refusal_of(number).is_some() || record.order.status == OrderStatus::Rejected;
            mesh.tracer().count_saga(plan, if is_undone { "undone" } else { "done" }, since(env.now(), begun_at));
        }
        Ok(record)
    }

    /// Reports a failed attempt to people if necessary, then waits before the next attempt.
    async fn wait_after(
        &self,
        record: &OrderRecord,
        due: DueAction,
        fault: &StepFault,
        failures: u32,
    ) -> Result<(), MeshError> {
        let Orchestrator { env, store, .. } = &self.orchestrator;
        let order = record.order.id.to_string();
        let must_succeed = record.saga.as_ref().is_some_and(Saga::must_succeed);
        let is_contradiction = matches!(fault, StepFault::Contradiction(_));
        if is_contradiction {
            log::error!(order = order.as_str(), action:? = due.action, failures; "{fault}");
        }
        if must_succeed && !record.needs_attention && (is_contradiction || failures >= ATTENTION_AFTER) {
            log::warn!(order = order.as_str(), action:? = due.action, failures; "an order needs attention: {fault}");
            let now = env.now();
            let marked = store.change(record.order.id, |record| Ok(record.call_for_attention(due, now)));
            marked.await.map_err(Failure::into_mesh)?;
        }
        let backoff = if must_succeed { BACKOFF_UNTIL_DONE } else { BACKOFF };
        tokio::time::sleep(backoff.pause(failures, env)).await;
        Ok(())
    }
}

fn status_of(reply: &StepReply) -> SpanStatus {
    match reply {
        StepReply::Refused(refusal) => SpanStatus::new("refused", format!("{refusal:?}")),
        StepReply::Missing => SpanStatus::new("timed_out", "given up"),
        StepReply::Done(_) => SpanStatus::OK,
    }
}

/// Replies that are applied in memory but not on disk. If the execution is dropped, they are lost,
/// as in a crash, and the sweeper continues the order.
struct UnsavedProgress<'a> {
    store: &'a Store,
    left_behind: &'a LeftBehind,
    id: OrderId,
    replies: Vec<(DueAction, StepReply, Timestamp)>,
}

impl UnsavedProgress<'_> {
    /// Saves the replies; gives the order as it is then, on disk. `None` if there was nothing to
    /// save.
    async fn save(&mut self) -> Result<Option<OrderRecord>, MeshError> {
        if self.replies.is_empty() {
            return Ok(None);
        }
        let apply = |record: &mut OrderRecord| {
            self.replies
                .iter()
                .try_fold(false, |changed, (due, reply, at)| Ok(record.apply_reply(*due, reply, *at)? | changed))
        };
        let record = self.store.change(self.id, apply).await.map_err(Failure::into_mesh)?;
        self.replies.clear();
        Ok(Some(record))
    }

    /// Awaits `sending`. If that takes long, saves the replies meanwhile, so that a reader of the
    /// order sees which action is under way.
    async fn shown_during<T>(&mut self, sending: impl Future<Output = T>) -> Result<T, MeshError> {
        let mut sending = pin!(sending);
        if !self.replies.is_empty() {
            match tokio::time::timeout(SHOWN_AFTER, &mut sending).await {
                Ok(sent) => return Ok(sent),
                Err(_) => self.save().await?,
            };
        }
        Ok(sending.await)
    }
}

impl Drop for UnsavedProgress<'_> {
    fn drop(&mut self) {
        if !self.replies.is_empty() {
            self.left_behind.lock().insert(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{services::orders::saga::Plan, storage::Storage, types::Id};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn an_order_is_left_behind_by_an_execution_that_panics_before_it_has_saved_all_replies() {
        let (folder, now) = (tempfile::tempdir().unwrap(), Timestamp::UNIX_EPOCH);
        let storage = Storage::open(folder.path(), &Env::system()).unwrap();
        let store = Store::new(&storage.tree(Service::Orders).unwrap());
        let (left_behind, id) = (LeftBehind::default(), OrderId::from_uuid(uuid::Uuid::nil()));
        let is_left_behind_with = |replies| {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let _unsaved = UnsavedProgress { store: &store, left_behind: &left_behind, id, replies };
                panic!("the execution panicked");
            }));
            assert!(panicked.is_err());
            left_behind.lock().contains(&id)
        };
        assert!(!is_left_behind_with(Vec::new()), "all was saved");
        let due = Saga::begin(1, Plan::Ship, now).due().unwrap();
        assert!(is_left_behind_with(vec![(due, StepReply::Missing, now)]));
    }
}
