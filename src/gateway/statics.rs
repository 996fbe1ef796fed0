//! The web shop's files, embedded in the binary: entity tags by content, compressed once at first use.

use super::{problem::Problem, visit::Visit};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{self, ContentEncoding},
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rust_embed::{EmbeddedFile, RustEmbed};
use std::borrow::Cow;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// Paths that the shop's own page answers in the browser.
const PAGES: &[&str] =
    &["/", "/setup", "/cart", "/checkout", "/orders", "/account", "/inbox", "/sign-in", "/operator", "/lab"];
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
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..15]));
    let mut response = HttpResponse::Ok();
    response.content_type(content_type(&name, &file)).insert_header((header::ETAG, tag));
    // The client asks each time and is told that nothing has changed: a new binary is seen at once.
    response.insert_header((header::CACHE_CONTROL, "no-cache")).insert_header((header::VARY, "Accept-Encoding"));
    if !is_text(&name) {
        response.insert_header(ContentEncoding::Identity);
    }
    Ok(match file.data {
        Cow::Borrowed(bytes) => response.body(bytes),
        Cow::Owned(bytes) => response.body(bytes),
    })
}

fn find(path: &str) -> Option<(EmbeddedFile, Cow<'_, str>)> {
    let is_page = PAGES.contains(&path)
        || PAGES_OF_ONE
            .iter()
            .any(|page| path.strip_prefix(page).is_some_and(|rest| !rest.is_empty() && !rest.contains('/')));
    let name = if is_page { Cow::Borrowed("index.html") } else { Cow::Borrowed(path.strip_prefix('/')?) };
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
