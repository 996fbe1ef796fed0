//! The Lab's first storey: what runs, and what happens when it dies. See [`crate::lab`].

use super::{Answer, no_content, whole_list};
use crate::{
    gateway::{body::PathId, problem::Problem, visit::Visit},
    lab,
};

pub async fn services(visit: Visit) -> Answer {
    whole_list(lab::services(&visit.gateway.mesh))
}

pub async fn crash(visit: Visit, PathId(instance): PathId<String>) -> Answer {
    if lab::crash(&visit.gateway.mesh, &instance).await { no_content() } else { Err(Problem::not_found()) }
}
