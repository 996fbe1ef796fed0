//! An answer of the shop. Every answer is checked against the general rules, whatever the request
//! was.

use super::contract;
use serde_json::Value;
use std::ops::Index;
use ureq::http::HeaderMap;

/// The answer to a request. The constructor has checked the general rules.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// `null` where the answer has no JSON.
    pub body: Value,
    pub text: String,
    /// The request, for the messages of failing assertions.
    request: String,
}

/// The headers of every answer, and the beginnings of their values.
#[rustfmt::skip]
const ALWAYS: [(&str, &str); 6] = [
    ("content-security-policy",      "default-src 'self'"),
    ("x-content-type-options",       "nosniff"),
    ("referrer-policy",              "strict-origin-when-cross-origin"),
    ("cross-origin-opener-policy",   "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy",           "geolocation=()"),
];
/// Headers that would reveal the software behind the shop.
const NEVER: [&str; 3] = ["server", "x-powered-by", "x-xss-protection"];

impl Answer {
    #[track_caller]
    pub fn new(request: String, sent: Option<&[u8]>, status: u16, headers: HeaderMap, text: String) -> Self {
        let is_json =
            headers.get("content-type").is_some_and(|kind| kind.to_str().unwrap_or_default().contains("json"));
        let body = match is_json && !text.is_empty() {
            true => serde_json::from_str(&text).unwrap_or_else(|error| panic!("{request}: {error} in {text}")),
            false => Value::Null,
        };
        let answer = Self { status, headers, body, text, request };
        answer.check_headers();
        // A request for a missing page gets the error page of the web shop.
        let is_page = answer.header("content-type").starts_with("text/html") && !answer.request.contains("/api/");
        if answer.status >= 400 && !(answer.status == 404 && is_page) {
            answer.check_problem();
        }
        let Self { status, headers, body, request, .. } = &answer;
        if let Some(words) = contract::violation(request, sent, *status, headers, body) {
            panic!("{words}: {answer:#?}");
        }
        answer
    }

    #[track_caller]
    fn check_headers(&self) {
        for (name, begins) in ALWAYS {
            assert!(self.header(name).starts_with(begins), "{name}: {self:#?}");
        }
        assert!(!self.header("content-security-policy").contains("unsafe"), "{self:#?}");
        // Only immutable files may be cached without revalidation.
        let is_lasting = self.request.split(' ').nth(1).is_some_and(|path| path.starts_with("/v/"));
        assert!(self.header("cache-control").starts_with("no-") || is_lasting, "{self:#?}");
        for name in NEVER {
            assert!(!self.headers.contains_key(name), "{name}: {self:#?}");
        }
        let (id, parent) = (self.header("x-request-id"), self.header("traceparent"));
        let hex = |text: &str, digits| text.len() == digits && text.bytes().all(|b| b"0123456789abcdef".contains(&b));
        let parts: Vec<_> = parent.split('-').collect();
        let [version, trace, span, flags] = parts[..] else { panic!("traceparent: {self:#?}") };
        assert!(version == "00" && hex(trace, 32) && hex(span, 16) && hex(flags, 2), "traceparent: {self:#?}");
        assert_eq!(id, trace, "{self:#?}");
    }

    /// RFC 9457, and the shop's own members.
    #[track_caller]
    fn check_problem(&self) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:#?}");
        if self.request.starts_with("HEAD ") {
            return;
        }
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        for name in ["type", "title", "detail", "instance", "code", "trace_id"] {
            assert!(!text(name).is_empty(), "no {name} in {self:#?}");
        }
        assert_eq!(self.body["status"], self.status, "{self:#?}");
        // A replayed answer holds the trace id of the first answer.
        if self.header("idempotency-replayed").is_empty() {
            assert_eq!(text("trace_id"), self.header("x-request-id"), "{self:#?}");
        }
        assert!(text("detail").ends_with('.') && !text("detail").ends_with(".."), "no sentence: {self:#?}");
        assert!(text("code").bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{self:#?}");
        let words = self.text.to_lowercase();
        for secret in ["panicked", "src/", ".rs:", "sled", "actix", "mailbox", "backtrace"] {
            assert!(!words.contains(secret), "it says `{secret}` to strangers: {self:#?}");
        }
    }

    /// The value of the header; empty where the header is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.is(200)
    }

    #[track_caller]
    pub fn created(self) -> Self {
        self.is(201)
    }

    #[track_caller]
    pub fn no_content(self) -> Self {
        let answer = self.is(204);
        assert!(answer.text.is_empty(), "{answer:#?}");
        answer
    }

    /// Checks the status and the problem code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Self {
        let answer = self.is(status);
        assert_eq!(answer.body["code"], code, "{answer:#?}");
        answer
    }

    /// Checks that the field at this JSON pointer is the reason of the refusal.
    #[track_caller]
    pub fn invalid(self, pointer: &str) -> Self {
        let answer = self.problem(422, "invalid");
        let told = answer.body["errors"].as_array().is_some_and(|errors| {
            errors
                .iter()
                .any(|error| error["pointer"] == pointer && error["reason"].as_str().is_some_and(|why| !why.is_empty()))
        });
        assert!(told, "no {pointer} in {answer:#?}");
        answer
    }

    /// The text member of the body with this name.
    #[track_caller]
    pub fn text_of(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no text `{name}` in {self:#?}")).to_owned()
    }

    #[track_caller]
    pub fn id(&self) -> String {
        self.text_of("id")
    }

    #[track_caller]
    pub fn items(&self) -> &Vec<Value> {
        self.body["items"].as_array().unwrap_or_else(|| panic!("no items in {self:#?}"))
    }
}

impl Index<&str> for Answer {
    type Output = Value;
    fn index(&self, name: &str) -> &Value {
        &self.body[name]
    }
}
