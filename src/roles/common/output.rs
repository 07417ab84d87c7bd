//! What goes to standard output: results and what people wait for. Everything else is logged, on standard error.

use std::io::{self, Write};

/// One line, at once. A reader that went away (`ribbit status | head -1`) is no failure.
pub fn line(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
