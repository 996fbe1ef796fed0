//! `Authorization: Bearer` (RFC 6750).

use actix_web::http::header::HeaderValue;

/// The token after `Bearer`, perhaps empty; `None` for another scheme. The scheme is
/// case-insensitive (RFC 9110 §11.1).
pub fn bearer(credentials: &HeaderValue) -> Option<&str> {
    let text = credentials.to_str().ok()?.trim();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
