//! The way to a service and back.

use super::{
    CallError, Caller, Context, Envelope, Failure, Kind, Mesh, MeshError, Request,
    edge::{self, Edge},
    instance::Instance,
    message::EventId,
    retry,
};
use crate::{storage::Owed, types::Service};
use actix::MailboxError;
use futures_util::future::{Either, select};
use std::{
    pin::{Pin, pin},
    sync::Arc,
};
use tokio::time::{Instant, sleep, timeout_at};

impl Mesh {
    /// Sends the request to one of its service's instances and waits for the answer, no longer than the context's deadline, which covers
    /// everything: what is tried again, too.
    ///
    /// After [`MeshError::TimedOut`], [`Crashed`](MeshError::Crashed) and [`Failed`](MeshError::Failed) nobody knows whether it was carried out.
    pub async fn call<R: Request>(&self, context: &Context, request: R) -> Result<R::Reply, CallError<R::Error>> {
        self.call_served(context, request).await.1
    }

    /// The same, and the name of the instance that answered.
    pub async fn call_served<R: Request>(
        &self,
        context: &Context,
        request: R,
    ) -> (Option<Arc<str>>, Result<R::Reply, CallError<R::Error>>) {
        let Served { by, answer } = self.tries(context, request).await;
        let answer = answer.map_err(|failure| match failure {
            Failure::Domain(error) => CallError::Domain(error),
            Failure::Fault(error) => {
                log::debug!(caller = self.caller.to_string().as_str(), request = R::NAME, trace = context.trace.to_string().as_str(); "{error}");
                CallError::Mesh(error)
            }
        });
        (by, answer)
    }

    /// Tries again what may be tried again, as long as the budget and the time allow.
    async fn tries<R: Request>(&self, context: &Context, request: R) -> Served<R> {
        if !self.may_call(R::SERVICE) {
            return MeshError::Refused.into();
        }
        let edge = self.edge_of(self.caller, R::SERVICE);
        let mut failed = 0;
        let mut avoid = None;
        loop {
            if context.time_left().is_zero() {
                return MeshError::TimedOut.into();
            }
            let served = self.guarded(edge, context, &request, avoid).await;
            failed += 1;
            let Err(Failure::Fault(error)) = &served.answer else { return served };
            if failed == retry::MOST_ATTEMPTS || !retry::is_worth_while(R::KIND, error) {
                return served;
            }
            let pause = self.shared.env.jitter(retry::longest_pause(failed));
            if context.time_left() <= pause || !edge.may_retry() {
                return served;
            }
            sleep(pause).await;
            avoid = served.by;
        }
    }

    /// Once, if the breaker lets it through.
    async fn guarded<R: Request>(
        &self,
        edge: &Edge,
        context: &Context,
        request: &R,
        avoid: Option<Arc<str>>,
    ) -> Served<R> {
        if R::KIND == Kind::LongPoll {
            return match edge.admit_uncounted() {
                Ok(()) => self.over_link(edge, context, request, avoid).await,
                Err(error) => error.into(),
            };
        }
        let ticket = match edge.admit() {
            Ok(ticket) => ticket,
            Err(error) => return error.into(),
        };
        let served = self.over_link(edge, context, request, avoid).await;
        ticket.end(edge::outcome_of(&served.answer));
        served
    }

    async fn over_link<R: Request>(
        &self,
        edge: &Edge,
        context: &Context,
        request: &R,
        avoid: Option<Arc<str>>,
    ) -> Served<R> {
        let Some(link) = edge.link() else { return self.send(context, request, avoid).await };
        let sent = link.carry(&self.shared.env, context, R::KIND, || {
            let (mesh, context, request, avoid) = (self.clone(), context.clone(), request.clone(), avoid.clone());
            Box::pin(async move { mesh.send(&context, &request, avoid).await })
        });
        sent.await.unwrap_or_else(Served::from)
    }

    /// To one instance after the other, until one has taken it in hand.
    async fn send<R: Request>(&self, context: &Context, request: &R, avoid: Option<Arc<str>>) -> Served<R> {
        let pool = self.pool(R::SERVICE);
        loop {
            let (instance, permit) = match pool.pick(R::KIND, || request.affinity(), avoid.as_deref()) {
                Ok(picked) => picked,
                Err(error) => return error.into(),
            };
            let Some(recipient) = instance.answers.recipient::<R>() else { return MeshError::NoInstance.into() };
            if !recipient.connected() {
                pool.bury(&instance);
                continue;
            }
            let (sent, since) = (permit.sent(), Instant::now());
            let envelope = Envelope { context: context.clone(), request: request.clone(), permit };
            let mut answer = pin!(recipient.send(envelope));
            let mut told = timeout_at(context.deadline, answer_or_death(answer.as_mut(), &instance)).await;
            if matches!(told, Ok(None)) && !sent.take_back() {
                // Its handler runs on beside the dead actor, and it alone knows how this ends.
                told = timeout_at(context.deadline, answer).await.map(Some);
            }
            let answer = match told {
                Ok(Some(Ok(answer))) => answer,
                Ok(Some(Err(MailboxError::Closed))) => {
                    pool.bury(&instance);
                    if sent.take_back() {
                        continue;
                    }
                    Err(MeshError::Crashed.into())
                }
                // It lay in the mailbox of an instance that died, and was taken back: a sibling can have it, whatever its kind.
                Ok(None) => continue,
                Ok(Some(Err(MailboxError::Timeout))) | Err(_) => {
                    sent.take_back();
                    Err(MeshError::TimedOut.into())
                }
            };
            if R::KIND != Kind::LongPoll {
                pool.learn(&instance, edge::outcome_of(&answer), since.elapsed());
            }
            return Served { by: Some(instance.name.clone()), answer };
        }
    }

    /// Delivers an event to one instance of a subscriber.
    pub(super) async fn deliver(
        &self,
        context: &Context,
        to: Service,
        id: &EventId,
        owed: &Owed,
    ) -> Result<(), MeshError> {
        let link = self.edge_of(Caller::Service(id.publisher), to).link();
        let Some(link) = link else { return self.hand_over(context, to, id, owed).await };
        let sent = link.carry(&self.shared.env, context, Kind::Keyed, || {
            let (mesh, context, id, owed) = (self.clone(), context.clone(), id.clone(), owed.clone());
            Box::pin(async move { mesh.hand_over(&context, to, &id, &owed).await })
        });
        sent.await?
    }

    async fn hand_over(&self, context: &Context, to: Service, id: &EventId, owed: &Owed) -> Result<(), MeshError> {
        let pool = self.pool(to);
        let (instance, _permit) = pool.pick(Kind::Keyed, || None, None)?;
        let delivered =
            instance.answers.deliver(context.clone(), id.clone(), &owed.name, owed.at, owed.payload.clone()).await;
        if delivered == Err(MeshError::Crashed) {
            pool.bury(&instance);
        }
        delivered
    }
}

/// An answer, and the name of the instance that gave it; `None` where nobody was reached.
struct Served<R: Request> {
    by: Option<Arc<str>>,
    answer: Result<R::Reply, Failure<R::Error>>,
}

impl<R: Request> From<MeshError> for Served<R> {
    fn from(error: MeshError) -> Self {
        Self { by: None, answer: Err(error.into()) }
    }
}

/// `None` where the instance dies first. Its mailbox may then hold the request for ever, without a word to who waits: actix lets go
/// of what lies in it, but not of what another thread is just putting there.
async fn answer_or_death<F: Future>(answer: Pin<&mut F>, instance: &Instance) -> Option<F::Output> {
    match select(answer, pin!(instance.death())).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}
