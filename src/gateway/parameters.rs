//! What a handler looks at, read off its parameters: a route cannot be wrong about itself, and a new one cannot forget to say.

use super::{
    body::{Body, MaybeBody, PathId, Query},
    visit::Visit,
};
use actix_web::{Handler, HttpRequest};

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

/// What a handler can be given.
pub trait Parameter {
    const TAKES: Takes = Takes::NOTHING;
}

impl Parameter for Visit {}
impl Parameter for HttpRequest {}
impl<T> Parameter for PathId<T> {}

impl<T> Parameter for Query<T> {
    const TAKES: Takes = Takes { query: true, ..Takes::NOTHING };
}

impl<T> Parameter for Body<T> {
    const TAKES: Takes = Takes { body: true, ..Takes::NOTHING };
}

impl<T> Parameter for MaybeBody<T> {
    const TAKES: Takes = Takes { body: true, ..Takes::NOTHING };
}

/// All of a handler's.
pub trait Parameters {
    const TAKES: Takes;
}

macro_rules! parameters {
    ($($parameter:ident)*) => {
        impl<$($parameter: Parameter),*> Parameters for ($($parameter,)*) {
            const TAKES: Takes = Takes::NOTHING$(.or($parameter::TAKES))*;
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
