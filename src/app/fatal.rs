//! Errors that end a command.

use crate::{mesh::MeshError, storage::StorageError};
use std::net::SocketAddr;

/// Why the shop does not open, or why a command fails: one line of text, and an exit code.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("cannot listen on {address}: {reason}; choose another address with --listen (port 0 takes a free one)")]
    Listen { address: SocketAddr, reason: String },
    #[error("the shop could not be made ready: {0}")]
    NotReady(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    BadSetting(String),
}

impl Fatal {
    /// The exit code of the program; `galleria --help` lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Storage(error) => error.exit_code(),
            Self::BadSetting(_) => 2,
            Self::Listen { .. } => 9,
            Self::NotReady(_) | Self::Refused(_) => 1,
        }
    }

    /// Whether a later attempt may succeed without a change of settings.
    pub fn may_pass(&self) -> bool {
        use StorageError::{Disk, InUse, NotWritable};
        matches!(self, Self::Storage(Disk(_) | InUse { .. } | NotWritable { .. }) | Self::NotReady(_))
    }
}

/// A call of the start or of a command that failed.
pub(super) fn not_ready(error: MeshError) -> Fatal {
    Fatal::NotReady(error.to_string())
}
