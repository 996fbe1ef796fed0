//! The messages that the mesh itself sends to an instance: health checks and injected faults.

use std::time::Duration;

/// A health check. An actor that answers is alive.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Ping;

/// A fault that the Lab or a test injects into an instance.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub enum InjectedFault {
    /// The actor panics.
    Crash,
    /// The actor handles no message for this time.
    Pause(Duration),
}
