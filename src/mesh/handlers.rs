//! The handlers of an actor, with the actor's type erased.

use super::{
    Context, Delivery, Envelope, Event, EventId, MeshError, Request,
    control_messages::{InjectedFault, Ping},
};
use crate::{telemetry::SpanContext, types::Timestamp};
use actix::{Actor, Addr, Handler, Recipient, dev::ToEnvelope};
use futures_util::future::LocalBoxFuture;
use serde_json::Value;
use std::{
    any::{Any, TypeId},
    collections::HashMap,
};
use tokio::time::timeout_at;

/// The recipients of an actor by the requests and events that they handle. A caller never names an
/// actor's type, and a test can register a double.
pub struct Handlers {
    requests: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    events: HashMap<&'static str, Box<dyn EventHandler>>,
    pub(super) ping: Recipient<Ping>,
    pub(super) inject_fault: Recipient<InjectedFault>,
}

/// An event on its way to a subscriber, with its payload as JSON.
pub(super) struct JsonDelivery {
    pub context: Context,
    pub id: EventId,
    pub at: Timestamp,
    pub payload: Value,
    pub span: SpanContext,
}

impl Handlers {
    /// The handlers of an actor, without requests and events yet.
    pub fn of<A>(actor: &Addr<A>) -> Self
    where
        A: Actor + Handler<Ping> + Handler<InjectedFault>,
        A::Context: ToEnvelope<A, Ping> + ToEnvelope<A, InjectedFault>,
    {
        Self {
            requests: HashMap::new(),
            events: HashMap::new(),
            ping: actor.clone().recipient(),
            inject_fault: actor.clone().recipient(),
        }
    }

    /// Adds the handler of a request.
    pub fn handles<R: Request>(mut self, recipient: Recipient<Envelope<R>>) -> Self {
        self.requests.insert(TypeId::of::<R>(), Box::new(recipient));
        self
    }

    /// Adds the handler of an event.
    pub fn subscribes<E: Event>(mut self, recipient: Recipient<Delivery<E>>) -> Self {
        self.events.insert(E::NAME, Box::new(recipient));
        self
    }

    pub(super) fn recipient<R: Request>(&self) -> Option<&Recipient<Envelope<R>>> {
        self.requests.get(&TypeId::of::<R>())?.downcast_ref()
    }

    /// Hands an event of that name to its handler.
    pub(super) fn deliver(&self, name: &str, delivery: JsonDelivery) -> LocalBoxFuture<'static, Result<(), MeshError>> {
        match self.events.get(name) {
            Some(handler) => handler.deliver(delivery),
            None => Box::pin(std::future::ready(Err(MeshError::Failed(format!("{name} has no handler here"))))),
        }
    }

    #[cfg(test)]
    pub(super) fn subscribed_events(&self) -> impl Iterator<Item = &'static str> {
        self.events.keys().copied()
    }
}

/// The handler of one type of event. It takes the event as JSON, as the relay has it.
trait EventHandler: Send + Sync {
    fn deliver(&self, delivery: JsonDelivery) -> LocalBoxFuture<'static, Result<(), MeshError>>;
}

impl<E: Event> EventHandler for Recipient<Delivery<E>> {
    fn deliver(&self, delivery: JsonDelivery) -> LocalBoxFuture<'static, Result<(), MeshError>> {
        let recipient = self.clone();
        Box::pin(async move {
            let JsonDelivery { context, id, at, payload, span } = delivery;
            let event = serde_json::from_value(payload)
                .map_err(|error| MeshError::Failed(format!("{id} is no {}: {error}", E::NAME)))?;
            let deadline = context.deadline;
            match timeout_at(deadline, recipient.send(Delivery { context, id, at, event, span })).await {
                Ok(Ok(handled)) => handled,
                Ok(Err(_)) => Err(MeshError::Crashed),
                Err(_) => Err(MeshError::TimedOut),
            }
        })
    }
}
