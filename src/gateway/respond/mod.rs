//! What the gateway sends back: replies, problem documents, and the one table from an error to its
//! problem.

pub mod cache_tag;
pub mod errors;
pub mod problem;
pub mod reply;

pub use cache_tag::CacheTag;
pub use problem::Problem;
pub use reply::{Reply, ReplyResult};
