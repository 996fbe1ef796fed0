//! The response cache (RFC 9111): reuses stored responses, on the routes that the route table
//! names.
//!
//! It is the last filter. A caller is authenticated, authorized and counted before it, so a stored
//! response does not bypass these checks. `Cache-Status` (RFC 9211) says what the cache did.
//!
//! ## Decisions
//!
//! - **A cache of our own over moka's map.** moka bounds the memory and chooses what to drop. What
//!   makes it an HTTP cache (freshness, `Cache-Control`, `Age`, `Cache-Status`, stale responses,
//!   purges, single flight) is here, because no crate for actix-web has purges by tag that also
//!   reject a response on its way. Consequence: about 500 lines to maintain, each with its
//!   paragraph of an RFC.
//! - **Purge on events, and a lifetime as a second line.** A service tells of each change, and the
//!   change purges by tag. A lifetime alone would show old prices for a minute. Consequence: a
//!   client that has seen a change never gets the older response; a forgotten purge costs one
//!   lifetime.
//! - **Clients' caches revalidate each time** (`no-cache, public`), because no purge reaches them.
//!   Consequence: one request for each use, but a 304 without a body.

pub mod directives;
pub mod freshness;
pub mod key;
pub mod single_flight;
pub mod store;

use super::{
    conditional::entity_tags::tag_of,
    filter::{Filter, RequestAction, ResponseAction},
};
use crate::{
    gateway::{
        context::{Completeness, RequestContext},
        extract::head,
        respond::Problem,
        routing::CachePolicy,
    },
    mesh::MeshError,
    telemetry::{CacheStatus, Forward},
    types::Principal,
};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::ServiceRequest,
    http::{
        StatusCode,
        header::{AGE, CACHE_CONTROL, ETAG, HeaderName, HeaderValue, SET_COOKIE},
    },
};
use directives::CacheDirectives;
use freshness::{Freshness, STALE_IF_ERROR};
use key::CacheKey;
use single_flight::Landing;
use std::{sync::Arc, time::Duration};
use store::{CachedResponse, Fill, Lookup, ResponseCache};
use tokio::sync::watch;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Answers from the store where it may, and stores the handler's response where it may.
pub struct Cache {
    store: Arc<ResponseCache>,
    /// Set if the request goes on to the handler.
    forwarded: Option<Forwarded>,
    /// Set if the handler's response is to be stored.
    fill: Option<Fill>,
}

struct Forwarded {
    why: Forward,
    /// The key of the stored response that replaces a failure. `None` if the client asks for a new
    /// response: then it gets the error.
    or_stale: Option<CacheKey>,
}

impl Cache {
    /// `store` is shared by all workers.
    pub fn new(store: &Arc<ResponseCache>) -> Self {
        Self { store: store.clone(), forwarded: None, fill: None }
    }
}

impl Filter for Cache {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, request: &'a mut ServiceRequest) -> RequestAction<'a> {
        let Some(ttl) = ttl(context).filter(|_| head::is_read(request.method())) else {
            return RequestAction::Continue;
        };
        let directives = CacheDirectives::of(request.headers());
        if directives.no_store {
            self.forwarded = Some(Forwarded { why: Forward::Request, or_stale: None });
            return RequestAction::Continue;
        }
        let key = key_of(context, request);
        let stored = self.store.get(&key);
        let usable = stored.as_ref().filter(|entry| directives.accepts(entry.made.elapsed()));
        if let Some(action) = usable.and_then(|entry| self.reuse(context, &key, entry, ttl, &directives)) {
            return action;
        }
        if directives.only_if_cached {
            let detail = "The cache holds no response that fits this request.";
            return RequestAction::Reject(Problem::new(StatusCode::GATEWAY_TIMEOUT, "not_cached", detail));
        }
        self.forward(context, key, stored.is_some(), directives.no_cache || directives.max_age.is_some())
    }

    fn on_response<'a>(
        &'a mut self,
        context: &'a RequestContext,
        _: &'a HttpRequest,
        response: HttpResponse,
    ) -> ResponseAction<'a> {
        ResponseAction::Continue(self.finish(context, response))
    }
}

impl Cache {
    /// Responds with a stored response that is fresh, or stale and about to be replaced; `None` if
    /// it is too old.
    fn reuse<'a>(
        &self,
        context: &RequestContext,
        key: &CacheKey,
        entry: &CachedResponse,
        ttl: Duration,
        directives: &CacheDirectives,
    ) -> Option<RequestAction<'a>> {
        match Freshness::of(entry.made.elapsed(), ttl) {
            Freshness::Fresh(ttl) => Some(RequestAction::Respond(hit(context, entry, CacheStatus::Fresh { ttl }))),
            // A client that names a greatest age also wants a fresh response (RFC 9111 §5.2.1.1).
            Freshness::Stale(past) if directives.max_age.is_none() => {
                Some(self.stale_while_revalidate(context, key, entry, past))
            }
            Freshness::Stale(_) | Freshness::Old(_) => None,
        }
    }

    /// Responds with the expired response. One of the requests that get it also calls the handler.
    fn stale_while_revalidate<'a>(
        &self,
        context: &RequestContext,
        key: &CacheKey,
        entry: &CachedResponse,
        past: u64,
    ) -> RequestAction<'a> {
        let response = hit(context, entry, CacheStatus::Stale { past });
        match self.store.begin(key) {
            Lookup::Lead(fill) => {
                let context = context.clone();
                RequestAction::RespondAndRevalidate(response, Box::new(move |fresh| _ = store(&context, fill, fresh)))
            }
            Lookup::Follow(_) => RequestAction::Respond(response),
        }
    }

    /// Calls the handler, or waits for a request that is calling it.
    fn forward<'a>(
        &'a mut self,
        context: &'a RequestContext,
        key: CacheKey,
        is_stored: bool,
        wants_new: bool,
    ) -> RequestAction<'a> {
        self.forwarded = Some(match is_stored {
            _ if wants_new => Forwarded { why: Forward::Request, or_stale: None },
            true => Forwarded { why: Forward::Stale, or_stale: Some(key.clone()) },
            false => Forwarded { why: Forward::Miss, or_stale: Some(key.clone()) },
        });
        match self.store.begin(&key) {
            Lookup::Lead(fill) => {
                self.fill = Some(fill);
                RequestAction::Continue
            }
            // A response that was requested before this request is not new enough for its client.
            Lookup::Follow(_) if wants_new => RequestAction::Continue,
            Lookup::Follow(landing) => RequestAction::Await(Box::pin(self.follow(context, key, landing))),
        }
    }

    /// Waits for the response of another request, at most until the deadline.
    async fn follow(
        &mut self,
        context: &RequestContext,
        key: CacheKey,
        mut landing: watch::Receiver<Landing>,
    ) -> Result<Option<HttpResponse>, Problem> {
        loop {
            // The sender is dropped at the end of the flight, however it ends.
            let landed = async { while landing.changed().await.is_ok() {} };
            if tokio::time::timeout_at(context.call_context().deadline, landed).await.is_err() {
                return Err(MeshError::TimedOut.into());
            }
            let landed = *landing.borrow();
            if landed == Landing::Stored
                && let Some(entry) = self.store.get(&key)
            {
                let why = self.forwarded.take().map_or(Forward::Miss, |forwarded| forwarded.why);
                return Ok(Some(hit(context, &entry, CacheStatus::Collapsed(why))));
            }
            if landed == Landing::NotStored {
                // The leader's response is for its caller alone, or cannot be stored: all followers
                // call the handler, at once.
                return Ok(None);
            }
            match self.store.begin(&key) {
                Lookup::Lead(fill) => {
                    self.fill = Some(fill);
                    return Ok(None);
                }
                Lookup::Follow(next) => landing = next,
            }
        }
    }

    /// Stores the handler's response. If that is a server error, the stored response replaces it.
    fn finish(&mut self, context: &RequestContext, response: HttpResponse) -> HttpResponse {
        let fill = self.fill.take();
        let Some(Forwarded { why, or_stale }) = self.forwarded.take() else { return response };
        if let Some(stale) = or_stale.and_then(|key| self.instead_of(context, &key, &response)) {
            fill.into_iter().for_each(Fill::store_nothing);
            return stale;
        }
        let (mut response, stored) = match fill {
            Some(fill) => store(context, fill, response),
            None => (response, false),
        };
        set_status(context, &mut response, CacheStatus::Forwarded { why, stored });
        response
    }

    /// The stored response, if the handler's is a server error and the stored one has not expired
    /// too long ago (`stale-if-error`, RFC 5861 §4).
    fn instead_of(&self, context: &RequestContext, key: &CacheKey, failure: &HttpResponse) -> Option<HttpResponse> {
        if !failure.status().is_server_error() {
            return None;
        }
        let entry = self.store.get(key)?;
        let past = entry.made.elapsed().saturating_sub(ttl(context)?);
        let status = CacheStatus::StaleIfError { status: failure.status().as_u16(), past: past.as_secs() };
        (past < STALE_IF_ERROR).then(|| hit(context, &entry, status))
    }
}

fn ttl(context: &RequestContext) -> Option<Duration> {
    freshness::ttl(context.route.cache, context.settings.cache_ttl_ms)
}

fn key_of(context: &RequestContext, request: &ServiceRequest) -> CacheKey {
    let user = match (context.route.cache, context.principal.get()) {
        (CachePolicy::Private(_), Principal::User { id, .. }) => Some(id),
        _ => None,
    };
    let id = request.match_info().get("id").unwrap_or_default();
    CacheKey::new(context.route.path, id, request.query_string(), user)
}

fn hit(context: &RequestContext, entry: &CachedResponse, status: CacheStatus) -> HttpResponse {
    let mut response = entry.response();
    response.headers_mut().insert(AGE, entry.made.elapsed().as_secs().into());
    set_status(context, &mut response, status);
    response
}

fn set_status(context: &RequestContext, response: &mut HttpResponse, status: CacheStatus) {
    context.outcome.cache.set(Some(status));
    if let Ok(value) = HeaderValue::try_from(status.to_string()) {
        response.headers_mut().insert(CACHE_STATUS, value);
    }
}

/// Stores the handler's response if it may be stored, and says whether it was.
fn store(context: &RequestContext, fill: Fill, response: HttpResponse) -> (HttpResponse, bool) {
    if !may_be_stored(&response, context.outcome.completeness.get()) {
        fill.store_nothing();
        return (response, false);
    }
    let (mut head, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        Err(stream) => {
            fill.store_nothing();
            return (head.set_body(stream), false);
        }
    };
    if !head.headers().contains_key(ETAG)
        && let Ok(tag) = HeaderValue::from_str(&tag_of(&body))
    {
        head.headers_mut().insert(ETAG, tag);
    }
    if let (CachePolicy::Shared(_), false) = (context.route.cache, head.headers().contains_key(CACHE_CONTROL)) {
        // A client's own cache must revalidate each time, because no purge reaches it.
        head.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, public"));
    }
    let headers = head.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let is_stored = fill.store(headers, body.clone(), context.cache_tags.take());
    (head.set_body(BoxBody::new(body)), is_stored)
}

/// Whether the response may be stored: only a complete 200 for all callers of the route (RFC 9111
/// §3).
fn may_be_stored(response: &HttpResponse, completeness: Option<Completeness>) -> bool {
    let headers = response.headers();
    let allows = |line: &HeaderValue| {
        line.to_str().is_ok_and(|line| {
            line.split(',')
                .all(|directive| !matches!(directive.trim().to_ascii_lowercase().as_str(), "no-store" | "private"))
        })
    };
    response.status() == StatusCode::OK
        && completeness != Some(Completeness::Degraded)
        && !headers.contains_key(SET_COOKIE)
        && headers.get_all(CACHE_CONTROL).all(allows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_responses_for_all_callers_are_stored() {
        let may = |response: &HttpResponse| may_be_stored(response, None);
        let ok = HttpResponse::Ok().finish();
        assert!(may(&ok) && may_be_stored(&ok, Some(Completeness::Complete)));
        assert!(!may_be_stored(&ok, Some(Completeness::Degraded)));
        assert!(may(&HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache, public")).finish()));
        for (name, value) in
            [("cache-control", "max-age=60, private"), ("cache-control", "No-Store"), ("set-cookie", "a=b")]
        {
            assert!(!may(&HttpResponse::Ok().insert_header((name, value)).finish()), "{name}: {value}");
        }
        assert!(!may(&HttpResponse::NotFound().finish()));
        assert!(!may(&HttpResponse::PartialContent().finish()));
    }
}
