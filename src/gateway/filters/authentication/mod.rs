//! Finds out which user the caller is, by a bearer token (RFC 6750) or by the browser's cookie.

pub mod bearer;
pub mod cookies;
pub mod token_verifier;

use super::{
    filter::{Filter, RequestAction},
    rate_limit::{count_bad_token, limiter::RateLimiter},
};
use crate::{
    gateway::{context::RequestContext, respond::Problem, routing::Access},
    types::Principal,
};
use actix_web::{
    HttpResponse,
    dev::ServiceRequest,
    http::header::{AUTHORIZATION, COOKIE},
};
use bearer::bearer;
use std::sync::Arc;
use token_verifier::TokenVerifier;

/// Sets the context's `principal` and `bearer`. A request without a token stays anonymous. A token
/// that is not valid gets 401 `invalid_token`, and 429 if the client has sent too many of them.
pub struct Authentication {
    verifier: Arc<TokenVerifier>,
    limiter: Arc<RateLimiter>,
}

impl Filter for Authentication {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, request: &'a mut ServiceRequest) -> RequestAction<'a> {
        match token(request) {
            Ok(None) => RequestAction::Continue,
            Ok(Some(token)) => RequestAction::Await(Box::pin(self.authenticate(context, token))),
            Err(problem) => RequestAction::Reject(problem),
        }
    }
}

impl Authentication {
    /// `verifier` checks tokens; `limiter` counts those that are not valid.
    pub fn new(verifier: &Arc<TokenVerifier>, limiter: &Arc<RateLimiter>) -> Self {
        Self { verifier: verifier.clone(), limiter: limiter.clone() }
    }

    async fn authenticate(&self, context: &RequestContext, token: Token) -> Result<Option<HttpResponse>, Problem> {
        let (text, from_cookie) = match &token {
            Token::Bearer(text) => (text, false),
            Token::Cookie(text) => (text, true),
        };
        match self.verifier.verify(text, &context.gateway.mesh, &context.call_context()).await {
            Some(bearer) => {
                context.principal.set(Principal::User { id: bearer.user_id, role: bearer.role });
                context.bearer.set(Some(bearer));
                Ok(None)
            }
            // A browser with an expired cookie counts as a guest, on routes that guests may call.
            None if from_cookie && context.route.access == Access::Public => Ok(None),
            None => {
                count_bad_token(&self.limiter, context)?;
                let detail = "The access token is not valid, or has expired. Sign in again.";
                Err(Problem::unauthorized("invalid_token", detail))
            }
        }
    }
}

enum Token {
    Bearer(String),
    Cookie(String),
}

/// The bearer token, or else the token in the browser's cookie. A request with credentials of
/// another scheme is a guest's, even with a cookie: a browser adds both by itself.
fn token(request: &ServiceRequest) -> Result<Option<Token>, Problem> {
    let mut credentials = request.headers().get_all(AUTHORIZATION);
    let (first, second) = (credentials.next(), credentials.next());
    let unreadable = || Problem::unauthorized("invalid_token", "Send one `Authorization: Bearer` and an access token.");
    let Some(value) = first else {
        if !request.headers().contains_key(COOKIE) {
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
