//! What can go wrong with a call. Errors of the service and errors of the mesh are kept apart.

use crate::storage::StorageError;
use serde::Serialize;
use std::time::Duration;

/// Why a call gave no reply: what the caller gets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError<E: std::error::Error> {
    /// The service was reached and refused the request, for a reason of its domain.
    #[error(transparent)]
    Domain(E),
    /// The service was not reached, or could not do its work.
    #[error(transparent)]
    Mesh(MeshError),
}

impl<E: std::error::Error> CallError<E> {
    /// Turns an error of the domain into [`MeshError::Failed`]: for callers that no domain error
    /// can help, such as a saga step that cannot be refused.
    pub fn into_mesh(self) -> MeshError {
        match self {
            Self::Domain(error) => MeshError::Failed(error.to_string()),
            Self::Mesh(error) => error,
        }
    }
}

/// What the mesh reports instead of a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "cause")]
pub enum MeshError {
    /// The deadline passed. The request may have been carried out.
    #[error("there was no answer in time")]
    TimedOut,
    /// No instance takes calls. The request was not carried out.
    #[error("no instance takes calls")]
    NoInstance,
    /// Every instance has as many calls in flight as its capacity. The request was not carried out.
    #[error("every instance has as many calls in flight as its capacity")]
    Overloaded,
    /// Too many calls failed lately. The request was not sent.
    #[error("the circuit breaker is open")]
    CircuitOpen {
        /// The time until the breaker lets a call through.
        retry_after: Duration,
    },
    /// The instance crashed while it had the request. The request may have been carried out.
    #[error("the instance crashed")]
    Crashed,
    /// The list of allowed calls has no entry for this caller and service. The request was not
    /// sent.
    #[error("this caller may not call that service")]
    Refused,
    /// The service could not do its work: its storage failed, or a service that it called. The
    /// request may have been carried out.
    #[error("the service failed: {0}")]
    Failed(String),
}

impl MeshError {
    /// The error's name in spans and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::NoInstance => "no_instance",
            Self::Overloaded => "overloaded",
            Self::CircuitOpen { .. } => "circuit_open",
            Self::Crashed => "crashed",
            Self::Refused => "not_allowed",
            Self::Failed(_) => "failed",
        }
    }

    /// Whether the request may have been carried out although the call failed.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Crashed | Self::Failed(_))
    }
}

/// What a handler gives instead of a reply.
#[derive(Debug)]
pub enum Failure<E> {
    /// The service refuses the request. The caller gets the error.
    Domain(E),
    /// The service could not do its work. The caller gets the error as [`CallError::Mesh`].
    Fault(MeshError),
}

impl<E: std::error::Error> Failure<E> {
    /// Turns an error of the domain into [`MeshError::Failed`]: for handlers of events. The event
    /// is then delivered again.
    pub fn into_mesh(self) -> MeshError {
        match self {
            Self::Domain(error) => MeshError::Failed(error.to_string()),
            Self::Fault(error) => error,
        }
    }
}

impl<E> From<StorageError> for Failure<E> {
    fn from(error: StorageError) -> Self {
        Self::Fault(error.into())
    }
}

impl<E> From<MeshError> for Failure<E> {
    fn from(error: MeshError) -> Self {
        Self::Fault(error)
    }
}

impl From<StorageError> for MeshError {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.to_string())
    }
}
