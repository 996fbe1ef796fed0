//! A ring buffer with the spans of the last minutes, bounded in bytes.

use super::span::Span;
use crate::types::{Timestamp, TraceId};
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// The spans of the last minutes.
pub struct Ring {
    most_bytes: usize,
    kept_for: Duration,
    spans: Mutex<Spans>,
}

#[derive(Default)]
struct Spans {
    /// In the order in which they ended.
    all: VecDeque<Arc<Span>>,
    bytes: usize,
}

/// Bytes that the ring needs for each span beside the span itself: its entry, and the counters of
/// an `Arc`.
const OVERHEAD: usize = size_of::<Arc<Span>>() + 2 * size_of::<usize>();

impl Ring {
    /// A ring for the spans that began at most `kept_for` ago, in at most `most_bytes`.
    pub fn new(most_bytes: usize, kept_for: Duration) -> Self {
        Self { most_bytes, kept_for, spans: Mutex::default() }
    }

    /// Whether any span is kept: `most_bytes` is not zero.
    pub fn keeps_anything(&self) -> bool {
        self.most_bytes > 0
    }

    /// Adds a span. The oldest spans are dropped to make room for it.
    pub fn push(&self, span: Arc<Span>) {
        let oldest = span.started_at.saturating_sub(jiff::SignedDuration::try_from(self.kept_for).unwrap_or_default());
        let oldest = oldest.unwrap_or(Timestamp::MIN);
        let size = span.size() + OVERHEAD;
        // Dropped after the lock is released, because dropping takes longer than the rest.
        let mut dropped = Vec::new();
        let mut spans = self.spans.lock();
        spans.bytes += size;
        spans.all.push_back(span);
        while let Some(first) = spans.all.front()
            && (spans.bytes > self.most_bytes || first.started_at < oldest)
        {
            spans.bytes -= first.size() + OVERHEAD;
            dropped.extend(spans.all.pop_front());
        }
        drop(spans);
    }

    /// The spans of a trace in the order in which they began.
    pub fn trace(&self, id: TraceId) -> Vec<Arc<Span>> {
        let mut spans: Vec<_> = self.spans.lock().all.iter().filter(|span| span.at.trace == id).cloned().collect();
        spans.sort_by_key(|span| span.started_at);
        spans
    }

    /// All spans in the order in which they ended.
    pub fn all(&self) -> Vec<Arc<Span>> {
        self.spans.lock().all.iter().cloned().collect()
    }

    /// The bytes that the spans take.
    pub fn bytes(&self) -> usize {
        self.spans.lock().bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        telemetry::{SpanKind, SpanStatus},
        types::{SpanId, SpanRef},
    };

    fn span(trace: u8, second: i64) -> Arc<Span> {
        Arc::new(Span {
            at: SpanRef { trace: TraceId([trace; 16]), span: SpanId([1; 8]) },
            parent_id: None,
            caused_by: None,
            started_at: Timestamp::from_second(second).unwrap(),
            took: Duration::from_millis(1),
            outcome: SpanStatus::OK,
            what: SpanKind::Commit { tree: "orders" },
        })
    }

    #[test]
    fn the_ring_stays_within_its_bytes_and_drops_the_oldest_first() {
        let each = span(1, 1).size() + OVERHEAD;
        let ring = Ring::new(10 * each, Duration::from_secs(3600));
        for n in 0..100u8 {
            ring.push(span(n, 1));
            assert!(ring.bytes() <= 10 * each);
        }
        let kept: Vec<_> = ring.all().iter().map(|span| span.at.trace.0[0]).collect();
        assert_eq!(kept, (90..100).collect::<Vec<_>>());
        assert_eq!((ring.trace(TraceId([95; 16])).len(), ring.trace(TraceId([5; 16])).len()), (1, 0));
    }

    #[test]
    fn spans_that_are_too_old_are_dropped_when_a_new_one_comes() {
        let ring = Ring::new(usize::MAX, Duration::from_secs(60));
        for second in [0, 30, 59, 61, 91] {
            ring.push(span(second as u8, second));
        }
        let kept: Vec<_> = ring.all().iter().map(|span| span.started_at.as_second()).collect();
        assert_eq!(kept, [59, 61, 91]);
    }

    #[test]
    fn the_bytes_counted_are_those_of_the_spans_kept() {
        let ring = Ring::new(5000, Duration::from_secs(3600));
        (0..50).for_each(|n| ring.push(span(n, 1)));
        let held: usize = ring.all().iter().map(|span| span.size() + OVERHEAD).sum();
        assert_eq!(ring.bytes(), held);
    }
}
