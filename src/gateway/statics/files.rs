//! The embedded files, their entity tags, and the hash of all of them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, sync::LazyLock};

/// The folder `static/`, inside the binary.
#[derive(RustEmbed)]
#[folder = "static/"]
pub struct Files;

/// The prefix of addresses whose content never changes: `/v/{version}/js/main.js`. Pages name their
/// files with it. Modules and style sheets name each other by relative paths, which keep the
/// prefix.
pub static VERSIONED: LazyLock<String> = LazyLock::new(|| format!("/v/{}", version()));

/// The file at a path.
pub struct StaticFile {
    pub name: String,
    pub mime: String,
    pub data: Cow<'static, [u8]>,
    /// The entity tag, without its quotes: a hash of the content.
    pub tag: String,
    /// Whether the content at this address never changes.
    pub is_immutable: bool,
}

/// The entity tag of a file, without its quotes.
pub fn tag(hash: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&hash[..15])
}

/// The hash of all files. A change of one file changes all addresses, because the files are made
/// for each other.
fn version() -> String {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_bytes());
        hash.update(Files::get(&name).map_or([0; 32], |file: EmbeddedFile| file.metadata.sha256_hash()));
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..9])
}
