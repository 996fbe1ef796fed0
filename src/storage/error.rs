//! What can go wrong with a data folder. The texts are for the person who runs the shop.

use std::cmp::Ordering;

/// A fault of the storage. The client that sent the request never caused it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// Another process has locked the folder.
    #[error("{folder} is in use by another galleria; stop that one first, or choose another folder with --data-dir")]
    InUse {
        /// The path of the folder.
        folder: String,
    },
    /// The folder, or a file in it, cannot be created or written.
    #[error("{folder} cannot be written to ({cause}); make it writable, or choose another folder with --data-dir")]
    NotWritable {
        /// The path of the folder.
        folder: String,
        /// The error of the operating system.
        cause: String,
    },
    /// A checksum, a length or the format of stored data is wrong.
    #[error("the data is damaged: {what}; restore a backup into an empty folder with `galleria restore`")]
    Damaged {
        /// What is damaged, as a sentence without a full stop.
        what: String,
    },
    /// A backup is cut off, altered, or no backup.
    #[error("the backup cannot be restored: {what}")]
    BadBackup {
        /// Why, as a sentence without a full stop.
        what: String,
    },
    /// A later version of this program wrote the data.
    #[error("{what} was written by a newer galleria (version {found}, this one knows {known}); use that one")]
    Newer {
        /// A record's key, a folder's path, or a backup.
        what: String,
        /// The version that was found.
        found: u32,
        /// The newest version that this program reads.
        known: u32,
    },
    /// An earlier version of this program wrote the data, in a layout that this version does not
    /// read.
    #[error(
        "{what} was written by an older galleria (version {found}, this one knows {known}), whose layout is different; \
         use that one, or begin with an empty folder"
    )]
    Older {
        /// A folder's path, or a backup.
        what: String,
        /// The version that was found.
        found: u32,
        /// The version that this program reads.
        known: u32,
    },
    /// A backup can be restored only into an empty folder.
    #[error("{folder} is not empty; restore into a folder that is empty or does not exist")]
    NotEmpty {
        /// The path of the folder.
        folder: String,
    },
    /// The folder holds files, but no shop's data.
    #[error("{folder} holds something other than a shop's data; choose an empty folder with --data-dir")]
    NotOurs {
        /// The path of the folder.
        folder: String,
    },
    /// The disk is full or fails, or this process has stopped writing after such a failure.
    #[error("the disk refused: {0}")]
    Disk(String),
}

impl StorageError {
    /// The exit code of a process that stops because of this error. A script can decide by it what
    /// to do.
    ///
    /// | code | what is wrong | what helps |
    /// |---|---|---|
    /// | 3 | another process has the folder | stop it |
    /// | 4 | the folder cannot be written to | permissions, or another folder |
    /// | 5 | the data or the backup is damaged | a backup |
    /// | 6 | another version wrote the data | that version |
    /// | 7 | the folder is not empty, or holds no shop's data | another folder |
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

    /// Fails if the versions differ. `what` names the data in the error's text.
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
            // sled passes on the kind of the error; its text is Debug output.
            kind if error.raw_os_error().is_none() && kind != Other => Self::Disk(kind.to_string()),
            _ => Self::Disk(error.to_string()),
        }
    }
}
