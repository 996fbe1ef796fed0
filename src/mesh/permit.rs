//! A call's place in its instance.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// One of the calls that an instance takes at a time; free again when this is dropped.
///
/// It travels with the request, so that the place is free when the handler is done, not when the caller gives up.
pub(super) struct Permit {
    in_flight: Arc<AtomicUsize>,
    begun: Arc<AtomicBool>,
}

/// What the caller keeps of a permit that has gone with its request.
pub(super) struct Begun(Arc<AtomicBool>);

impl Permit {
    /// `None` where `capacity` calls are in flight already.
    pub fn admit(in_flight: &Arc<AtomicUsize>, capacity: usize) -> Option<Self> {
        in_flight
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < capacity).then_some(n + 1))
            .is_ok()
            .then(|| Self { in_flight: in_flight.clone(), begun: Arc::default() })
    }

    /// Said by the handler that takes the request in hand.
    pub fn begin(&self) {
        self.begun.store(true, Ordering::Release);
    }

    pub fn begun(&self) -> Begun {
        Begun(self.begun.clone())
    }
}

impl Begun {
    /// Whether a handler has taken the request in hand.
    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
