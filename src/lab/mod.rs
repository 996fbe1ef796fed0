//! The control room: look at the running system, and disturb it.

use crate::{
    mesh::{InstanceReport, Mesh, Strategy},
    types::Service,
};
use serde::Serialize;

/// A service as it runs now.
#[derive(Serialize)]
pub struct ServiceReport {
    pub service: Service,
    pub strategy: Strategy,
    pub instances: Vec<InstanceReport>,
}

pub fn services(mesh: &Mesh) -> Vec<ServiceReport> {
    let report = |pool: &std::sync::Arc<crate::mesh::Pool>| ServiceReport {
        service: pool.service(),
        strategy: pool.strategy(),
        instances: pool.report(),
    };
    mesh.pools().iter().map(report).collect()
}

/// Makes the instance of that name panic; `false` where there is none.
pub async fn crash(mesh: &Mesh, instance: &str) -> bool {
    for pool in mesh.pools() {
        if pool.crash(instance).await {
            log::warn!(instance; "an operator crashed an instance");
            return true;
        }
    }
    false
}
