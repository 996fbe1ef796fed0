//! Who is it: a bearer token, or the browser's cookie.

use super::{Duty, Step, throttling};
use crate::{
    gateway::{Access, cookies, problem::Problem, visit::Visit},
    types::Principal,
};
use actix_web::{
    dev::ServiceRequest,
    http::header::{self, HeaderValue},
};

pub struct Authentication;

impl Duty for Authentication {
    fn name(&self) -> &'static str {
        "authentication"
    }

    fn enter<'a>(&'a self, visit: &'a Visit, request: &'a mut ServiceRequest) -> Step<'a> {
        let token = match token(request) {
            Ok(None) => return Step::On,
            Ok(Some(token)) => token,
            Err(problem) => return Step::Stop(problem),
        };
        Step::Wait(Box::pin(async move {
            let gateway = &visit.gateway;
            let (text, from_cookie) = match &token {
                Token::Bearer(text) => (text, false),
                Token::Cookie(text) => (text, true),
            };
            match gateway.keys.verify(text, &gateway.mesh, &visit.context()).await {
                Some(bearer) => {
                    visit.principal.set(Principal::User { id: bearer.user_id, role: bearer.role });
                    visit.session.set(Some(bearer.session_id));
                    visit.note(bearer);
                    Ok(None)
                }
                // A browser whose cookie has run out is a guest where guests may go.
                None if from_cookie && visit.route.access == Access::Public => Ok(None),
                None => {
                    throttling::bad_token(visit)?;
                    Err(Problem::unauthorized(
                        "invalid_token",
                        "The access token is not good, or not any longer. Sign in again.",
                    ))
                }
            }
        }))
    }
}

enum Token {
    Bearer(String),
    Cookie(String),
}

/// A bearer token, or else the browser's cookie. Credentials of another scheme are none here: whoever sends them is a guest, and
/// not with a cookie either, as a browser sends both unasked.
fn token(request: &ServiceRequest) -> Result<Option<Token>, Problem> {
    let mut credentials = request.headers().get_all(header::AUTHORIZATION);
    let (first, second) = (credentials.next(), credentials.next());
    let unreadable = || Problem::unauthorized("invalid_token", "Send one `Authorization: Bearer` and an access token.");
    let Some(value) = first else {
        if !request.headers().contains_key(header::COOKIE) {
            return Ok(None);
        }
        return Ok(request
            .cookie(cookies::ACCESS)
            .filter(|cookie| !cookie.value().is_empty())
            .map(|cookie| Token::Cookie(cookie.value().to_owned())));
    };
    if second.is_some() {
        return Err(unreadable());
    }
    match bearer(value) {
        Some("") => Err(unreadable()),
        token => Ok(token.map(|token| Token::Bearer(token.to_owned()))),
    }
}

/// What is said after `Bearer`. RFC 9110: the scheme is case-insensitive.
pub fn bearer(credentials: &HeaderValue) -> Option<&str> {
    let text = credentials.to_str().ok()?.trim();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
