//! Single flight (request collapsing): when several requests need the same response at one time,
//! one calls the handler, and the others wait for its response.
//!
//! The name is that of Go's `singleflight` package. Without it, the expiry of a popular response
//! causes a burst of calls (cache stampede).

use super::key::CacheKey;
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::watch;

/// The responses that handlers are making now.
#[derive(Default)]
pub struct Flights(Mutex<HashMap<CacheKey, watch::Receiver<Landing>>>);

/// The role of a request in its flight.
pub enum FlightRole {
    /// The request calls the handler.
    Leader(Flight),
    /// The request waits. The receiver's sender is dropped when the flight is over.
    Follower(watch::Receiver<Landing>),
}

/// How a flight ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// The leader was dropped: its client disconnected.
    Lost,
    /// The response is stored.
    Stored,
    /// The response must not be stored: each follower calls the handler itself.
    NotStored,
}

/// The leader's part. The flight is over when this is dropped.
pub struct Flight {
    flights: Arc<Flights>,
    key: CacheKey,
    landing: watch::Sender<Landing>,
}

impl Flights {
    /// Joins the flight for `key`. The first request becomes its leader.
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
    /// The key of the response.
    pub fn key(&self) -> &CacheKey {
        &self.key
    }

    /// Ends the flight, and tells the followers how.
    pub fn land(self, landing: Landing) {
        self.landing.send_replace(landing);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}
