//! Nodes: the threads on which instances run.
//!
//! A node stands for a machine of a cluster and runs one instance of every service: the first
//! instance of each service on node 1, the second on node 2. In a shop with a gateway, the
//! gateway's workers are the nodes, so a request can be handled where it arrived.
//!
//! With a thread for each instance, every message between two services wakes another thread. On few
//! cores this is most of a message's cost: on one machine an order took 2.35 ms with fourteen
//! threads, 2.02 ms with its calls spread over two threads, and 1.60 ms with all of them on one.
//! With nodes, related calls stay on one thread ([`Strategy::ZoneAware`](super::Strategy)), and the
//! nodes run in parallel. The price is that a handler that blocks its thread delays every instance
//! on its node, as an overloaded machine does. The instances on other nodes are not delayed.

use actix::{Arbiter, ArbiterHandle};
use parking_lot::Mutex;
use std::{cell::Cell, collections::BTreeMap};

thread_local! {
    static CURRENT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The number of the node on whose thread the code runs; `None` on other threads.
pub(super) fn current_node() -> Option<usize> {
    CURRENT.get()
}

/// The nodes by their numbers.
#[derive(Default)]
pub(super) struct Nodes(Mutex<BTreeMap<usize, Node>>);

enum Node {
    /// A thread that was handed in. Its owner stops it.
    Lent(ArbiterHandle),
    /// A thread that the mesh started and stops.
    Own(Arbiter),
}

impl Nodes {
    /// Makes these threads the first nodes. To be called before a node is started.
    pub fn lend(&self, threads: &[ArbiterHandle]) {
        for (number, thread) in (1..).zip(threads) {
            thread.spawn_fn(move || CURRENT.set(Some(number)));
            self.0.lock().insert(number, Node::Lent(thread.clone()));
        }
    }

    /// The thread of a node. A node that was not lent is started at its first use.
    pub fn thread(&self, number: usize) -> ArbiterHandle {
        let begin = || {
            let thread = Arbiter::new();
            thread.spawn_fn(move || CURRENT.set(Some(number)));
            Node::Own(thread)
        };
        match self.0.lock().entry(number).or_insert_with(begin) {
            Node::Lent(thread) => thread.clone(),
            Node::Own(thread) => thread.handle(),
        }
    }

    /// Stops the mesh's own threads, and drops all tasks on them.
    pub fn stop(&self) {
        let own = |node| if let Node::Own(thread) = node { Some(thread) } else { None };
        let all: Vec<_> = std::mem::take(&mut *self.0.lock()).into_values().filter_map(own).collect();
        all.iter().for_each(|node| _ = node.stop());
        all.into_iter().for_each(|node| _ = node.join());
    }
}
