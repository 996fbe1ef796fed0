//! Single flight: of requests for one response at one time, one asks the handler and the others wait for it.

use super::key::CacheKey;
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::watch;

/// The responses that handlers are making now.
#[derive(Default)]
pub struct Flights(Mutex<HashMap<CacheKey, watch::Receiver<Landing>>>);

/// What a request is in its flight.
pub enum FlightRole {
    Leader(Flight),
    Follower(watch::Receiver<Landing>),
}

/// How a flight ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// The leader was dropped: its client disconnected.
    Lost,
    /// The response is stored.
    Stored,
    /// The response must not be stored: each follower has to ask the handler itself.
    NotStored,
}

/// The leader's part. The flight is over when this is dropped.
pub struct Flight {
    flights: Arc<Flights>,
    key: CacheKey,
    landing: watch::Sender<Landing>,
}

impl Flights {
    /// The first request for a key becomes the leader, until its flight is over.
    pub fn join(self: &Arc<Self>, key: &CacheKey) -> FlightRole {
        let mut flights = self.lock();
        if let Some(landing) = flights.get(key) {
            return FlightRole::Follower(landing.clone());
        }
        let (landing, follower) = watch::channel(Landing::Lost);
        flights.insert(key.clone(), follower);
        FlightRole::Leader(Flight { flights: self.clone(), key: key.clone(), landing })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, watch::Receiver<Landing>>> {
        self.0.lock()
    }
}

impl Flight {
    pub fn key(&self) -> &CacheKey {
        &self.key
    }

    pub fn land(self, landing: Landing) {
        self.landing.send_replace(landing);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}
