//! Log lines on stderr, written by `env_logger`. `RUST_LOG` selects them; the default level is
//! `info`.
//!
//! In text format a line is `time LEVEL target message key=value …`, in colours on a terminal. In
//! JSON format each line is one object. A value cannot forge a line or another value: control
//! characters are escaped.

mod line;
mod logger;
mod sink;

pub use line::text;
pub use logger::{are_json, start};
