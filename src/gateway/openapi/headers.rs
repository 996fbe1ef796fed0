//! The header fields of requests and responses, and which of them follow from a row of the route
//! table.

use super::operation_docs::OperationDoc;
use crate::gateway::{
    filters::rate_limit::policy::Class,
    routing::{CachePolicy, KeyUse, ReplyShape, Route},
};
use actix_web::http::Method;
use serde_json::{Map, Value, json};

/// Fields of responses: name, whether the field is always present, an example, its meaning.
#[rustfmt::skip]
const HEADERS: &[(&str, bool, &str, &str)] = &[
    ("X-Request-Id",         true,  "4bf92f3577b34da6a3ce929d0e0e4736", "The id of the trace that the request belongs to. Give it when you report a problem."),
    ("traceparent",          true,  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "W3C Trace Context: a client continues the trace with it."),
    ("Cache-Control",        true,  "no-store", "Who may store the response, and for how long (RFC 9111)."),
    ("X-Served-By",          false, "products-1", "The service instances that handled the request."),
    ("RateLimit",            false, "\"browse\";r=999;t=1", "The remaining quota of the client: `r` is a number of requests (draft-ietf-httpapi-ratelimit-headers). Absent if rate limits are off."),
    ("RateLimit-Policy",     false, "\"browse\";q=1000;w=10", "The quota `q` in requests, and its window `w` in seconds."),
    ("Retry-After",          false, "1", "Seconds to wait before you try again."),
    ("ETag",                 true,  "\"HrvyLW4yJu1WmpzKj0IX\"", "The entity tag of exactly this content, for `If-None-Match` and `If-Match`."),
    ("Location",             true,  "/api/v1/orders/ord_019a52b46b7a7d0c8f3e5a1b2c3d4e5f", "The address of the new resource."),
    ("Cache-Status",         false, "galleria; hit; ttl=42", "Whether the response came from the gateway's cache (RFC 9211)."),
    ("Age",                  false, "18", "Seconds since the service made the response."),
    ("Idempotency-Replayed", false, "true", "`true` if the request was carried out before: this is the stored response."),
    ("X-Completed",          false, "true", "`false` if parts are missing: see `degraded`. Absent if the response is not composed."),
    ("Set-Cookie",           false, "cart=…; Path=/; HttpOnly; SameSite=Strict", "The cookie of the cart or of the session."),
    ("Clear-Site-Data",      false, "\"storage\"", "The browser deletes the data that it stored for the shop."),
    ("WWW-Authenticate",     true,  "Bearer realm=\"galleria\"", "How to authenticate (RFC 6750)."),
    ("Accept-Encoding",      false, "identity", "Request bodies must not be compressed (RFC 7694)."),
];

/// Fields of requests: name in the document, the field, an example, its meaning.
#[rustfmt::skip]
const PARAMETERS: &[(&str, &str, &str, &str)] = &[
    ("IdempotencyKey", "Idempotency-Key", "checkout-7f3a", "A name that you choose for this request, 1 to 255 visible ASCII characters. If you send the request again with the same key, you get the first response again, and nothing is done twice. A key is kept for 24 hours."),
    ("IfNoneMatch",    "If-None-Match",   "\"HrvyLW4yJu1WmpzKj0IX\"", "The entity tags of the copies that you have. If one of them is current, the response is 304 without a body."),
    ("IfMatch",        "If-Match",        "\"HrvyLW4yJu1WmpzKj0IX\"", "The request is carried out only if the resource still has this entity tag. Otherwise the response is 412."),
    ("LastEventId",    "Last-Event-ID",   "2", "The id of the last event that you received. The stream continues after it."),
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
        // The example stands in the description. Swagger UI would send a member `example` of an
        // optional parameter with each request that a reader tries out.
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

/// The request fields that the route reads.
pub fn of_request(route: &Route, doc: &OperationDoc, is_stream: bool) -> Vec<Value> {
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

/// The fields of a successful response.
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

/// The fields of a problem document's response.
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
