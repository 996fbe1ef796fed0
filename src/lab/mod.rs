//! The control room: look at the running system, and disturb it.

use crate::mesh::{Mesh, PoolReport};

pub fn services(mesh: &Mesh) -> Vec<PoolReport> {
    mesh.pools().iter().map(|pool| pool.report()).collect()
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
