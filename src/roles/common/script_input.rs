//! Script input: lines of standard input.

use std::io::{self, BufRead};

/// Maximum length of an input line in bytes.
pub(crate) const LINE_BYTES_MAX: usize = 64 * 1024;

/// Reads the next line of standard input, up to [`LINE_BYTES_MAX`]. Returns `None` at the end of input.
pub(crate) fn next_line() -> Option<String> {
    let mut bytes = Vec::new();
    let input = io::stdin().lock();
    let read = io::Read::take(input, LINE_BYTES_MAX as u64).read_until(b'\n', &mut bytes);
    match read {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(String::from_utf8_lossy(&bytes).into_owned()),
    }
}
