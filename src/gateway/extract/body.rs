//! What handlers are given: a parsed body, query or id; or the problem that says what is wrong where.

use super::{
    problem::Problem,
    strict::{Given, pointer},
    visit::Visit,
};
use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName},
    http::{StatusCode, Uri},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    future::{Ready, ready},
    str::FromStr,
};

/// The JSON body: `415` for another content type, `400` for bad JSON, `422` with a pointer for JSON that says what cannot be.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visit = Visit::from_request(request, payload).into_inner();
        ready(visit.and_then(|visit| read(request.headers(), &visit.body.borrow()).map(Body)))
    }
}

/// A body that may be missing: the handler decides what that means.
pub struct MaybeBody<T>(pub Option<T>);

impl<T: DeserializeOwned> FromRequest for MaybeBody<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visit = Visit::from_request(request, payload).into_inner();
        ready(visit.and_then(|visit| match &*visit.body.borrow() {
            none if none.is_empty() => Ok(Self(None)),
            body => read(request.headers(), body).map(|body| Self(Some(body))),
        }))
    }
}

/// Where a route takes no body: there is none, or an object that says nothing.
pub fn says_nothing(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    if body.is_empty() { Ok(()) } else { read(headers, body).map(|Nothing {}| ()) }
}

fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    let unsupported = |words| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", words);
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
    // JSON has no `charset` (RFC 8259 §11), but some send the one that it is in anyway.
    let other_charset = parts.filter_map(|part| part.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("charset") && !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    is_json && !other_charset
}

fn is_plain(headers: &HeaderMap) -> bool {
    !headers.contains_key(CONTENT_ENCODING)
        || the_only(headers, CONTENT_ENCODING).is_some_and(|coding| coding.trim().eq_ignore_ascii_case("identity"))
}

/// What is said twice says nothing.
fn the_only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut lines = headers.get_all(name);
    let line = lines.next()?.to_str().ok()?;
    lines.next().is_none().then_some(line)
}

/// JSON from anywhere, read as strictly as a body.
pub fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let Ok(text) = std::str::from_utf8(body) else {
        return Err(Problem::bad_request("bad_json", "The body is not valid JSON: it is not in UTF-8."));
    };
    // What a field says is looked at only in a body that is JSON to its end.
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| bad_json(&error))?;
    let given = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text));
    let given: Given = given.map_err(|error| unreadable(error.path(), error.inner()))?;
    T::deserialize(&given).map_err(|refusal| Problem::invalid(refusal.pointer(), brief(&refusal.reason)))
}

fn bad_json(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    Problem::bad_request("bad_json", format!("The body is not valid JSON (line {line}, column {column})."))
}

/// What has the form of JSON and cannot be read all the same.
fn unreadable(path: &serde_path_to_error::Path, error: &serde_json::Error) -> Problem {
    use serde_path_to_error::Segment;
    let names = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    let words = error.to_string();
    let words = words.rsplit_once(" at line ").map_or(&*words, |(words, _)| words);
    match words {
        "number out of range" => Problem::invalid(pointer(names), "is a number beyond all bounds"),
        _ if error.is_data() => Problem::invalid(pointer(names), brief(words)),
        // Half a surrogate pair; more levels than anything here has.
        _ => bad_json(error),
    }
}

/// Without an echo of what was sent at any length.
fn brief(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The query string; an unknown or repeated parameter is a `400`.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(from_query(request.query_string()).map(Query))
    }
}

fn from_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        // Where the bytes were no UTF-8, this came in their stead.
        if value.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Problem::bad_parameter(&name, "must be UTF-8"));
        }
        if fields.contains_key(&name) {
            return Err(Problem::bad_parameter(&name, "is given twice"));
        }
        fields.insert(name, Given::Parameter(value));
    }
    T::deserialize(&Given::Object(fields))
        .map_err(|refusal| Problem::bad_parameter(refusal.name().unwrap_or_default(), &refusal.reason))
}

/// Where a route takes no query: there is none.
pub fn asks_nothing(uri: &Uri) -> Result<(), Problem> {
    match form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).next() {
        None => Ok(()),
        Some((name, _)) => Err(Problem::bad_parameter(&name, "is not known here")),
    }
}

impl Problem {
    /// A parameter of the query that cannot be.
    pub fn bad_parameter(name: &str, reason: &str) -> Self {
        Self::bad_request("bad_query", format!("The query parameter `{}`: {}.", brief(name), brief(reason)))
    }
}

/// The last id in the path. What is no id of the kind is not found: there is nothing by that name.
pub struct PathId<T>(pub T);

impl<T: FromStr> FromRequest for PathId<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(|text| text.parse().ok());
        ready(id.map(PathId).ok_or_else(Problem::not_found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::Value;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Order {
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Item {
        quantity: crate::types::Quantity,
    }

    fn refused(body: &str) -> (u16, Value) {
        let problem = from_json::<Order>(body.as_bytes()).unwrap_err();
        let response = problem.render("/", "t");
        let status = response.status().as_u16();
        let body = actix_web::body::MessageBody::try_into_bytes(response.into_body()).ok().unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn what_is_no_json_is_a_bad_request() {
        for body in ["", "{", r#"{"items": []} x"#, r#"{"items": [nan]}"#, "\u{feff}{}"] {
            assert_eq!(refused(body).0, 400, "{body:?}");
        }
        // Also where a wrong field comes first.
        assert_eq!(refused(r#"{"items": [{"quantity": 0}"#).0, 400);
    }

    #[test]
    fn what_is_wrong_is_said_in_plain_words() {
        for (item, pointer, reason) in [
            (r#"[1]"#, "/items/0", "must be an object"),
            (r#"{}"#, "/items/0", "`quantity` is missing"),
            (r#"{"quantity": "1"}"#, "/items/0/quantity", "must be a whole number"),
            (r#"{"quantity": 1.5}"#, "/items/0/quantity", "must be a whole number"),
            (r#"{"quantity": 1000}"#, "/items/0/quantity", "must be a whole number from 1 to 999"),
            (r#"{"quantity": 1e30}"#, "/items/0/quantity", "is too large"),
            (r#"{"quantity": 1e999}"#, "/items/0/quantity", "is a number beyond all bounds"),
            (r#"{"quantity": 1, "quantity": 1}"#, "/items/0", "has the field `quantity` twice"),
            (r#"{"quantity": 1, "a/b~": 1}"#, "/items/0/a~1b~0", "is not known here"),
        ] {
            let (status, answer) = refused(&format!(r#"{{"items": [{item}]}}"#));
            let told = &answer["errors"][0];
            assert_eq!((status, &told["pointer"], &told["reason"]), (422, &pointer.into(), &reason.into()), "{item}");
        }
    }

    #[test]
    fn a_parameter_is_asked_once_and_by_its_name() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Search {
            q: Option<String>,
            least: Option<i64>,
            only: Option<bool>,
        }
        let search: Search = from_query("q=a+b&least=-3&only=true").unwrap();
        assert_eq!((search.q.as_deref(), search.least, search.only), (Some("a b"), Some(-3), Some(true)));
        for query in
            ["x=1", "q=1&q=2", "least=", "least=%2B1", "least=1.0", "only=1", "q=%ff", "least=9223372036854775808"]
        {
            let name = query.split('=').next().unwrap();
            let problem = from_query::<Search>(query).unwrap_err();
            assert!(problem.code() == "bad_query" && problem.to_string().contains(&format!("`{name}`")), "{problem}");
        }
    }

    #[test]
    fn a_wrong_field_is_named_by_its_pointer() {
        let (status, body) = refused(r#"{"items": [{"quantity": 1}, {"quantity": 0}]}"#);
        assert_eq!((status, body["errors"][0]["pointer"].as_str()), (422, Some("/items/1/quantity")));
        for (body, pointer) in
            [(r#"{"items": [], "price": 1}"#, "/price"), (r#"{}"#, ""), (r#"{"items": {}}"#, "/items"), ("[[]]", "")]
        {
            let (status, answer) = refused(body);
            assert_eq!((status, &answer["errors"][0]["pointer"]), (422, &Value::from(pointer)), "{body}");
        }
    }
}
