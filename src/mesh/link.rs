//! The link between a caller and a service, where a network would be. It has no latency and loses
//! no message, unless faults are injected (compare Toxiproxy, and Istio's fault injection).

use super::{Context, MeshError, RequestKind};
use crate::env::Env;
use futures_util::future::LocalBoxFuture;
use serde::{Serialize, Serializer};
use std::{any::Any, time::Duration};
use tokio::time::{sleep_until, timeout_at};
use utoipa::ToSchema;

/// The faults of a link: what happens to messages between one caller and one service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Link {
    /// The time that each message takes, in each direction.
    #[serde(rename = "latency_ms", serialize_with = "millis")]
    #[schema(value_type = f64)]
    pub latency: Duration,
    /// The most that is added to the latency of a message, drawn anew for each. Messages can
    /// therefore overtake each other.
    #[serde(rename = "jitter_ms", serialize_with = "millis")]
    #[schema(value_type = f64)]
    pub jitter: Duration,
    /// Whether each message is turned into bytes and parsed again, as between two processes.
    pub serialised: bool,
    /// The percentage of requests that never arrive.
    pub lost_requests: u8,
    /// The percentage of replies that never arrive. Their requests are carried out.
    pub lost_replies: u8,
    /// The percentage of requests that arrive twice. Commands without a key and long polls never
    /// do.
    pub duplicates: u8,
}

impl Link {
    /// Sends one message and brings back its reply. `send` is called once for each copy that
    /// arrives.
    ///
    /// # Errors
    /// [`MeshError::TimedOut`] if a message is lost or the deadline passes.
    pub(super) async fn carry<T: 'static>(
        self,
        env: &Env,
        context: &Context,
        kind: RequestKind,
        send: impl Fn() -> LocalBoxFuture<'static, T>,
    ) -> Result<T, MeshError> {
        let send = || {
            let sent = send();
            Box::pin(async move { Box::new(sent.await) as Box<dyn Any> }) as LocalBoxFuture<'static, _>
        };
        let answer = self.carry_any(env, context, kind, &send).await?;
        // The type is that of `send`, so the cast does not fail.
        answer.downcast().map(|answer| *answer).map_err(|_| MeshError::Crashed)
    }

    /// Does the work of [`Link::carry`] without its type parameter, so that the compiler translates
    /// it once and not for each type of answer.
    async fn carry_any(
        self,
        env: &Env,
        context: &Context,
        kind: RequestKind,
        send: &dyn Fn() -> LocalBoxFuture<'static, Box<dyn Any>>,
    ) -> Result<Box<dyn Any>, MeshError> {
        let lost = async || {
            sleep_until(context.deadline).await;
            Err(MeshError::TimedOut)
        };
        env.sleep(self.delay(env)).await;
        if happens(env, self.lost_requests) {
            return lost().await;
        }
        if matches!(kind, RequestKind::Keyed | RequestKind::Query) && happens(env, self.duplicates) {
            let (env, again, delay) = (env.clone(), send(), self.delay(env));
            // Nothing waits for the answer to the copy.
            actix::spawn(async move {
                env.sleep(delay).await;
                again.await;
            });
        }
        // The caller may stop waiting. The request that was sent is carried out all the same.
        let sent = actix::spawn(send());
        let answer = timeout_at(context.deadline, sent).await;
        let Ok(answer) = answer else { return Err(MeshError::TimedOut) };
        if happens(env, self.lost_replies) {
            return lost().await;
        }
        let delay = self.delay(env);
        timeout_at(context.deadline, env.sleep(delay)).await.map_err(|_| MeshError::TimedOut)?;
        answer.map_err(|_| MeshError::Crashed)
    }

    fn delay(&self, env: &Env) -> Duration {
        self.latency + env.jitter(self.jitter)
    }
}

fn happens(env: &Env, percent: u8) -> bool {
    percent > 0 && env.below(0..100) < percent.into()
}

fn millis<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(span.as_secs_f64() * 1e3)
}
