//! Fault injection for operators. See [`crate::lab`].

use super::paging::whole_list;
use crate::{
    gateway::{
        context::RequestContext,
        extract::{Body, PathId},
        respond::{
            Problem, ReplyResult,
            reply::{Nothing, no_content},
        },
    },
    lab::{self, LinkSelector},
    mesh::{Link, PoolReport},
    types::Page,
};
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;

pub async fn services(context: RequestContext) -> ReplyResult<Page<PoolReport>> {
    whole_list(lab::services(&context.gateway.mesh))
}

pub async fn crash(context: RequestContext, PathId(instance): PathId<String>) -> ReplyResult<Nothing, 204> {
    if lab::crash(&context.gateway.mesh, &instance).await { no_content() } else { Err(Problem::not_found()) }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// For how many milliseconds: 1 to 60,000.
    #[schema(minimum = 1, maximum = 60_000, example = 500)]
    ms: u64,
}

/// Milliseconds. An instance that is paused for longer has been replaced long before.
const LONGEST_PAUSE: u64 = 60_000;

pub async fn pause(
    context: RequestContext,
    PathId(instance): PathId<String>,
    Body(Pause { ms }): Body<Pause>,
) -> ReplyResult<Nothing, 204> {
    if !(1..=LONGEST_PAUSE).contains(&ms) {
        return Err(Problem::invalid("/ms", "ms must be from 1 to 60,000 (one minute)"));
    }
    let paused = lab::pause(&context.gateway.mesh, &instance, Duration::from_millis(ms));
    if paused { no_content() } else { Err(Problem::not_found()) }
}

/// The faults of a link between a caller and a service. A fault that is left out is off.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct LinkFaults {
    /// The delay of each message, in milliseconds: 0 to 60,000. Fractions are allowed.
    #[schema(minimum = 0, maximum = 60_000, example = 0.5)]
    latency_ms: f64,
    /// The most that is added to the delay at random, in milliseconds: 0 to 60,000.
    #[schema(minimum = 0, maximum = 60_000, example = 0.25)]
    jitter_ms: f64,
    /// Whether each message is serialised and parsed again, as between two processes.
    serialised: bool,
    /// The percentage of lost requests: 0 to 100.
    #[schema(maximum = 100)]
    lost_requests: u8,
    /// The percentage of lost replies: 0 to 100.
    #[schema(maximum = 100)]
    lost_replies: u8,
    /// The percentage of requests that arrive twice: 0 to 100.
    #[schema(maximum = 100)]
    duplicates: u8,
}

/// Milliseconds: longer than each deadline of the route table.
const LONGEST_DELAY: f64 = 60_000.0;

impl LinkFaults {
    fn link(&self) -> Result<Link, Problem> {
        let Self { latency_ms, jitter_ms, serialised, lost_requests, lost_replies, duplicates } = *self;
        let times = [("latency_ms", latency_ms), ("jitter_ms", jitter_ms)];
        if let Some((name, _)) = times.iter().find(|(_, ms)| !(0.0..=LONGEST_DELAY).contains(ms)) {
            return Err(Problem::invalid(format!("/{name}"), format!("{name} must be from 0 to 60,000 (one minute)")));
        }
        let shares = [("lost_requests", lost_requests), ("lost_replies", lost_replies), ("duplicates", duplicates)];
        if let Some((name, _)) = shares.iter().find(|(_, share)| *share > 100) {
            return Err(Problem::invalid(format!("/{name}"), format!("{name} must be from 0 to 100")));
        }
        let ms = |ms: f64| Duration::from_secs_f64(ms / 1e3);
        Ok(Link { latency: ms(latency_ms), jitter: ms(jitter_ms), serialised, lost_requests, lost_replies, duplicates })
    }
}

/// Sets the faults of the links that the selector names: `gateway.products`, `any.products`,
/// `any.any`.
pub async fn set_link(
    context: RequestContext,
    PathId(selector): PathId<LinkSelector>,
    Body(faults): Body<LinkFaults>,
) -> ReplyResult<Nothing, 204> {
    lab::set_link(&context.gateway.mesh, selector, Some(faults.link()?));
    no_content()
}

pub async fn clear_link(context: RequestContext, PathId(selector): PathId<LinkSelector>) -> ReplyResult<Nothing, 204> {
    lab::set_link(&context.gateway.mesh, selector, None);
    no_content()
}
