//! Handlers under every order of events: a handler is held up at each look into the store,
//! overtaken there by others, or ended at any moment.

use super::store::Store;
use crate::storage::{StorageError, WriteStage, on_each_stage};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    sync::mpsc::{Receiver, Sender, channel},
};

/// Where a handler waits for its turn.
struct Turnstile {
    arrived: Sender<()>,
    /// Closed when the world has ended.
    go: Receiver<()>,
}

impl Turnstile {
    /// Waits for the turn. Fails if the world has ended.
    fn wait(&self) -> Result<(), StorageError> {
        self.arrived.send(()).unwrap();
        self.go.recv().map_err(|_| StorageError::Disk("the world has ended".into()))
    }
}

/// Whether a handler can be held up there: before and after each decision, and before each read of
/// a reservation or a restock.
///
/// Products and categories are also read while the catalogue is locked. A handler that is held up
/// there would hold up all others.
fn is_interruptible(table: &str, stage: WriteStage) -> bool {
    match stage {
        WriteStage::Reading => ["reservation", "restock"].contains(&table),
        WriteStage::Loaded | WriteStage::Decided => true,
        _ => false,
    }
}

/// In what order handlers go on, and whether the world ends.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Which handler goes on, and for how many steps. Long stretches with few changes find more
    /// faults than a change at each step, because most faults need one handler that is held up for
    /// long (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding
    /// Bugs", 2010).
    stretches: Vec<(usize, usize)>,
    /// The world ends after this many steps.
    pub end_after: Option<usize>,
}

prop_compose! {
    pub fn schedule()(
        stretches in prop::collection::vec((0usize..12, prop_oneof![1usize..4, 4usize..20]), 1..20),
        end_after in prop::option::weighted(0.3, 1usize..100),
    ) -> Schedule {
        Schedule { stretches, end_after }
    }
}

impl Schedule {
    fn turns(&self) -> impl Iterator<Item = usize> + '_ {
        self.stretches.iter().cycle().flat_map(|(handler, steps)| std::iter::repeat_n(*handler, *steps))
    }
}

/// Performs the operations at the same time: one step of one operation after the other, with
/// `check` after each step.
pub fn interleave<O: Sync, A: Send>(
    store: &Store,
    ops: &[O],
    schedule: &Schedule,
    perform: impl Fn(&Store, &O) -> A + Sync,
    check: impl Fn(),
) -> Vec<A> {
    let perform = &perform;
    std::thread::scope(|scope| {
        let mut running = BTreeMap::new();
        for (number, op) in ops.iter().enumerate() {
            let (arrived, has_arrived) = channel();
            let (go, may_go) = channel();
            let turnstile = Turnstile { arrived, go: may_go };
            let handler = scope.spawn(move || {
                // No handler begins before its turn.
                let _ = turnstile.wait();
                let hold_up = move |table: &str, stage| match is_interruptible(table, stage) {
                    true => turnstile.wait(),
                    false => Ok(()),
                };
                on_each_stage(hold_up, || perform(store, op))
            });
            has_arrived.recv().unwrap();
            running.insert(number, (go, has_arrived, handler));
        }
        let mut answers = Vec::new();
        for (step, turn) in schedule.turns().enumerate() {
            check();
            if running.is_empty() {
                break;
            }
            if schedule.end_after == Some(step) {
                // No handler is told to go on again.
                answers.extend(running.into_values().map(|(go, _, handler)| {
                    drop(go);
                    handler.join().unwrap()
                }));
                check();
                break;
            }
            let number = *running.keys().nth(turn % running.len()).unwrap();
            let (go, has_arrived, _) = &running[&number];
            go.send(()).unwrap();
            // The handler goes on to its next wait, or to its end.
            if has_arrived.recv().is_err() {
                let (_, _, handler) = running.remove(&number).unwrap();
                answers.push(handler.join().unwrap());
            }
        }
        answers
    })
}
