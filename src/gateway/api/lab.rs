//! The Lab's first storey: what runs, and what happens when it is disturbed. See [`crate::lab`].

use super::{Answer, Nothing, no_content, whole_list};
use crate::{
    gateway::{
        body::{Body, PathId},
        problem::Problem,
        visit::Visit,
    },
    lab::{self, LinkSelector},
    mesh::{Link, PoolReport},
    types::Page,
};
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;

pub async fn services(visit: Visit) -> Answer<Page<PoolReport>> {
    whole_list(lab::services(&visit.gateway.mesh))
}

pub async fn crash(visit: Visit, PathId(instance): PathId<String>) -> Answer<Nothing, 204> {
    if lab::crash(&visit.gateway.mesh, &instance).await { no_content() } else { Err(Problem::not_found()) }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    #[schema(minimum = 1, maximum = 60_000, example = 500)]
    ms: u64,
}

/// Nobody is paused for longer than a minute: by then it has long been replaced.
const LONGEST_PAUSE: u64 = 60_000;

pub async fn pause(
    visit: Visit,
    PathId(instance): PathId<String>,
    Body(Pause { ms }): Body<Pause>,
) -> Answer<Nothing, 204> {
    if !(1..=LONGEST_PAUSE).contains(&ms) {
        return Err(Problem::invalid("/ms", "ms is from 1 to 60,000 (a minute)"));
    }
    let paused = lab::pause(&visit.gateway.mesh, &instance, Duration::from_millis(ms));
    if paused { no_content() } else { Err(Problem::not_found()) }
}

/// What goes wrong on a way; what is left out does not.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct LinkFaults {
    /// Each way takes so long, to fractions of a millisecond,
    #[schema(minimum = 0, maximum = 60_000, example = 0.5)]
    latency_ms: f64,
    /// and up to so much longer.
    #[schema(minimum = 0, maximum = 60_000, example = 0.25)]
    jitter_ms: f64,
    /// Each message is turned into bytes and parsed again, as between two processes.
    serialised: bool,
    /// Of a hundred, as those below.
    lost_requests: u8,
    lost_replies: u8,
    duplicates: u8,
}

/// Longer than anybody waits for anything.
const LONGEST_WAY: f64 = 60_000.0;

impl LinkFaults {
    fn link(&self) -> Result<Link, Problem> {
        let Self { latency_ms, jitter_ms, serialised, lost_requests, lost_replies, duplicates } = *self;
        let times = [("latency_ms", latency_ms), ("jitter_ms", jitter_ms)];
        if let Some((name, _)) = times.iter().find(|(_, ms)| !(0.0..=LONGEST_WAY).contains(ms)) {
            return Err(Problem::invalid(format!("/{name}"), format!("{name} is from 0 to 60,000 (a minute)")));
        }
        let shares = [("lost_requests", lost_requests), ("lost_replies", lost_replies), ("duplicates", duplicates)];
        if let Some((name, _)) = shares.iter().find(|(_, share)| *share > 100) {
            return Err(Problem::invalid(format!("/{name}"), format!("{name} is from 0 to 100")));
        }
        let ms = |ms: f64| Duration::from_secs_f64(ms / 1e3);
        Ok(Link { latency: ms(latency_ms), jitter: ms(jitter_ms), serialised, lost_requests, lost_replies, duplicates })
    }
}

/// What goes wrong from now on between a caller and a service: `gateway.products`, `any.products`, `any.any`.
pub async fn set_link(
    visit: Visit,
    PathId(selector): PathId<LinkSelector>,
    Body(faults): Body<LinkFaults>,
) -> Answer<Nothing, 204> {
    lab::set_link(&visit.gateway.mesh, selector, Some(faults.link()?));
    no_content()
}

pub async fn clear_link(visit: Visit, PathId(selector): PathId<LinkSelector>) -> Answer<Nothing, 204> {
    lab::set_link(&visit.gateway.mesh, selector, None);
    no_content()
}
