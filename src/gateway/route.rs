//! What a row of the route table says.

use super::parameters::Takes;
use actix_web::http::Method;
use std::{num::NonZeroU32, time::Duration};

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
    /// It is not looked at: a safe method, an idempotent one, or an answer full of secrets that must not be kept.
    Ignored,
    Optional,
    Required,
    /// It may be there, and the service itself minds it.
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

/// How often a client may call: each class has a bucket of its own, and owns its numbers and its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Not counted: the probes.
    Free,
    Browse,
    Write,
    SignIn,
    Checkout,
    Lab,
    /// No route's: requests whose token was not good, of whatever class they would have been.
    BadToken,
}

impl Class {
    /// All that are counted.
    pub const ALL: [Self; 6] = [Self::Browse, Self::Write, Self::SignIn, Self::Checkout, Self::Lab, Self::BadToken];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Browse => "browse",
            Self::Write => "write",
            Self::SignIn => "sign-in",
            Self::Checkout => "checkout",
            Self::Lab => "lab",
            Self::BadToken => "bad-token",
        }
    }

    /// So many requests at once, and as many again in so many seconds.
    pub const fn quota(self) -> Option<(NonZeroU32, u32)> {
        let (requests, seconds) = match self {
            Self::Free => return None,
            Self::Browse => (1000, 10),
            Self::Write => (300, 10),
            Self::SignIn => (300, 60),
            Self::Checkout => (300, 60),
            Self::Lab => (600, 60),
            Self::BadToken => (300, 60),
        };
        match NonZeroU32::new(requests) {
            Some(requests) => Some((requests, seconds)),
            None => None,
        }
    }

    /// What a client that came too often is told.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Free | Self::Browse => {
                "You are looking at more pages than a person can read. Wait a moment and go on."
            }
            Self::Write => "You are changing things faster than a person can. Wait a moment and try again.",
            Self::SignIn => "There were too many sign-ins from here. Wait a little before the next one.",
            Self::Checkout => "There were too many orders in a short time. Wait a little before the next one.",
            Self::BadToken => "There were too many requests with tokens that are not good. Sign in, or wait a little.",
            Self::Lab => "The Lab has had enough for the moment. Wait a little and go on.",
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
