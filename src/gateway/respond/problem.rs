//! Problem documents (RFC 9457): the form of each error response of the gateway.

use actix_web::{HttpResponse, ResponseError, body::BoxBody, http::StatusCode};
use serde_json::{Map, Value, json};
use std::fmt;

/// An error as a client sees it: a status, a stable code, and a text that says what happened and
/// what to do. Never a stack trace or an internal name.
#[derive(Debug, Clone)]
pub struct Problem(Box<ProblemParts>);

#[derive(Debug, Clone)]
struct ProblemParts {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// `about:blank` unless the problem has a registered type.
    kind: &'static str,
    /// The invalid fields: the JSON pointer (RFC 6901) into the body, and the reason.
    errors: Vec<(String, String)>,
    /// Members that the code adds to the document.
    more: Map<String, Value>,
    headers: Vec<(&'static str, String)>,
    /// Whether the connection is closed after the response.
    hangs_up: bool,
    /// For the log only.
    cause: Option<String>,
}

impl Problem {
    /// `code` is one of the codes in the OpenAPI document; `detail` is for people: one or two
    /// sentences.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(ProblemParts {
            status,
            code,
            detail: detail.into(),
            kind: "about:blank",
            errors: Vec::new(),
            more: Map::new(),
            headers: Vec::new(),
            hangs_up: false,
            cause: None,
        }))
    }

    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub fn unauthorized(code: &'static str, detail: impl Into<String>) -> Self {
        let challenge = match code {
            "unauthorized" => r#"Bearer realm="galleria""#.to_owned(),
            _ => r#"Bearer realm="galleria", error="invalid_token""#.to_owned(),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, detail).with_header("WWW-Authenticate", challenge)
    }

    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 404. The same text for a record that does not exist and for a record of another user, so
    ///      that the response does not reveal which ids exist.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "Nothing was found here. The address may be wrong, or it may belong to another account.",
        )
    }

    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    pub fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 422 for one invalid field: `pointer` is its JSON pointer into the body (`/card/number`).
    pub fn invalid(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let mut problem = Self::unprocessable(
            "invalid",
            format!("The request cannot be carried out: {}.", reason.trim_end_matches('.')),
        );
        problem.0.errors.push((pointer.into(), reason));
        problem
    }

    /// 503. `seconds` is the value of `Retry-After`: at least 1.
    pub fn unavailable(code: &'static str, detail: impl Into<String>, seconds: u64) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).with_header("Retry-After", seconds.max(1).to_string())
    }

    /// Gives the problem a registered type in the place of `about:blank`.
    pub fn of_type(mut self, kind: &'static str) -> Self {
        self.0.kind = kind;
        self
    }

    /// Adds a member to the document.
    pub fn with(mut self, name: &str, value: impl serde::Serialize) -> Self {
        self.0.more.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
        self
    }

    /// Adds a header field to the response.
    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Closes the connection after the response: the rest of the request is not read.
    pub fn and_hang_up(mut self) -> Self {
        self.0.hangs_up = true;
        self
    }

    /// Adds the cause. It is logged, and never sent to the client.
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    pub fn code(&self) -> &'static str {
        self.0.code
    }

    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The document, for the request at `instance` in the trace `trace_id`.
    pub fn render(&self, instance: &str, trace_id: &str) -> HttpResponse {
        let ProblemParts { status, code, detail, kind, errors, more, headers, hangs_up, .. } = self.0.as_ref();
        let mut document = json!({
            "type": kind,
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "detail": detail,
            "instance": instance,
            "code": code,
            "trace_id": trace_id,
        });
        if let Value::Object(fields) = &mut document {
            if !errors.is_empty() {
                let errors: Vec<_> =
                    errors.iter().map(|(pointer, reason)| json!({"pointer": pointer, "reason": reason})).collect();
                fields.insert("errors".into(), errors.into());
            }
            fields.extend(more.clone());
        }
        let mut response = HttpResponse::build(*status);
        for (name, value) in headers {
            response.insert_header((*name, value.as_str()));
        }
        if *hangs_up {
            response.force_close();
        }
        response.content_type("application/problem+json").body(document.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    /// Carries the problem to the filter `problems`, which knows the request and writes the
    /// document.
    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::new(self.0.status);
        response.extensions_mut().insert(self.clone());
        response
    }
}
