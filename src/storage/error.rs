//! What can go wrong with a data folder, in words for the person who runs the shop.

use std::cmp::Ordering;

/// A storage fault. None of these is the fault of whoever sent a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    #[error("{folder} is in use by another galleria; stop that one first, or choose another folder with --data-dir")]
    InUse { folder: String },
    #[error("{folder} cannot be written to ({cause}); make it writable, or choose another folder with --data-dir")]
    NotWritable { folder: String, cause: String },
    #[error("the data is damaged: {what}; restore a backup into an empty folder with `galleria restore`")]
    Damaged { what: String },
    #[error("the backup cannot be restored: {what}")]
    BadBackup { what: String },
    #[error("{what} was written by a newer galleria (version {found}, this one knows {known}); use that one")]
    Newer { what: String, found: u32, known: u32 },
    #[error(
        "{what} was written by an older galleria (version {found}, this one knows {known}), which lays it out in another way; \
         use that one, or begin with an empty folder"
    )]
    Older { what: String, found: u32, known: u32 },
    #[error("{folder} is not empty; restore into a folder that is empty or does not exist")]
    NotEmpty { folder: String },
    #[error("{folder} holds something else than a shop's data; choose an empty folder with --data-dir")]
    NotOurs { folder: String },
    #[error("the disk refused: {0}")]
    Disk(String),
}

impl StorageError {
    /// What the process exits with when this keeps it from its work, so that a script can tell what to do.
    ///
    /// | code | what is wrong | what helps |
    /// |---|---|---|
    /// | 3 | another process has the folder | stop it |
    /// | 4 | the folder cannot be written to | permissions, or another folder |
    /// | 5 | the data or the backup is damaged | a backup |
    /// | 6 | it was written by another version | that version |
    /// | 7 | the folder is not empty, or is somebody else's | another folder |
    /// | 8 | the disk failed or is full | the disk |
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::InUse { .. } => 3,
            Self::NotWritable { .. } => 4,
            Self::Damaged { .. } | Self::BadBackup { .. } => 5,
            Self::Newer { .. } | Self::Older { .. } => 6,
            Self::NotEmpty { .. } | Self::NotOurs { .. } => 7,
            Self::Disk(_) => 8,
        }
    }

    /// Refuses what this program does not know how to read.
    pub(super) fn check_version(what: impl ToString, found: u32, known: u32) -> Result<(), Self> {
        match found.cmp(&known) {
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(Self::Newer { what: what.to_string(), found, known }),
            Ordering::Less => Err(Self::Older { what: what.to_string(), found, known }),
        }
    }

    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}

impl From<sled::Error> for StorageError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(io) => io.into(),
            sled::Error::Corruption { at: Some(at), .. } => {
                Self::damaged(format!("a page fails its checksum ({at:?})"))
            }
            sled::Error::Corruption { at: None, .. } => Self::damaged("the log or its snapshot fails its checksum"),
            other => Self::damaged(other.to_string()),
        }
    }
}

impl From<std::io::Error> for StorageError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{InvalidData, Other, UnexpectedEof};
        match error.kind() {
            UnexpectedEof | InvalidData => Self::damaged("a file is shorter than it must be"),
            // sled hands on the kind, and Debug output for a text.
            kind if error.raw_os_error().is_none() && kind != Other => Self::Disk(kind.to_string()),
            _ => Self::Disk(error.to_string()),
        }
    }
}
