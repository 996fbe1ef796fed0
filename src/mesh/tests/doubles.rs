//! A service double: its requests, its event, its actor.

use crate::{
    mesh::{Context, HandlerResult, Handlers, MeshError, ProcessedEvents, events, requests, service},
    storage::Storage,
    types::Service,
};
use actix::ArbiterHandle;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Greet {
    pub name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dawdle {}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rush {}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {}

/// A request that cannot be read from its bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mumble {
    #[serde(skip_serializing)]
    pub word: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sing {}

/// A reply that cannot be read from its bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Song {
    #[serde(skip_serializing)]
    pub _tune: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("we do not greet {0}")]
pub struct Rude(pub String);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DoorOpened {
    pub number: u32,
}

requests! { Service::Products, Rude,
    query   anyone Greet  "doubles.greet" by name -> String,
    keyed   anyone Order  "doubles.order"         -> (),
    command anyone Dawdle "doubles.dawdle"        -> (),
    command anyone Rush   "doubles.rush"          -> (),
    command anyone Mumble "doubles.mumble"        -> (),
    command anyone Sing   "doubles.sing"          -> Song,
}

events! { Service::Users,
    DoorOpened "doubles.door_opened",
}

/// The actor of the double. All instances share its counters.
#[derive(Clone)]
pub struct Double {
    processed: ProcessedEvents,
    /// The numbers of the doors that were opened.
    pub doors: Arc<Mutex<Vec<u32>>>,
    /// The number of deliveries that fail before one succeeds.
    pub refusals: Arc<AtomicUsize>,
    /// The number of `Dawdle`s that run.
    pub dawdling: Arc<AtomicUsize>,
    /// The name of each greeting.
    pub greeted: Arc<Mutex<Vec<String>>>,
    /// The word of each `Mumble`.
    pub mumbled: Arc<Mutex<Vec<String>>>,
    /// The number of orders that fail before one succeeds.
    pub failures: Arc<AtomicUsize>,
    /// The number of orders.
    pub orders: Arc<AtomicUsize>,
    /// Milliseconds that a greeting takes.
    pub slowness: Arc<AtomicUsize>,
}

service! { Double,
    handles {
        Greet  => greet,
        Dawdle => dawdle,
        Order  => order,
        Rush   => rush,
        Mumble => mumble,
        Sing   => sing,
    }
    subscribes {
        DoorOpened => door_opened,
    }
}

impl Double {
    async fn greet(&self, _: Context, request: Greet) -> HandlerResult<Greet> {
        self.greeted.lock().push(request.name.clone());
        if request.name == "stall" {
            // Blocks the thread: no other task runs there meanwhile.
            std::thread::sleep(Duration::from_secs(7));
        }
        let slowness = self.slowness.load(Ordering::SeqCst);
        if slowness > 0 {
            tokio::time::sleep(Duration::from_millis(slowness as u64)).await;
        }
        match request.name.as_str() {
            "nobody" => Err(Rude(request.name).into()),
            "panic" => panic!("planted"),
            name => Ok(format!("Good day, {name}")),
        }
    }

    async fn order(&self, _: Context, _: Order) -> HandlerResult<Order> {
        self.orders.fetch_add(1, Ordering::SeqCst);
        if take_one(&self.failures) { Err(MeshError::Failed("planted".into()).into()) } else { Ok(()) }
    }

    async fn rush(&self, _: Context, _: Rush) -> HandlerResult<Rush> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    }

    async fn mumble(&self, _: Context, request: Mumble) -> HandlerResult<Mumble> {
        self.mumbled.lock().push(request.word);
        Ok(())
    }

    async fn sing(&self, _: Context, _: Sing) -> HandlerResult<Sing> {
        Ok(Song { _tune: 7 })
    }

    async fn dawdle(&self, _: Context, _: Dawdle) -> HandlerResult<Dawdle> {
        self.dawdling.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.dawdling.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    async fn door_opened(&self, _: Context, event: DoorOpened) -> Result<(), MeshError> {
        if take_one(&self.refusals) {
            return Err(MeshError::Failed("planted".into()));
        }
        self.doors.lock().push(event.number);
        Ok(())
    }

    pub fn of(storage: &Storage) -> Self {
        Self {
            processed: ProcessedEvents::in_tree(&storage.tree(Service::Products).unwrap()),
            doors: Arc::default(),
            refusals: Arc::default(),
            dawdling: Arc::default(),
            greeted: Arc::default(),
            mumbled: Arc::default(),
            failures: Arc::default(),
            orders: Arc::default(),
            slowness: Arc::default(),
        }
    }

    fn processed_events(&self) -> &ProcessedEvents {
        &self.processed
    }
}

/// Starts one instance on the given thread.
pub fn start_double(double: &Double, on: &ArbiterHandle) -> Handlers {
    start(double, on)
}

/// Lowers the number by one; `false` if it is zero.
fn take_one(of: &AtomicUsize) -> bool {
    of.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}
