//! What handlers take from a request: a parsed body, query or id; or the problem that says what is wrong where.

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
    fn a_handler_says_by_its_parameters_what_it_accepts() {
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
