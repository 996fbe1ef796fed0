//! One request at the door: who asks, for what, in which trace, until when.

use super::{Gateway, Route, client, controls::RouteSettings, duties::access_log, problem::Problem};
use crate::{
    mesh::{CallError, Context, Request, TraceId},
    telemetry::ActiveSpan,
    types::{Principal, SessionId, SpanId, UserId},
};
use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::{Extensions, Payload},
    web::Bytes,
};
use std::{
    cell::{Cell, RefCell},
    future::{Ready, ready},
    net::IpAddr,
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// Handlers take it as a parameter; duties fill it in on the way.
#[derive(Clone)]
pub struct Visit(Rc<Parts>);

pub struct Parts {
    pub gateway: Arc<Gateway>,
    /// One that routes have, or `_OTHER`.
    pub method: &'static str,
    pub route: &'static Route,
    /// As they were when the request came.
    pub settings: Arc<RouteSettings>,
    pub trace: TraceId,
    /// The span that stands for all of it, until it ends,
    pub span: Cell<Option<ActiveSpan>>,
    /// and its id.
    pub span_id: Option<SpanId>,
    pub begun: Instant,
    /// When the whole of the request was there: from then on the route's deadline runs.
    pub complete: Cell<Instant>,
    /// Where the request comes from, behind the proxies that are trusted.
    pub client: IpAddr,
    pub principal: Cell<Principal>,
    /// The session that the access token belongs to.
    pub session: Cell<Option<SessionId>>,
    /// Whether the sender is a browser that keeps its tokens in cookies out of scripts' reach.
    pub is_browser: Cell<bool>,
    /// The instances that answered on the way.
    served_by: RefCell<Vec<Arc<str>>>,
    /// Whether its line is in the log.
    pub is_logged: Cell<bool>,
    /// Read whole by the limits, before anything is done.
    pub body: RefCell<Bytes>,
    /// What a duty remembers on the way in for the way out, by its type.
    notes: RefCell<Extensions>,
}

/// Of a client that hangs up before there is an answer, the request is dropped wherever it stands.
impl Drop for Parts {
    fn drop(&mut self) {
        access_log::hung_up(self);
    }
}

impl std::ops::Deref for Visit {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Visit {
    pub fn new(
        gateway: Arc<Gateway>,
        method: &'static str,
        route: &'static Route,
        settings: Arc<RouteSettings>,
        trace: TraceId,
        span: ActiveSpan,
        client: IpAddr,
    ) -> Self {
        let begun = Instant::now();
        Self(Rc::new(Parts {
            gateway,
            method,
            route,
            settings,
            trace,
            span_id: span.id(),
            span: Cell::new(Some(span)),
            begun,
            complete: Cell::new(begun),
            client,
            principal: Cell::new(Principal::Anonymous),
            session: Cell::new(None),
            is_browser: Cell::new(false),
            served_by: RefCell::default(),
            is_logged: Cell::new(false),
            body: RefCell::default(),
            notes: RefCell::default(),
        }))
    }

    /// Asks a service on behalf of whoever is at the door.
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Reply, Problem>
    where
        Problem: From<R::Error>,
    {
        Ok(self.ask(&self.context(), request).await?)
    }

    /// The same with a context of the caller's making, and the answer as it came.
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

    /// The names of the instances that answered, for `X-Served-By`; empty where nobody was asked.
    pub fn served_by(&self) -> String {
        self.served_by.borrow().join(", ")
    }

    /// How long the whole of it may take.
    pub fn deadline(&self) -> Duration {
        self.settings.deadline(self.route)
    }

    pub fn note<T: 'static>(&self, note: T) {
        self.notes.borrow_mut().insert(note);
    }

    pub fn noted<T: Clone + 'static>(&self) -> Option<T> {
        self.notes.borrow().get().cloned()
    }

    pub fn take_note<T: 'static>(&self) -> Option<T> {
        self.notes.borrow_mut().remove()
    }

    pub fn context(&self) -> Context {
        Context {
            principal: self.principal.get(),
            deadline: self.complete.get() + self.deadline(),
            trace: self.trace,
            span: self.span_id,
        }
    }

    /// The client as far as it can be told from others.
    pub fn network(&self) -> IpAddr {
        client::network(self.client)
    }

    /// Who is signed in. Routes that need it are not reached without.
    pub fn user(&self) -> Result<UserId, Problem> {
        let user = self.principal.get().user_id();
        user.ok_or_else(|| Problem::unauthorized("unauthorized", "Sign in first."))
    }
}

impl FromRequest for Visit {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visit = request.extensions().get::<Visit>().cloned();
        // Every route is wrapped by the duties; one that is not would answer a 404 rather than let somebody in.
        ready(visit.ok_or_else(Problem::not_found))
    }
}
