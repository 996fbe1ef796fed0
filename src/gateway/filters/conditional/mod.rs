//! Entity tags and preconditions of reads (RFC 9110 §13), in the order of §13.2.2. A client does
//! not get a body that it has already.
//!
//! The API has no `Last-Modified`, so `If-Modified-Since` and `If-Unmodified-Since` are ignored
//! (§13.1.3, §13.1.4). Preconditions of changes are checked by the service that makes the change:
//! only in its compare-and-swap do they still hold.

pub mod entity_tags;

use super::filter::{Filter, ResponseAction};
use crate::gateway::{context::RequestContext, extract::head, respond::Problem};
use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    http::{
        StatusCode,
        header::{
            CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH,
        },
    },
};
use entity_tags::{is_listed, is_matched, tag_of};

/// Adds an `ETag` to a 200 of `GET` and `HEAD`, and replaces it by 304 or by 412 `stale` as the
/// request's preconditions say.
pub struct Conditional;

/// The lists of entity tags that the client sent.
struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

/// What the preconditions say about a response.
#[derive(Debug, PartialEq, Eq)]
enum ConditionResult {
    Send,
    /// 304: the client has it.
    NotModified,
    /// 412: the client wants another version.
    Failed,
}

impl Conditions {
    fn of(headers: &HeaderMap) -> Self {
        Self { if_match: head::list(headers, IF_MATCH), if_none_match: head::list(headers, IF_NONE_MATCH) }
    }

    fn check(&self, tag: &str) -> ConditionResult {
        let is_wanted = |list: &String| list.trim() == "*" || is_matched(list, tag);
        if self.if_match.as_ref().is_some_and(|list| !is_wanted(list)) {
            return ConditionResult::Failed;
        }
        match &self.if_none_match {
            Some(list) if is_listed(list, tag) => ConditionResult::NotModified,
            _ => ConditionResult::Send,
        }
    }
}

impl Filter for Conditional {
    fn on_response<'a>(
        &'a mut self,
        _: &'a RequestContext,
        request: &'a HttpRequest,
        response: HttpResponse,
    ) -> ResponseAction<'a> {
        ResponseAction::Continue(match response.status() {
            StatusCode::OK if head::is_read(request.method()) => apply(&Conditions::of(request.headers()), response),
            _ => response,
        })
    }
}

fn apply(conditions: &Conditions, response: HttpResponse) -> HttpResponse {
    let response = match response.headers().contains_key(ETAG) {
        true => response,
        false => tagged(response),
    };
    let tag = response.headers().get(ETAG).and_then(|value| value.to_str().ok());
    match tag.map_or(ConditionResult::Send, |tag| conditions.check(tag)) {
        ConditionResult::Send => response,
        ConditionResult::NotModified => not_modified(response.headers()),
        ConditionResult::Failed => {
            let detail = "This has changed since you read it. Read it again.";
            Problem::new(StatusCode::PRECONDITION_FAILED, "stale", detail).error_response()
        }
    }
}

/// The response with the tag of its body; a stream gets no tag.
fn tagged(response: HttpResponse) -> HttpResponse {
    let (mut response, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        Err(stream) => return response.set_body(stream),
    };
    if let Ok(tag) = HeaderValue::try_from(tag_of(&body)) {
        response.headers_mut().insert(ETAG, tag);
    }
    response.set_body(BoxBody::new(body))
}

/// The fields of the 200, without those that describe its body.
fn not_modified(headers: &HeaderMap) -> HttpResponse {
    let mut response = HttpResponse::NotModified().finish();
    for (name, value) in
        headers.iter().filter(|(name, _)| ![CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING].contains(name))
    {
        response.headers_mut().append(name.clone(), value.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preconditions_are_checked_in_the_order_of_the_rfc() {
        let check = |if_match: Option<&str>, if_none_match: Option<&str>| {
            let [if_match, if_none_match] = [if_match, if_none_match].map(|list| list.map(str::to_owned));
            Conditions { if_match, if_none_match }.check("\"a\"")
        };
        assert_eq!(check(None, None), ConditionResult::Send);
        assert_eq!(check(None, Some("\"a\"")), ConditionResult::NotModified);
        assert_eq!(check(None, Some("W/\"a\"")), ConditionResult::NotModified, "If-None-Match compares weakly");
        assert_eq!(check(Some("\"b\""), Some("\"a\"")), ConditionResult::Failed, "If-Match comes first");
        assert_eq!(check(Some("W/\"a\""), None), ConditionResult::Failed, "If-Match compares strongly");
        assert_eq!(check(Some("*"), Some("\"b\"")), ConditionResult::Send);
        assert_eq!(check(Some(""), None), ConditionResult::Failed, "an unreadable list matches nothing");
    }
}
