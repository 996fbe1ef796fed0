//! The files of the web shop and of the API documentation, served from the binary.
//!
//! ## Decisions
//!
//! - **No build of the front end.** Context: a bundler and its packages are a second toolchain,
//!   which a reader must learn before the shop itself. Decision: `static/` holds HTML, CSS and ES
//!   modules that browsers run as they are. Consequence: a page has more files than with a bundler.
//!   The pages name all modules that they need in `modulepreload` links, so that a browser fetches
//!   them in parallel (see [`pages`]).
//! - **The files are embedded in the binary.** Context: a binary and a folder of files can differ
//!   in their version. Decision: the build puts the files into the binary. Consequence: one file is
//!   deployed, and a change of a page needs a build.
//! - **The addresses contain a hash of the content.** Context: a browser should not ask again for a
//!   file that has not changed, and must not mix the files of two versions. Decision: a page names
//!   its files by `/v/{hash of all files}/…`, cached for a year; the page itself is checked with
//!   its entity tag each time. Consequence: a change of one file gives all files new addresses, and
//!   the old addresses give 404.

mod docs;
mod files;
mod pages;

use super::{context::RequestContext, extract::head, respond::Problem};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, AcceptEncoding, Encoding, Header, Preference, Quality},
    },
    web::Bytes,
};
use files::{Files, StaticFile, VERSIONED, tag};
use flate2::{Compression, write::GzEncoder};
use parking_lot::Mutex;
use std::{borrow::Cow, collections::HashMap, io::Write, sync::LazyLock};

/// A browser need not ask again for a year (RFC 8246).
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Serves the requests that no route serves: a file, a page of the shop, or 404.
pub async fn serve(context: RequestContext, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let is_read = head::is_read(request.method());
    let Some(StaticFile { name, mime, data, tag, is_immutable }) = find(request.path()) else {
        return if is_read && wants_html(&request) { Ok(page_not_found()) } else { Err(Problem::not_found()) };
    };
    if !is_read {
        return Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "This address can only be read. Use GET or HEAD.",
        )
        .with_header("Allow", "GET, HEAD".into()));
    }
    drop(context);
    let compresses = is_text(&name) && accepts_gzip(&request);
    let mut response = HttpResponse::Ok();
    response
        .content_type(if is_text(&name) { format!("{mime}; charset=utf-8") } else { mime })
        // Without the version in its address, a browser checks the file each time, and so sees a
        // new binary at once.
        .insert_header((header::CACHE_CONTROL, if is_immutable { IMMUTABLE } else { "no-cache" }))
        .insert_header((header::VARY, "Accept-Encoding"));
    // A strong entity tag stands for exact bytes, so the compressed body has its own (RFC 9110
    // §8.8.3.3).
    Ok(if compresses {
        response
            .insert_header((header::ETAG, format!("\"{tag}-gzip\"")))
            .insert_header((header::CONTENT_ENCODING, "gzip"));
        response.body(compressed(&tag, &data))
    } else {
        response.insert_header((header::ETAG, format!("\"{tag}\"")));
        match data {
            Cow::Borrowed(bytes) => response.body(bytes),
            Cow::Owned(bytes) => response.body(bytes),
        }
    })
}

/// Whether a browser navigates to the address. Programs and scripts do not name `text/html` in
/// `Accept`.
fn wants_html(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_api = request.path() == "/api" || request.path().starts_with("/api/");
    accepted.contains("text/html") && !is_api
}

/// 404 with a page of the shop that says so and links to the home page.
fn page_not_found() -> HttpResponse {
    HttpResponse::NotFound()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::VARY, "Accept"))
        .body(pages::missing().document.as_str())
}

/// Whether the client accepts gzip (RFC 9110 §12.5.3): the weight of `gzip` is above zero, or, if
/// `gzip` is not listed, the weight of `*`. A field that cannot be parsed is treated as absent.
fn accepts_gzip(request: &HttpRequest) -> bool {
    let accepted = AcceptEncoding::parse(request).map(|accepted| accepted.0).unwrap_or_default();
    let weight = |is: &dyn Fn(&Preference<Encoding>) -> bool| {
        accepted.iter().find(|listed| is(&listed.item)).map(|listed| listed.quality)
    };
    let gzip = weight(&|item| matches!(item, Preference::Specific(coding) if *coding == Encoding::gzip()));
    gzip.or_else(|| weight(&|item| matches!(item, Preference::Any))).is_some_and(|weight| weight > Quality::ZERO)
}

/// The content as gzip. Each content is compressed once, at its first use, and kept by its entity
/// tag.
fn compressed(tag: &str, data: &[u8]) -> Bytes {
    static COMPRESSED: LazyLock<Mutex<HashMap<String, Bytes>>> = LazyLock::new(Mutex::default);
    let mut compressed = COMPRESSED.lock();
    let compress = || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory does not fail.
        let _ = encoder.write_all(data);
        Bytes::from(encoder.finish().unwrap_or_default())
    };
    compressed.entry(tag.to_owned()).or_insert_with(compress).clone()
}

fn find(path: &str) -> Option<StaticFile> {
    if let Some(page) = pages::at(path) {
        return Some(StaticFile {
            name: "index.html".to_owned(),
            mime: "text/html".to_owned(),
            data: page.document.as_bytes().into(),
            tag: page.tag.clone(),
            is_immutable: false,
        });
    }
    if let Some(file) = docs::at(path) {
        return Some(file);
    }
    // The files of another version give 404: mixed with the files of this version they would break.
    // A page of the other version reloads when it misses a file.
    let (path, is_immutable) = match path.strip_prefix(VERSIONED.as_str()) {
        Some(path) => (path, true),
        // Browsers ask for this address without having read a page.
        None if path == "/favicon.ico" => ("/favicon.svg", false),
        None => (path, false),
    };
    let name = path.strip_prefix('/')?.to_owned();
    let file = Files::get(&name)?;
    let (tag, mime) = (tag(&file.metadata.sha256_hash()), file.metadata.mimetype().to_owned());
    Some(StaticFile { name, mime, data: file.data, tag, is_immutable })
}

fn is_text(name: &str) -> bool {
    [".html", ".css", ".js", ".mjs", ".svg", ".json", ".txt", ".webmanifest"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn gzip_is_sent_only_to_clients_that_accept_it() {
        let accepts = |accepted: &str| {
            accepts_gzip(&TestRequest::default().insert_header(("accept-encoding", accepted)).to_http_request())
        };
        for accepted in ["gzip", "gzip, br", "br;q=1.0, GZIP;q=0.5", "*", "*;q=0.1", "gzip, *;q=0", "gzip;q=0.001"] {
            assert!(accepts(accepted), "{accepted}");
        }
        for refused in
            ["", "br", "xgzip", "gzip;q=0", "gzip; q=0.000", "gzip;Q=0", "gzip;q=0, *", "*, gzip;q=0", "*;q=0"]
        {
            assert!(!accepts(refused), "{refused}");
        }
        assert!(!accepts_gzip(&TestRequest::default().to_http_request()));
    }

    #[test]
    fn a_path_of_the_shop_gives_its_page_and_any_other_path_a_file_or_nothing() {
        for page in ["/", "/cart", "/products/kettle", "/orders/ord_1"] {
            assert_eq!(find(page).map(|found| found.name).as_deref(), Some("index.html"), "{page}");
        }
        for nothing in ["/nowhere", "/products/", "/products/a/b", "/../Cargo.toml", "//", ""] {
            assert!(find(nothing).is_none(), "{nothing}");
        }
    }

    #[test]
    fn an_address_with_the_version_is_immutable_and_another_version_is_not_found() {
        let address = format!("{}/js/main.js", VERSIONED.as_str());
        let (plain, versioned) = (find("/js/main.js").unwrap(), find(&address).unwrap());
        assert!(versioned.is_immutable && !plain.is_immutable && plain.tag == versioned.tag);
        assert!(find("/v/AAAAAAAAAAAA/js/main.js").is_none());
        // Pages have no address with the version.
        assert!(find(&format!("{}/cart", VERSIONED.as_str())).is_none());
    }
}
