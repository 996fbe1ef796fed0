//! The link between callers and services, where a network would be: perfect and free, unless told what goes wrong on it.

use super::{Context, Kind, MeshError};
use crate::env::Env;
use futures_util::future::LocalBoxFuture;
use serde::{Serialize, Serializer};
use std::{any::Any, time::Duration};
use tokio::time::{sleep_until, timeout_at};
use utoipa::ToSchema;

/// What happens to messages on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Link {
    /// Each way takes so long,
    #[serde(rename = "latency_ms", serialize_with = "millis")]
    #[schema(value_type = f64)]
    pub latency: Duration,
    /// and up to so much longer: messages overtake each other.
    #[serde(rename = "jitter_ms", serialize_with = "millis")]
    #[schema(value_type = f64)]
    pub jitter: Duration,
    /// Each message is turned into bytes and parsed again, as between two processes: what it costs, and whether all of it arrives.
    pub serialised: bool,
    /// So many of a hundred requests never arrive.
    pub lost_requests: u8,
    /// So many of a hundred replies never arrive: what was asked for is done.
    pub lost_replies: u8,
    /// So many of a hundred requests arrive twice; never one that must not be sent twice.
    pub duplicates: u8,
}

impl Link {
    /// One message there and its reply back, with what goes wrong. `send` sends it, as often as it is called.
    pub(super) async fn carry<T: 'static>(
        self,
        env: &Env,
        context: &Context,
        kind: Kind,
        send: impl Fn() -> LocalBoxFuture<'static, T>,
    ) -> Result<T, MeshError> {
        let send = || {
            let sent = send();
            Box::pin(async move { Box::new(sent.await) as Box<dyn Any> }) as LocalBoxFuture<'static, _>
        };
        let answer = self.carry_any(env, context, kind, &send).await?;
        // It is what `send` gives.
        answer.downcast().map(|answer| *answer).map_err(|_| MeshError::Crashed)
    }

    /// The same for all types of answers, so that it is compiled once and not for each of them.
    async fn carry_any(
        self,
        env: &Env,
        context: &Context,
        kind: Kind,
        send: &dyn Fn() -> LocalBoxFuture<'static, Box<dyn Any>>,
    ) -> Result<Box<dyn Any>, MeshError> {
        let lost = async || {
            sleep_until(context.deadline).await;
            Err(MeshError::TimedOut)
        };
        env.sleep(self.way(env)).await;
        if happens(env, self.lost_requests) {
            return lost().await;
        }
        if matches!(kind, Kind::Keyed | Kind::Query) && happens(env, self.duplicates) {
            let (env, again, way) = (env.clone(), send(), self.way(env));
            // Nobody waits for what it gives.
            actix::spawn(async move {
                env.sleep(way).await;
                again.await;
            });
        }
        // The sender may lose patience; what was sent is carried out all the same.
        let sent = actix::spawn(send());
        let answer = timeout_at(context.deadline, sent).await;
        let Ok(answer) = answer else { return Err(MeshError::TimedOut) };
        if happens(env, self.lost_replies) {
            return lost().await;
        }
        let way = self.way(env);
        timeout_at(context.deadline, env.sleep(way)).await.map_err(|_| MeshError::TimedOut)?;
        answer.map_err(|_| MeshError::Crashed)
    }

    fn way(&self, env: &Env) -> Duration {
        self.latency + env.jitter(self.jitter)
    }
}

fn happens(env: &Env, percent: u8) -> bool {
    percent > 0 && env.below(0..100) < percent.into()
}

fn millis<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(span.as_secs_f64() * 1e3)
}
