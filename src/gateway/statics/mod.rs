//! The web shop's files, embedded in the binary: entity tags by content, addresses by content, compressed once at first use.

mod docs;
mod pages;

use super::{context::RequestContext, respond::Problem};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    web::Bytes,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use flate2::{Compression, write::GzEncoder};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};
use std::{
    borrow::Cow,
    collections::HashMap,
    io::Write,
    sync::{LazyLock, Mutex, PoisonError},
};

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// What stands before the path of a file that never changes: `/v/{version}/js/main.js`. Pages name their files so, and modules and style
/// sheets name each other by relative paths, which stay behind it.
static LASTING: LazyLock<String> = LazyLock::new(|| format!("/v/{}", version()));

/// A browser need not ask for it again, ever (RFC 8246).
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// What is found under a path.
struct StaticFile {
    name: String,
    mime: String,
    data: Cow<'static, [u8]>,
    /// By the content.
    tag: String,
    lasts: bool,
}

/// What no route answers: a file, a page of the shop, or nothing.
pub async fn serve(context: RequestContext, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let is_read = *request.method() == Method::GET || *request.method() == Method::HEAD;
    let Some(StaticFile { name, mime, data, tag, lasts }) = find(request.path()) else {
        return if is_read && wants_a_page(&request) { Ok(no_such_page()) } else { Err(Problem::not_found()) };
    };
    if !is_read {
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This can only be read.")
            .with_header("Allow", "GET, HEAD".into()));
    }
    drop(context);
    let packs = is_text(&name) && accepts_gzip(&request);
    let mut response = HttpResponse::Ok();
    response
        .content_type(if is_text(&name) { format!("{mime}; charset=utf-8") } else { mime })
        // By its own name it is asked for each time, and the client told that nothing has changed: a new binary is seen at once.
        .insert_header((header::CACHE_CONTROL, if lasts { FOR_EVER } else { "no-cache" }))
        .insert_header((header::VARY, "Accept-Encoding"));
    // A strong tag names bytes: the packed ones are others.
    Ok(if packs {
        response
            .insert_header((header::ETAG, format!("\"{tag}-gzip\"")))
            .insert_header((header::CONTENT_ENCODING, "gzip"));
        response.body(packed(&tag, &data))
    } else {
        response.insert_header((header::ETAG, format!("\"{tag}\"")));
        match data {
            Cow::Borrowed(bytes) => response.body(bytes),
            Cow::Owned(bytes) => response.body(bytes),
        }
    })
}

/// Whether it was typed into a browser, or stood in a link: programs, and scripts of pages, do not ask for HTML by its name.
fn wants_a_page(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_api = request.path() == "/api" || request.path().starts_with("/api/");
    accepted.contains("text/html") && !is_api
}

/// The shop, which says so and leads on.
fn no_such_page() -> HttpResponse {
    HttpResponse::NotFound()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::VARY, "Accept"))
        .body(pages::missing().document.as_str())
}

/// Whether the client takes gzip (RFC 9110 §12.5.3): it is listed, and not with a weight of zero.
fn accepts_gzip(request: &HttpRequest) -> bool {
    let accepted =
        request.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        (name.eq_ignore_ascii_case("gzip") || name == "*") && !refused
    })
}

/// Each content is packed once, at its first use.
fn packed(tag: &str, data: &[u8]) -> Bytes {
    static PACKED: LazyLock<Mutex<HashMap<String, Bytes>>> = LazyLock::new(Mutex::default);
    let mut packed = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    let pack = || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory does not fail.
        let _ = encoder.write_all(data);
        Bytes::from(encoder.finish().unwrap_or_default())
    };
    packed.entry(tag.to_owned()).or_insert_with(pack).clone()
}

fn find(path: &str) -> Option<StaticFile> {
    if let Some(page) = pages::at(path) {
        return Some(StaticFile {
            name: "index.html".to_owned(),
            mime: "text/html".to_owned(),
            data: page.document.as_bytes().into(),
            tag: page.tag.clone(),
            lasts: false,
        });
    }
    if let Some(file) = docs::at(path) {
        return Some(file);
    }
    // Of another version is nothing here: mixed with this one's it would break, and a page that misses it is loaded anew.
    let (path, lasts) = match path.strip_prefix(LASTING.as_str()) {
        Some(path) => (path, true),
        // Asked for by whoever has not read the page first.
        None if path == "/favicon.ico" => ("/favicon.svg", false),
        None => (path, false),
    };
    let name = path.strip_prefix('/')?.to_owned();
    let file = Files::get(&name)?;
    let (tag, mime) = (tag(&file.metadata.sha256_hash()), file.metadata.mimetype().to_owned());
    Some(StaticFile { name, mime, data: file.data, tag, lasts })
}

fn tag(hash: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&hash[..15])
}

/// The hash of all files: one that changed gives all of them new addresses, since they are made for each other.
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
    fn gzip_is_sent_to_those_who_take_it() {
        let takes = |accepted: &str| {
            accepts_gzip(&TestRequest::default().insert_header(("accept-encoding", accepted)).to_http_request())
        };
        assert!(takes("gzip, br") && takes("br;q=1.0, GZIP;q=0.5") && takes("*"));
        assert!(!takes("") && !takes("br") && !takes("gzip;q=0") && !takes("xgzip"));
    }

    #[test]
    fn pages_are_the_shop_and_everything_else_is_a_file_or_nothing() {
        for page in ["/", "/cart", "/products/kettle", "/orders/ord_1"] {
            assert_eq!(find(page).map(|found| found.name).as_deref(), Some("index.html"), "{page}");
        }
        for nothing in ["/nowhere", "/products/", "/products/a/b", "/../Cargo.toml", "//", ""] {
            assert!(find(nothing).is_none(), "{nothing}");
        }
    }

    #[test]
    fn what_is_named_by_its_version_lasts_and_no_other_version_is_here() {
        let lasting = format!("{}/js/main.js", LASTING.as_str());
        let (plain, versioned) = (find("/js/main.js").unwrap(), find(&lasting).unwrap());
        assert!(versioned.lasts && !plain.lasts && plain.tag == versioned.tag);
        assert!(find("/v/AAAAAAAAAAAA/js/main.js").is_none());
        // A page is what it is under its own address only.
        assert!(find(&format!("{}/cart", LASTING.as_str())).is_none());
    }
}
