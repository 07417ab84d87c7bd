//! Standard output, for results. Everything else is logged on standard error.

use std::io::{self, Write};

/// Prints a line and flushes. A closed pipe (`ribbit status | head -1`) is not an error.
pub(crate) fn line(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
