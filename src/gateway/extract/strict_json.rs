//! Strict JSON: unknown and duplicate fields are errors, and an error says in plain English where
//! it is.

use super::value::{Extracted, pointer};
use crate::gateway::respond::Problem;
use serde::de::DeserializeOwned;

/// Reads a JSON text (RFC 8259). `400` `bad_json` for text that is not JSON, `422` with a JSON
/// pointer (RFC 6901) for a value that is not valid.
pub fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let Ok(text) = std::str::from_utf8(body) else {
        return Err(Problem::bad_request("bad_json", "The body is not valid JSON: it is not in UTF-8."));
    };
    // The whole body must be JSON before any of its values is checked.
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| bad_json(&error))?;
    let value = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text));
    let value: Extracted = value.map_err(|error| unreadable(error.path(), error.inner()))?;
    T::deserialize(&value).map_err(|error| Problem::invalid(error.pointer(), brief(&error.reason)))
}

fn bad_json(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    Problem::bad_request("bad_json", format!("The body is not valid JSON (line {line}, column {column})."))
}

/// The problem for text that has the form of JSON, but a value that cannot be read.
fn unreadable(path: &serde_path_to_error::Path, error: &serde_json::Error) -> Problem {
    use serde_path_to_error::Segment;
    let names = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    let reason = error.to_string();
    let reason = reason.rsplit_once(" at line ").map_or(&*reason, |(reason, _)| reason);
    match reason {
        "number out of range" => Problem::invalid(pointer(names), "is too large for a number"),
        _ if error.is_data() => Problem::invalid(pointer(names), brief(reason)),
        // Half a surrogate pair, or too many levels.
        _ => bad_json(error),
    }
}

/// The first 200 characters, so that a problem document does not repeat a long value.
pub fn brief(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_control()).take(200).collect()
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
    fn text_that_is_not_json_is_a_bad_request() {
        for body in ["", "{", r#"{"items": []} x"#, r#"{"items": [nan]}"#, "\u{feff}{}"] {
            assert_eq!(refused(body).0, 400, "{body:?}");
        }
        // Also if an invalid field comes first.
        assert_eq!(refused(r#"{"items": [{"quantity": 0}"#).0, 400);
    }

    #[test]
    fn an_error_says_what_is_wrong_in_plain_english() {
        for (item, pointer, reason) in [
            (r#"[1]"#, "/items/0", "must be an object"),
            (r#"{}"#, "/items/0", "`quantity` is missing"),
            (r#"{"quantity": "1"}"#, "/items/0/quantity", "must be a whole number"),
            (r#"{"quantity": 1.5}"#, "/items/0/quantity", "must be a whole number"),
            (r#"{"quantity": 1000}"#, "/items/0/quantity", "must be a whole number from 1 to 999"),
            (r#"{"quantity": 1e30}"#, "/items/0/quantity", "is too large"),
            (r#"{"quantity": 1e999}"#, "/items/0/quantity", "is too large for a number"),
            (r#"{"quantity": 1, "quantity": 1}"#, "/items/0", "has the field `quantity` twice"),
            (r#"{"quantity": 1, "a/b~": 1}"#, "/items/0/a~1b~0", "is not known here"),
        ] {
            let (status, answer) = refused(&format!(r#"{{"items": [{item}]}}"#));
            let error = &answer["errors"][0];
            assert_eq!((status, &error["pointer"], &error["reason"]), (422, &pointer.into(), &reason.into()), "{item}");
        }
    }

    #[test]
    fn an_invalid_field_is_named_by_its_pointer() {
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
