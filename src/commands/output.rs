//! Standard output: a closed pipe is no error.

use crate::app::Fatal;
use std::io::{self, Write};

/// Prints a text. A closed pipe is no error: `galleria routes | head`.
pub(super) fn say(text: &str) -> Result<(), Fatal> {
    write_out(text).map(drop)
}

/// Prints a text; `false` where the reader has closed the pipe.
pub(super) fn write_out(text: &str) -> Result<bool, Fatal> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Fatal::Refused(format!("standard output cannot be written to: {error}"))),
    }
}
