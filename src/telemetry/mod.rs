//! What is reported about the running shop: log lines, spans, metrics.
//!
//! A [`Span`] records one piece of work, its start, its duration and its result: a request at the
//! gateway, a call of the mesh, a commit, the delivery of an event, a step of a saga. A [`Tracer`]
//! begins spans. Spans that end are kept for some minutes in a [`Ring`](ring::Ring), counted
//! (`metrics.rs`), and exported to a collector (`export.rs`). A new span gets its trace and its
//! parent from the context of a call, or, below a handler, from the running task
//! ([`current_span`]).
//!
//! # Decisions
//!
//! **Every span is kept, in a ring.** Context: the Lab, the analytics and the tests look for a
//! single request afterwards, which sampling may have dropped. Decision: the ring in memory is not
//! sampled and holds the last 15 minutes within a bound of bytes; sampling applies to the export
//! only. Consequence: a trace is complete as long as it is in the ring; under load the oldest spans
//! leave it earlier.
//!
//! **A span model of its own, exported as OTLP.** Context: `opentelemetry` stores attributes as
//! text keys with values, but the pages, the metrics and the tests need typed ones. Decision:
//! [`SpanKind`] is an enum with the fields of each kind; it is translated into OpenTelemetry's
//! semantic conventions when it is exported. Consequence: metrics are counted from the same spans;
//! payloads never leave the process; a new kind of span is a new variant.

pub mod cache_status;
pub mod export;
pub mod logs;
pub mod metrics;
pub mod ring;
pub mod span;
pub mod traceparent;
pub mod tracer;

pub use cache_status::{CacheStatus, Forward};
pub use span::{Payload, Span, SpanKind, SpanStatus};
pub use tracer::{ActiveSpan, SpanContext, Tracer, current_span};
