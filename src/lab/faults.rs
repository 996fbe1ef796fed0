//! What runs, and the faults that an operator injects.

use super::link_selector::LinkSelector;
use crate::{
    mesh::{Link, Mesh, PoolReport},
    types::Service,
};
use std::time::Duration;

/// The state of all services.
pub fn services(mesh: &Mesh) -> Vec<PoolReport> {
    mesh.pools().iter().map(|pool| pool.report()).collect()
}

/// Makes the named instance panic. `false` if there is no instance of that name.
pub async fn crash(mesh: &Mesh, instance: &str) -> bool {
    for pool in mesh.pools() {
        if pool.crash(instance).await {
            log::warn!(instance; "an operator crashed an instance");
            return true;
        }
    }
    false
}

/// Makes the named instance handle no message for `span`. `false` if there is no instance of that
/// name.
pub fn pause(mesh: &Mesh, instance: &str, span: Duration) -> bool {
    let paused = mesh.pools().iter().any(|pool| pool.pause(instance, span));
    if paused {
        log::warn!(instance, ms = span.as_millis() as u64; "an operator paused an instance");
    }
    paused
}

/// Sets the faults of the selected links; `None` for no faults.
pub fn set_link(mesh: &Mesh, selector: LinkSelector, link: Option<Link>) {
    let LinkSelector { caller, service } = selector;
    log::warn!(service = service.map_or("any", Service::name); "an operator changed a link: {link:?}");
    for service in Service::ALL.into_iter().filter(|it| service.is_none_or(|selected| selected == *it)) {
        match caller {
            Some(caller) => mesh.set_link(caller, service, link),
            None => mesh.set_links_to(service, link),
        }
    }
}
