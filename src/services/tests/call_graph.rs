//! The graph of allowed calls. `tests/simulation/message_graph.rs` shows that every arrow is used.

use crate::{services::ALLOWED_CALLS, types::Service};

#[test]
fn the_graph_of_allowed_calls_has_no_circle() {
    // Kahn's algorithm: remove a service that no remaining service calls, until none is left.
    let mut left = ALLOWED_CALLS.to_vec();
    while let Some(at) = left.iter().position(|(service, _)| !left.iter().any(|(_, calls)| calls.contains(service))) {
        left.remove(at);
    }
    assert!(left.is_empty(), "a circle among {left:?}");
    assert_eq!(ALLOWED_CALLS.len(), Service::COUNT);
}
