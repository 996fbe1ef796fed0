//! The problem documents in the OpenAPI document: each code with its status, and the codes that
//! follow from a row of the route table.

use crate::gateway::{
    filters::rate_limit::policy::Class,
    routing::{Access, CachePolicy, KeyUse, Route, Signature},
};
use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// All codes of problem documents, by their status.
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

/// Codes that any request can get: it does not follow the document, or the gateway cannot serve it.
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

/// The codes with which the gateway or the handler may reject a request to the route. `own` are the
/// codes of the handler.
pub fn refusals(route: &Route, signature: &Signature, own: &[&'static str]) -> Refusals {
    let own_codes = own.iter().map(|code| (status_of(code, route), *code));
    let all =
        of_access(route).chain(of_load(route)).chain(of_input(signature)).chain(of_headers(route)).chain(own_codes);
    let mut refusals = Refusals::new();
    for (status, code) in all {
        refusals.entry(status).or_default().insert(code);
    }
    for (status, codes) in &mut refusals {
        codes.extend(GATEWAY.iter().filter(|code| status_of(code, route) == *status));
    }
    refusals
}

/// Pairs of a status and a code.
type Codes = std::vec::IntoIter<(u16, &'static str)>;

/// The codes of the rows whose condition holds.
fn codes(rows: &[(bool, u16, &[&'static str])]) -> Codes {
    let rows = rows.iter().filter(|(applies, ..)| *applies);
    rows.flat_map(|(_, status, codes)| codes.iter().map(move |code| (*status, *code))).collect::<Vec<_>>().into_iter()
}

/// Codes of the filters `authentication`, `authorization` and `cross_site`.
#[rustfmt::skip]
fn of_access(route: &Route) -> Codes {
    codes(&[
        (true,                             401, &["invalid_token"]),
        (route.access != Access::Public,   401, &["unauthorized"]),
        (route.access == Access::Operator, 403, &["forbidden"]),
        (!route.method.is_safe(),          403, &["cross_site"]),
    ])
}

/// Codes of the rate limits, of the admission, and of the calls to services. A route without a rate
/// limit calls no service that it cannot do without.
#[rustfmt::skip]
fn of_load(route: &Route) -> Codes {
    let is_limited = route.class != Class::Free;
    codes(&[
        (true,       503, &["overloaded", "route_closed", "shutting_down"]),
        (is_limited, 429, &["too_many_requests"]),
        (is_limited, 503, &["circuit_open", "unavailable", "service_failed"]),
        (is_limited, 504, &["timed_out"]),
    ])
}

/// Codes of the extractors: the path, the query and the body.
#[rustfmt::skip]
fn of_input(signature: &Signature) -> Codes {
    let query = signature.query.as_ref().and_then(|query| serde_json::to_value(&query.schema).ok());
    let is_paged = query.as_ref().is_some_and(|query| query["properties"].get("cursor").is_some());
    let has_body = signature.body.is_some();
    codes(&[
        (signature.id.is_some(),    404, &["not_found"]),
        (signature.query.is_some(), 400, &["bad_query"]),
        (is_paged,                  400, &["bad_cursor"]),
        (has_body,                  400, &["bad_json", "bad_body"]),
        (has_body,                  408, &["body_too_slow"]),
        (has_body,                  413, &["body_too_large"]),
        (has_body,                  415, &["unsupported_media_type"]),
        (has_body,                  422, &["invalid"]),
    ])
}

/// Codes of the filters `idempotency`, `conditional` and `cache`.
#[rustfmt::skip]
fn of_headers(route: &Route) -> Codes {
    let has_key = route.key != KeyUse::Ignored;
    codes(&[
        (has_key,                           400, &["bad_idempotency_key"]),
        (route.key == KeyUse::Required,     400, &["idempotency_key_required"]),
        (has_key,                           409, &["idempotency_in_flight"]),
        (has_key,                           422, &["idempotency_key_reused"]),
        (route.method == Method::GET,       412, &["stale"]),
        (route.cache != CachePolicy::Never, 504, &["not_cached"]),
    ])
}

/// The status of a code on the route. Only `busy` has two: 409 for an order that is being changed,
/// and 503 for a password check while all of them are in use.
fn status_of(code: &str, route: &Route) -> u16 {
    let mut statuses = CODES.iter().filter(|(_, codes)| codes.contains(&code)).map(|(status, _)| *status);
    let status = statuses.next().unwrap_or(500);
    if route.class == Class::SignIn { statuses.next().unwrap_or(status) } else { status }
}

/// The response for these codes and this status. `None` is the response for all other statuses.
pub fn response(status: Option<u16>, codes: &BTreeSet<&str>) -> Value {
    let list = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
    let (description, status_schema) = match status {
        Some(status) => (reason(status), json!({"const": status})),
        None => ("Any other problem with a request", json!({"minimum": 400})),
    };
    json!({
        "description": format!("{description}: {list}."),
        "headers": super::headers::of_problem(status),
        "content": {"application/problem+json": {"schema": {"allOf": [
            {"$ref": "#/components/schemas/Problem"},
            {"type": "object", "properties": {"status": status_schema, "code": {"enum": codes}}},
        ]}, "example": example(status.unwrap_or(500), codes)}},
    })
}

/// The codes of the response `default`.
pub fn of_the_gateway() -> BTreeSet<&'static str> {
    GATEWAY.iter().copied().collect()
}

/// The reason phrase of a status, such as `Not Found`.
pub fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error")
}

fn example(status: u16, codes: &BTreeSet<&str>) -> Value {
    json!({
        "type": "about:blank", "title": reason(status), "status": status, "detail": "One or two sentences: what happened, and what to do.",
        "instance": "/api/v1/products", "code": codes.first(), "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    })
}

/// The schema of problem documents (RFC 9457), with the members that single codes add.
pub fn schema() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let codes: BTreeSet<_> = CODES.iter().flat_map(|(_, codes)| codes.iter()).collect();
    json!({
        "type": "object",
        "description": "Why a request failed (RFC 9457). Programs decide by `code`, whose meaning never changes.",
        "required": ["type", "title", "status", "detail", "instance", "code", "trace_id"],
        "properties": {
            "type": text("`about:blank`, or the registered type of the problem."),
            "title": text("The reason phrase of the status."),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": text("What happened and what to do, for people."),
            "instance": text("The path of the request."),
            "code": {"type": "string", "enum": codes},
            "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "The id of the trace of the request: search the log for it."},
            "errors": {"type": "array", "description": "The fields that are invalid.", "items": {
                "type": "object", "required": ["pointer", "reason"],
                "properties": {"pointer": text("JSON pointer (RFC 6901) into the body."), "reason": text("Why the field is invalid.")},
            }},
            "order_id": {"$ref": "#/components/schemas/OrderId"},
            "product_id": {"$ref": "#/components/schemas/ProductId"},
            "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Shortage"}},
            "decline_code": text("Why the card was declined: `insufficient_funds`, `expired_card`, …"),
            "card_code": text("Why the card is invalid: `invalid_number`, …"),
            "left": {"description": "The amount that can still be refunded, or the number of pieces that can still be returned.",
                     "oneOf": [{"$ref": "#/components/schemas/Money"}, {"type": "integer"}]},
            "reserved": {"type": "integer", "description": "Pieces that are reserved for orders."},
            "reason": text("The error of the subscriber."),
            "violated-policies": {"type": "array", "items": {"type": "string"}, "description": "The rate limits whose quota is used up."},
        },
    })
}
