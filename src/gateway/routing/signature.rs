//! What a handler takes and gives, read off its types.
//!
//! A handler's parameters say whether the route accepts a query or a body, and its return type says
//! which replies it gives. The filter `unexpected_input` and the OpenAPI document read both from here,
//! so neither can contradict the code.

use actix_web::{Handler, HttpRequest, web::Data};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

/// What a route accepts beside its path. The filter `unexpected_input` rejects anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepts {
    pub query: bool,
    pub body: bool,
}

impl Accepts {
    pub const NOTHING: Self = Self { query: false, body: false };
    pub const ANYTHING: Self = Self { query: true, body: true };

    pub fn by<F: Handler<P>, P: Parameters>(_: &F) -> Self {
        P::ACCEPTS
    }

    const fn or(self, other: Self) -> Self {
        Self { query: self.query || other.query, body: self.body || other.body }
    }
}

/// A type's schema, and the schemas that it refers to.
pub struct Shape {
    pub name: String,
    pub schema: RefOr<Schema>,
    pub needs: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    pub fn of<T: ToSchema>() -> Self {
        let mut needs = Vec::new();
        T::schemas(&mut needs);
        Self { name: T::name().into_owned(), schema: T::schema(), needs }
    }
}

/// A handler's types, as far as a client sees them.
#[derive(Default)]
pub struct Signature {
    pub id: Option<Shape>,
    pub query: Option<Shape>,
    pub body: Option<Shape>,
    /// Whether the body may be missing.
    pub body_is_optional: bool,
    pub replies: Vec<ReplyShape>,
}

/// One of the replies that a handler gives on success.
pub struct ReplyShape {
    pub status: u16,
    /// Empty for a reply without a body.
    pub media_type: &'static str,
    /// `None` if the body is not JSON.
    pub shape: Option<Shape>,
}

impl Signature {
    pub fn of<F: Handler<P>, P: Parameters>(_: &F) -> Self
    where
        F::Output: Replies,
    {
        let mut signature = Self { replies: F::Output::replies(), ..Self::default() };
        P::describe(&mut signature);
        signature
    }
}

/// A parameter of a handler.
pub trait Parameter {
    const ACCEPTS: Accepts = Accepts::NOTHING;

    fn describe(_: &mut Signature) {}
}

impl Parameter for HttpRequest {}
impl<T: ?Sized> Parameter for Data<T> {}

/// The return type of a handler.
pub trait Replies {
    fn replies() -> Vec<ReplyShape>;
}

/// All parameters of a handler.
pub trait Parameters {
    const ACCEPTS: Accepts;

    fn describe(signature: &mut Signature);
}

macro_rules! parameters {
    ($($parameter:ident)*) => {
        impl<$($parameter: Parameter),*> Parameters for ($($parameter,)*) {
            const ACCEPTS: Accepts = Accepts::NOTHING$(.or($parameter::ACCEPTS))*;

            fn describe(_signature: &mut Signature) {
                $($parameter::describe(_signature);)*
            }
        }
    };
}

parameters! {}
parameters! { A }
parameters! { A B }
parameters! { A B C }
parameters! { A B C D }
parameters! { A B C D E }
