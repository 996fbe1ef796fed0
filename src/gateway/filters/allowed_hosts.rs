//! Requests must name this shop as their host.
//!
//! This protects from DNS rebinding: a page of an attacker's name, which the attacker's DNS server
//! resolves to this address, would otherwise have this shop as its own site.

use super::filter::{Filter, RequestAction};
use crate::gateway::{context::RequestContext, respond::Problem, state::Trust};
use actix_web::{
    dev::ServiceRequest,
    http::{
        StatusCode, Version,
        header::{HOST, HeaderValue},
    },
};
use std::net::{IpAddr, Ipv6Addr};

/// Rejects a request whose host is not this shop's: 421 `wrong_host` (RFC 9110 §15.5.20).
pub struct AllowedHosts;

impl Filter for AllowedHosts {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, request: &'a mut ServiceRequest) -> RequestAction<'a> {
        let is_allowed = match host_of(request) {
            Some(host) => is_allowed(host, &context.gateway.trust.load()),
            None => request.version() < Version::HTTP_11 && !request.headers().contains_key(HOST),
        };
        if is_allowed {
            return RequestAction::Continue;
        }
        RequestAction::Reject(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "wrong_host",
            "This shop does not go by the name in the Host header.",
        ))
    }
}

/// The host that the request names, perhaps with a port. The authority of an absolute target
/// replaces the `Host` header (RFC 9112 §3.2.2). `None` if there is neither, as in HTTP/1.0.
pub fn host_of(request: &ServiceRequest) -> Option<&str> {
    let header = || request.headers().get(HOST).and_then(|value: &HeaderValue| value.to_str().ok());
    request.uri().authority().map(|authority| authority.as_str()).or_else(header)
}

/// IP addresses, localhost and the configured names are allowed.
fn is_allowed(host: &str, trust: &Trust) -> bool {
    let Some(name) = host_name(host) else { return false };
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || trust.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The name or address in `uri-host [ ":" port ]` (RFC 9110 §7.2); `None` for anything else.
fn host_name(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok())?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |digits: &str| digits.is_empty() || digits.parse::<u16>().is_ok() && !digits.starts_with('+');
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_address_and_perhaps_a_port() {
        for (host, name) in [
            ("localhost", "localhost"),
            ("shop.example:", "shop.example"),
            ("shop.example:443", "shop.example"),
            ("[::1]", "::1"),
            ("[::1]:80", "::1"),
        ] {
            assert_eq!(host_name(host), Some(name));
        }
        for bad in ["[::1]evil.com", "localhost:evil.com", "localhost:80:80", "a:99999", "a:+1", "[::1", "[evil.com]"] {
            assert_eq!(host_name(bad), None, "{bad}");
        }
    }
}
