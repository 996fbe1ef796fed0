//! Begins spans. Spans that end are kept, counted and exported.

use super::{
    export::Exporter,
    metrics::Metrics,
    ring::Ring,
    span::{Payload, Span, SpanKind, SpanStatus},
};
use crate::{
    env::Env,
    types::{SpanId, SpanRef, Timestamp, TraceId},
};
use jiff::SignedDuration;
use serde::Serialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// A handle on the tracer; cheap to clone. A tracer that is off begins no spans and costs nothing.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<TracerInner>>);

struct TracerInner {
    /// One moment on both clocks: spans are measured with the second and dated with the first.
    epoch: (Timestamp, Instant),
    /// The id of the next span, before it is mixed.
    next: AtomicU64,
    ring: Ring,
    metrics: Metrics,
    exporter: Option<Exporter>,
}

/// A span that has begun and not ended. A span that is dropped before [`ActiveSpan::end`] was
/// abandoned: its caller stopped waiting.
pub struct ActiveSpan(Option<RecordingSpan>);

struct RecordingSpan {
    tracer: Arc<TracerInner>,
    at: SpanRef,
    parent: Option<SpanId>,
    caused_by: Option<SpanRef>,
    since: Instant,
    what: SpanKind,
}

impl Tracer {
    /// A tracer that keeps the spans of the last `kept_for` in at most `most_bytes`, counts all
    /// spans, and hands each to the exporter, if there is one.
    pub fn new(env: &Env, most_bytes: usize, kept_for: Duration, exporter: Option<Exporter>) -> Self {
        Self(Some(Arc::new(TracerInner {
            epoch: (env.now(), Instant::now()),
            next: u64::from_be_bytes(env.bytes()).into(),
            ring: Ring::new(most_bytes, kept_for),
            metrics: Metrics::new(),
            exporter,
        })))
    }

    /// A tracer that begins no spans.
    pub fn off() -> Self {
        Self(None)
    }

    /// The spans that are kept; `None` if the tracer is off.
    pub fn ring(&self) -> Option<&Ring> {
        self.0.as_deref().map(|inner| &inner.ring)
    }

    /// The counters; `None` if the tracer is off.
    pub fn metrics(&self) -> Option<&Metrics> {
        self.0.as_deref().map(|inner| &inner.metrics)
    }

    /// The beginning of a request or reply as JSON; empty if no spans are kept.
    pub fn payload(&self, value: &impl Serialize) -> Payload {
        match self.ring() {
            Some(ring) if ring.keeps_anything() => Payload::of(value),
            _ => Payload::default(),
        }
    }

    /// Counts a saga that has ended.
    pub fn count_saga(&self, plan: &'static str, outcome: &'static str, took: Duration) {
        if let Some(metrics) = self.metrics() {
            metrics.record_saga(plan, outcome, took);
        }
    }

    /// Begins a span of that trace inside the span `parent`. `what` is called only if the tracer is
    /// on.
    pub fn open(&self, trace: TraceId, parent: Option<SpanId>, what: impl FnOnce() -> SpanKind) -> ActiveSpan {
        ActiveSpan(self.0.as_ref().map(|inner| RecordingSpan {
            at: SpanRef { trace, span: inner.next_id() },
            tracer: inner.clone(),
            parent,
            caused_by: None,
            since: Instant::now(),
            what: what(),
        }))
    }

    /// Begins a span that no caller waits for: in the trace of the span that caused it, or in
    /// `trace` if the cause is not known.
    pub fn open_later(&self, cause: Option<SpanRef>, trace: TraceId, what: impl FnOnce() -> SpanKind) -> ActiveSpan {
        let mut span = self.open(cause.map_or(trace, |cause| cause.trace), cause.map(|cause| cause.span), what);
        if let Some(recording) = &mut span.0 {
            recording.caused_by = cause;
        }
        span
    }

    /// The context of a span that this tracer has opened: work inside it finds the span by
    /// [`current_span`]. Empty for a tracer that is off.
    pub fn context_of(&self, at: SpanRef) -> SpanContext {
        SpanContext(self.0.is_some().then(|| (self.clone(), at)))
    }

    /// Sends the spans that wait for export, within the exporter's time-out.
    pub fn close(&self) {
        if let Some(exporter) = self.0.as_deref().and_then(|inner| inner.exporter.as_ref()) {
            exporter.close();
        }
    }
}

impl TracerInner {
    /// An id that no other span has: SplitMix64's finalizer is a bijection of the counter, so no
    /// value comes twice.
    fn next_id(&self) -> SpanId {
        loop {
            let mut id = self.next.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            id ^= id >> 31;
            if id != 0 {
                return SpanId(id.to_be_bytes());
            }
        }
    }

    fn date(&self, at: Instant) -> Timestamp {
        let (epoch, then) = self.epoch;
        let since = SignedDuration::try_from(at.saturating_duration_since(then)).unwrap_or_default();
        epoch.checked_add(since).unwrap_or(Timestamp::MAX)
    }
}

impl ActiveSpan {
    /// A span that is not recorded, as of a tracer that is off.
    pub fn none() -> Self {
        Self(None)
    }

    /// The span's id; `None` if it is not recorded.
    pub fn id(&self) -> Option<SpanId> {
        self.0.as_ref().map(|recording| recording.at.span)
    }

    /// The span's trace and id; `None` if it is not recorded.
    pub fn at(&self) -> Option<SpanRef> {
        self.0.as_ref().map(|recording| recording.at)
    }

    /// The span context for work done inside this span.
    pub fn context(&self) -> SpanContext {
        SpanContext(self.0.as_ref().map(|recording| (Tracer(Some(recording.tracer.clone())), recording.at)))
    }

    /// Changes the span's attributes. `change` is called only if the span is recorded.
    pub fn update(&mut self, change: impl FnOnce(&mut SpanKind)) {
        if let Some(recording) = &mut self.0 {
            change(&mut recording.what);
        }
    }

    /// Ends the span. `outcome` is called only if the span is recorded.
    pub fn end(mut self, outcome: impl FnOnce() -> SpanStatus) {
        if let Some(recording) = self.0.take() {
            recording.end(outcome());
        }
    }
}

impl Drop for ActiveSpan {
    fn drop(&mut self) {
        if let Some(recording) = self.0.take() {
            recording.end(SpanStatus::ABANDONED);
        }
    }
}

impl RecordingSpan {
    fn end(self, outcome: SpanStatus) {
        let Self { tracer, at, parent, caused_by, since, what } = self;
        let (started_at, took) = (tracer.date(since), since.elapsed());
        let span = Arc::new(Span { at, parent_id: parent, caused_by, started_at, took, outcome, what });
        if let Some(exporter) = &tracer.exporter {
            exporter.export(&span);
        }
        tracer.metrics.record_span(&span);
        tracer.ring.push(span);
    }
}

/// The span inside which code runs, if any.
#[derive(Clone, Default)]
pub struct SpanContext(Option<(Tracer, SpanRef)>);

tokio::task_local! {
    static CURRENT: SpanContext;
}

impl SpanContext {
    /// Runs `work` inside this span: [`current_span`] gives this context there.
    pub async fn run<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Begins a span inside this one. It is not recorded if this one is not.
    pub fn open(&self, what: impl FnOnce() -> SpanKind) -> ActiveSpan {
        match &self.0 {
            Some((tracer, at)) => tracer.open(at.trace, Some(at.span), what),
            None => ActiveSpan::none(),
        }
    }

    /// The span's trace and id; `None` outside of spans.
    pub fn at(&self) -> Option<SpanRef> {
        self.0.as_ref().map(|(_, at)| *at)
    }
}

/// The span context of the running task: that of the innermost [`SpanContext::run`].
pub fn current_span() -> SpanContext {
    CURRENT.try_with(SpanContext::clone).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn tracer() -> Tracer {
        Tracer::new(&Env::simulated(7, Timestamp::UNIX_EPOCH), 1 << 20, Duration::from_secs(60), None)
    }

    const COMMIT: SpanKind = SpanKind::Commit { tree: "orders" };

    #[tokio::test(start_paused = true)]
    async fn a_span_has_its_start_its_duration_and_its_parent() {
        let tracer = tracer();
        tokio::time::advance(Duration::from_secs(3)).await;
        let outer = tracer.open(TraceId([1; 16]), None, || COMMIT);
        tokio::time::advance(Duration::from_millis(5)).await;
        let inner = outer.context().run(async { current_span().open(|| COMMIT) }).await;
        inner.end(|| SpanStatus::new("failed", "why"));
        outer.end(|| SpanStatus::OK);
        let spans = tracer.ring().unwrap().trace(TraceId([1; 16]));
        let [outer, inner] = &spans[..] else { panic!("{spans:?}") };
        assert_eq!((outer.parent_id, inner.parent_id), (None, Some(outer.at.span)));
        assert_eq!(outer.started_at, Timestamp::from_second(3).unwrap());
        assert_eq!((outer.took, inner.took), (Duration::from_millis(5), Duration::ZERO));
        assert!(inner.outcome.is_failure() && !outer.outcome.is_failure());
    }

    #[tokio::test]
    async fn a_dropped_span_is_abandoned_and_outside_of_spans_none_is_recorded() {
        let tracer = tracer();
        drop(tracer.open(TraceId([1; 16]), None, || COMMIT));
        assert_eq!(tracer.ring().unwrap().all()[0].outcome, SpanStatus::ABANDONED);
        assert!(current_span().at().is_none() && current_span().open(|| COMMIT).id().is_none());
        let off = Tracer::off().open(TraceId([1; 16]), None, || panic!("the tracer is off"));
        assert!(off.context().run(async { current_span().at() }).await.is_none());
    }

    #[tokio::test]
    async fn a_later_span_is_in_the_trace_of_its_cause_and_names_it() {
        let tracer = tracer();
        let cause = SpanRef { trace: TraceId([2; 16]), span: SpanId([3; 8]) };
        tracer.open_later(Some(cause), TraceId([9; 16]), || COMMIT).end(|| SpanStatus::OK);
        tracer.open_later(None, TraceId([9; 16]), || COMMIT).end(|| SpanStatus::OK);
        let spans = tracer.ring().unwrap().all();
        assert_eq!(
            (spans[0].at.trace, spans[0].parent_id, spans[0].caused_by),
            (cause.trace, Some(cause.span), Some(cause))
        );
        assert_eq!((spans[1].at.trace, spans[1].parent_id, spans[1].caused_by), (TraceId([9; 16]), None, None));
    }

    #[tokio::test]
    async fn no_two_spans_have_the_same_id() {
        let tracer = tracer();
        let ids: HashSet<_> = (0..10_000).filter_map(|_| tracer.open(TraceId([1; 16]), None, || COMMIT).id()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
