//! Handlers under every order of events: held up at each look into the store, overtaken there by others, and ended at any moment.

use super::store::Store;
use crate::storage::StorageError;
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
};

/// Where a handler waits until it is its turn; in the hands of everybody else, nothing.
#[derive(Clone, Default)]
pub struct Interrupt(Option<Arc<Turnstile>>);

struct Turnstile {
    arrived: Sender<()>,
    /// Closed when the world has ended.
    go: Mutex<Receiver<()>>,
}

impl Interrupt {
    pub fn here(&self) -> Result<(), StorageError> {
        let Some(turnstile) = &self.0 else { return Ok(()) };
        turnstile.arrived.send(()).unwrap();
        turnstile.go.lock().unwrap().recv().map_err(|_| StorageError::Disk("the world has ended".into()))
    }
}

/// In what order handlers go on, and whether the world ends.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Who goes on, and for how many steps. Long stretches with few changes find more than a change at each step: what goes wrong
    /// mostly needs somebody who is held up for long (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of
    /// Finding Bugs", 2010).
    stretches: Vec<(usize, usize)>,
    /// The world ends after so many steps.
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
        self.stretches.iter().cycle().flat_map(|(who, steps)| std::iter::repeat_n(*who, *steps))
    }
}

/// Performs the operations at the same time, one step of one of them after the other, with `check` after each step.
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
        for (who, op) in ops.iter().enumerate() {
            let (arrived, has_arrived) = channel();
            let (go, gone) = channel();
            let interrupt = Interrupt(Some(Arc::new(Turnstile { arrived, go: gone.into() })));
            let store = store.interrupted_by(interrupt.clone());
            let handler = scope.spawn(move || {
                // Nobody begins before it is their turn.
                let _ = interrupt.here();
                perform(&store, op)
            });
            has_arrived.recv().unwrap();
            running.insert(who, (go, has_arrived, handler));
        }
        let mut answers = Vec::new();
        for (step, turn) in schedule.turns().enumerate() {
            check();
            if running.is_empty() {
                break;
            }
            if schedule.end_after == Some(step) {
                // Nobody is told to go on ever again.
                answers.extend(running.into_values().map(|(go, _, handler)| {
                    drop(go);
                    handler.join().unwrap()
                }));
                check();
                break;
            }
            let who = *running.keys().nth(turn % running.len()).unwrap();
            let (go, has_arrived, _) = &running[&who];
            go.send(()).unwrap();
            // It goes on to where it waits again, or to its end.
            if has_arrived.recv().is_err() {
                let (_, _, handler) = running.remove(&who).unwrap();
                answers.push(handler.join().unwrap());
            }
        }
        answers
    })
}
