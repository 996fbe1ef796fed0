//! Where the door's certificate comes from.

use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// Made on the spot, at each start: for a look at TLS without an authority.
    SelfSigned,
    /// PEM files: the chain, its own certificate first, and the private key. They are read again when that is asked for.
    Files { chain: PathBuf, key: PathBuf },
}
