//! A row of the route table.
#![deny(missing_docs, clippy::missing_docs_in_private_items)]

use super::signature::{Accepts, Signature};
use crate::gateway::filters::rate_limit::policy::Class;
use actix_web::http::Method;
use std::{fmt, time::Duration};

/// One route: everything that the filters need to know before its handler runs. Each field is a
/// column of the route table.
pub struct Route {
    /// The method. A route for `GET` also answers `HEAD` (RFC 9110 §9.3.2).
    pub method: Method,
    /// A template in the syntax of actix-web: `/api/v1/orders/{id}`. At most one parameter, `{id}`.
    pub path: &'static str,
    /// Which callers may call the route. Read by the filter `authorization`.
    pub access: Access,
    /// The class whose rate and concurrency limits hold. Read by `in_flight`, `admission` and
    /// `rate_limit`.
    pub class: Class,
    /// What an `Idempotency-Key` means. Read by the filter `idempotency`.
    pub key: KeyUse,
    /// Whether responses are stored, and how long they are fresh. Read by the filter `cache`.
    pub cache: CachePolicy,
    /// The time limit of one request, from the arrival of its body. Calls of services that run
    /// longer fail with 504 `timed_out`.
    pub deadline: Duration,
    /// The function that answers.
    pub handler: Handler,
}

impl Route {
    /// The name of the route in `/api/v1/gateway/routes`, made from its handler: `products.get`.
    pub fn id(&self) -> String {
        self.handler.name.replace("::", ".")
    }
}

/// The function that answers, and what its types say. The last three fields are functions because
/// the table is a constant.
#[derive(Clone, Copy)]
pub struct Handler {
    /// Module and function: `products::get`.
    pub name: &'static str,
    /// Makes the actix-web route that calls the function.
    pub route: fn() -> actix_web::Route,
    /// Whether the function takes a query or a body.
    pub accepts: fn() -> Accepts,
    /// The schemas of its parameters and replies, for the OpenAPI document.
    pub signature: fn() -> Signature,
}

/// Which callers may call a route. Whether a record belongs to the caller is for the service that
/// owns the record to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Every caller.
    Public,
    /// Callers with a valid access token; others get 401.
    SignedIn,
    /// Callers whose token has the role `operator`; other users get 403, others 401.
    Operator,
}

/// What an `Idempotency-Key` means to the route (draft-ietf-httpapi-idempotency-key-header).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// The key is not read: the method is safe or idempotent, or each request makes a session of
    /// its own.
    Ignored,
    /// A request with a key runs once, and its response is kept for 24 hours.
    Optional,
    /// As `Optional`; a request without a key gets 400 `idempotency_key_required`.
    Required,
    /// The key is optional. The response carries tokens and is not kept: the gateway keeps only for
    /// which request the key was used. The same request runs its handler again; the service knows
    /// the key.
    Own,
}

/// Whether responses are stored in the cache (RFC 9111), and for how many seconds they are fresh.
/// Only for `GET`; `HEAD` uses the same stored responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CachePolicy {
    /// Responses are not stored.
    Never,
    /// One response for all callers, signed in or not.
    Shared(u32),
    /// One response for each user.
    Private(u32),
}

impl fmt::Display for CachePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("-"),
            Self::Shared(seconds) => write!(f, "shared {seconds} s"),
            Self::Private(seconds) => write!(f, "private {seconds} s"),
        }
    }
}

impl Access {
    /// The name in listings of the routes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::SignedIn => "signed-in",
            Self::Operator => "operator",
        }
    }
}

impl KeyUse {
    /// The name in listings of the routes; `-` if the key is not read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignored => "-",
            Self::Optional => "optional",
            Self::Required => "required",
            Self::Own => "own",
        }
    }
}
