//! The threads that instances live on. Each stands for a machine of a cluster, and runs one instance of every service: the first of
//! each on node 1, the second of each on node 2. Where there is a door, its workers are the nodes: what comes in at one is done there.
//!
//! With a thread for each instance, every message between two services wakes another thread, and on few cores that is most of what a
//! message costs: of the same processors an order took 2.35 ms with fourteen threads, 2.02 with its calls spread over two, and 1.60 with all
//! on one. Here what belongs together can stay on one node ([`Strategy::ZoneAware`](super::Strategy)), and the nodes work side by side.
//! The price: a handler that blocked its thread would hold up all that live on the node, as a machine out of breath does; their siblings
//! on the other nodes go on.

use actix::{Arbiter, ArbiterHandle};
use parking_lot::{Mutex, MutexGuard};
use std::{cell::Cell, collections::BTreeMap};

thread_local! {
    static HERE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The node that the caller's thread is; `None` where it is none.
pub(super) fn here() -> Option<usize> {
    HERE.get()
}

/// The nodes by their numbers.
#[derive(Default)]
pub(super) struct Nodes(Mutex<BTreeMap<usize, Node>>);

enum Node {
    /// Somebody else's thread, and his to end.
    Lent(ArbiterHandle),
    Own(Arbiter),
}

impl Nodes {
    /// These are the first ones. To be called before any has begun.
    pub fn lend(&self, threads: &[ArbiterHandle]) {
        for (number, thread) in (1..).zip(threads) {
            thread.spawn_fn(move || HERE.set(Some(number)));
            self.lock().insert(number, Node::Lent(thread.clone()));
        }
    }

    /// Begun when it is first wanted, where nobody has lent it.
    pub fn thread(&self, number: usize) -> ArbiterHandle {
        let begin = || {
            let thread = Arbiter::new();
            thread.spawn_fn(move || HERE.set(Some(number)));
            Node::Own(thread)
        };
        match self.lock().entry(number).or_insert_with(begin) {
            Node::Lent(thread) => thread.clone(),
            Node::Own(thread) => thread.handle(),
        }
    }

    /// Ends them, and whatever is still on them.
    pub fn stop(&self) {
        let own = |node| if let Node::Own(thread) = node { Some(thread) } else { None };
        let all: Vec<_> = std::mem::take(&mut *self.lock()).into_values().filter_map(own).collect();
        all.iter().for_each(|node| _ = node.stop());
        all.into_iter().for_each(|node| _ = node.join());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Node>> {
        self.0.lock()
    }
}
