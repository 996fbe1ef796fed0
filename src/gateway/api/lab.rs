//! The Lab's first storey: what runs, and what happens when it is disturbed. See [`crate::lab`].

use super::{Answer, Nothing, no_content, whole_list};
use crate::{
    gateway::{
        body::{Body, PathId},
        problem::Problem,
        visit::Visit,
    },
    lab::{self, Way},
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
pub struct Weather {
    latency_ms: u16,
    jitter_ms: u16,
    /// Of a hundred, as those below.
    lost_requests: u8,
    lost_replies: u8,
    duplicates: u8,
}

impl Weather {
    fn link(&self) -> Result<Link, Problem> {
        let Self { latency_ms, jitter_ms, lost_requests, lost_replies, duplicates } = *self;
        let shares = [("lost_requests", lost_requests), ("lost_replies", lost_replies), ("duplicates", duplicates)];
        if let Some((name, _)) = shares.iter().find(|(_, share)| *share > 100) {
            return Err(Problem::invalid(format!("/{name}"), format!("{name} is from 0 to 100")));
        }
        let ms = |ms: u16| Duration::from_millis(ms.into());
        Ok(Link {
            latency: ms(latency_ms),
            jitter: ms(jitter_ms),
            serialised: false,
            lost_requests,
            lost_replies,
            duplicates,
        })
    }
}

/// What goes wrong from now on between a caller and a service: `gateway.products`, `any.products`.
pub async fn set_link(visit: Visit, PathId(way): PathId<Way>, Body(weather): Body<Weather>) -> Answer<Nothing, 204> {
    lab::set_link(&visit.gateway.mesh, way, Some(weather.link()?));
    no_content()
}

pub async fn clear_link(visit: Visit, PathId(way): PathId<Way>) -> Answer<Nothing, 204> {
    lab::set_link(&visit.gateway.mesh, way, None);
    no_content()
}
