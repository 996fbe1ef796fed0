//! Sets the fields of every response: its trace, the services that answered, and what a browser may
//! do with it.

use super::filter::{Filter, ResponseAction};
use crate::{gateway::context::RequestContext, telemetry::traceparent, types::Principal};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY},
};

/// Sets `X-Request-Id`, `traceparent` (W3C Trace Context), `X-Served-By`, the security fields, and
/// `Cache-Control` where the route has not set it.
pub struct Headers {
    /// Whether to send `Strict-Transport-Security` (RFC 6797).
    pub uses_hsts: bool,
}

/// No inline scripts or styles, nothing from other sites, no frames (OWASP Secure Headers, ASVS
/// 3.4).
#[rustfmt::skip]
const SECURITY: [(HeaderName, &str); 6] = [
    (HeaderName::from_static("content-security-policy"),      "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
    (HeaderName::from_static("x-content-type-options"),       "nosniff"),
    (HeaderName::from_static("referrer-policy"),              "strict-origin-when-cross-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"),   "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"),           "geolocation=(), camera=(), microphone=()"),
];

impl Filter for Headers {
    fn on_response<'a>(
        &'a mut self,
        context: &'a RequestContext,
        _: &'a HttpRequest,
        mut response: HttpResponse,
    ) -> ResponseAction<'a> {
        let headers = response.headers_mut();
        for (name, value) in SECURITY {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // Not with a self-signed certificate: with HSTS a browser does not let its user past the
        // warning.
        if self.uses_hsts {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        let fields = [
            ("x-request-id", context.trace.to_string()),
            ("traceparent", traceparent::write(context.trace, context.span_id.get(), &context.gateway.env)),
            ("x-served-by", context.served_by()),
        ];
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        // A response for one user must not stay in a shared cache. A route that allows more has set
        // the field itself.
        if !headers.contains_key(CACHE_CONTROL) {
            let value = match context.principal.get() {
                Principal::Anonymous => "no-cache",
                _ => "no-store",
            };
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
        }
        ResponseAction::Continue(response)
    }
}
