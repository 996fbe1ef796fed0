//! What the end of a call says about the service and its instance.

use super::{Failure, MeshError};

/// What the end of a call says about the service: counted by the breaker, and by the instance's
/// health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallResult {
    /// The service answered. An error of its domain is an answer, too.
    Success,
    /// The service did not answer, or could not do its work.
    Failure,
    /// No instance was reached, or the caller stopped waiting.
    Unknown,
}

impl CallResult {
    pub fn of<T, E>(answer: &Result<T, Failure<E>>) -> Self {
        match answer {
            Ok(_) | Err(Failure::Domain(_)) => Self::Success,
            Err(Failure::Fault(MeshError::TimedOut | MeshError::Crashed | MeshError::Failed(_))) => Self::Failure,
            // The call failed before an instance had it. This is over in a moment, and a breaker
            // would only make it last.
            Err(Failure::Fault(
                MeshError::NoInstance | MeshError::Overloaded | MeshError::Refused | MeshError::CircuitOpen { .. },
            )) => Self::Unknown,
        }
    }
}
