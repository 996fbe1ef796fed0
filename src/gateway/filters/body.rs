//! Not too many at once, not too large, not too slow; addressed to this host, and not sent by another site's page.

use super::{Duty, Leave, Step, authentication::bearer};
use crate::gateway::{Class, places::Place, problem::Problem, visit::Visit};
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    dev::{Payload, ServiceRequest},
    http::{StatusCode, Uri, Version, header},
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt;
use std::{task::Poll, time::Duration};
use tokio::time::Instant;

pub struct Limits;

/// The largest body that any route has a use for: an order of fifty lines is 5 KB.
const MOST_BODY: usize = 64 * 1024;
const MOST_URL: usize = 4 * 1024;
/// actix-web cuts off a slow head; a body that trickles or stalls is cut off here.
const BODY_WITHIN: Duration = Duration::from_secs(10);

impl Duty for Limits {
    fn name(&self) -> &'static str {
        "limits"
    }

    fn enter<'a>(&'a self, visit: &'a Visit, request: &'a mut ServiceRequest) -> Step<'a> {
        match admit(visit, request) {
            Err(problem) => Step::Stop(problem),
            Ok(()) if has_body(request) => Step::Wait(Box::pin(async move {
                let mut payload = request.take_payload();
                let body = read_in_time(visit, announced(request), &mut payload).await;
                // What is left of it is the last word's to keep.
                request.set_payload(payload);
                *visit.body.borrow_mut() = body?;
                visit.complete.set(Instant::now());
                take_place(visit)?;
                Ok(None)
            })),
            Ok(()) => match take_place(visit) {
                Ok(()) => Step::On,
                Err(problem) => Step::Stop(problem),
            },
        }
    }

    fn leave<'a>(&'a self, visit: &'a Visit, _: &'a HttpRequest, answer: HttpResponse) -> Leave<'a> {
        if let Some(place) = visit.take_note::<Place>() {
            let code = answer.extensions().get::<Problem>().map_or("", Problem::code);
            if let Some(in_time) = bears_witness(answer.status(), code) {
                place.answered(in_time);
            }
        }
        Leave::With(answer)
    }
}

/// Whether the answer says anything about how much the shop can do at a time, and if so, whether it was there for it in time. A refusal
/// is quick, also of a route that is closed or a service that is down, and says nothing about how long the work takes.
fn bears_witness(status: StatusCode, code: &str) -> Option<bool> {
    match (status, code) {
        (StatusCode::GATEWAY_TIMEOUT, _) | (_, "overloaded") => Some(false),
        _ => (status.is_success() || status.is_redirection()).then_some(true),
    }
}

/// Only when all of the request is there: whoever sends slowly takes up nobody's place meanwhile.
fn take_place(visit: &Visit) -> Result<(), Problem> {
    if visit.route.class != Class::Free {
        visit.note(visit.gateway.places.take(visit.route.class).ok_or_else(|| overloaded(visit))?);
    }
    Ok(())
}

fn overloaded(visit: &Visit) -> Problem {
    // Not all at the same time again.
    let seconds = visit.gateway.env.below(1..4);
    Problem::unavailable("overloaded", "There are too many requests at the moment. Try again shortly.", seconds)
        .of_type("https://iana.org/assignments/http-problem-types#temporary-reduced-capacity")
}

fn admit(visit: &Visit, request: &ServiceRequest) -> Result<(), Problem> {
    // Probes are answered whatever else: they are asked when things go wrong.
    if visit.route.class != Class::Free {
        if visit.gateway.is_draining() {
            return Err(
                Problem::unavailable("shutting_down", "The shop is closing. Try again in a moment.", 5).and_hang_up()
            );
        }
        visit.note(visit.gateway.admit().ok_or_else(|| overloaded(visit))?);
    }
    if length(request.uri()) > MOST_URL {
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            "uri_too_long",
            "The address is longer than any that this shop has.",
        ));
    }
    let header = |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    // RFC 9112 §3.2.2: the authority of an absolute target stands in the place of Host. HTTP/1.0 knows neither.
    let host = request.uri().authority().map(|authority| authority.as_str()).or(header(header::HOST));
    let is_own = match host {
        Some(host) => visit.gateway.is_own_host(host),
        None => request.version() < Version::HTTP_11 && !request.headers().contains_key(header::HOST),
    };
    if !is_own {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "wrong_host",
            "This shop does not go by the name in the Host header.",
        ));
    }
    // No browser sends a bearer token unasked.
    let shows_token = || request.headers().get(header::AUTHORIZATION).is_some_and(|value| bearer(value).is_some());
    if !request.method().is_safe() && !shows_token() {
        let origin = header(header::ORIGIN);
        // Not with cookies: `SameSite` keeps them from another site, but another port or a subdomain is the same one.
        let is_let_in = !request.headers().contains_key(header::COOKIE)
            && origin.is_some_and(|origin| visit.gateway.trust.load().origins.iter().any(|known| known == origin));
        if !is_let_in {
            from_own_site(header(header::HeaderName::from_static("sec-fetch-site")), origin, host)?;
        }
    }
    visit.is_browser.set(request.headers().contains_key("sec-fetch-site"));
    Ok(())
}

/// Of the target as it was sent.
fn length(uri: &Uri) -> usize {
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    authority + uri.path_and_query().map_or(0, |rest| rest.as_str().len())
}

/// Cross-site request forgery (OWASP 2026): a browser says where a request comes from, by `Sec-Fetch-Site` or else by
/// `Origin`. A program that sends neither has no cookies of anybody else's to abuse.
fn from_own_site(site: Option<&str>, origin: Option<&str>, host: Option<&str>) -> Result<(), Problem> {
    let own = match (site, origin) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").map(|(_, authority)| authority) == host,
        (None, None) => true,
    };
    if own { Ok(()) } else { Err(Problem::forbidden("cross_site", "This request came from a page of another site.")) }
}

fn has_body(request: &ServiceRequest) -> bool {
    // HTTP/2 frames its bodies, and need not announce them.
    request.version() >= Version::HTTP_2
        || request.headers().contains_key(header::CONTENT_LENGTH)
        || request.headers().contains_key(header::TRANSFER_ENCODING)
}

fn announced(request: &ServiceRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
}

async fn read_in_time(visit: &Visit, announced: Option<u64>, payload: &mut Payload) -> Result<Bytes, Problem> {
    let mut reading = std::pin::pin!(tokio::time::timeout(BODY_WITHIN, read(announced, payload)));
    // Most bodies come with their head, and are waited for by nobody.
    let read = match futures_util::poll!(&mut reading) {
        Poll::Ready(read) => read,
        Poll::Pending => {
            let waiting = visit.gateway.readers.begin(visit.network());
            let _waiting = waiting.ok_or_else(|| overloaded(visit).and_hang_up())?;
            reading.await
        }
    };
    let slow = |_| {
        let words = "The body of the request did not arrive in time.";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", words).and_hang_up()
    };
    read.map_err(slow)?
}

async fn read(announced: Option<u64>, payload: &mut Payload) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The body is larger than {MOST_BODY} bytes."),
        )
        .and_hang_up()
    };
    if announced.is_some_and(|length| length > MOST_BODY as u64) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::bad_request("bad_body", "The body could not be read."))?;
        if body.len() + chunk.len() > MOST_BODY {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_refusals_only_those_for_want_of_room_count_as_late() {
        let saw = |status: u16, code| bears_witness(StatusCode::from_u16(status).unwrap(), code);
        assert_eq!((saw(200, ""), saw(201, ""), saw(304, "")), (Some(true), Some(true), Some(true)));
        assert_eq!((saw(503, "overloaded"), saw(504, "timed_out")), (Some(false), Some(false)));
        for (status, code) in
            [(503, "closed"), (503, "unavailable"), (503, "busy"), (429, "too_many_requests"), (404, "")]
        {
            assert_eq!(saw(status, code), None, "{status} {code}");
        }
    }

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
