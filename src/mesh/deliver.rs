//! One attempt to deliver an event to a subscriber: span → link → balancer → actor.

use super::{Caller, Context, EventId, Mesh, MeshError, RequestKind, handlers::JsonDelivery, link::Link, wire};
use crate::{
    storage::OutboxEntry,
    telemetry::{SpanContext, SpanKind, SpanStatus},
    types::Service,
};
use std::time::Duration;

/// How long one delivery may take.
pub(super) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// One attempt to deliver an event to one instance of a subscriber.
struct DeliveryAttempt<'a> {
    mesh: &'a Mesh,
    subscriber: Service,
    id: &'a EventId,
    entry: &'a OutboxEntry,
    /// The publisher's context, inside this delivery's span.
    context: Context,
    span: SpanContext,
}

impl Mesh {
    /// Delivers an event to one instance of a subscriber, in a span of its own, in the trace of the
    /// request that caused the event. `number` counts the attempts from 1.
    pub(super) async fn deliver(
        &self,
        context: &Context,
        subscriber: Service,
        id: &EventId,
        entry: &OutboxEntry,
        number: u32,
    ) -> Result<(), MeshError> {
        let span = self.tracer.open_later(entry.cause, context.trace, || SpanKind::Delivery {
            event: entry.name.as_str().into(),
            publisher: id.publisher,
            record: id.record.as_str().into(),
            subscriber,
            attempt: number,
            sent: self.tracer.payload(&entry.payload),
        });
        let trace = entry.cause.map_or(context.trace, |cause| cause.trace);
        let context = Context { trace, ..context.in_span(span.id()) };
        let attempt = DeliveryAttempt { mesh: self, subscriber, id, entry, context, span: span.context() };
        let delivered = attempt.run().await;
        span.end(|| {
            delivered.as_ref().err().map_or(SpanStatus::OK, |error| SpanStatus::new(error.name(), error.to_string()))
        });
        delivered
    }
}

impl DeliveryAttempt<'_> {
    async fn run(&self) -> Result<(), MeshError> {
        match self.mesh.client_policy(Caller::Service(self.id.publisher), self.subscriber).link() {
            None => self.to_actor().await,
            Some(link) => self.over_link(link).await,
        }
    }

    /// Goes over a link with faults, which may lose, delay or duplicate the event.
    async fn over_link(&self, link: Link) -> Result<(), MeshError> {
        let carried = link.carry(&self.mesh.inner.env, &self.context, RequestKind::Keyed, || {
            let (mesh, subscriber, id) = (self.mesh.clone(), self.subscriber, self.id.clone());
            let (context, span) = (self.context.clone(), self.span.clone());
            let entry = match link.serialised {
                true => wire::round_trip_event(&self.entry.name, &self.entry.payload)
                    .map(|payload| OutboxEntry { payload, ..self.entry.clone() }),
                false => Ok(self.entry.clone()),
            };
            Box::pin(async move {
                let (id, entry) = (&id, &entry?);
                DeliveryAttempt { mesh: &mesh, subscriber, id, entry, context, span }.to_actor().await
            })
        });
        carried.await?
    }

    /// Picks an instance and waits until its actor has handled the event.
    async fn to_actor(&self) -> Result<(), MeshError> {
        let pool = self.mesh.pool(self.subscriber);
        let (instance, _permit) = pool.pick(RequestKind::Keyed, &|| None, None)?;
        let (context, id, span) = (self.context.clone(), self.id.clone(), self.span.clone());
        let delivery = JsonDelivery { context, id, at: self.entry.at, payload: self.entry.payload.clone(), span };
        let delivered = instance.handlers.deliver(&self.entry.name, delivery).await;
        if delivered == Err(MeshError::Crashed) {
            instance.mark_dead();
        }
        delivered
    }
}
