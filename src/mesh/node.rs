//! The threads that instances live on. Each stands for a machine of a cluster, and runs one instance of every service: the first of
//! each on node 1, the second of each on node 2.
//!
//! With a thread for each instance, every message between two services wakes another thread, and on few cores that is most of what a
//! message costs: of the same processors an order took 2.35 ms with fourteen threads, 2.02 with its calls spread over two, and 1.60 with all
//! on one. Here what belongs together can stay on one node ([`Strategy::ZoneAware`](super::Strategy)), and the nodes work side by side.
//! The price: a handler that blocked its thread would hold up all that live on the node, as a machine out of breath does; their siblings
//! on the other nodes go on.

use actix::{Arbiter, ArbiterHandle};
use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

thread_local! {
    static HERE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The node that the caller's thread is; `None` for a thread of somebody else's, such as one of the door's.
pub(super) fn here() -> Option<usize> {
    HERE.get()
}

/// The nodes by their numbers, each begun when it is first wanted.
#[derive(Default)]
pub(super) struct Nodes(Mutex<BTreeMap<usize, Arbiter>>);

impl Nodes {
    pub fn thread(&self, number: usize) -> ArbiterHandle {
        let begin = || {
            let node = Arbiter::new();
            node.spawn_fn(move || HERE.set(Some(number)));
            node
        };
        self.lock().entry(number).or_insert_with(begin).handle()
    }

    /// Ends them, and whatever is still on them.
    pub fn stop(&self) {
        let all = std::mem::take(&mut *self.lock());
        all.values().for_each(|node| _ = node.stop());
        all.into_values().for_each(|node| _ = node.join());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Arbiter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
