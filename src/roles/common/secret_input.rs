//! Password input: hidden on a terminal, otherwise the next line of standard input.
//!
//! - On a terminal, each key arrives at once and is not echoed. The terminal mode is restored on every return path.
//! - Ctrl-C arrives as a key, so it cannot end the process in between; the caller gets [`SecretInput::Interrupted`].
//! - From a file or a pipe, no byte after the line is consumed.
//!
//! Passwords are never taken from arguments or the environment, where other processes can see them.

use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use std::io::{self, Write};

/// Maximum length of the input in bytes. Far above the longest password, so longer input is a paste by mistake.
const LINE_BYTES_MAX: usize = 4_096;

/// Result of a password prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretInput {
    Line(String),
    /// Ctrl-C.
    Interrupted,
    /// End of input before any byte.
    End,
}

/// Reads a secret. On a terminal, prints the prompt to standard error. There is no time limit.
///
/// # Errors
/// The I/O error of the terminal or file; `InvalidData` when the input is not UTF-8 or longer than [`LINE_BYTES_MAX`].
pub(crate) fn ask(prompt: &str) -> io::Result<SecretInput> {
    if !isatty(io::stdin()) {
        return read(next_byte, false);
    }
    show(prompt);
    let quiet = Quiet::begin()?;
    let typed = read(next_byte, true);
    drop(quiet);
    show("\n");
    typed
}

fn show(text: &str) {
    let mut out = io::stderr().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// Guard that turns echo and line editing of the terminal off, and restores the mode on drop.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn begin() -> io::Result<Quiet> {
        let before = tcgetattr(io::stdin())?;
        let mut mode = before.clone();
        mode.local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        // Discards input typed ahead, which was echoed and is not part of the password.
        tcsetattr(io::stdin(), OptionalActions::Flush, &mode)?;
        Ok(Quiet { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Fails when the terminal was closed.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// Reads one byte. Bypasses `std::io::stdin`, whose buffer would consume bytes after the line.
fn next_byte() -> io::Result<Option<u8>> {
    let mut byte = [0];
    loop {
        match rustix::io::read(io::stdin(), &mut byte[..]) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads a line without its line end. With `keys`, the input comes from a terminal, and control bytes edit the line.
fn read(mut next: impl FnMut() -> io::Result<Option<u8>>, keys: bool) -> io::Result<SecretInput> {
    let mut line = Vec::new();
    loop {
        match next()? {
            None if line.is_empty() => return Ok(SecretInput::End),
            None | Some(b'\n') => break,
            Some(b'\r') if keys => break,
            Some(0x03) if keys => return Ok(SecretInput::Interrupted),
            Some(0x04) if keys && line.is_empty() => return Ok(SecretInput::End),
            Some(0x15) if keys => line.clear(),
            Some(0x08 | 0x7f) if keys => erase(&mut line),
            // Other control keys are ignored: they cannot be typed into the password field of the web pages.
            Some(..0x20) if keys => {}
            Some(_) if line.len() == LINE_BYTES_MAX => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "that is too long for a password"));
            }
            Some(byte) => line.push(byte),
        }
    }
    if !keys && line.last() == Some(&b'\r') {
        line.pop();
    }
    let no_text = |_| io::Error::new(io::ErrorKind::InvalidData, "that is not text");
    String::from_utf8(line).map(SecretInput::Line).map_err(no_text)
}

/// Removes the last UTF-8 character.
fn erase(line: &mut Vec<u8>) {
    while let Some(byte) = line.pop() {
        if byte & 0xc0 != 0x80 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8], keys: bool) -> io::Result<SecretInput> {
        let mut bytes = bytes.iter().copied();
        read(|| Ok(bytes.next()), keys)
    }

    #[test]
    fn control_keys_edit_on_a_terminal_only() {
        let line = |text: &str| SecretInput::Line(text.to_string());
        assert_eq!(typed("gr\u{fc}\x7f\x7f\x7f\x7fab\u{fc}\x08c\r".as_bytes(), true).unwrap(), line("abc"));
        assert_eq!(typed(b"wrong\x15right\x1b\n", true).unwrap(), line("right"));
        assert_eq!(typed(b"half\x03", true).unwrap(), SecretInput::Interrupted);
        assert_eq!(typed(b"\x04", true).unwrap(), SecretInput::End);
        assert_eq!(typed(b"a\x04b\n", true).unwrap(), line("ab"));
        assert_eq!(typed(b"a\x7f\x03b\r\nnext", false).unwrap(), line("a\x7f\x03b"));
        assert_eq!(typed(b"no end", false).unwrap(), line("no end"));
        assert_eq!(typed(b"", false).unwrap(), SecretInput::End);
        assert_eq!(typed(b"\n", false).unwrap(), line(""));
        assert!(typed(b"\xff\n", false).is_err());
        assert!(typed(&[b'a'; LINE_BYTES_MAX + 1], false).is_err());
    }
}
