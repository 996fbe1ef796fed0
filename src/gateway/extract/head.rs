//! Parts of the head of a request that several filters and handlers read.

use actix_web::http::{
    Method,
    header::{HeaderMap, HeaderName},
};

/// Whether the method reads a representation: `GET`, or `HEAD`, which is `GET` without the body.
pub fn is_read(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// All lines of a header field whose value is a list, joined by commas (RFC 9110 §5.3). `None` if
/// the request has no such field. A line that is not ASCII counts as empty.
pub fn list(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let lines: Vec<_> = headers.get_all(name).map(|value| value.to_str().unwrap_or_default()).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}
