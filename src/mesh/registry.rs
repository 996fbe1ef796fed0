//! Who is there: the instances of a service, the requests that they answer and the events that they hear.

use super::{
    Delivery, Envelope, Event, EventId, Kind, MeshError, Request, message::Context, permit::Permit, service::Ping,
};
use crate::types::Timestamp;
use actix::{Actor, Addr, Handler, Recipient, dev::ToEnvelope};
use futures_util::future::LocalBoxFuture;
use serde::Serialize;
use serde_json::Value;
use std::{
    any::{Any, TypeId},
    collections::HashMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

/// What an actor answers and hears, with its type erased: a caller never names an actor, and a test can register a double.
pub struct Answers {
    requests: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    events: HashMap<&'static str, Box<dyn Hears>>,
    pub(super) ping: Recipient<Ping>,
    pub(super) crash: Recipient<super::service::Crash>,
}

impl Answers {
    pub fn of<A>(actor: &Addr<A>) -> Self
    where
        A: Actor + Handler<Ping> + Handler<super::service::Crash>,
        A::Context: ToEnvelope<A, Ping> + ToEnvelope<A, super::service::Crash>,
    {
        Self {
            requests: HashMap::new(),
            events: HashMap::new(),
            ping: actor.clone().recipient(),
            crash: actor.clone().recipient(),
        }
    }

    pub fn answers<R: Request>(mut self, recipient: Recipient<Envelope<R>>) -> Self {
        self.requests.insert(TypeId::of::<R>(), Box::new(recipient));
        self
    }

    pub fn hears<E: Event>(mut self, recipient: Recipient<Delivery<E>>) -> Self {
        self.events.insert(E::NAME, Box::new(recipient));
        self
    }

    #[cfg(test)]
    pub(super) fn heard(&self) -> impl Iterator<Item = &'static str> {
        self.events.keys().copied()
    }
}

/// A recipient of one type of event that takes it as the relay has it: as JSON.
trait Hears: Send + Sync {
    fn deliver(
        &self,
        context: Context,
        id: EventId,
        at: Timestamp,
        payload: Value,
    ) -> LocalBoxFuture<'static, Result<(), MeshError>>;
}

impl<E: Event> Hears for Recipient<Delivery<E>> {
    fn deliver(
        &self,
        context: Context,
        id: EventId,
        at: Timestamp,
        payload: Value,
    ) -> LocalBoxFuture<'static, Result<(), MeshError>> {
        let recipient = self.clone();
        Box::pin(async move {
            let event = serde_json::from_value(payload)
                .map_err(|error| MeshError::Failed(format!("{id} is no {}: {error}", E::NAME)))?;
            let deadline = context.deadline;
            match tokio::time::timeout_at(deadline, recipient.send(Delivery { context, id, at, event })).await {
                Ok(Ok(handled)) => handled,
                Ok(Err(_)) => Err(MeshError::Crashed),
                Err(_) => Err(MeshError::TimedOut),
            }
        })
    }
}

/// One running actor of a service.
pub(super) struct Instance {
    /// Such as `products-2`. A replacement takes over the name of the one that died.
    pub name: String,
    pub answers: Answers,
    pub in_flight: Arc<AtomicUsize>,
    /// How many calls it takes at a time.
    pub capacity: usize,
    /// The long polls, which are not counted among those.
    waiting: Arc<AtomicUsize>,
    state: AtomicU8,
    /// How often this name has been started anew.
    pub restarts: u32,
    /// Wakes those who would wait for it in vain.
    died: Notify,
}

/// Long polls that an instance takes at a time. They cost a little memory and nobody's time.
const MOST_WAITING: usize = 4096;

/// What an instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ready,
    /// Takes no new calls; is finishing what it has.
    Draining,
    Dead,
}

impl Instance {
    pub fn new(name: String, answers: Answers, capacity: usize, restarts: u32) -> Self {
        let (in_flight, waiting, state) = (Arc::default(), Arc::default(), AtomicU8::new(State::Ready as u8));
        Self { name, answers, in_flight, capacity, waiting, state, restarts, died: Notify::new() }
    }

    pub fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Ready,
            1 => State::Draining,
            _ => State::Dead,
        }
    }

    pub fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
        if state == State::Dead {
            self.died.notify_waiters();
        }
    }

    /// Returns when somebody has found it dead.
    pub async fn death(&self) {
        let mut told = pin!(self.died.notified());
        // In line before the look, so that no death falls in between.
        told.as_mut().enable();
        if self.state() != State::Dead {
            told.await;
        }
    }

    /// A place among the calls of that kind that it takes at a time, if there is one.
    pub fn admit(&self, kind: Kind) -> Option<Permit> {
        match kind {
            Kind::LongPoll => Permit::admit(&self.waiting, MOST_WAITING),
            Kind::Query | Kind::Command | Kind::Keyed => Permit::admit(&self.in_flight, self.capacity),
        }
    }

    pub fn recipient<R: Request>(&self) -> Option<&Recipient<Envelope<R>>> {
        self.answers.requests.get(&TypeId::of::<R>())?.downcast_ref()
    }

    pub fn deliver(
        &self,
        context: Context,
        id: EventId,
        name: &str,
        at: Timestamp,
        payload: Value,
    ) -> LocalBoxFuture<'static, Result<(), MeshError>> {
        match self.answers.events.get(name) {
            Some(hears) => hears.deliver(context, id, at, payload),
            None => Box::pin(std::future::ready(Err(MeshError::Failed(format!("{} does not hear {name}", self.name))))),
        }
    }

    pub fn report(&self) -> InstanceReport {
        InstanceReport {
            name: self.name.clone(),
            state: self.state(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            capacity: self.capacity,
            waiting: self.waiting.load(Ordering::Relaxed),
            restarts: self.restarts,
        }
    }
}

/// An instance as the Lab and `/readyz` show it.
#[derive(Debug, Clone, Serialize)]
pub struct InstanceReport {
    pub name: String,
    pub state: State,
    pub in_flight: usize,
    pub capacity: usize,
    /// Long polls.
    pub waiting: usize,
    pub restarts: u32,
}
