//! Extractors: the parsed body, query or id of a request, as a parameter of a handler. An invalid
//! value gives a problem that says what is wrong and where.

pub mod body;
pub mod head;
pub mod path;
pub mod query;
pub mod strict_json;
pub mod value;

pub use body::{Body, MaybeBody};
pub use path::PathId;
pub use query::Query;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::{context::RequestContext, routing::Accepts};

    #[test]
    fn the_parameters_of_a_handler_say_what_it_accepts() {
        async fn plain(_: RequestContext, _: PathId<String>) -> &'static str {
            ""
        }
        async fn full(_: RequestContext, _: Query<()>, _: Body<()>) -> &'static str {
            ""
        }
        assert_eq!(Accepts::by(&plain), Accepts::NOTHING);
        assert_eq!(Accepts::by(&full), Accepts::ANYTHING);
    }
}
