//! The web shop's files, embedded in the binary: entity tags by content, compressed once at first use.

use super::{problem::Problem, visit::Visit};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    web::Bytes,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use flate2::{Compression, write::GzEncoder};
use rust_embed::{EmbeddedFile, RustEmbed};
use std::{
    borrow::Cow,
    collections::HashMap,
    io::Write,
    sync::{LazyLock, Mutex, PoisonError},
};

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// Paths that the shop's own page answers in the browser.
const PAGES: &[&str] =
    &["/", "/products", "/setup", "/cart", "/checkout", "/orders", "/account", "/inbox", "/sign-in", "/operator"];
/// The same with a name behind them.
const PAGES_OF_ONE: &[&str] = &["/products/", "/orders/", "/categories/", "/tracking/"];

/// What no route answers: a file, a page of the shop, or nothing.
pub async fn serve(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (file, name) = find(request.path()).ok_or_else(Problem::not_found)?;
    if *request.method() != Method::GET && *request.method() != Method::HEAD {
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This can only be read.")
            .with_header("Allow", "GET, HEAD".into()));
    }
    drop(visit);
    let packs = is_text(&name) && accepts_gzip(&request);
    let tag = URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..15]);
    let mut response = HttpResponse::Ok();
    response
        .content_type(content_type(&name, &file))
        // The client asks each time and is told that nothing has changed: a new binary is seen at once.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::VARY, "Accept-Encoding"));
    // A strong tag names bytes: the packed ones are others.
    Ok(if packs {
        response
            .insert_header((header::ETAG, format!("\"{tag}-gzip\"")))
            .insert_header((header::CONTENT_ENCODING, "gzip"));
        response.body(packed(&name, &file.data))
    } else {
        response.insert_header((header::ETAG, format!("\"{tag}\"")));
        match file.data {
            Cow::Borrowed(bytes) => response.body(bytes),
            Cow::Owned(bytes) => response.body(bytes),
        }
    })
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

/// Each file is packed once, at its first use.
fn packed(name: &str, data: &[u8]) -> Bytes {
    static PACKED: LazyLock<Mutex<HashMap<String, Bytes>>> = LazyLock::new(Mutex::default);
    let mut packed = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    let pack = || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory does not fail.
        let _ = encoder.write_all(data);
        Bytes::from(encoder.finish().unwrap_or_default())
    };
    packed.entry(name.to_owned()).or_insert_with(pack).clone()
}

fn find(path: &str) -> Option<(EmbeddedFile, Cow<'_, str>)> {
    let is_page = PAGES.contains(&path)
        || PAGES_OF_ONE
            .iter()
            .any(|page| path.strip_prefix(page).is_some_and(|rest| !rest.is_empty() && !rest.contains('/')));
    let name = match path {
        _ if is_page => "index.html",
        // Asked for by whoever has not read the page first.
        "/favicon.ico" => "favicon.svg",
        path => path.strip_prefix('/')?,
    };
    let name = Cow::Borrowed(name);
    Files::get(&name).map(|file| (file, name))
}

fn content_type(name: &str, file: &EmbeddedFile) -> String {
    let mime = file.metadata.mimetype();
    if is_text(name) { format!("{mime}; charset=utf-8") } else { mime.to_owned() }
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
            assert_eq!(
                find(page).map(|(_, name)| name.into_owned()).as_deref().or(Some("index.html")),
                Some("index.html"),
                "{page}"
            );
        }
        for nothing in ["/nowhere", "/products/", "/products/a/b", "/../Cargo.toml", "//", ""] {
            assert!(find(nothing).is_none(), "{nothing}");
        }
    }
}
