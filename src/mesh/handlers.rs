//! What an actor answers and hears, with its type erased.

use super::{
    Delivery, Envelope, Event, EventId, MeshError, Request,
    message::Context,
    service::{InjectedFault, Ping},
};
use crate::{telemetry::SpanContext, types::Timestamp};
use actix::{Actor, Addr, Handler, Recipient, dev::ToEnvelope};
use futures_util::future::LocalBoxFuture;
use serde_json::Value;
use std::{
    any::{Any, TypeId},
    collections::HashMap,
};

/// The recipients of an actor by what they take: a caller never names an actor, and a test can register a double.
pub struct Handlers {
    requests: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    events: HashMap<&'static str, Box<dyn EventHandler>>,
    pub(super) ping: Recipient<Ping>,
    pub(super) disturb: Recipient<InjectedFault>,
}

impl Handlers {
    pub fn of<A>(actor: &Addr<A>) -> Self
    where
        A: Actor + Handler<Ping> + Handler<InjectedFault>,
        A::Context: ToEnvelope<A, Ping> + ToEnvelope<A, InjectedFault>,
    {
        Self {
            requests: HashMap::new(),
            events: HashMap::new(),
            ping: actor.clone().recipient(),
            disturb: actor.clone().recipient(),
        }
    }

    pub fn handles<R: Request>(mut self, recipient: Recipient<Envelope<R>>) -> Self {
        self.requests.insert(TypeId::of::<R>(), Box::new(recipient));
        self
    }

    pub fn subscribes<E: Event>(mut self, recipient: Recipient<Delivery<E>>) -> Self {
        self.events.insert(E::NAME, Box::new(recipient));
        self
    }

    pub(super) fn recipient<R: Request>(&self) -> Option<&Recipient<Envelope<R>>> {
        self.requests.get(&TypeId::of::<R>())?.downcast_ref()
    }

    pub(super) fn deliver(
        &self,
        context: Context,
        id: EventId,
        name: &str,
        at: Timestamp,
        payload: Value,
        here: SpanContext,
    ) -> LocalBoxFuture<'static, Result<(), MeshError>> {
        match self.events.get(name) {
            Some(subscribes) => subscribes.deliver(context, id, at, payload, here),
            None => Box::pin(std::future::ready(Err(MeshError::Failed(format!("{name} is not heard here"))))),
        }
    }

    #[cfg(test)]
    pub(super) fn subscribed_events(&self) -> impl Iterator<Item = &'static str> {
        self.events.keys().copied()
    }
}

/// A recipient of one type of event that takes it as the relay has it: as JSON.
trait EventHandler: Send + Sync {
    fn deliver(
        &self,
        context: Context,
        id: EventId,
        at: Timestamp,
        payload: Value,
        here: SpanContext,
    ) -> LocalBoxFuture<'static, Result<(), MeshError>>;
}

impl<E: Event> EventHandler for Recipient<Delivery<E>> {
    fn deliver(
        &self,
        context: Context,
        id: EventId,
        at: Timestamp,
        payload: Value,
        here: SpanContext,
    ) -> LocalBoxFuture<'static, Result<(), MeshError>> {
        let recipient = self.clone();
        Box::pin(async move {
            let event = serde_json::from_value(payload)
                .map_err(|error| MeshError::Failed(format!("{id} is no {}: {error}", E::NAME)))?;
            let deadline = context.deadline;
            match tokio::time::timeout_at(deadline, recipient.send(Delivery { context, id, at, event, here })).await {
                Ok(Ok(handled)) => handled,
                Ok(Err(_)) => Err(MeshError::Crashed),
                Err(_) => Err(MeshError::TimedOut),
            }
        })
    }
}
