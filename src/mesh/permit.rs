//! A call's place in its instance, and in whose hands its request is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// One of the calls that an instance takes at a time; free again when this is dropped.
///
/// It travels with the request, so that the place is free when the handler is done, not when the caller gives up.
pub(super) struct Permit {
    in_flight: Arc<AtomicUsize>,
    /// How many of the instance's requests no handler has had yet.
    mailbox: Arc<AtomicUsize>,
    hands: Arc<Hands>,
}

/// What the caller keeps of a permit that has gone with its request.
pub(super) struct Sent(Arc<Hands>);

/// In whose hands a request is, and since when in a handler's.
struct Hands {
    state: AtomicU8,
    sent_at: Instant,
    /// Nanoseconds that it lay in the mailbox, and one; 0 while it does.
    queued: AtomicU64,
}

/// Nobody has it in hand: it lies in a mailbox.
const UNDER_WAY: u8 = 0;
/// A handler does what it asks for.
const BEGUN: u8 = 1;
/// Its caller has given it up, or to a sibling.
const TAKEN_BACK: u8 = 2;

impl Permit {
    /// `None` where `capacity` calls are in flight already.
    pub fn admit(in_flight: &Arc<AtomicUsize>, capacity: usize, mailbox: &Arc<AtomicUsize>) -> Option<Self> {
        in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < capacity).then_some(n + 1)).is_ok().then(
            || {
                mailbox.fetch_add(1, Ordering::AcqRel);
                Self { in_flight: in_flight.clone(), mailbox: mailbox.clone(), hands: Arc::new(Hands::new()) }
            },
        )
    }

    /// Said by the handler that takes the request in hand; `false` where it has been taken back.
    pub fn begin(&self) -> bool {
        self.hands.queued.store(self.hands.sent_at.elapsed().as_nanos() as u64 + 1, Ordering::Release);
        let is_first = self.hands.go_to(BEGUN);
        if is_first {
            self.mailbox.fetch_sub(1, Ordering::AcqRel);
        }
        is_first
    }

    pub fn sent(&self) -> Sent {
        Sent(self.hands.clone())
    }
}

impl Sent {
    /// Takes the request back, so that no handler begins it any more; `false` where one has.
    pub fn take_back(&self) -> bool {
        self.0.go_to(TAKEN_BACK)
    }

    /// How long it lay in the mailbox; `None` where no handler has had it.
    pub fn queued(&self) -> Option<Duration> {
        self.0.queued.load(Ordering::Acquire).checked_sub(1).map(Duration::from_nanos)
    }
}

impl Hands {
    fn new() -> Self {
        Self { state: AtomicU8::new(UNDER_WAY), sent_at: Instant::now(), queued: AtomicU64::new(0) }
    }

    /// Handler and caller reach for it at the same time; one of them has it.
    fn go_to(&self, hand: u8) -> bool {
        self.state.compare_exchange(UNDER_WAY, hand, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
        // One that was taken back lay there until now.
        if self.hands.state.load(Ordering::Acquire) != BEGUN {
            self.mailbox.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_begun_or_taken_back_and_never_both() {
        let (places, mailbox) = (Arc::default(), Arc::default());
        let permit = Permit::admit(&places, 2, &mailbox).unwrap();
        assert_eq!((mailbox.load(Ordering::Acquire), permit.sent().queued()), (1, None));
        assert!(permit.begin() && !permit.sent().take_back());
        assert_eq!(mailbox.load(Ordering::Acquire), 0);
        assert!(permit.sent().queued().is_some());
        let other = Permit::admit(&places, 2, &mailbox).unwrap();
        assert!(other.sent().take_back() && !other.begin());
        assert!(Permit::admit(&places, 2, &mailbox).is_none());
        assert_eq!(mailbox.load(Ordering::Acquire), 1, "it lies there still");
        drop((permit, other));
        assert_eq!((places.load(Ordering::Acquire), mailbox.load(Ordering::Acquire)), (0, 0));
    }
}
