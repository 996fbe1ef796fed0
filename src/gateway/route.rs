//! What a row of the route table says.

use super::parameters::{Signature, Takes};
use crate::types::Class;
use actix_web::http::Method;
use std::{fmt, time::Duration};

/// One route: all that is to be known about it before its handler runs.
pub struct Route {
    pub method: Method,
    /// As actix-web has it: `/api/v1/orders/{id}`.
    pub path: &'static str,
    pub access: Access,
    pub class: Class,
    pub key: KeyUse,
    pub cache: CachePolicy,
    /// Covers everything that is done for a request.
    pub deadline: Duration,
    pub handler: Handler,
}

impl Route {
    /// What it is called where it is changed: `products.get`, after its handler.
    pub fn id(&self) -> String {
        self.handler.name.replace("::", ".")
    }
}

/// Who answers.
#[derive(Clone, Copy)]
pub struct Handler {
    /// `products::get`
    pub name: &'static str,
    pub route: fn() -> actix_web::Route,
    pub takes: fn() -> Takes,
    pub signature: fn() -> Signature,
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Public,
    SignedIn,
    Operator,
}

/// What an `Idempotency-Key` means to the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// The key is not looked at: the method is safe or idempotent, or each request makes a session of its own.
    Ignored,
    Optional,
    Required,
    /// The key may be there. The answer carries tokens and is not kept: only for which request the
    /// key was used is. The same request runs its handler again, whose service knows the key.
    Own,
}

/// Whether answers are kept to be given again, and for how many seconds. It is for `GET` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CachePolicy {
    Never,
    /// The same for everybody who may ask, signed in or not.
    Shared(u32),
    /// For whom it was made, and nobody else.
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
