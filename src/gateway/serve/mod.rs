//! Serves HTTP: the router made from the route table, the worker threads, TLS, and the server that
//! owns them.
//!
//! ## Decisions
//!
//! - **The workers are the nodes.** The threads that serve HTTP also run the instances of the
//!   services ([`crate::mesh::Mesh::on_threads`]). A call between a handler and an instance on the
//!   same thread needs no wake-up of another thread. Consequence: workers start before there is a
//!   router, and a worker that reads a burst of requests delays the instances on its thread.
//! - **One app for each worker, one state for all.** actix-web makes an app on each thread; what
//!   filters and handlers share is behind an `Arc` ([`router::Router`]). Consequence: no lock
//!   around the app, and a limit holds for the whole shop.
//! - **TLS in the process, by rustls.** Consequence: the shop can be tried with HTTPS and HTTP/2
//!   without a proxy, and a certificate can be replaced while it runs.
//! - **Closing takes three steps**: reject new requests, let the running ones end, then stop the
//!   services. Consequence: no running request loses the service that it calls.

pub mod router;
pub mod server;
pub mod tls;
pub mod workers;
