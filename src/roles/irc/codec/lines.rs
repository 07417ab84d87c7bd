//! Splits the bytes of a client into lines.

/// Maximum size of a line from a client without its end, in bytes: 4 096 of tags and as many for the rest. RFC 2812 has 512 for the
/// rest; the longest message of ribbit fits one line here, so that the rules decide about its length.
pub const LINE_BYTES_MAX: usize = 8_192;

/// A line of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Without its end, and never empty.
    Line(String),
    /// A line with bytes that are no UTF-8. It is dropped.
    NotUtf8,
    /// A line of more than `LINE_BYTES_MAX` bytes. It is dropped to its end.
    TooLong,
}

/// Bytes of a client that are no whole line yet; at most `LINE_BYTES_MAX` and one read.
#[derive(Debug, Default)]
pub struct Lines {
    received: Vec<u8>,
    /// The rest of a line that is too long is being dropped.
    dropping: bool,
}

impl Lines {
    /// Appends bytes and returns the lines that are complete.
    pub fn receive(&mut self, bytes: &[u8]) -> Vec<Input> {
        let mut inputs = Vec::new();
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (rest, ended) = match piece.split_last() {
                Some((b'\n' | b'\r', rest)) => (rest, true),
                _ => (piece, false),
            };
            if !self.dropping {
                self.received.extend_from_slice(rest);
            }
            if self.received.len() > LINE_BYTES_MAX {
                self.received.clear();
                self.dropping = true;
                inputs.push(Input::TooLong);
            }
            if ended {
                self.dropping = false;
                match String::from_utf8(std::mem::take(&mut self.received)) {
                    Ok(line) if line.is_empty() => {}
                    Ok(line) => inputs.push(Input::Line(line)),
                    Err(_) => inputs.push(Input::NotUtf8),
                }
            }
        }
        inputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Input {
        Input::Line(text.to_string())
    }

    #[test]
    fn lines_end_with_either_byte_and_arrive_in_pieces() {
        let mut lines = Lines::default();
        assert_eq!(lines.receive(b"NICK ada\r\nUS"), [line("NICK ada")]);
        assert_eq!(lines.receive(b"ER a\n\n\r\r\nPING\r"), [line("USER a"), line("PING")]);
        assert_eq!(lines.receive(b"\xc3"), []);
        assert_eq!(lines.receive(b"\xa9\n\xff\nQUIT\n"), [line("é"), Input::NotUtf8, line("QUIT")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_reported_once_and_dropped() {
        let mut lines = Lines::default();
        let longest = "x".repeat(LINE_BYTES_MAX);
        assert_eq!(lines.receive(format!("{longest}\n").as_bytes()), [line(&longest)]);
        assert_eq!(lines.receive(format!("{longest}y").as_bytes()), [Input::TooLong]);
        assert_eq!(lines.receive(longest.as_bytes()), []);
        assert_eq!(lines.receive(b"rest\nPING\n"), [line("PING")]);
        assert!(lines.received.is_empty());
    }
}
