//! Who is it: a bearer token, or the browser's cookie.

use super::{Duty, Step};
use crate::{
    gateway::{Access, cookies, problem::Problem, visit::Visit},
    types::Principal,
};
use actix_web::{dev::ServiceRequest, http::header};

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
                None => Err(Problem::unauthorized(
                    "invalid_token",
                    "The access token is not good, or not any longer. Sign in again.",
                )),
            }
        }))
    }
}

enum Token {
    Bearer(String),
    Cookie(String),
}

fn token(request: &ServiceRequest) -> Result<Option<Token>, Problem> {
    if let Some(value) = request.headers().get(header::AUTHORIZATION) {
        let text = value.to_str().unwrap_or_default();
        // RFC 9110: the scheme is case-insensitive.
        let bearer = text
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        return match bearer {
            Some(token) => Ok(Some(Token::Bearer(token.to_owned()))),
            None => Err(Problem::unauthorized("invalid_token", "Send `Authorization: Bearer` and an access token.")),
        };
    }
    Ok(request
        .cookie(cookies::ACCESS)
        .filter(|cookie| !cookie.value().is_empty())
        .map(|cookie| Token::Cookie(cookie.value().to_owned())))
}
