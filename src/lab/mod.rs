//! The Lab: shows the running system and injects faults into it.

mod faults;
mod link_selector;

pub use faults::{crash, pause, services, set_link};
pub use link_selector::LinkSelector;
