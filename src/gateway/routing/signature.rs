//! What a handler looks at and what it gives, read off its types: a route cannot be wrong about itself, and a new one cannot forget to say.

use super::{
    answer::{Answer, Content, Shape},
    body::{Body, MaybeBody, PathId, Query},
    visit::Visit,
};
use actix_web::{Handler, HttpRequest};
use utoipa::ToSchema;

/// What a route takes beside its path. The rest is refused: what nobody looks at, its sender expects something of in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takes {
    pub query: bool,
    pub body: bool,
}

impl Takes {
    pub const NOTHING: Self = Self { query: false, body: false };
    pub const ANYTHING: Self = Self { query: true, body: true };

    pub fn by<F: Handler<P>, P: Parameters>(_: &F) -> Self {
        P::TAKES
    }

    const fn or(self, other: Self) -> Self {
        Self { query: self.query || other.query, body: self.body || other.body }
    }
}

/// A handler's types, as far as a client sees them.
#[derive(Default)]
pub struct Signature {
    pub id: Option<Shape>,
    pub query: Option<Shape>,
    pub body: Option<Shape>,
    /// The body may be missing.
    pub body_is_optional: bool,
    pub answers: Vec<Given>,
}

/// One way in which a handler answers, if nothing is wrong.
pub struct Given {
    pub status: u16,
    /// Empty where the status says all.
    pub media_type: &'static str,
    /// `None` where it is no JSON.
    pub shape: Option<Shape>,
}

impl Signature {
    pub fn of<F: Handler<P>, P: Parameters>(_: &F) -> Self
    where
        F::Output: Answers,
    {
        let mut signature = Self { answers: F::Output::answers(), ..Self::default() };
        P::describe(&mut signature);
        signature
    }
}

/// What a handler can be given.
pub trait Parameter {
    const TAKES: Takes = Takes::NOTHING;

    fn describe(_: &mut Signature) {}
}

impl Parameter for Visit {}
impl Parameter for HttpRequest {}

impl<T: ToSchema> Parameter for PathId<T> {
    fn describe(signature: &mut Signature) {
        signature.id = Some(Shape::of::<T>());
    }
}

impl<T: ToSchema> Parameter for Query<T> {
    const TAKES: Takes = Takes { query: true, ..Takes::NOTHING };

    fn describe(signature: &mut Signature) {
        signature.query = Some(Shape::of::<T>());
    }
}

impl<T: ToSchema> Parameter for Body<T> {
    const TAKES: Takes = Takes { body: true, ..Takes::NOTHING };

    fn describe(signature: &mut Signature) {
        signature.body = Some(Shape::of::<T>());
    }
}

impl<T: ToSchema> Parameter for MaybeBody<T> {
    const TAKES: Takes = Takes { body: true, ..Takes::NOTHING };

    fn describe(signature: &mut Signature) {
        (signature.body, signature.body_is_optional) = (Some(Shape::of::<T>()), true);
    }
}

/// What a handler can give.
pub trait Answers {
    fn answers() -> Vec<Given>;
}

impl<T: Content, const STATUS: u16, const OR: u16> Answers for Answer<T, STATUS, OR> {
    fn answers() -> Vec<Given> {
        let given = |status| match status {
            204 => Given { status, media_type: "", shape: None },
            _ => Given { status, media_type: T::MEDIA_TYPE, shape: T::shape() },
        };
        let mut answers = vec![given(STATUS)];
        answers.extend((OR != STATUS).then(|| given(OR)));
        answers
    }
}

/// All of a handler's.
pub trait Parameters {
    const TAKES: Takes;

    fn describe(signature: &mut Signature);
}

macro_rules! parameters {
    ($($parameter:ident)*) => {
        impl<$($parameter: Parameter),*> Parameters for ($($parameter,)*) {
            const TAKES: Takes = Takes::NOTHING$(.or($parameter::TAKES))*;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_says_by_its_parameters_what_it_takes() {
        async fn plain(_: Visit, _: PathId<String>) -> &'static str {
            ""
        }
        async fn asked(_: Visit, _: Query<()>, _: Body<()>) -> &'static str {
            ""
        }
        assert_eq!(Takes::by(&plain), Takes::NOTHING);
        assert_eq!(Takes::by(&asked), Takes::ANYTHING);
    }
}
