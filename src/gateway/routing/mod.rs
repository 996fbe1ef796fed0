//! What a route is: a row of the table, the settings that an operator can change, and the types of
//! its handler's parameters and replies.
#![deny(missing_docs, clippy::missing_docs_in_private_items)]

pub mod route;
pub mod settings;
pub mod signature;

pub use route::{Access, CachePolicy, Handler, KeyUse, Route};
pub use settings::{LiveRoute, RouteSettings};
pub use signature::{Accepts, Parameter, ReplyShape, Shape, Signature};
