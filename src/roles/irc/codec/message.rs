//! A line from a client, parsed.
//!
//! ```text
//!   ['@' tags SPACE] [':' source SPACE] command {SPACE parameter} [SPACE ':' last parameter]
//! ```

/// Maximum number of parameters of a message; the last one takes what follows.
const PARAMS_MAX: usize = 15;
/// Maximum number of tags that are kept.
const TAGS_MAX: usize = 64;

/// A message of a client. Its source is dropped: a client speaks for itself alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Names and unescaped values, in their order.
    pub tags: Vec<(String, String)>,
    /// In upper case.
    pub command: String,
    pub params: Vec<String>,
}

impl Message {
    /// Parses a line without its end. `None` without a command.
    pub fn parse(line: &str) -> Option<Message> {
        let mut rest = line.trim_start_matches(' ');
        let mut tags = Vec::new();
        if let Some(tagged) = rest.strip_prefix('@') {
            let (typed, behind) = tagged.split_once(' ')?;
            let typed = typed.split(';').filter(|tag| !tag.is_empty()).take(TAGS_MAX);
            tags.extend(typed.map(|tag| {
                let (name, value) = tag.split_once('=').unwrap_or((tag, ""));
                (name.to_string(), unescape(value))
            }));
            rest = behind.trim_start_matches(' ');
        }
        if rest.starts_with(':') {
            rest = rest.split_once(' ')?.1.trim_start_matches(' ');
        }
        let (command, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if command.is_empty() {
            return None;
        }
        let mut params = Vec::new();
        loop {
            rest = rest.trim_start_matches(' ');
            if let Some(last) = rest.strip_prefix(':') {
                params.push(last.to_string());
                break;
            }
            if rest.is_empty() {
                break;
            }
            if params.len() + 1 == PARAMS_MAX {
                params.push(rest.to_string());
                break;
            }
            let (param, behind) = rest.split_once(' ').unwrap_or((rest, ""));
            params.push(param.to_string());
            rest = behind;
        }
        Some(Message { tags, command: command.to_ascii_uppercase(), params })
    }

    /// Returns a parameter by its position.
    pub fn param(&self, position: usize) -> Option<&str> {
        self.params.get(position).map(String::as_str)
    }

    /// Returns the value of a tag; the last one if it is given several times.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

/// Returns the value of a tag without its escapes.
fn unescape(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        // A lone backslash at the end is dropped.
        plain.extend(letters.next().map(|escaped| match escaped {
            ':' => ';',
            's' => ' ',
            'r' => '\r',
            'n' => '\n',
            other => other,
        }));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> (String, Vec<String>) {
        let message = Message::parse(line).expect("a message");
        (message.command, message.params)
    }

    #[test]
    fn parameters() {
        for (line, command, params) in [
            ("ping", "PING", &[][..]),
            ("NICK  ada ", "NICK", &["ada"]),
            ("PRIVMSG #frogs :hi : there", "PRIVMSG", &["#frogs", "hi : there"]),
            (":x!y@z PRIVMSG  bob :", "PRIVMSG", &["bob", ""]),
            ("  JOIN #a,#b key", "JOIN", &["#a,#b", "key"]),
            ("USER a 0 * ::)", "USER", &["a", "0", "*", ":)"]),
        ] {
            assert_eq!(parsed(line), (command.to_string(), params.iter().map(|it| (*it).into()).collect()));
        }
        let (_, many) = parsed(&format!("X {}", "a ".repeat(20)));
        assert_eq!((many.len(), many[14].as_str()), (15, "a a a a a a "));
        for wrong in ["", " ", ":source", ":source ", "@tags", "@tags ", "@t :s "] {
            assert_eq!(Message::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn tags() {
        let message = Message::parse(r"@+draft/reply=41;a;b=\:\s\\\r\n\x\;;a=2 TAGMSG bob").unwrap();
        assert_eq!(message.tag("+draft/reply"), Some("41"));
        assert_eq!(message.tag("a"), Some("2"));
        assert_eq!(message.tag("b"), Some("; \\\r\nx"));
        assert_eq!(message.tag("c"), None);
    }
}
