//! The context of one request: the route, the caller, the trace, the deadline, and what became of
//! it.
//!
//! Filters fill it in on the way to the handler; handlers take it as a parameter. What only one
//! filter needs between request and response is a field of that filter, not of the context.
#![deny(missing_docs, clippy::missing_docs_in_private_items)]

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

/// The context of one request. A clone is cheap, and is the same context: `Cell`s that one clone
/// sets, all clones read. It stays on the thread that serves the request.
///
/// Pingora calls this `CTX`, Envoy stream info.
#[derive(Clone)]
pub struct RequestContext(Rc<ContextFields>);

/// The fields of a [`RequestContext`], which derefs to them.
pub struct ContextFields {
    /// What all requests share.
    pub gateway: Arc<Gateway>,
    /// One of the known methods, or `_OTHER`. Metrics count by it, so its values are few.
    pub method: &'static str,
    /// The row of the route table. A path that is in no row has an internal route.
    pub route: &'static Route,
    /// The route's settings at the moment when the request came. A later change by an operator
    /// holds for later requests only.
    pub settings: Arc<RouteSettings>,
    /// The trace id: from the request's `traceparent` (W3C Trace Context), else a new one.
    pub trace: TraceId,
    /// The caller's span, from `traceparent`.
    pub parent: Option<SpanId>,
    /// The span of this request. `None` until the filter `access_log` has opened it, and for a
    /// trace that is not recorded.
    pub span_id: Cell<Option<SpanId>>,
    /// When the request's head had arrived.
    pub begun: Instant,
    /// When the request's body had arrived; set by the filter `body`. The route's deadline counts
    /// from this moment, so that a slow upload does not use it up. Without a body it equals
    /// `begun`.
    pub complete: Cell<Instant>,
    /// The client's address, behind the trusted proxies (RFC 7239).
    pub client: IpAddr,
    /// The caller. `Anonymous` until the filter `authentication` has verified a token.
    pub principal: Cell<Principal>,
    /// The verified access token of the caller; set together with `principal`.
    pub bearer: Cell<Option<Bearer>>,
    /// Whether the client is a browser, which keeps its tokens in cookies that scripts cannot read.
    /// The filter `cross_site` sets it, by `Sec-Fetch-Site`.
    pub is_browser: Cell<bool>,
    /// The whole body, at most 64 KiB; set by the filter `body`. Empty if there is none.
    pub body: RefCell<Bytes>,
    /// The request's `Idempotency-Key`; set by the filter `idempotency`, on routes that use one.
    pub idempotency_key: RefCell<Option<ScopedKey>>,
    /// What the response is about; set by the handler. The filter `cache` stores the response with
    /// these tags.
    pub cache_tags: RefCell<Vec<CacheTag>>,
    /// What became of the request, for the access log and the metrics.
    pub outcome: RequestOutcome,
    /// The instances that answered calls of this request.
    served_by: RefCell<Vec<Arc<str>>>,
}

/// What became of the request. All fields are `None` when the request comes.
#[derive(Default)]
pub struct RequestOutcome {
    /// What the response cache did (RFC 9211); set by the filter `cache`. `None` on routes without
    /// a cache.
    pub cache: Cell<Option<CacheStatus>>,
    /// Whether all parts of a composed response are there; set by its handler. `None` for a
    /// response that is not composed.
    pub completeness: Cell<Option<Completeness>>,
    /// The code of the problem document (RFC 9457), if the response is one; set when the document
    /// is written.
    pub problem: Cell<Option<&'static str>>,
    /// The name of the filter that responded instead of the handler; set by the chain.
    pub stopped_by: Cell<Option<&'static str>>,
}

/// Whether every part of a composed response is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Every part is there.
    Complete,
    /// A part is missing, because the service that owns it did not answer.
    Degraded,
}

/// The owner of a verified access token.
#[derive(Debug, Clone, Copy)]
pub struct Bearer {
    /// The token's `sub`.
    pub user_id: UserId,
    /// The token's `sid`: the session that the token was issued for.
    pub session_id: SessionId,
    /// The token's `role`.
    pub role: Role,
    /// The token's `exp` plus the leeway, in seconds since 1970. The token is not valid from this
    /// second on.
    pub expires: i64,
}

impl Bearer {
    /// [`Self::expires`] as a timestamp; the last possible one if it is beyond all timestamps.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_second(self.expires).unwrap_or(Timestamp::MAX)
    }
}

/// An `Idempotency-Key` and the caller that it belongs to. Equal keys of different callers are
/// different keys.
#[derive(Debug, Clone)]
pub struct ScopedKey {
    /// The user id, or `anonymous` and the client's network.
    pub scope: String,
    /// The key as the client sent it: 1 to 255 visible ASCII characters, without quotes.
    pub key: String,
}

/// What is known about a request when the first filter gets it. The fields are those of
/// [`ContextFields`].
pub struct RequestHead {
    /// One of the known methods, or `_OTHER`.
    pub method: &'static str,
    /// The row of the route table.
    pub route: &'static Route,
    /// The route's settings at this moment.
    pub settings: Arc<RouteSettings>,
    /// The trace id.
    pub trace: TraceId,
    /// The caller's span.
    pub parent: Option<SpanId>,
    /// The client's address, behind the trusted proxies.
    pub client: IpAddr,
}

impl std::ops::Deref for RequestContext {
    type Target = ContextFields;
    fn deref(&self) -> &ContextFields {
        &self.0
    }
}

impl RequestContext {
    /// The context of a request whose head arrives now. The caller is anonymous, and the body
    /// empty.
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

    /// Calls a service on behalf of the caller, within the route's deadline. The error is the
    /// problem that the client gets, by the one table from errors to status codes.
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Reply, Problem>
    where
        Problem: From<R::Error>,
    {
        Ok(self.ask(&self.call_context(), request).await?)
    }

    /// Calls a service with another call context, and gives its error unchanged. The instance that
    /// answered is noted for `X-Served-By`.
    pub async fn ask<R: Request>(&self, context: &Context, request: R) -> Result<R::Reply, CallError<R::Error>> {
        let (by, result) = self.gateway.mesh.call_served(context, request).await;
        if let Some(by) = by {
            let mut served_by = self.served_by.borrow_mut();
            if !served_by.contains(&by) {
                served_by.push(by);
            }
        }
        result
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

    /// The time limit of the request, from the arrival of its body: the operator's, else the
    /// table's.
    pub fn deadline(&self) -> Duration {
        self.settings.deadline(self.route)
    }

    /// The context of the calls that this request makes: its caller, its trace, and the moment when
    /// its deadline is over.
    pub fn call_context(&self) -> Context {
        Context {
            principal: self.principal.get(),
            deadline: self.complete.get() + self.deadline(),
            trace: self.trace,
            span: self.span_id.get(),
        }
    }

    /// The client's IPv4 address, or the /64 network of its IPv6 address. Rate limits count by it.
    pub fn network(&self) -> IpAddr {
        client_address::network(self.client)
    }

    /// The caller's session; `None` for a caller that is not signed in.
    pub fn session(&self) -> Option<SessionId> {
        self.bearer.get().map(|bearer| bearer.session_id)
    }

    /// The signed-in user; 401 `unauthorized` for any other caller. The handler of a route with
    /// `Access::SignedIn` never gets the error.
    pub fn user(&self) -> Result<UserId, Problem> {
        let user = self.principal.get().user_id();
        user.ok_or_else(|| Problem::unauthorized("unauthorized", "Sign in first."))
    }

    /// The idempotency key together with its scope, as one text: unique among all callers. `None`
    /// if the request has no key, or the route does not use one.
    pub fn scoped_idempotency_key(&self) -> Option<String> {
        self.idempotency_key.borrow().as_ref().map(|key| format!("{}:{}", key.scope, key.key))
    }

    /// Names what the response is about. A change of one of these things purges the stored
    /// response.
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
        // Every route runs behind the filters. A route that did not would have no context, and
        // would answer 404 instead of admitting a caller that no filter has checked.
        ready(context.ok_or_else(Problem::not_found))
    }
}
