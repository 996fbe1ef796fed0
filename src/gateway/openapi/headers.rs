//! The header fields of requests and answers, and which of them follow from a row of the route table.

use super::operation_docs::OperationDoc;
use crate::gateway::{
    filters::rate_limit::policy::Class,
    routing::{CachePolicy, KeyUse, ReplyShape, Route},
};
use actix_web::http::Method;
use serde_json::{Map, Value, json};

/// Of answers: name, whether it is always there, an example, what it says.
#[rustfmt::skip]
const HEADERS: &[(&str, bool, &str, &str)] = &[
    ("X-Request-Id",         true,  "4bf92f3577b34da6a3ce929d0e0e4736", "The trace that the request belongs to."),
    ("traceparent",          true,  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "W3C Trace Context: to go on with the trace."),
    ("Cache-Control",        true,  "no-store", "RFC 9111."),
    ("X-Served-By",          false, "products-1", "The instances that answered."),
    ("RateLimit",            false, "\"browse\";r=999;t=1", "What is left of the client's quota (draft-ietf-httpapi-ratelimit-headers). Absent if rate limits are off."),
    ("RateLimit-Policy",     false, "\"browse\";q=1000;w=10", "The quota, and its window in seconds."),
    ("Retry-After",          false, "1", "Seconds to wait before trying again."),
    ("ETag",                 true,  "\"HrvyLW4yJu1WmpzKj0IX\"", "Of this very content, for `If-None-Match` and `If-Match`."),
    ("Location",             true,  "/api/v1/orders/ord_019a52b46b7a7d0c8f3e5a1b2c3d4e5f", "Where what was made is found."),
    ("Cache-Status",         false, "galleria; hit; ttl=42", "RFC 9211: whether the gateway had the answer already."),
    ("Age",                  false, "18", "Seconds since the answer was made."),
    ("Idempotency-Replayed", false, "true", "It was answered before: this is that answer."),
    ("X-Completed",          false, "true", "`false` where parts are missing: see `degraded`. Absent where the answer is not composed."),
    ("Set-Cookie",           false, "cart=…; Path=/; HttpOnly; SameSite=Strict", "The cart's, or the session's."),
    ("Clear-Site-Data",      false, "\"storage\"", "The browser forgets."),
    ("WWW-Authenticate",     true,  "Bearer realm=\"galleria\"", "RFC 6750."),
    ("Accept-Encoding",      false, "identity", "RFC 7694: bodies are taken as they are."),
];

/// Fields of requests: name in the document, the field, an example, what it says.
#[rustfmt::skip]
const PARAMETERS: &[(&str, &str, &str, &str)] = &[
    ("IdempotencyKey", "Idempotency-Key", "checkout-7f3a", "A name of your own for this request, 1 to 255 visible ASCII characters: sent again with it, the request is answered as the first time, and nothing is done twice. Kept for 24 hours."),
    ("IfNoneMatch",    "If-None-Match",   "\"HrvyLW4yJu1WmpzKj0IX\"", "Entity tags that you have: 304 instead of what you have already."),
    ("IfMatch",        "If-Match",        "\"HrvyLW4yJu1WmpzKj0IX\"", "Only if it is still so; 412 else."),
    ("LastEventId",    "Last-Event-ID",   "2", "The last event that you have."),
];

/// `#/components/headers`
pub fn headers() -> Value {
    let header = |(name, required, example, text): &(&'static str, bool, &str, &str)| {
        let header =
            json!({"description": text, "required": required, "schema": {"type": "string"}, "example": example});
        ((*name).to_owned(), header)
    };
    HEADERS.iter().map(header).collect::<Map<_, _>>().into()
}

/// `#/components/parameters`
pub fn parameters() -> Value {
    let parameter = |(name, field, example, text): &(&'static str, &str, &str, &str)| {
        // In words: an `example` of what may be left out would be sent by whoever tries the API out in its pages.
        let description = format!("{text} For example: `{example}`.");
        let parameter = json!({
            "name": field, "in": "header", "required": false, "description": description, "schema": {"type": "string"},
        });
        ((*name).to_owned(), parameter)
    };
    let mut all: Map<_, _> = PARAMETERS.iter().map(parameter).collect();
    let mut required = all["IdempotencyKey"].clone();
    required["required"] = true.into();
    required["example"] = PARAMETERS[0].2.into();
    all.insert("RequiredIdempotencyKey".into(), required);
    all.into()
}

/// The fields that the route looks at in a request.
pub fn looked_at(route: &Route, doc: &OperationDoc, is_stream: bool) -> Vec<Value> {
    let mut names = Vec::new();
    match route.key {
        KeyUse::Ignored => {}
        KeyUse::Optional | KeyUse::Own => names.push("IdempotencyKey"),
        KeyUse::Required => names.push("RequiredIdempotencyKey"),
    }
    if is_stream {
        names.push("LastEventId");
    } else if route.method == Method::GET || doc.refusals.contains(&"stale") {
        names.extend(["IfNoneMatch", "IfMatch"]);
    }
    names.iter().map(|name| json!({"$ref": format!("#/components/parameters/{name}")})).collect()
}

/// The fields of a reply.
pub fn of_reply(route: &Route, doc: &OperationDoc, reply: &ReplyShape) -> Value {
    let mut names = vec!["X-Request-Id", "traceparent", "Cache-Control", "X-Served-By"];
    if route.class != Class::Free {
        names.extend(["RateLimit", "RateLimit-Policy"]);
    }
    if reply.status == 201 || (reply.status == 202 && route.key == KeyUse::Required) {
        names.push("Location");
    }
    if route.method == Method::GET && reply.status == 200 && reply.media_type != "text/event-stream" {
        names.push("ETag");
    }
    if route.cache != CachePolicy::Never {
        names.extend(["Cache-Status", "Age"]);
    }
    if route.key != KeyUse::Ignored {
        names.push("Idempotency-Replayed");
    }
    let schema = reply.shape.as_ref().and_then(|shape| serde_json::to_value(&shape.schema).ok()).unwrap_or_default();
    if schema.to_string().contains("\"degraded\"") {
        names.push("X-Completed");
    }
    names.extend(doc.headers);
    references(&names)
}

/// The fields of a refusal.
pub fn of_problem(status: Option<u16>) -> Value {
    let mut names =
        vec!["X-Request-Id", "traceparent", "Cache-Control", "X-Served-By", "RateLimit", "RateLimit-Policy"];
    names.extend(["Cache-Status", "Age"]);
    match status {
        Some(401) => names.push("WWW-Authenticate"),
        Some(402 | 409 | 422) => names.extend(["Idempotency-Replayed", "Retry-After"]),
        Some(429 | 503) => names.push("Retry-After"),
        Some(415) | None => names.push("Accept-Encoding"),
        _ => {}
    }
    references(&names)
}

pub fn references(names: &[&str]) -> Value {
    let reference = |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    names.iter().map(reference).collect::<Map<_, _>>().into()
}
