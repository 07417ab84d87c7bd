//! A password as it is typed: at a terminal without showing it, else the next line of standard input.
//!
//! While it is typed the terminal hands over every key at once and shows none; however it ends, the terminal is put back
//! as it was first. Ctrl-C is a key here, so that it cannot end the process in between; who asked is told of it. From a
//! file or a pipe no byte is taken beyond the line.
//!
//! Nothing here takes a password from an argument or from the environment, where others see it.

use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use std::io::{self, Write};

/// More than any password: who types more has pasted something else.
const LINE_BYTES_MAX: usize = 4_096;

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    Line(String),
    /// Ctrl-C.
    Interrupted,
    /// The end of input, with nothing typed.
    End,
}

/// Asks for a secret, with this prompt on standard error where there is a terminal; waits as long as it takes.
///
/// # Errors
/// The terminal's or the file's; `InvalidData` when it is no text, or too much.
pub fn ask(prompt: &str) -> io::Result<Typed> {
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

/// A terminal that shows nothing; as before once this is dropped.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn begin() -> io::Result<Quiet> {
        let before = tcgetattr(io::stdin())?;
        let mut mode = before.clone();
        mode.local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        // What was typed ahead and shown is not part of it.
        tcsetattr(io::stdin(), OptionalActions::Flush, &mode)?;
        Ok(Quiet { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // It fails when the terminal has gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// Not through std's standard input, which reads ahead: what follows is for the next one to read.
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

/// A line, without its end. `keys`: from a terminal, where some bytes are keys that edit.
fn read(mut next: impl FnMut() -> io::Result<Option<u8>>, keys: bool) -> io::Result<Typed> {
    let mut line = Vec::new();
    loop {
        match next()? {
            None if line.is_empty() => return Ok(Typed::End),
            None | Some(b'\n') => break,
            Some(b'\r') if keys => break,
            Some(0x03) if keys => return Ok(Typed::Interrupted),
            Some(0x04) if keys && line.is_empty() => return Ok(Typed::End),
            Some(0x15) if keys => line.clear(),
            Some(0x08 | 0x7f) if keys => erase(&mut line),
            // Other keys that are no letters: taken in, they could not be typed on a page.
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
    String::from_utf8(line).map(Typed::Line).map_err(no_text)
}

/// The last character, of however many bytes.
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

    fn typed(bytes: &[u8], keys: bool) -> io::Result<Typed> {
        let mut bytes = bytes.iter().copied();
        read(|| Ok(bytes.next()), keys)
    }

    #[test]
    fn keys_edit_and_bytes_do_not() {
        let line = |text: &str| Typed::Line(text.to_string());
        assert_eq!(typed("gr\u{fc}\x7f\x7f\x7f\x7fab\u{fc}\x08c\r".as_bytes(), true).unwrap(), line("abc"));
        assert_eq!(typed(b"wrong\x15right\x1b\n", true).unwrap(), line("right"));
        assert_eq!(typed(b"half\x03", true).unwrap(), Typed::Interrupted);
        assert_eq!(typed(b"\x04", true).unwrap(), Typed::End);
        assert_eq!(typed(b"a\x04b\n", true).unwrap(), line("ab"));
        assert_eq!(typed(b"a\x7f\x03b\r\nnext", false).unwrap(), line("a\x7f\x03b"));
        assert_eq!(typed(b"no end", false).unwrap(), line("no end"));
        assert_eq!(typed(b"", false).unwrap(), Typed::End);
        assert_eq!(typed(b"\n", false).unwrap(), line(""));
        assert!(typed(b"\xff\n", false).is_err());
        assert!(typed(&[b'a'; LINE_BYTES_MAX + 1], false).is_err());
    }
}
