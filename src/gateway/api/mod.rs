//! The handlers, one file a capability. A handler makes a message of a request, sends it to a service, and makes a reply of the answer.

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
pub mod traces;
pub mod users;
