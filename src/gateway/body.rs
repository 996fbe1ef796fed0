//! What handlers are given: a parsed body, query or id; or the problem that says what is wrong where.

use super::{problem::Problem, visit::Visit};
use actix_web::{FromRequest, HttpRequest, dev::Payload, http::StatusCode, http::header};
use serde::de::DeserializeOwned;
use std::{
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
        ready(visit.and_then(|visit| {
            if !is_json(request) {
                return Err(Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "unsupported_media_type",
                    "Send the body as JSON, with `Content-Type: application/json`.",
                ));
            }
            from_json(&visit.body.borrow()).map(Body)
        }))
    }
}

fn is_json(request: &HttpRequest) -> bool {
    let content_type =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut reader);
    // A field that cannot be is looked at only in a body that is JSON to its end.
    let whole: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(body);
    if let Err(error) = whole {
        let (line, column) = (error.line(), error.column());
        return Err(Problem::bad_request(
            "bad_json",
            format!("The body is not valid JSON (line {line}, column {column})."),
        ));
    }
    // serde would take the list of the fields' values for the same.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::invalid("", "must be a JSON object"));
    }
    parsed.map_err(|error| {
        let pointer = pointer(error.path());
        Problem::invalid(pointer, reason(&error.into_inner().to_string()))
    })
}

/// RFC 6901.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let segments = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    segments.map(|segment| format!("/{segment}")).collect()
}

/// serde's words without the place, which the pointer tells, and without an echo of what was sent at any length.
fn reason(words: &str) -> String {
    let words = words.rsplit_once(" at line ").map_or(words, |(words, _)| words);
    words.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The query string; an unknown or repeated parameter is a `400`.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let reader = serde_urlencoded::Deserializer::new(form_pairs(request));
        ready(serde_path_to_error::deserialize(reader).map(Query).map_err(|error| {
            let name = error.path().to_string();
            let why = reason(&error.into_inner().to_string());
            let detail = if name == "." {
                format!("The query: {why}.")
            } else {
                format!("The query parameter `{name}`: {why}.")
            };
            Problem::bad_request("bad_query", detail)
        }))
    }
}

fn form_pairs(request: &HttpRequest) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(request.query_string().as_bytes())
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
