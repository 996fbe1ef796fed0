//! The context of one request: the route, the caller, the trace, the deadline, and what became of it.
//!
//! Filters fill it in on the way to the handler; handlers take it as a parameter. What only one
//! filter needs between request and response is a field of that filter, not of the context.

use super::{
    client_address,
    respond::{CacheTag, Problem},
    routing::{Parameter, Route, RouteSettings},
    state::Gateway,
};
use crate::{
    mesh::{CallError, Context, Request, TraceId},
    telemetry::{CacheStatus, SpanContext},
    types::{Principal, Role, SessionId, SpanId, SpanRef, Timestamp, UserId},
};
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, web::Bytes};
use std::{
    cell::{Cell, RefCell},
    future::{Ready, ready},
    net::IpAddr,
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// Cheap to clone: all clones are the same context.
#[derive(Clone)]
pub struct RequestContext(Rc<ContextFields>);

pub struct ContextFields {
    pub gateway: Arc<Gateway>,
    /// One of the known methods, or `_OTHER`.
    pub method: &'static str,
    pub route: &'static Route,
    /// The settings at the moment when the request came.
    pub settings: Arc<RouteSettings>,
    pub trace: TraceId,
    /// The caller's span, from `traceparent`.
    pub parent: Option<SpanId>,
    /// The span of this request, once the access log has opened it.
    pub span_id: Cell<Option<SpanId>>,
    pub begun: Instant,
    /// When the body was there. The route's deadline counts from this moment.
    pub complete: Cell<Instant>,
    /// The client's address, behind the trusted proxies.
    pub client: IpAddr,
    pub principal: Cell<Principal>,
    /// The verified access token of the caller.
    pub bearer: Cell<Option<Bearer>>,
    /// Whether the client is a browser, which keeps its tokens in cookies that scripts cannot read.
    pub is_browser: Cell<bool>,
    /// The whole body, at most 64 KB: the filter `body` reads it.
    pub body: RefCell<Bytes>,
    /// The request's `Idempotency-Key`, on routes that have one.
    pub idempotency_key: RefCell<Option<ScopedKey>>,
    /// What the response is about, for the cache.
    pub cache_tags: RefCell<Vec<CacheTag>>,
    pub outcome: RequestOutcome,
    /// The instances that answered calls of this request.
    served_by: RefCell<Vec<Arc<str>>>,
}

/// What became of the request.
#[derive(Default)]
pub struct RequestOutcome {
    /// `None` on routes without a cache.
    pub cache: Cell<Option<CacheStatus>>,
    /// `None` for responses that are not composed.
    pub completeness: Cell<Option<Completeness>>,
    /// The code of the problem document, if the response is one.
    pub problem: Cell<Option<&'static str>>,
    /// The filter that responded instead of the handler.
    pub stopped_by: Cell<Option<&'static str>>,
}

/// Whether every part of a composed response is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    Complete,
    Degraded,
}

/// The owner of a verified access token.
#[derive(Debug, Clone, Copy)]
pub struct Bearer {
    pub user_id: UserId,
    pub session_id: SessionId,
    pub role: Role,
    /// The token's `exp` and the leeway, in seconds since 1970.
    pub expires: i64,
}

impl Bearer {
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_second(self.expires).unwrap_or(Timestamp::MAX)
    }
}

/// An `Idempotency-Key` and the caller that it belongs to: keys of different callers never meet.
#[derive(Debug, Clone)]
pub struct ScopedKey {
    pub scope: String,
    pub key: String,
}

/// What is known about a request when the first filter gets it.
pub struct RequestHead {
    pub method: &'static str,
    pub route: &'static Route,
    pub settings: Arc<RouteSettings>,
    pub trace: TraceId,
    pub parent: Option<SpanId>,
    pub client: IpAddr,
}

impl std::ops::Deref for RequestContext {
    type Target = ContextFields;
    fn deref(&self) -> &ContextFields {
        &self.0
    }
}

impl RequestContext {
    pub fn new(gateway: Arc<Gateway>, head: RequestHead) -> Self {
        let begun = Instant::now();
        let RequestHead { method, route, settings, trace, parent, client } = head;
        Self(Rc::new(ContextFields {
            gateway,
            method,
            route,
            settings,
            trace,
            parent,
            span_id: Cell::new(None),
            begun,
            complete: Cell::new(begun),
            client,
            principal: Cell::new(Principal::Anonymous),
            bearer: Cell::new(None),
            is_browser: Cell::new(false),
            body: RefCell::default(),
            idempotency_key: RefCell::default(),
            cache_tags: RefCell::default(),
            outcome: RequestOutcome::default(),
            served_by: RefCell::default(),
        }))
    }

    /// Calls a service on behalf of the caller.
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Reply, Problem>
    where
        Problem: From<R::Error>,
    {
        Ok(self.ask(&self.call_context(), request).await?)
    }

    /// Calls a service with another call context, and gives the error as it came.
    pub async fn ask<R: Request>(&self, context: &Context, request: R) -> Result<R::Reply, CallError<R::Error>> {
        let (by, answer) = self.gateway.mesh.call_served(context, request).await;
        if let Some(by) = by {
            let mut served_by = self.served_by.borrow_mut();
            if !served_by.contains(&by) {
                served_by.push(by);
            }
        }
        answer
    }

    /// The context of the request's span, for work of the gateway itself.
    pub fn span_context(&self) -> SpanContext {
        let at = self.span_id.get().map(|span| SpanRef { trace: self.trace, span });
        at.map(|at| self.gateway.mesh.tracer().context_of(at)).unwrap_or_default()
    }

    /// The names of the instances that answered, for `X-Served-By`; empty if no service was called.
    pub fn served_by(&self) -> String {
        self.served_by.borrow().join(", ")
    }

    /// The time limit of the whole request.
    pub fn deadline(&self) -> Duration {
        self.settings.deadline(self.route)
    }

    /// The context of the calls that this request makes.
    pub fn call_context(&self) -> Context {
        Context {
            principal: self.principal.get(),
            deadline: self.complete.get() + self.deadline(),
            trace: self.trace,
            span: self.span_id.get(),
        }
    }

    /// The client's address, or its network where one client has many addresses.
    pub fn network(&self) -> IpAddr {
        client_address::network(self.client)
    }

    /// The caller's session.
    pub fn session(&self) -> Option<SessionId> {
        self.bearer.get().map(|bearer| bearer.session_id)
    }

    /// The signed-in user. The handler of a route that requires one never gets the error.
    pub fn user(&self) -> Result<UserId, Problem> {
        let user = self.principal.get().user_id();
        user.ok_or_else(|| Problem::unauthorized("unauthorized", "Sign in first."))
    }

    /// The idempotency key together with its scope, as one text: unique among all callers.
    pub fn scoped_idempotency_key(&self) -> Option<String> {
        self.idempotency_key.borrow().as_ref().map(|key| format!("{}:{}", key.scope, key.key))
    }

    /// Names what the response is about: a change of it purges the stored response.
    pub fn tag_response(&self, tags: impl IntoIterator<Item = CacheTag>) {
        *self.cache_tags.borrow_mut() = tags.into_iter().collect();
    }
}

impl Parameter for RequestContext {}

impl FromRequest for RequestContext {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let context = request.extensions().get::<RequestContext>().cloned();
        // Every route runs behind the filters. A route that does not would answer 404 rather than admit a caller unchecked.
        ready(context.ok_or_else(Problem::not_found))
    }
}
