//! How far something is that takes long, for who watches it at a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often it is said.
const SAY_EVERY: Duration = Duration::from_millis(500);

/// One line that is written again and again; nothing where nobody watches.
pub struct Progress {
    shown: bool,
    said: Instant,
    any: bool,
}

impl Progress {
    pub fn begin() -> Progress {
        Progress { shown: io::stderr().is_terminal(), said: Instant::now(), any: false }
    }

    /// `rows` of `all` are done.
    pub fn rows(&mut self, rows: u64, all: u64) {
        if self.shown && self.said.elapsed() >= SAY_EVERY {
            (self.said, self.any) = (Instant::now(), true);
            let _ = write!(io::stderr(), "\r{rows} of {all} rows");
        }
    }

    /// What is said next stands on a line of its own.
    pub fn end(&mut self) {
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
