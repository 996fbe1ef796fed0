//! A row of the route table.

use super::signature::{Accepts, Signature};
use crate::gateway::filters::rate_limit::policy::Class;
use actix_web::http::Method;
use std::{fmt, time::Duration};

/// One route: everything that the filters need to know before its handler runs.
pub struct Route {
    pub method: Method,
    /// A template in the syntax of actix-web: `/api/v1/orders/{id}`.
    pub path: &'static str,
    pub access: Access,
    pub class: Class,
    pub key: KeyUse,
    pub cache: CachePolicy,
    /// The time limit of one request, from the moment when its body is there.
    pub deadline: Duration,
    pub handler: Handler,
}

impl Route {
    /// The name of the route in `/api/v1/gateway/routes`, made from its handler: `products.get`.
    pub fn id(&self) -> String {
        self.handler.name.replace("::", ".")
    }
}

/// The function that answers, and what its types say.
#[derive(Clone, Copy)]
pub struct Handler {
    /// `products::get`
    pub name: &'static str,
    pub route: fn() -> actix_web::Route,
    pub accepts: fn() -> Accepts,
    pub signature: fn() -> Signature,
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Public,
    SignedIn,
    Operator,
}

/// What an `Idempotency-Key` means to the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// The key is not read: the method is safe or idempotent, or each request makes a session of its own.
    Ignored,
    Optional,
    Required,
    /// The key is optional. The response carries tokens and is not kept: the gateway keeps only for which request the key was used. The
    /// same request runs its handler again, whose service knows the key.
    Own,
}

/// Whether responses are stored in the cache, and for how many seconds. Only for `GET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CachePolicy {
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
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::SignedIn => "signed-in",
            Self::Operator => "operator",
        }
    }
}

impl KeyUse {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignored => "-",
            Self::Optional => "optional",
            Self::Required => "required",
            Self::Own => "own",
        }
    }
}
