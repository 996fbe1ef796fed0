//! What can go wrong with a call, kept apart: what the service says, and what the way there says.

use crate::storage::StorageError;
use serde::Serialize;
use std::time::Duration;

/// Why a call gave no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError<E: std::error::Error> {
    /// The service was reached and has something to say: no fault of anybody's.
    #[error(transparent)]
    Domain(E),
    #[error(transparent)]
    Mesh(MeshError),
}

impl<E: std::error::Error> CallError<E> {
    /// For callers to whom the service's own words are a fault, too: a saga step that cannot be refused.
    pub fn into_mesh(self) -> MeshError {
        match self {
            Self::Domain(error) => MeshError::Failed(error.to_string()),
            Self::Mesh(error) => error,
        }
    }
}

/// What the way there and back says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "cause")]
pub enum MeshError {
    /// Nobody knows whether it happened.
    #[error("there was no answer in time")]
    TimedOut,
    #[error("no instance is there to answer")]
    NoInstance,
    #[error("every instance has as many calls in hand as it takes")]
    Overloaded,
    /// Too many calls failed lately: nobody was asked.
    #[error("the circuit breaker is open")]
    CircuitOpen {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The instance went down with the request. Nobody knows whether it happened.
    #[error("the instance crashed")]
    Crashed,
    #[error("this caller may not call that service")]
    Refused,
    /// The service could not do its work: its storage failed, or somebody whom it called.
    #[error("the service failed: {0}")]
    Failed(String),
}

impl MeshError {
    /// In one word, for spans and metrics.
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

    /// Whether the request may have been carried out all the same.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Crashed | Self::Failed(_))
    }
}

/// What a handler gives instead of a reply.
#[derive(Debug)]
pub enum Failure<E> {
    /// For the caller to hear.
    Domain(E),
    /// For the log; the caller learns that the service failed.
    Fault(MeshError),
}

impl<E: std::error::Error> Failure<E> {
    /// For handlers of events, to whom the service's own words are a fault, too: the event is brought again.
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
