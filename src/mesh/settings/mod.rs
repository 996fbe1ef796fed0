//! The settings of the mesh. All of them can be changed while the shop runs.

mod client_policy;
mod pool;

pub use client_policy::{BreakerSettings, ClientPolicySettings, Forced};
pub use pool::{Autoscale, InstanceSettings, MOST_INSTANCES, OutlierSettings, PoolSettings, Strategy};
