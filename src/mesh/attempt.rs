//! One attempt of a call, from the outside in: span → circuit breaker → link → balancer → actor.

use super::{
    Context, Envelope, Failure, Mesh, MeshError, Request, RequestKind,
    call_result::CallResult,
    instance::Instance,
    link::Link,
    permit::{CallState, Permit},
    pool::Pool,
    wire,
};
use crate::telemetry::{ActiveSpan, Payload, SpanContext, SpanKind, SpanStatus};
use actix::{MailboxError, Recipient};
use futures_util::future::{Either, select};
use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, error::Elapsed, sleep, timeout_at};

/// How many times an attempt tries again to get a slot before it fails with `Overloaded`.
///
/// Gateway workers and service instances share threads. A worker that reads a burst of requests can
/// fill all slots before an instance on the same thread has run. This is not overload, so the
/// attempt tries again.
const SLOT_RETRIES: u32 = 5;
const BETWEEN_SLOT_RETRIES: Duration = Duration::from_millis(1);

/// One attempt of a call.
pub(super) struct Attempt<'a, R: Request> {
    mesh: &'a Mesh,
    request: &'a R,
    /// The caller's context, inside this attempt's span.
    context: Context,
    span: SpanContext,
    /// The instance that the previous attempt reached. Another one is preferred.
    avoid: Option<Arc<str>>,
}

/// The answer to an attempt, and which instance gave it.
pub(super) struct Served<R: Request> {
    /// The name of the instance; `None` if none was reached.
    pub by: Option<Arc<str>>,
    /// How long the request was in the instance's mailbox.
    pub queued: Option<Duration>,
    pub answer: Result<R::Reply, Failure<R::Error>>,
}

impl<'a, R: Request> Attempt<'a, R> {
    /// Makes the attempt of that number (from 1), in a span of its own.
    pub async fn run(
        mesh: &'a Mesh,
        context: &Context,
        request: &'a R,
        avoid: Option<Arc<str>>,
        number: u32,
    ) -> Served<R> {
        let span = mesh.tracer.open(context.trace, context.span, || SpanKind::Call {
            caller: mesh.caller.name(),
            service: R::SERVICE,
            request: R::NAME,
            instance: None,
            attempt: number,
            queued: None,
            sent: mesh.tracer.payload(request),
            answer: Payload::default(),
        });
        let attempt = Self { mesh, request, context: context.in_span(span.id()), span: span.context(), avoid };
        let served = attempt.through_breaker().await;
        served.end_span(span, mesh);
        served
    }

    /// Goes on if the circuit breaker lets the attempt through, and tells it the result.
    async fn through_breaker(&self) -> Served<R> {
        let policy = self.mesh.client_policy(self.mesh.caller, R::SERVICE);
        let ticket = match policy.admit(R::KIND) {
            Ok(ticket) => ticket,
            Err(error) => return error.into(),
        };
        let served = match policy.link() {
            None => self.through_balancer().await,
            Some(link) => self.over_link(link).await,
        };
        if let Some(ticket) = ticket {
            ticket.end(CallResult::of(&served.answer));
        }
        served
    }

    /// Goes over a link with faults, which may lose, delay or duplicate the request.
    async fn over_link(&self, link: Link) -> Served<R> {
        let carried = link.carry(&self.mesh.inner.env, &self.context, R::KIND, || {
            let (mesh, context, span, avoid) =
                (self.mesh.clone(), self.context.clone(), self.span.clone(), self.avoid.clone());
            let request =
                if link.serialised { wire::round_trip(R::NAME, self.request) } else { Ok(self.request.clone()) };
            Box::pin(async move {
                let request = match request {
                    Ok(request) => request,
                    Err(error) => return Served::from(error),
                };
                let copy = Attempt { mesh: &mesh, request: &request, context, span, avoid };
                let served = copy.through_balancer().await;
                if link.serialised { served.round_trip() } else { served }
            })
        });
        carried.await.unwrap_or_else(Served::from)
    }

    /// Sends the request to one instance after the other, until a handler has started.
    async fn through_balancer(&self) -> Served<R> {
        let pool = self.mesh.pool(R::SERVICE);
        loop {
            let (instance, permit) = match self.pick(pool).await {
                Ok(picked) => picked,
                Err(error) => return error.into(),
            };
            let Some(recipient) = instance.handlers.recipient::<R>() else { return MeshError::NoInstance.into() };
            if !recipient.connected() {
                instance.mark_dead();
                continue;
            }
            if let Some(served) = self.to_actor(pool, &instance, recipient, permit).await {
                return served;
            }
        }
    }

    /// Picks an instance and takes a slot there.
    async fn pick(&self, pool: &Pool) -> Result<(Arc<Instance>, Permit), MeshError> {
        let mut retries = 0..SLOT_RETRIES;
        loop {
            match pool.pick(R::KIND, &|| self.request.affinity(), self.avoid.as_deref()) {
                Err(MeshError::Overloaded)
                    if retries.next().is_some() && self.context.time_left() > BETWEEN_SLOT_RETRIES =>
                {
                    sleep(BETWEEN_SLOT_RETRIES).await;
                }
                picked => return picked,
            }
        }
    }

    /// Sends the request to the actor and waits for its answer. `None` if the instance died before
    /// a handler had started: another instance can have the request, whatever its kind.
    async fn to_actor(
        &self,
        pool: &Pool,
        instance: &Instance,
        recipient: &Recipient<Envelope<R>>,
        permit: Permit,
    ) -> Option<Served<R>> {
        let (call, since) = (permit.call(), Instant::now());
        let (context, span) = (self.context.clone(), self.span.clone());
        let sent = recipient.send(Envelope { context, request: self.request.clone(), span, permit });
        let answer = match answer_in_time(sent, instance, &call, self.context.deadline).await {
            Ok(Some(Ok(answer))) => answer,
            Ok(Some(Err(MailboxError::Closed))) => {
                instance.mark_dead();
                if call.cancel() {
                    return None;
                }
                Err(MeshError::Crashed.into())
            }
            Ok(None) => return None,
            Ok(Some(Err(MailboxError::Timeout))) | Err(_) => {
                call.cancel();
                Err(MeshError::TimedOut.into())
            }
        };
        if R::KIND != RequestKind::LongPoll {
            pool.record_call(instance, CallResult::of(&answer), since.elapsed());
        }
        Some(Served { by: Some(instance.name.clone()), queued: call.time_queued(), answer })
    }
}

/// The answer before the deadline. `Ok(None)` if the instance died first and the call could still
/// be cancelled.
async fn answer_in_time<F: Future>(
    answer: F,
    instance: &Instance,
    call: &CallState,
    deadline: Instant,
) -> Result<Option<F::Output>, Elapsed> {
    let mut answer = pin!(answer);
    let first = timeout_at(deadline, answer_or_death(answer.as_mut(), instance)).await?;
    if first.is_some() || call.cancel() {
        return Ok(first);
    }
    // The handler runs on although the instance is dead. Only the handler knows the result.
    timeout_at(deadline, answer).await.map(Some)
}

/// `None` if the instance dies first. Its mailbox may then hold the request for ever: actix drops
/// what is in the mailbox, but not what another thread is adding at that moment.
async fn answer_or_death<F: Future>(answer: Pin<&mut F>, instance: &Instance) -> Option<F::Output> {
    match select(answer, pin!(instance.death())).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

impl<R: Request> Served<R> {
    /// Turns the answer into bytes and back. Errors of the mesh are made on the caller's side and
    /// are not sent.
    fn round_trip(self) -> Self {
        let answer = match self.answer {
            Ok(reply) => wire::round_trip(R::NAME, &reply).map_err(Failure::Fault),
            Err(Failure::Domain(error)) => {
                Err(wire::round_trip(R::NAME, &error).map_or_else(Failure::Fault, Failure::Domain))
            }
            Err(fault) => Err(fault),
        };
        Self { answer, ..self }
    }

    fn end_span(&self, mut span: ActiveSpan, mesh: &Mesh) {
        span.update(|kind| {
            if let SpanKind::Call { instance, queued, answer, .. } = kind {
                (*instance, *queued) = (self.by.clone(), self.queued);
                *answer = self.answer.as_ref().map(|answer| mesh.tracer.payload(answer)).unwrap_or_default();
            }
        });
        span.end(|| match &self.answer {
            Ok(_) => SpanStatus::OK,
            Err(Failure::Domain(error)) => SpanStatus::new("refused", error.to_string()),
            Err(Failure::Fault(error)) => SpanStatus::new(error.name(), error.to_string()),
        });
    }
}

impl<R: Request> From<MeshError> for Served<R> {
    fn from(error: MeshError) -> Self {
        Self { by: None, queued: None, answer: Err(error.into()) }
    }
}
