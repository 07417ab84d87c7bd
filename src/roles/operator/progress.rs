//! Progress of a long operation, shown on a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Interval between two updates.
const UPDATE_EVERY: Duration = Duration::from_millis(500);

/// Progress line on standard error, updated in place. Prints nothing if standard error is not a terminal.
pub(crate) struct Progress {
    shown: bool,
    said: Instant,
    any: bool,
}

impl Progress {
    /// Starts without printing anything.
    pub(crate) fn begin() -> Progress {
        Progress { shown: io::stderr().is_terminal(), said: Instant::now(), any: false }
    }

    /// Reports that `rows` of `all` are done.
    pub(crate) fn rows(&mut self, rows: u64, all: u64) {
        if self.shown && self.said.elapsed() >= UPDATE_EVERY {
            (self.said, self.any) = (Instant::now(), true);
            let _ = write!(io::stderr(), "\r{rows} of {all} rows");
        }
    }

    /// Ends the progress line, so that the next output starts on a new line.
    pub(crate) fn end(&mut self) {
        if std::mem::take(&mut self.any) {
            let _ = writeln!(io::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
