//! A line to a client.

use std::fmt::Write;

/// Maximum size of a line to a client with its end and without its tags, in bytes (RFC 2812).
pub const LINE_OUT_BYTES_MAX: usize = 512;

/// A line to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    tags: Vec<(&'static str, String)>,
    source: String,
    /// Command or numeric.
    command: String,
    params: Vec<String>,
    /// The last parameter is behind a colon although it needs none.
    is_text: bool,
}

impl Line {
    /// Returns a line with a command and without parameters.
    pub fn new(source: impl Into<String>, command: impl Into<String>) -> Line {
        let (source, command) = (source.into(), command.into());
        Line { tags: Vec::new(), source, command, params: Vec::new(), is_text: false }
    }

    /// Appends a parameter. One that is empty, begins with a colon or contains spaces has to be the last one.
    pub fn with(mut self, param: impl Into<String>) -> Line {
        self.params.push(param.into());
        self
    }

    /// Appends the last parameter, a text: behind a colon in any case, as old clients expect it.
    pub fn text(mut self, text: impl Into<String>) -> Line {
        self.is_text = true;
        self.with(text)
    }

    /// Adds a tag, unless it has no value.
    pub fn tagged(mut self, name: &'static str, value: Option<String>) -> Line {
        self.tags.extend(value.map(|value| (name, value)));
        self
    }

    /// Returns the bytes of the line. Characters that would end the line or its command are replaced by spaces, and the last
    /// parameter ends where the line is full: a caller cuts no text, because it sends longer ones in [pieces](super::pieces).
    pub fn encode(&self) -> String {
        let mut out = String::new();
        for (position, (name, value)) in self.tags.iter().enumerate() {
            let _ = write!(out, "{}{name}={}", if position == 0 { '@' } else { ';' }, escape(value));
        }
        if !self.tags.is_empty() {
            out.push(' ');
        }
        let begin = out.len();
        let _ = write!(out, ":{} {}", word(&self.source), word(&self.command));
        let Some((last, middle)) = self.params.split_last() else {
            out.push_str("\r\n");
            return out;
        };
        for param in middle {
            let _ = write!(out, " {}", word(param));
        }
        let text = plain(last);
        let is_word = !text.is_empty() && !text.starts_with(':') && !text.contains(' ');
        out.push_str(if is_word && !self.is_text { " " } else { " :" });
        let room = LINE_OUT_BYTES_MAX - 2;
        let end = text.floor_char_boundary(room.saturating_sub(out.len() - begin));
        out.push_str(&text[..end]);
        out.push_str("\r\n");
        out
    }

    /// Returns the number of bytes that the last parameter may have.
    pub fn room(source: &str, command: &str, target: &str) -> usize {
        // The colon before the source and that before the text, three spaces, and the end of the line.
        let around = 2 + 3 + 2;
        LINE_OUT_BYTES_MAX.saturating_sub(source.len() + command.len() + target.len() + around)
    }
}

/// Returns the value of a tag with escapes.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            ';' => escaped.push_str("\\:"),
            ' ' => escaped.push_str("\\s"),
            '\\' => escaped.push_str("\\\\"),
            '\r' => escaped.push_str("\\r"),
            '\n' => escaped.push_str("\\n"),
            '\0' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// Returns a text without the characters that end a line.
fn plain(text: &str) -> String {
    text.replace(['\r', '\n', '\0'], " ")
}

/// Returns a parameter that is not the last one.
fn word(text: &str) -> String {
    match text {
        "" => "*".to_string(),
        text => plain(text).replace(' ', "_"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_parameter_is_behind_a_colon_if_it_has_to_be() {
        let said = |text: &str| Line::new("ada!ada@ribbit", "PRIVMSG").with("#frogs").with(text).encode();
        assert_eq!(said("hi there"), ":ada!ada@ribbit PRIVMSG #frogs :hi there\r\n");
        assert_eq!(said(":)"), ":ada!ada@ribbit PRIVMSG #frogs ::)\r\n");
        assert_eq!(said(""), ":ada!ada@ribbit PRIVMSG #frogs :\r\n");
        assert_eq!(said("a\r\nQUIT\0"), ":ada!ada@ribbit PRIVMSG #frogs :a  QUIT \r\n");
        assert_eq!(Line::new("s", "332").with("ada").with("#a").text("x").encode(), ":s 332 ada #a :x\r\n");
        assert_eq!(Line::new("s", "CAP").with("a b").with("").with("LS").encode(), ":s CAP a_b * LS\r\n");
    }

    #[test]
    fn tags_are_escaped_and_do_not_count() {
        let line = Line::new("s", "PRIVMSG").with("b").with("x".repeat(600));
        let tagged = line.tagged("time", Some("a;b c\\".into())).tagged("msgid", None).encode();
        assert!(tagged.starts_with("@time=a\\:b\\sc\\\\ :s PRIVMSG b "), "{tagged}");
        assert_eq!(tagged.split_once(' ').unwrap().1.len(), LINE_OUT_BYTES_MAX);
    }

    #[test]
    fn a_text_of_the_room_of_a_line_is_whole() {
        let room = Line::room("ada!ada@ribbit", "PRIVMSG", "#frogs");
        let text = format!(":{}", "x".repeat(room - 1));
        let said = Line::new("ada!ada@ribbit", "PRIVMSG").with("#frogs").text(text.clone()).encode();
        assert_eq!(said.len(), LINE_OUT_BYTES_MAX);
        assert!(said.ends_with(&format!("{text}\r\n")));
    }
}
