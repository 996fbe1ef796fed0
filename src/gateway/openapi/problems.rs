//! Why the shop refuses: every code of a problem document with its status, and which of them follow from a row of the route table.

use crate::gateway::{
    filters::rate_limit::policy::Class,
    routing::{Access, CachePolicy, KeyUse, Route, Signature},
};
use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[rustfmt::skip]
pub const CODES: &[(u16, &[&str])] = &[
    (400, &["bad_query", "bad_json", "bad_body", "bad_cursor", "bad_idempotency_key", "idempotency_key_required"]),
    (401, &["unauthorized", "invalid_token", "invalid_credentials", "refresh_token_invalid", "refresh_token_reused"]),
    (402, &["payment_declined"]),
    (403, &["forbidden", "cross_site", "setup_token_invalid"]),
    (404, &["not_found"]),
    (405, &["method_not_allowed"]),
    (408, &["body_too_slow"]),
    (409, &["address_book_full", "already_cancelled", "already_captured", "already_handed_over", "already_voided", "below_reserved", "busy",
            "cart_full", "cart_in_checkout", "email_taken", "idempotency_in_flight", "illegal_transition", "last_instance", "not_cancellable",
            "not_captured", "not_delivered", "not_returnable", "out_of_stock", "refund_too_large", "reservation_gone", "slug_taken",
            "too_many_methods", "too_many_returned"]),
    (412, &["stale"]),
    (413, &["body_too_large"]),
    (414, &["uri_too_long"]),
    (415, &["unsupported_media_type"]),
    (421, &["wrong_host"]),
    (422, &["invalid", "empty_order", "idempotency_key_reused", "too_expensive", "undeliverable"]),
    (429, &["too_many_requests", "too_many_guesses", "too_many_streams"]),
    (500, &["internal"]),
    (503, &["busy", "circuit_open", "order_not_possible", "overloaded", "route_closed", "service_failed", "shutting_down", "unavailable"]),
    (504, &["timed_out", "not_cached"]),
];

/// The codes of the gateway for any request that does not follow the document, or that it cannot serve.
const GATEWAY: &[&str] = &[
    "bad_query",
    "bad_json",
    "bad_body",
    "invalid_token",
    "cross_site",
    "body_too_slow",
    "body_too_large",
    "uri_too_long",
    "unsupported_media_type",
    "wrong_host",
    "invalid",
    "internal",
];

/// Codes by their status.
pub type Refusals = BTreeMap<u16, BTreeSet<&'static str>>;

/// The codes with which a request to the route may be refused.
pub fn refusals(route: &Route, signature: &Signature, own: &[&'static str]) -> Refusals {
    let mut codes: BTreeSet<(u16, &'static str)> = BTreeSet::new();
    let mut may = |status: u16, some: &[&'static str]| codes.extend(some.iter().map(|code| (status, *code)));
    may(401, &["invalid_token"]);
    if route.access != Access::Public {
        may(401, &["unauthorized"]);
    }
    if route.access == Access::Operator {
        may(403, &["forbidden"]);
    }
    if !route.method.is_safe() {
        may(403, &["cross_site"]);
    }
    if route.class != Class::Free {
        may(429, &["too_many_requests"]);
        may(503, &["overloaded", "circuit_open", "unavailable", "service_failed"]);
        may(504, &["timed_out"]);
    }
    may(503, &["overloaded", "route_closed", "shutting_down"]);
    if signature.id.is_some() {
        may(404, &["not_found"]);
    }
    if let Some(query) = &signature.query {
        may(400, &["bad_query"]);
        if serde_json::to_value(&query.schema).is_ok_and(|query| query["properties"].get("cursor").is_some()) {
            may(400, &["bad_cursor"]);
        }
    }
    if signature.body.is_some() {
        may(400, &["bad_json", "bad_body"]);
        may(408, &["body_too_slow"]);
        may(413, &["body_too_large"]);
        may(415, &["unsupported_media_type"]);
        may(422, &["invalid"]);
    }
    match route.key {
        KeyUse::Ignored => {}
        KeyUse::Own | KeyUse::Optional | KeyUse::Required => {
            may(400, &["bad_idempotency_key"]);
            may(409, &["idempotency_in_flight"]);
            may(422, &["idempotency_key_reused"]);
        }
    }
    if route.key == KeyUse::Required {
        may(400, &["idempotency_key_required"]);
    }
    if route.method == Method::GET {
        may(412, &["stale"]);
    }
    if route.cache != CachePolicy::Never {
        may(504, &["not_cached"]);
    }
    for code in own {
        may(status_of(code, route), &[code]);
    }
    let mut refusals = Refusals::new();
    for (status, code) in codes {
        refusals.entry(status).or_default().insert(code);
    }
    for (status, codes) in &mut refusals {
        codes.extend(GATEWAY.iter().filter(|code| status_of(code, route) == *status));
    }
    refusals
}

/// `busy` alone has two: an order that is being worked on, and passwords that are checked as fast as can be.
fn status_of(code: &str, route: &Route) -> u16 {
    let mut statuses = CODES.iter().filter(|(_, codes)| codes.contains(&code)).map(|(status, _)| *status);
    let status = statuses.next().unwrap_or(500);
    if route.class == Class::SignIn { statuses.next().unwrap_or(status) } else { status }
}

/// The problem documents that an answer of this status may be; with `None`, of those that have no status of their own.
pub fn response(status: Option<u16>, codes: &BTreeSet<&str>) -> Value {
    let list = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
    let (words, status_schema) = match status {
        Some(status) => (reason(status), json!({"const": status})),
        None => ("Anything else that the door has against a request", json!({"minimum": 400})),
    };
    json!({
        "description": format!("{words}: {list}."),
        "headers": super::headers::of_problem(status),
        "content": {"application/problem+json": {"schema": {"allOf": [
            {"$ref": "#/components/schemas/Problem"},
            {"type": "object", "properties": {"status": status_schema, "code": {"enum": codes}}},
        ]}, "example": example(status.unwrap_or(500), codes)}},
    })
}

pub fn of_the_gateway() -> BTreeSet<&'static str> {
    GATEWAY.iter().copied().collect()
}

pub fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error")
}

fn example(status: u16, codes: &BTreeSet<&str>) -> Value {
    json!({
        "type": "about:blank", "title": reason(status), "status": status, "detail": "What is wrong, in a sentence.",
        "instance": "/api/v1/products", "code": codes.first(), "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    })
}

/// RFC 9457, and the members that single problems add.
pub fn schema() -> Value {
    let text = |words: &str| json!({"type": "string", "description": words});
    let codes: BTreeSet<_> = CODES.iter().flat_map(|(_, codes)| codes.iter()).collect();
    json!({
        "type": "object",
        "description": "Why a request was refused (RFC 9457). Programs go by `code`, which never changes its meaning.",
        "required": ["type", "title", "status", "detail", "instance", "code", "trace_id"],
        "properties": {
            "type": text("`about:blank`, or the registered type of the problem."),
            "title": text("The status in words."),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": text("What is wrong and what to do, for people."),
            "instance": text("The path that was asked."),
            "code": {"type": "string", "enum": codes},
            "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "What to look for in the log."},
            "errors": {"type": "array", "description": "Which fields cannot be.", "items": {
                "type": "object", "required": ["pointer", "reason"],
                "properties": {"pointer": text("JSON pointer (RFC 6901) into the body."), "reason": text("Why.")},
            }},
            "order_id": {"$ref": "#/components/schemas/OrderId"},
            "product_id": {"$ref": "#/components/schemas/ProductId"},
            "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Shortage"}},
            "decline_code": text("Of a declined card: `insufficient_funds`, `expired_card`, …"),
            "card_code": text("What is wrong with a card: `invalid_number`, …"),
            "left": {"description": "How much can still be given back, or how many pieces can.",
                     "oneOf": [{"$ref": "#/components/schemas/Money"}, {"type": "integer"}]},
            "reserved": {"type": "integer", "description": "Pieces that are promised to orders."},
            "reason": text("What the subscriber said."),
            "violated-policies": {"type": "array", "items": {"type": "string"}, "description": "Whose quota is used up."},
        },
    })
}
