//! What the client has already is not sent again: strong entity tags and preconditions (RFC 9110 §13), in the order of §13.2.2.
//!
//! Nothing here says when it was last modified, so a condition on that says nothing and is passed over (§13.1.3, §13.1.4). Conditions on
//! changes are for those who make the change: only in the swap itself they can be tested and still hold.

use super::{Duty, Leave};
use crate::gateway::{problem::Problem, visit::Visit};
use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    http::{
        Method, StatusCode,
        header::{
            CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
            IF_NONE_MATCH,
        },
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

pub struct Conditional;

/// The lists of entity tags that the client sent.
struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

/// What they make of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Send,
    /// The client has it.
    Spare,
    /// It is another than the client wants.
    Refuse,
}

impl Conditions {
    fn of(headers: &HeaderMap) -> Self {
        let list = |name: HeaderName| {
            let lines: Vec<_> = headers.get_all(name).map(|value| value.to_str().unwrap_or_default()).collect();
            (!lines.is_empty()).then(|| lines.join(","))
        };
        Self { if_match: list(IF_MATCH), if_none_match: list(IF_NONE_MATCH) }
    }

    fn judge(&self, tag: &str) -> Verdict {
        let is_wanted = |list: &String| list.trim() == "*" || is_matched(list, tag);
        if self.if_match.as_ref().is_some_and(|list| !is_wanted(list)) {
            return Verdict::Refuse;
        }
        match &self.if_none_match {
            Some(list) if is_listed(list, tag) => Verdict::Spare,
            _ => Verdict::Send,
        }
    }
}

impl Duty for Conditional {
    fn name(&self) -> &'static str {
        "conditional"
    }

    fn leave<'a>(&'a self, _: &'a Visit, request: &'a HttpRequest, answer: HttpResponse) -> Leave<'a> {
        let is_read = *request.method() == Method::GET || *request.method() == Method::HEAD;
        Leave::With(match answer.status() {
            StatusCode::OK if is_read => tag_or_spare(&Conditions::of(request.headers()), answer),
            _ => answer,
        })
    }
}

fn tag_or_spare(conditions: &Conditions, answer: HttpResponse) -> HttpResponse {
    let answer = match answer.headers().contains_key(ETAG) {
        true => answer,
        false => tagged(answer),
    };
    let tag = answer.headers().get(ETAG).and_then(|value| value.to_str().ok());
    match tag.map_or(Verdict::Send, |tag| conditions.judge(tag)) {
        Verdict::Send => answer,
        Verdict::Spare => spared(answer.headers()),
        Verdict::Refuse => {
            let words = "What is here is not what you asked for any more. Read it again.";
            Problem::new(StatusCode::PRECONDITION_FAILED, "stale", words).error_response()
        }
    }
}

/// With the tag of its body, unless that is a stream.
fn tagged(answer: HttpResponse) -> HttpResponse {
    let (mut answer, body) = answer.into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        Err(stream) => return answer.set_body(stream),
    };
    if let Ok(tag) = HeaderValue::try_from(tag_of(&body)) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer.set_body(BoxBody::new(body))
}

/// All that a 200 would have said, but for what describes its body.
fn spared(headers: &HeaderMap) -> HttpResponse {
    let mut spared = HttpResponse::NotModified().finish();
    for (name, value) in
        headers.iter().filter(|(name, _)| ![CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING].contains(name))
    {
        spared.headers_mut().append(name.clone(), value.clone());
    }
    spared
}

/// The entity tag of a body: the same bytes, the same tag.
pub fn tag_of(body: &[u8]) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(body)[..15]))
}

/// Whether the list of entity tags holds this one, or is `*`: the weak comparison that RFC 9110 asks for `If-None-Match`.
pub fn is_listed(list: &str, tag: &str) -> bool {
    let opaque = tag.trim_start_matches("W/").trim_matches('"');
    list.trim() == "*" || members(list).any(|(_, member)| member == opaque)
}

/// Whether the list of entity tags holds this one: the strong comparison that RFC 9110 asks for `If-Match`. A weak tag matches nothing.
pub fn is_matched(list: &str, tag: &str) -> bool {
    members(list)
        .any(|(is_weak, member)| !is_weak && tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')) == Some(member))
}

/// The entity tags of a list, without their quotes, and whether each is weak; up to where it is no list any more. A tag may hold a comma,
/// so the list is walked tag by tag and not split.
fn members(list: &str) -> impl Iterator<Item = (bool, &str)> {
    let (mut rest, mut is_first) = (list, true);
    std::iter::from_fn(move || {
        let (before, after) = rest.split_once('"')?;
        let (opaque, next) = after.split_once('"')?;
        if !std::mem::take(&mut is_first) && !before.contains(',') {
            return None;
        }
        rest = next;
        match before.trim_matches([',', ' ', '\t']) {
            "" => Some((false, opaque)),
            "W/" => Some((true, opaque)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tag_is_found_in_a_list_as_a_whole() {
        assert!(is_listed(r#""a", W/"b", "c,d""#, "\"b\""));
        assert!(is_listed(r#""a", W/"b", "c,d""#, "\"c,d\""));
        assert!(is_listed(" * ", "\"x\""));
        assert!(!is_listed(r#""abc""#, "\"b\""));
        assert!(!is_listed(r#""a"#, "\"a\""));
        assert!(!is_listed("", "\"a\""));
        assert!(!is_listed("a", "\"a\""));
    }

    #[test]
    fn a_strong_tag_is_matched_by_its_like_alone() {
        for list in [r#""b""#, r#""a", "b""#, r#"W/"b", "b""#, r#""b", W/"zz""#, "\"a,\" ,\t\"b\""] {
            assert!(is_matched(list, "\"b\""), "{list}");
        }
        for list in ["", "b", "\"", r#"W/"b""#, r#""a", W/"b""#, r#""abc""#, r#""W/"b""#, r#""a""b""#, "\"b"] {
            assert!(!is_matched(list, "\"b\""), "{list}");
        }
    }

    #[test]
    fn conditions_are_looked_at_in_the_order_of_the_rfc() {
        let judge = |if_match: Option<&str>, if_none_match: Option<&str>| {
            let [if_match, if_none_match] = [if_match, if_none_match].map(|list| list.map(str::to_owned));
            Conditions { if_match, if_none_match }.judge("\"a\"")
        };
        assert_eq!(judge(None, None), Verdict::Send);
        assert_eq!(judge(None, Some("\"a\"")), Verdict::Spare);
        assert_eq!(judge(None, Some("W/\"a\"")), Verdict::Spare, "here the weak comparison does");
        assert_eq!(judge(Some("\"b\""), Some("\"a\"")), Verdict::Refuse, "If-Match comes first");
        assert_eq!(judge(Some("W/\"a\""), None), Verdict::Refuse, "and compares strongly");
        assert_eq!(judge(Some("*"), Some("\"b\"")), Verdict::Send);
        assert_eq!(judge(Some(""), None), Verdict::Refuse, "what cannot be read matches nothing");
    }

    proptest! {
        #[test]
        fn any_list_is_read_without_a_panic(list: String) {
            let _ = (is_listed(&list, "\"a\""), is_matched(&list, "\"a\""));
        }
    }
}
