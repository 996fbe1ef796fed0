//! The Lab: shows the running system and injects faults into it.
//!
//! ## Decisions
//!
//! - **Faults are injected where they would happen.** A crash is a panic inside the actor, a pause is
//!   a handler that waits, a lost message is lost on the link. Consequence: the shop has no code that
//!   knows whether a fault is real, so a lesson shows what a real fault would show.
//! - **A fault ends with the program.** Consequence: a restart always gives a sound shop.

mod faults;
mod link_selector;

pub use faults::{crash, pause, services, set_link};
pub use link_selector::LinkSelector;
