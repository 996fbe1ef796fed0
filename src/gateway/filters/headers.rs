//! What every answer carries: the trace that it belongs to, and the fields that lock a browser down.

use super::{Duty, Leave};
use crate::{gateway::visit::Visit, telemetry::traceparent, types::Principal};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY},
};

pub struct Headers;

/// No inline scripts or styles, nothing from elsewhere, no frames (OWASP Secure Headers, ASVS 3.4).
#[rustfmt::skip]
const LOCKS: [(HeaderName, &str); 6] = [
    (HeaderName::from_static("content-security-policy"),      "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
    (HeaderName::from_static("x-content-type-options"),       "nosniff"),
    (HeaderName::from_static("referrer-policy"),              "strict-origin-when-cross-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"),   "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"),           "geolocation=(), camera=(), microphone=()"),
];

impl Duty for Headers {
    fn name(&self) -> &'static str {
        "headers"
    }

    fn leave<'a>(&'a self, visit: &'a Visit, _: &'a HttpRequest, mut answer: HttpResponse) -> Leave<'a> {
        let headers = answer.headers_mut();
        for (name, value) in LOCKS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // Not for a certificate that was made here: a browser that insists lets nobody past it.
        if visit.gateway.certificates.as_ref().is_some_and(|certificates| certificates.is_lasting()) {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        let told = [
            ("x-request-id", visit.trace.to_string()),
            ("traceparent", traceparent::write(visit.trace, visit.span_id, &visit.gateway.env)),
            ("x-served-by", visit.served_by()),
        ];
        for (name, value) in told.into_iter().filter(|(_, value)| !value.is_empty()) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        // What was made for somebody must not lie in anybody's cache; a route that knows better has said so.
        if !headers.contains_key(CACHE_CONTROL) {
            let value = match visit.principal.get() {
                Principal::Anonymous => "no-cache",
                _ => "no-store",
            };
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
        }
        Leave::With(answer)
    }
}
