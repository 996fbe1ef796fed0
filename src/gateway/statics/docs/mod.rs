//! `/docs`: the OpenAPI document for people, shown by Swagger UI. The files of Swagger UI come from
//! the archive of its publisher, and are unpacked at their first use.

use super::files::{StaticFile, tag};
use sha2::{Digest, Sha256};
use std::{
    io::{Cursor, Read},
    sync::LazyLock,
};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// Paths, media types, and the sources of the files.
#[rustfmt::skip]
const FILES: [(&str, &str, Source); 5] = [
    ("/docs",                      "text/html",       Source::Embedded(include_str!("index.html"))),
    ("/docs/start.js",             "text/javascript", Source::Embedded(include_str!("start.js"))),
    ("/docs/index.css",            "text/css",        Source::Archive("/dist/index.css")),
    ("/docs/swagger-ui.css",       "text/css",        Source::Archive("/dist/swagger-ui.css")),
    ("/docs/swagger-ui-bundle.js", "text/javascript", Source::Archive("/dist/swagger-ui-bundle.js")),
];

#[derive(Clone, Copy)]
enum Source {
    /// The text of a file of this project.
    Embedded(&'static str),
    /// The end of a path in the archive. The start of the path is a version.
    Archive(&'static str),
}

struct File {
    path: &'static str,
    mime: &'static str,
    data: Vec<u8>,
    tag: String,
}

/// The file at this path, if it is one of these.
pub fn at(path: &str) -> Option<StaticFile> {
    if !FILES.iter().any(|(known, ..)| *known == path) {
        return None;
    }
    static UNPACKED: LazyLock<Vec<File>> = LazyLock::new(unpack);
    let file = UNPACKED.iter().find(|file| file.path == path)?;
    // The name decides whether the file is compressed.
    let name = if file.mime == "text/html" { "index.html" } else { path };
    let (name, mime, tag) = (name.to_owned(), file.mime.to_owned(), file.tag.clone());
    Some(StaticFile { name, mime, data: file.data.as_slice().into(), tag, is_immutable: false })
}

fn unpack() -> Vec<File> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED)).ok();
    let file = |(path, mime, source)| {
        let data = match source {
            Source::Embedded(text) => text.as_bytes().to_vec(),
            Source::Archive(end) => archive.as_mut().and_then(|archive| extract(archive, end))?,
        };
        let tag = tag(&Sha256::digest(&data));
        Some(File { path, mime, data, tag })
    };
    FILES.into_iter().filter_map(file).collect()
}

fn extract(archive: &mut ZipArchive<Cursor<&[u8]>>, end: &str) -> Option<Vec<u8>> {
    let name = archive.file_names().find(|name| name.ends_with(end))?.to_owned();
    let mut data = Vec::new();
    archive.by_name(&name).ok()?.read_to_end(&mut data).ok()?;
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_that_the_page_names_are_served() {
        let page = at("/docs").unwrap();
        let page = std::str::from_utf8(&page.data).unwrap();
        let named: Vec<_> = page.split('"').filter(|text| text.starts_with("/docs/")).collect();
        assert_eq!(named.len(), FILES.len() - 1);
        for path in named {
            assert!(!at(path).unwrap().data.is_empty(), "{path}");
        }
        assert!(at("/docs/swagger-ui.js").is_none());
    }
}
