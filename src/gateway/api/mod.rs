//! The handlers, one file for each capability of the shop.
//!
//! ## Decisions
//!
//! - **A handler only translates: request → message → reply.** Context: rules in a handler can be
//!   bypassed by the next handler that sends the same message, and can be tested only over HTTP.
//!   Decision: services decide; a handler parses the request, sends one message, and makes the
//!   reply. Errors become problem documents in one table
//!   ([`respond::errors`](super::respond::errors)). Consequence: no service knows HTTP, and most
//!   handlers have fewer than ten lines.
//! - **Pages that need several services are composed here, in parallel, under one deadline**
//!   ([`composed`]). Context: a browser that sends five requests waits for the slowest of them on
//!   each page, over a slow link. Decision: the gateway asks the services in parallel, and gives
//!   them 85 % of the route's deadline. Consequence: an optional part that fails is `null` and
//!   named in `degraded`; a required part that fails is the problem of the whole page.

pub mod analytics;
pub mod carts;
pub mod composed;
pub mod controls;
pub mod events;
pub mod lab;
pub mod notifications;
pub mod operation;
pub mod order_events;
pub mod orders;
pub mod paging;
pub mod payments;
pub mod products;
pub mod shipping;
pub mod tokens;
pub mod traces;
pub mod users;
