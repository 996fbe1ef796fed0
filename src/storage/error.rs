//! What can go wrong with a data folder, in words for the person who runs the shop.

/// A storage fault. None of these is the fault of whoever sent a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    #[error("{folder} is in use by another galleria; stop that one first, or choose another folder with --data-dir")]
    InUse { folder: String },
    #[error("{folder} cannot be written to ({cause}); make it writable, or choose another folder with --data-dir")]
    NotWritable { folder: String, cause: String },
    #[error("the data is damaged: {what}; restore a backup into an empty folder with `galleria restore`")]
    Damaged { what: String },
    #[error("{what} was written by a newer galleria (version {found}, this one knows {known}); use that one")]
    Newer { what: String, found: u32, known: u32 },
    #[error("{folder} is not empty; restore into a folder that is empty or does not exist")]
    NotEmpty { folder: String },
    #[error("the disk refused: {0}")]
    Disk(String),
}

impl From<sled::Error> for StorageError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(io) => Self::Disk(io.to_string()),
            sled::Error::Corruption { at, .. } => Self::Damaged { what: format!("a page fails its checksum ({at:?})") },
            other => Self::Damaged { what: other.to_string() },
        }
    }
}

impl From<std::io::Error> for StorageError {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error.to_string())
    }
}
