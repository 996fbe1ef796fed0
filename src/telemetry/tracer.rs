//! Opens spans; keeps, counts and exports them when they end.

use super::{Payload, Span, SpanKind, SpanStatus, export::Exporter, metrics::Metrics, ring::Ring};
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

/// A handle; cheap to clone. One that is off opens nothing and costs nothing.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Shared>>);

struct Shared {
    /// A moment by both clocks: spans are measured by the one and dated by the other.
    epoch: (Timestamp, Instant),
    /// The id of the next span, before it is mixed.
    next: AtomicU64,
    ring: Ring,
    metrics: Metrics,
    exporter: Option<Exporter>,
}

/// A span that has begun. Let go of without a word it was abandoned: whoever waited for it went away.
pub struct ActiveSpan(Option<Begun>);

struct Begun {
    tracer: Arc<Shared>,
    at: SpanRef,
    parent: Option<SpanId>,
    caused_by: Option<SpanRef>,
    since: Instant,
    what: SpanKind,
}

impl Tracer {
    /// Keeps the spans of so long in so many bytes, counts them all, and hands each to the exporter, if there is one.
    pub fn new(env: &Env, most_bytes: usize, kept_for: Duration, exporter: Option<Exporter>) -> Self {
        Self(Some(Arc::new(Shared {
            epoch: (env.now(), Instant::now()),
            next: u64::from_be_bytes(env.bytes()).into(),
            ring: Ring::new(most_bytes, kept_for),
            metrics: Metrics::new(),
            exporter,
        })))
    }

    pub fn off() -> Self {
        Self(None)
    }

    pub fn ring(&self) -> Option<&Ring> {
        self.0.as_deref().map(|shared| &shared.ring)
    }

    pub fn metrics(&self) -> Option<&Metrics> {
        self.0.as_deref().map(|shared| &shared.metrics)
    }

    /// What is kept of what was sent or answered: nothing, where nothing is kept.
    pub fn payload(&self, value: &impl Serialize) -> Payload {
        match self.ring() {
            Some(ring) if ring.keeps_anything() => Payload::of(value),
            _ => Payload::default(),
        }
    }

    /// A saga is over.
    pub fn count_saga(&self, plan: &'static str, outcome: &'static str, took: Duration) {
        if let Some(metrics) = self.metrics() {
            metrics.see_saga(plan, outcome, took);
        }
    }

    /// Begins a span of that trace, in its span `parent`. `what` is asked for only where it is wanted.
    pub fn open(&self, trace: TraceId, parent: Option<SpanId>, what: impl FnOnce() -> SpanKind) -> ActiveSpan {
        ActiveSpan(self.0.as_ref().map(|shared| Begun {
            at: SpanRef { trace, span: shared.next_id() },
            tracer: shared.clone(),
            parent,
            caused_by: None,
            since: Instant::now(),
            what: what(),
        }))
    }

    /// Begins a span that nobody waits for, in the trace of what caused it, or in `trace` where that is not known.
    pub fn open_later(&self, cause: Option<SpanRef>, trace: TraceId, what: impl FnOnce() -> SpanKind) -> ActiveSpan {
        let mut open = self.open(cause.map_or(trace, |cause| cause.trace), cause.map(|cause| cause.span), what);
        if let Some(begun) = &mut open.0 {
            begun.caused_by = cause;
        }
        open
    }

    /// Lets all exported spans arrive, as far as they do within the exporter's own time-out.
    pub fn close(&self) {
        if let Some(exporter) = self.0.as_deref().and_then(|shared| shared.exporter.as_ref()) {
            exporter.close();
        }
    }
}

impl Shared {
    /// No two are the same, and which is next cannot be seen from one (SplitMix64's finalizer is a bijection).
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
    /// Of a tracer that is off.
    pub fn nothing() -> Self {
        Self(None)
    }

    /// The span's id, for what is done in it.
    pub fn id(&self) -> Option<SpanId> {
        self.0.as_ref().map(|begun| begun.at.span)
    }

    pub fn at(&self) -> Option<SpanRef> {
        self.0.as_ref().map(|begun| begun.at)
    }

    /// The place in which what it does is done.
    pub fn here(&self) -> SpanContext {
        SpanContext(self.0.as_ref().map(|begun| (Tracer(Some(begun.tracer.clone())), begun.at)))
    }

    /// Where anybody wants to know: `change` tells more of what it was about.
    pub fn tell(&mut self, change: impl FnOnce(&mut SpanKind)) {
        if let Some(begun) = &mut self.0 {
            change(&mut begun.what);
        }
    }

    pub fn end(mut self, outcome: impl FnOnce() -> SpanStatus) {
        if let Some(begun) = self.0.take() {
            begun.end(outcome());
        }
    }
}

impl Drop for ActiveSpan {
    fn drop(&mut self) {
        if let Some(begun) = self.0.take() {
            begun.end(SpanStatus::ABANDONED);
        }
    }
}

impl Begun {
    fn end(self, outcome: SpanStatus) {
        let Self { tracer, at, parent, caused_by, since, what } = self;
        let (started_at, took) = (tracer.date(since), since.elapsed());
        let span = Arc::new(Span { at, parent_id: parent, caused_by, started_at, took, outcome, what });
        if let Some(exporter) = &tracer.exporter {
            exporter.export(&span);
        }
        tracer.metrics.see(&span);
        tracer.ring.push(span);
    }
}

/// Where something is done: the span that it belongs to, if any.
#[derive(Clone, Default)]
pub struct SpanContext(Option<(Tracer, SpanRef)>);

tokio::task_local! {
    static HERE: SpanContext;
}

impl SpanContext {
    /// Runs something here: whatever it opens below finds the way up.
    pub async fn run<F: Future>(self, work: F) -> F::Output {
        HERE.scope(self, work).await
    }

    /// Begins a span here. It is nothing where nobody looks.
    pub fn open(&self, what: impl FnOnce() -> SpanKind) -> ActiveSpan {
        match &self.0 {
            Some((tracer, at)) => tracer.open(at.trace, Some(at.span), what),
            None => ActiveSpan::nothing(),
        }
    }

    pub fn at(&self) -> Option<SpanRef> {
        self.0.as_ref().map(|(_, at)| *at)
    }
}

/// Where the code that asks is run: inside [`SpanContext::run`], at any depth of the same task.
pub fn current_span() -> SpanContext {
    HERE.try_with(SpanContext::clone).unwrap_or_default()
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
    async fn a_span_knows_when_it_began_how_long_it_took_and_in_what() {
        let tracer = tracer();
        tokio::time::advance(Duration::from_secs(3)).await;
        let outer = tracer.open(TraceId([1; 16]), None, || COMMIT);
        tokio::time::advance(Duration::from_millis(5)).await;
        let inner = outer.here().run(async { current_span().open(|| COMMIT) }).await;
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
    async fn what_is_let_go_of_was_abandoned_and_outside_of_a_span_there_is_none() {
        let tracer = tracer();
        drop(tracer.open(TraceId([1; 16]), None, || COMMIT));
        assert_eq!(tracer.ring().unwrap().all()[0].outcome, SpanStatus::ABANDONED);
        assert!(current_span().at().is_none() && current_span().open(|| COMMIT).id().is_none());
        let off = Tracer::off().open(TraceId([1; 16]), None, || panic!("nobody wants to know"));
        assert!(off.here().run(async { current_span().at() }).await.is_none());
    }

    #[tokio::test]
    async fn what_was_caused_is_in_the_trace_of_its_cause_and_names_it() {
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
