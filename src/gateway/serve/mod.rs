//! Serves HTTP: the router made from the route table, the worker threads, TLS, and the server that owns them.

pub mod router;
pub mod server;
pub mod tls;
pub mod workers;
