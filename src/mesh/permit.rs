//! A slot of an instance, and the state of the call that holds the slot.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// A slot among the calls that an instance has in flight (a bulkhead: Nygard, "Release It!", 2007,
/// ch. 5). Dropping the permit frees the slot.
///
/// The permit travels with the request. The slot is therefore free when the handler has ended, not
/// when the caller stops waiting.
pub(super) struct Permit {
    in_flight: Arc<AtomicUsize>,
    /// The number of the instance's requests that no handler has started.
    mailbox: Arc<AtomicUsize>,
    call: Arc<CallState>,
}

/// State of one call: queued, running, or cancelled. Caller and handler share it.
pub(super) struct CallState {
    phase: AtomicU8,
    queued_since: Instant,
    /// Nanoseconds that the request was in the mailbox, plus one; 0 while it is there.
    queued_nanos: AtomicU64,
}

/// The request is in a mailbox.
const QUEUED: u8 = 0;
/// A handler has started.
const RUNNING: u8 = 1;
/// The caller has stopped waiting, or has sent the request to another instance.
const CANCELLED: u8 = 2;

impl Permit {
    /// Takes a slot; `None` if `capacity` calls are in flight already.
    pub fn admit(in_flight: &Arc<AtomicUsize>, capacity: usize, mailbox: &Arc<AtomicUsize>) -> Option<Self> {
        in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < capacity).then_some(n + 1)).is_ok().then(
            || {
                mailbox.fetch_add(1, Ordering::AcqRel);
                Self { in_flight: in_flight.clone(), mailbox: mailbox.clone(), call: Arc::new(CallState::queued()) }
            },
        )
    }

    /// Marks the call as running. `false` if the caller has cancelled it: the handler must not
    /// start.
    pub fn start(&self) -> bool {
        let nanos = self.call.queued_since.elapsed().as_nanos() as u64;
        self.call.queued_nanos.store(nanos + 1, Ordering::Release);
        let has_started = self.call.leave_queue(RUNNING);
        if has_started {
            self.mailbox.fetch_sub(1, Ordering::AcqRel);
        }
        has_started
    }

    pub fn call(&self) -> Arc<CallState> {
        self.call.clone()
    }
}

impl CallState {
    fn queued() -> Self {
        Self { phase: AtomicU8::new(QUEUED), queued_since: Instant::now(), queued_nanos: AtomicU64::new(0) }
    }

    /// Cancels the call, so that no handler starts it. `false` if a handler has started.
    pub fn cancel(&self) -> bool {
        self.leave_queue(CANCELLED)
    }

    /// How long the request was in the mailbox; `None` if no handler has looked at it.
    pub fn time_queued(&self) -> Option<Duration> {
        self.queued_nanos.load(Ordering::Acquire).checked_sub(1).map(Duration::from_nanos)
    }

    /// Handler and caller may both try this at the same moment. One of them succeeds.
    fn leave_queue(&self, next: u8) -> bool {
        self.phase.compare_exchange(QUEUED, next, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
        // A cancelled request was in the mailbox until now.
        if self.call.phase.load(Ordering::Acquire) != RUNNING {
            self.mailbox.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_started_or_cancelled_and_never_both() {
        let (in_flight, mailbox) = (Arc::default(), Arc::default());
        let permit = Permit::admit(&in_flight, 2, &mailbox).unwrap();
        assert_eq!((mailbox.load(Ordering::Acquire), permit.call().time_queued()), (1, None));
        assert!(permit.start() && !permit.call().cancel());
        assert_eq!(mailbox.load(Ordering::Acquire), 0);
        assert!(permit.call().time_queued().is_some());
        let other = Permit::admit(&in_flight, 2, &mailbox).unwrap();
        assert!(other.call().cancel() && !other.start());
        assert!(Permit::admit(&in_flight, 2, &mailbox).is_none());
        assert_eq!(mailbox.load(Ordering::Acquire), 1, "the cancelled request is still in the mailbox");
        drop((permit, other));
        assert_eq!((in_flight.load(Ordering::Acquire), mailbox.load(Ordering::Acquire)), (0, 0));
    }
}
