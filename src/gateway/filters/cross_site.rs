//! Rejects changes that a page of another site asks for (cross-site request forgery).
//!
//! Source: the OWASP CSRF prevention cheat sheet, on `Sec-Fetch-Site` with `Origin` as the
//! fallback.

use super::{
    allowed_hosts::host_of,
    authentication::bearer::bearer,
    filter::{Filter, RequestAction},
};
use crate::gateway::{context::RequestContext, respond::Problem, state::Trust};
use actix_web::{
    dev::ServiceRequest,
    http::header::{AUTHORIZATION, COOKIE, HeaderName, ORIGIN},
};

/// Rejects an unsafe method from a page of another site: 403 `cross_site`.
pub struct CrossSite;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

impl Filter for CrossSite {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, request: &'a mut ServiceRequest) -> RequestAction<'a> {
        if let Err(problem) = check(request, &context.gateway.trust.load()) {
            return RequestAction::Reject(problem);
        }
        context.is_browser.set(request.headers().contains_key(FETCH_SITE));
        RequestAction::Continue
    }
}

fn check(request: &ServiceRequest, trust: &Trust) -> Result<(), Problem> {
    let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    // A browser adds cookies to a request by itself, but never a bearer token.
    let has_token = || request.headers().get(AUTHORIZATION).is_some_and(|value| bearer(value).is_some());
    if request.method().is_safe() || has_token() {
        return Ok(());
    }
    let origin = header(ORIGIN);
    // A trusted origin must not send cookies. `SameSite` does not protect them from another port or
    // a subdomain, which are the same site.
    let is_trusted = !request.headers().contains_key(COOKIE)
        && origin.is_some_and(|origin| trust.origins.iter().any(|known| known == origin));
    if is_trusted { Ok(()) } else { from_own_site(header(FETCH_SITE), origin, host_of(request)) }
}

/// Whether the request comes from a page of this site. A browser says it in `Sec-Fetch-Site`, and
/// an old browser in `Origin`. A program that sends neither is not a browser, and holds no cookies
/// of a user that it could abuse.
fn from_own_site(site: Option<&str>, origin: Option<&str>, host: Option<&str>) -> Result<(), Problem> {
    let own = match (site, origin) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").map(|(_, authority)| authority) == host,
        (None, None) => true,
    };
    if own { Ok(()) } else { Err(Problem::forbidden("cross_site", "This request came from a page of another site.")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_this_site_may_change_anything() {
        let host = Some("127.0.0.1:8080");
        let may = |site, origin| from_own_site(site, origin, host).is_ok();
        assert!(may(Some("same-origin"), None));
        assert!(may(Some("none"), None));
        assert!(!may(Some("cross-site"), Some("http://127.0.0.1:8080")));
        assert!(!may(Some("same-site"), None));
        assert!(may(None, Some("http://127.0.0.1:8080")));
        assert!(!may(None, Some("http://127.0.0.1:8081")));
        assert!(!may(None, Some("null")));
        assert!(may(None, None));
    }
}
