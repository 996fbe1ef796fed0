//! What is told about the running shop: log lines, spans, metrics.
//!
//! A [`Span`](span::Span) is something that was done, from when to when and what became of it: a request at the door, a call of the
//! mesh, a commit, the delivery of an event, a step of a saga. A [`Tracer`](tracer::Tracer) opens them, keeps those of the last
//! minutes in a [`Ring`](ring::Ring), counts them (`metrics.rs`), and hands them to whoever collects them (`export.rs`). Who opens one says in which span of which
//! trace it stands: the mesh by the context of a call; what is done below a handler finds it where it runs
//! ([`tracer::current_span`]).

pub mod export;
pub mod logs;
pub mod metrics;
pub mod ring;
pub mod span;
pub mod traceparent;
pub mod tracer;

pub use span::{Payload, Span, SpanKind, SpanStatus};
pub use tracer::{ActiveSpan, SpanContext, Tracer, current_span};
