//! # Galleria: the map of the house
//!
//! *Many shops under one roof, one door to the street.*
//!
//! One binary that is a complete web shop and a working lesson in microservices and API gateways. Every business capability
//! is an actor with a tree of its own on disk; they know each other only by typed messages; a gateway is the only door.
//!
//! ```text
//!                        browser, curl
//!                              │ HTTP
//!   gateway    ┌───────────────▼────────────────┐   routes.rs: the API at a glance
//!              │ duties, one after the other    │   duties/: one file each, one list
//!              │ handlers: request → message    │   api/: no business here
//!              └───────────────┬────────────────┘
//!                              │ mesh.call(&context, ReserveStock { … }).await
//!   mesh       ┌───────────────▼────────────────┐   finds an instance, minds the deadline,
//!              │ breakers, balancing, relay     │   replaces the dead, delivers the events
//!              └─┬─────┬─────┬─────┬─────┬────┬─┘
//!   services   users products carts orders payments shipping notifications
//!              each: messages → actor → rules → store
//!                │     │     │     │     │    │
//!   storage    ┌─▼─────▼─────▼─────▼─────▼────▼─┐   one tree a service; records changed by
//!              │ records, outboxes, commits     │   compare-and-swap; group commit
//!              └────────────────────────────────┘
//! ```
//!
//! ## Where to begin
//!
//! 1. [`gateway::routes`]: what the shop can be asked.
//! 2. `gateway/duties/mod.rs`: what happens to every request, in which order.
//! 3. [`services`]: who may call whom; then [`services::carts`], the smallest service. Who has read one has read all:
//!    `messages.rs` (its one public room), `rules.rs` (decisions, pure), `store.rs` (its tree), `actor.rs` (a short handler per request).
//! 4. [`services::orders`]: `saga.rs` is the list of steps that an order takes, and how each is undone.
//! 5. [`mesh`]: how a message finds its way; `edge.rs` and `pool.rs`, what stands on it; `node.rs`, the threads that instances live on,
//!    which are the door's; `supervise.rs`, what happens when one dies; `relay.rs`, how events get there.
//! 6. [`storage`]: why nothing is lost.
//! 7. [`app`]: how it is all put together.
//!
//! ## The rooms
//!
//! | room | what it is |
//! |---|---|
//! | `main.rs`, [`commands`] | the command line: its flags, and what each command does |
//! | [`app`] | the composition root; the only place that knows everybody |
//! | [`audit`] | the books: asks every service for its side, and sets the two sides of each equation against each other |
//! | [`config`] | settings: defaults < file < environment < flags |
//! | [`env`] | the one seam to the world: clock, waiting, randomness, ids, blocking work |
//! | [`types`] | values that every room shares; pure data |
//! | [`mesh`] | how any caller finds and reaches a service |
//! | [`storage`] | one owner's own tree: a service's, the gateway's, the payment provider's; the only room that knows sled |
//! | [`services`] | one folder per capability; none knows HTTP |
//! | [`gateway`] | the door |
//! | [`telemetry`] | log lines, spans, metrics |
//! | [`lab`] | the control room |
//! | [`demo`] | the demo catalogue |
//!
//! ## What always holds
//!
//! Each of these sentences has a test that was seen failing (`tests/boundaries.rs`, or where it names another).
//!
//! - `types` and `env` import no other room of the house.
//! - Only `storage` knows sled; only `gateway` knows actix-web.
//! - Only [`app`] and the command line open the data folder; services and the gateway are handed a tree of their own.
//! - A service imports its own rooms, the rooms below it, and of other services only `messages`: of those that
//!   [`services::ALLOWED_CALLS`] lists for it, or whose events it hears.
//! - `ALLOWED_CALLS` has no circle, and the mesh refuses a call that it does not list.
//! - Who hears an event is in [`services::SUBSCRIPTIONS`], and does not depend on who runs at the moment (`mesh/tests/calls.rs`, `app.rs`).
//! - Every service has the same rooms; its actor is a private type, which nobody else can name.
//! - Nobody imports [`app`].
//! - A reply to a command means that it is on disk (`tests/shop/killing.rs`).
//! - An answer that is kept for an `Idempotency-Key` is on disk before the client gets it; no service knows of it
//!   (`tests/shop/journeys/keys.rs`, `tests/shop/dying.rs`).
//! - Whatever goes wrong, everything comes to rest as a small model says (`tests/simulation/`), and the books balance (`src/audit/tests.rs`).
//! - A record and the events that it owes are one write; a record with unfinished business has its open marker
//!   (`storage/table/tests.rs`).
//! - An event that a record owes is delivered, once, or lies where an operator finds it and can have it delivered (`mesh/tests/events.rs`).
//! - Every route says who may call it; every row of the table is tried as nobody, as a customer and as a stranger (`tests/shop/access.rs`).
//! - The duties of the door stand in one order (`gateway/duties/mod.rs`, `tests/shop/duties.rs`).
//! - Whoever was told of a change never reads from the cache what was before (`tests/shop/caching.rs`).
//! - A service that grows or shrinks loses no call (`mesh/tests/scaling.rs`); an ejected instance is never the last, nor one of more than
//!   half (`mesh/tests/breakers.rs`); nothing is tried past its deadline, or again without a key (`mesh/tests/retries.rs`).
//! - Whatever is done to a service, only what needs it suffers, and not for long (`tests/shop/chaos.rs`).
//! - A change of a control that makes no sense changes nothing; one that was made is there after a restart (`tests/shop/controls.rs`).
//! - Every message of a request can be seen, also what it causes later and after a restart; no secret is in any of it
//!   (`tests/shop/traces.rs`).
//! - Every refusal is a problem document; no input makes a 5xx (`tests/shop/bad_input.rs`).
//! - A panic takes down one instance, and only its caller notices (`mesh/tests/calls.rs`, `tests/shop/concurrency.rs`).

pub mod app;
pub mod audit;
pub mod commands;
pub mod config;
pub mod demo;
pub mod env;
pub mod gateway;
pub mod lab;
pub mod mesh;
pub mod services;
pub mod storage;
pub mod telemetry;
pub mod types;
