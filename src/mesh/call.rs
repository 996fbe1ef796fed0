//! The way to a service and back.

use super::{
    CallError, Caller, Context, Envelope, Failure, Kind, Mesh, MeshError, Pool, Request,
    client_policy::{self, ClientPolicy},
    instance::Instance,
    message::EventId,
    permit::Permit,
    retry, wire,
};
use crate::{
    storage::OutboxEntry,
    telemetry::{Payload, SpanContext, SpanKind, SpanStatus},
    types::Service,
};
use actix::MailboxError;
use futures_util::future::{Either, select};
use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout_at};

/// How often one that finds all places taken looks again before it is refused. The door's workers are the nodes: one that reads a crowd
/// of requests that came in one moment fills all places before the instances on it get their turn, and is not overloaded by that.
const LOOKS_FOR_A_PLACE: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

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
        let Served { by, answer, .. } = self.tries(context, request).await;
        let answer = answer.map_err(|failure| match failure {
            Failure::Domain(error) => CallError::Domain(error),
            Failure::Fault(error) => {
                self.tell_of(R::NAME, context, &error);
                CallError::Mesh(error)
            }
        });
        (by, answer)
    }

    fn tell_of(&self, request: &'static str, context: &Context, error: &MeshError) {
        log::debug!(caller = self.caller.to_string().as_str(), request, trace = context.trace.to_string().as_str(); "{error}");
    }

    /// Tries again what may be tried again, as long as the budget and the time allow.
    async fn tries<R: Request>(&self, context: &Context, request: R) -> Served<R> {
        if !self.may_call(R::SERVICE) {
            return MeshError::Refused.into();
        }
        let policy = self.client_policy(self.caller, R::SERVICE);
        let mut failed = 0;
        let mut avoid = None;
        loop {
            if context.time_left().is_zero() {
                return MeshError::TimedOut.into();
            }
            let served = self.seen(policy, context, &request, avoid, failed + 1).await;
            failed += 1;
            let Err(Failure::Fault(error)) = &served.answer else { return served };
            if failed == retry::MOST_ATTEMPTS || !retry::is_worth_while(R::KIND, error) {
                return served;
            }
            let pause = self.shared.env.jitter(retry::longest_pause(failed));
            if context.time_left() <= pause || !policy.may_retry() {
                return served;
            }
            sleep(pause).await;
            avoid = served.by;
        }
    }

    /// Once, in a span of its own.
    async fn seen<R: Request>(
        &self,
        policy: &ClientPolicy,
        context: &Context,
        request: &R,
        avoid: Option<Arc<str>>,
        attempt: u32,
    ) -> Served<R> {
        let mut span = self.tracer.open(context.trace, context.span, || SpanKind::Call {
            caller: self.caller.name(),
            service: R::SERVICE,
            request: R::NAME,
            instance: None,
            attempt,
            queued: None,
            sent: self.tracer.payload(request),
            answer: Payload::default(),
        });
        let served = self.guarded(policy, &context.in_span(span.id()), &span.here(), request, avoid).await;
        span.tell(|what| {
            if let SpanKind::Call { instance, queued, answer, .. } = what {
                (*instance, *queued) = (served.by.clone(), served.queued);
                *answer = served.answer.as_ref().map(|answer| self.tracer.payload(answer)).unwrap_or_default();
            }
        });
        span.end(|| served.answer.as_ref().err().map_or(SpanStatus::OK, told));
        served
    }

    /// Once, if the breaker lets it through.
    async fn guarded<R: Request>(
        &self,
        policy: &ClientPolicy,
        context: &Context,
        here: &SpanContext,
        request: &R,
        avoid: Option<Arc<str>>,
    ) -> Served<R> {
        let ticket = match policy.admit(R::KIND) {
            Ok(ticket) => ticket,
            Err(error) => return error.into(),
        };
        let served = self.over_link(policy, context, here, request, avoid).await;
        if let Some(ticket) = ticket {
            ticket.end(client_policy::outcome_of(&served.answer));
        }
        served
    }

    async fn over_link<R: Request>(
        &self,
        policy: &ClientPolicy,
        context: &Context,
        here: &SpanContext,
        request: &R,
        avoid: Option<Arc<str>>,
    ) -> Served<R> {
        let Some(link) = policy.link() else { return self.send(context, here, request, avoid).await };
        let sent = link.carry(&self.shared.env, context, R::KIND, || {
            let (mesh, context, here, avoid) = (self.clone(), context.clone(), here.clone(), avoid.clone());
            let request = if link.serialised { wire::carried(R::NAME, request) } else { Ok(request.clone()) };
            Box::pin(async move {
                let request = match request {
                    Ok(request) => request,
                    Err(error) => return Served::from(error),
                };
                let served = mesh.send(&context, &here, &request, avoid).await;
                if link.serialised { served.carried() } else { served }
            })
        });
        sent.await.unwrap_or_else(Served::from)
    }

    /// To one instance after the other, until one has taken it in hand.
    async fn send<R: Request>(
        &self,
        context: &Context,
        here: &SpanContext,
        request: &R,
        avoid: Option<Arc<str>>,
    ) -> Served<R> {
        let pool = self.pool(R::SERVICE);
        loop {
            let picked = pick(pool, R::KIND, &|| request.affinity(), avoid.as_deref(), context).await;
            let (instance, permit) = match picked {
                Ok(picked) => picked,
                Err(error) => return error.into(),
            };
            let Some(recipient) = instance.handlers.recipient::<R>() else { return MeshError::NoInstance.into() };
            if !recipient.connected() {
                pool.bury(&instance);
                continue;
            }
            let (sent, since) = (permit.sent(), Instant::now());
            let envelope = Envelope { context: context.clone(), request: request.clone(), here: here.clone(), permit };
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
                pool.learn(&instance, client_policy::outcome_of(&answer), since.elapsed());
            }
            return Served { by: Some(instance.name.clone()), queued: sent.queued(), answer };
        }
    }

    /// Delivers an event to one instance of a subscriber, in a span of its own, in the trace of what caused it.
    pub(super) async fn deliver(
        &self,
        context: &Context,
        to: Service,
        id: &EventId,
        owed: &OutboxEntry,
        attempt: u32,
    ) -> Result<(), MeshError> {
        let span = self.tracer.open_later(owed.cause, context.trace, || SpanKind::Delivery {
            event: owed.name.as_str().into(),
            publisher: id.publisher,
            record: id.record.as_str().into(),
            subscriber: to,
            attempt,
            sent: self.tracer.payload(&owed.payload),
        });
        let trace = owed.cause.map_or(context.trace, |cause| cause.trace);
        let context = Context { trace, ..context.in_span(span.id()) };
        let delivered = self.bring(&context, &span.here(), to, id, owed).await;
        span.end(|| delivered.as_ref().err().map_or(SpanStatus::OK, fault));
        delivered
    }

    async fn bring(
        &self,
        context: &Context,
        here: &SpanContext,
        to: Service,
        id: &EventId,
        owed: &OutboxEntry,
    ) -> Result<(), MeshError> {
        let link = self.client_policy(Caller::Service(id.publisher), to).link();
        let Some(link) = link else { return self.hand_over(context, here, to, id, owed).await };
        let sent = link.carry(&self.shared.env, context, Kind::Keyed, || {
            let (mesh, context, here, id) = (self.clone(), context.clone(), here.clone(), id.clone());
            let payload = |payload| OutboxEntry { payload, ..owed.clone() };
            let owed = match link.serialised {
                true => wire::carried_event(&owed.name, &owed.payload).map(payload),
                false => Ok(owed.clone()),
            };
            Box::pin(async move { mesh.hand_over(&context, &here, to, &id, &owed?).await })
        });
        sent.await?
    }

    async fn hand_over(
        &self,
        context: &Context,
        here: &SpanContext,
        to: Service,
        id: &EventId,
        owed: &OutboxEntry,
    ) -> Result<(), MeshError> {
        let pool = self.pool(to);
        let (instance, _permit) = pool.pick(Kind::Keyed, &|| None, None)?;
        let (context, here) = (context.clone(), here.clone());
        let delivered =
            instance.handlers.deliver(context, id.clone(), &owed.name, owed.at, owed.payload.clone(), here).await;
        if delivered == Err(MeshError::Crashed) {
            pool.bury(&instance);
        }
        delivered
    }
}

/// An instance that takes the call, and its place there; one that finds all taken looks again.
async fn pick(
    pool: &Pool,
    kind: Kind,
    key: &dyn Fn() -> Option<u64>,
    avoid: Option<&str>,
    context: &Context,
) -> Result<(Arc<Instance>, Permit), MeshError> {
    let mut looks = 0..LOOKS_FOR_A_PLACE;
    loop {
        match pool.pick(kind, key, avoid) {
            Err(MeshError::Overloaded) if looks.next().is_some() && context.time_left() > BETWEEN_LOOKS => {
                sleep(BETWEEN_LOOKS).await;
            }
            picked => return picked,
        }
    }
}

/// An answer, and the name of the instance that gave it; `None` where nobody was reached.
struct Served<R: Request> {
    by: Option<Arc<str>>,
    /// How long it waited there before it was begun.
    queued: Option<Duration>,
    answer: Result<R::Reply, Failure<R::Error>>,
}

impl<R: Request> Served<R> {
    /// What of it arrives as bytes. What the mesh itself has to say was not sent.
    fn carried(self) -> Self {
        let answer = match self.answer {
            Ok(reply) => wire::carried(R::NAME, &reply).map_err(Failure::Fault),
            Err(Failure::Domain(error)) => {
                Err(wire::carried(R::NAME, &error).map_or_else(Failure::Fault, Failure::Domain))
            }
            Err(fault) => Err(fault),
        };
        Self { answer, ..self }
    }
}

impl<R: Request> From<MeshError> for Served<R> {
    fn from(error: MeshError) -> Self {
        Self { by: None, queued: None, answer: Err(error.into()) }
    }
}

/// What became of a call, for its span.
fn told<E: std::fmt::Display>(failure: &Failure<E>) -> SpanStatus {
    match failure {
        Failure::Domain(error) => SpanStatus::new("refused", error.to_string()),
        Failure::Fault(error) => fault(error),
    }
}

fn fault(error: &MeshError) -> SpanStatus {
    SpanStatus::new(error.name(), error.to_string())
}

/// `None` where the instance dies first. Its mailbox may then hold the request for ever, without a word to who waits: actix lets go
/// of what lies in it, but not of what another thread is just putting there.
async fn answer_or_death<F: Future>(answer: Pin<&mut F>, instance: &Instance) -> Option<F::Output> {
    match select(answer, pin!(instance.death())).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}
