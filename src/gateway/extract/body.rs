//! The JSON body, as a parameter of handlers.

use super::strict_json::from_json;
use crate::gateway::{
    context::RequestContext,
    respond::Problem,
    routing::signature::{Accepts, Parameter, Shape, Signature},
};
use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{
        StatusCode,
        header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName},
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use std::future::{Ready, ready};
use utoipa::ToSchema;

/// The JSON body. `415` for another content type or an encoding, `400` for text that is not JSON,
/// `422` with a JSON pointer for a value that is not valid.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let context = RequestContext::from_request(request, payload).into_inner();
        ready(context.and_then(|context| read(request.headers(), &context.body.borrow()).map(Body)))
    }
}

/// A JSON body that may be missing. The errors are those of [`Body`].
pub struct MaybeBody<T>(pub Option<T>);

impl<T: DeserializeOwned> FromRequest for MaybeBody<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let context = RequestContext::from_request(request, payload).into_inner();
        ready(context.and_then(|context| match &*context.body.borrow() {
            body if body.is_empty() => Ok(Self(None)),
            body => read(request.headers(), body).map(|body| Self(Some(body))),
        }))
    }
}

/// The check of a route that reads no body: `Ok` for no body or an empty JSON object.
pub fn must_be_empty(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    if body.is_empty() { Ok(()) } else { read(headers, body).map(|Nothing {}| ()) }
}

fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    let unsupported = |detail| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail);
    if !is_json(headers) {
        return Err(unsupported("Send the body as JSON in UTF-8, with `Content-Type: application/json`."));
    }
    if !is_plain(headers) {
        // RFC 7694 §3
        return Err(unsupported("Send the body as it is, without a `Content-Encoding`.")
            .with_header("Accept-Encoding", "identity".into()));
    }
    from_json(body)
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = the_only(headers, CONTENT_TYPE) else { return false };
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    // JSON has no `charset` (RFC 8259 §11), but some clients send it.
    let other_charset = parts.filter_map(|part| part.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("charset") && !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    is_json && !other_charset
}

fn is_plain(headers: &HeaderMap) -> bool {
    !headers.contains_key(CONTENT_ENCODING)
        || the_only(headers, CONTENT_ENCODING).is_some_and(|coding| coding.trim().eq_ignore_ascii_case("identity"))
}

/// The value of a header. A header that appears twice is treated as absent.
fn the_only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut lines = headers.get_all(name);
    let line = lines.next()?.to_str().ok()?;
    lines.next().is_none().then_some(line)
}

impl<T: ToSchema> Parameter for Body<T> {
    const ACCEPTS: Accepts = Accepts { body: true, ..Accepts::NOTHING };

    fn describe(signature: &mut Signature) {
        signature.body = Some(Shape::of::<T>());
    }
}

impl<T: ToSchema> Parameter for MaybeBody<T> {
    const ACCEPTS: Accepts = Accepts { body: true, ..Accepts::NOTHING };

    fn describe(signature: &mut Signature) {
        (signature.body, signature.body_is_optional) = (Some(Shape::of::<T>()), true);
    }
}
