//! The parameters and replies of a handler, derived from its types.
//!
//! A handler's parameters say whether the route accepts a query or a body, and its return type says
//! which replies it gives. The filter `unexpected_input` and the OpenAPI document read both from
//! here, so neither can contradict the code.
#![deny(missing_docs, clippy::missing_docs_in_private_items)]

use actix_web::{Handler, HttpRequest, web::Data};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

/// What a route accepts beside its path. The filter `unexpected_input` rejects anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepts {
    /// Whether the handler reads the query string.
    pub query: bool,
    /// Whether the handler reads the body.
    pub body: bool,
}

impl Accepts {
    /// Neither a query nor a body.
    pub const NOTHING: Self = Self { query: false, body: false };
    /// A query and a body.
    pub const ANYTHING: Self = Self { query: true, body: true };

    /// What the parameters of this handler accept together.
    pub fn by<F: Handler<P>, P: Parameters>(_: &F) -> Self {
        P::ACCEPTS
    }

    /// Accepts what either accepts.
    const fn or(self, other: Self) -> Self {
        Self { query: self.query || other.query, body: self.body || other.body }
    }
}

/// A type's schema, and the schemas that it refers to.
pub struct Shape {
    /// The type's name among the schemas of the OpenAPI document.
    pub name: String,
    /// Its JSON schema.
    pub schema: RefOr<Schema>,
    /// The names and schemas of the types that it refers to.
    pub needs: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    /// The shape of `T`.
    pub fn of<T: ToSchema>() -> Self {
        let mut needs = Vec::new();
        T::schemas(&mut needs);
        Self { name: T::name().into_owned(), schema: T::schema(), needs }
    }
}

/// A handler's types, as far as a client sees them.
#[derive(Default)]
pub struct Signature {
    /// The `{id}` in the path.
    pub id: Option<Shape>,
    /// The query string.
    pub query: Option<Shape>,
    /// The JSON body.
    pub body: Option<Shape>,
    /// Whether the body may be missing.
    pub body_is_optional: bool,
    /// The replies on success.
    pub replies: Vec<ReplyShape>,
}

/// One of the replies that a handler gives on success.
pub struct ReplyShape {
    /// The status code.
    pub status: u16,
    /// Empty for a reply without a body.
    pub media_type: &'static str,
    /// `None` if the body is not JSON.
    pub shape: Option<Shape>,
}

impl Signature {
    /// The signature of this handler.
    pub fn of<F: Handler<P>, P: Parameters>(_: &F) -> Self
    where
        F::Output: Replies,
    {
        let mut signature = Self { replies: F::Output::replies(), ..Self::default() };
        P::describe(&mut signature);
        signature
    }
}

/// A parameter of a handler: an extractor, in the terms of actix-web.
pub trait Parameter {
    /// What of the request the parameter reads.
    const ACCEPTS: Accepts = Accepts::NOTHING;

    /// Adds the parameter's schema to the handler's signature.
    fn describe(_: &mut Signature) {}
}

impl Parameter for HttpRequest {}
impl<T: ?Sized> Parameter for Data<T> {}

/// The return type of a handler.
pub trait Replies {
    /// The replies on success that the type allows.
    fn replies() -> Vec<ReplyShape>;
}

/// All parameters of a handler.
pub trait Parameters {
    /// What they read together.
    const ACCEPTS: Accepts;

    /// Adds the schemas of all of them to the handler's signature.
    fn describe(signature: &mut Signature);
}

/// Implements [`Parameters`] for tuples of parameters.
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
