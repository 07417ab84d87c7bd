//! Parser and writer of KEY=VALUE files in the syntax of systemd's `EnvironmentFile=`.
//!
//! ```text
//!   # a comment        ; so is this
//!   KEY=plain value    trailing blanks are removed, \ escapes the next character, \ at the end joins the next line
//!   KEY='verbatim'     may span lines
//!   KEY="with \" \\ \$ \` and line joining"    "adjacent" 'pieces' are joined
//! ```
//!
//! One difference: a line without `=`, an invalid key and an unclosed quote, which systemd ignores, are errors here, with
//! their line. Variables are not expanded: `$HOME_REGION` stays as it is.

use std::iter::Peekable;
use std::str::Chars;

/// One KEY=VALUE line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvEntry {
    /// Line of the key, counted from 1.
    pub line: usize,
    pub key: String,
    pub value: String,
}

/// Malformed line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SyntaxError {
    pub line: usize,
    pub what: &'static str,
}

/// Parses all entries in the order of the file. A repeated key yields several entries; the last one counts.
///
/// # Errors
/// [`SyntaxError`] for the first line that is neither blank, a comment nor an entry.
pub fn parse(text: &str) -> Result<Vec<EnvEntry>, SyntaxError> {
    let mut reader = EntryParser { rest: text.chars().peekable(), line: 1 };
    let mut entries = Vec::new();
    while let Some(c) = reader.rest.peek().copied() {
        match c {
            '#' | ';' => reader.skip_line(),
            c if c.is_ascii_whitespace() => drop(reader.next()),
            _ => entries.push(reader.entry()?),
        }
    }
    Ok(entries)
}

/// Formats entries as lines that [`parse`] reads back unchanged.
pub fn format<K: AsRef<str>, V: AsRef<str>>(entries: impl IntoIterator<Item = (K, V)>) -> String {
    let mut text = String::new();
    for (key, value) in entries {
        let (key, value) = (key.as_ref(), value.as_ref());
        let plain = |c: char| c.is_ascii_alphanumeric() || ",.:/_-[]@%+".contains(c);
        if value.chars().all(plain) {
            text.push_str(&format!("{key}={value}\n"));
        } else {
            let escaped: String = value
                .chars()
                .flat_map(|c| "\"\\$`".contains(c).then_some('\\').into_iter().chain([c]))
                .collect();
            text.push_str(&format!("{key}=\"{escaped}\"\n"));
        }
    }
    text
}

struct EntryParser<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl EntryParser<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next();
        if c == Some('\n') {
            self.line += 1;
        }
        c
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    fn entry(&mut self) -> Result<EnvEntry, SyntaxError> {
        let line = self.line;
        let wrong = |what| SyntaxError { line, what };
        let mut key = String::new();
        loop {
            match self.rest.next_if(|c| *c != '\n') {
                Some('=') => break,
                Some(c) => key.push(c),
                None => return Err(wrong("expected KEY=VALUE")),
            }
        }
        let key = key.trim_end().to_string();
        let starts = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(wrong("a key consists of letters, digits and _, and does not start with a digit"));
        }
        let value = self.value().map_err(wrong)?;
        Ok(EnvEntry { line, key, value })
    }

    fn value(&mut self) -> Result<String, &'static str> {
        let mut value = String::new();
        // Length of the prefix of `value` that must not be trimmed: it ends with a quoted or escaped character.
        let mut kept = 0;
        // A quote opens only at the start of a piece; inside a word it is an ordinary character.
        let mut between_pieces = true;
        while let Some(c) = self.next() {
            match c {
                '\n' => break,
                '\'' | '"' if between_pieces => {
                    self.quoted(c, &mut value)?;
                    kept = value.len();
                }
                '\\' => {
                    if let Some(c) = self.next().filter(|c| *c != '\n') {
                        value.push(c);
                        kept = value.len();
                    }
                    between_pieces = false;
                }
                c if c.is_ascii_whitespace() && between_pieces => {}
                c => {
                    value.push(c);
                    between_pieces = false;
                }
            }
        }
        let trimmed = kept + value[kept..].trim_end_matches(|c: char| c.is_ascii_whitespace()).len();
        value.truncate(trimmed);
        Ok(value)
    }

    fn quoted(&mut self, quote: char, value: &mut String) -> Result<(), &'static str> {
        loop {
            match self.next().ok_or("a quote is not closed")? {
                c if c == quote => return Ok(()),
                '\\' if quote == '"' => match self.next().ok_or("a quote is not closed")? {
                    '\n' => {}
                    c if "\"\\$`".contains(c) => value.push(c),
                    c => value.extend(['\\', c]),
                },
                c => value.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().map(|entry| (entry.key, entry.value)).collect()
    }

    fn value(text: &str) -> String {
        let mut all = values(&format!("K={text}"));
        assert_eq!(all.len(), 1, "{text:?}: {all:?}");
        all.remove(0).1
    }

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        let text = "# one\n\n  ; two \\\n\tA=1\n #three\nB = 2\n";
        assert_eq!(values(text), [("A".into(), "1".into()), ("B".into(), "2".into())]);
        assert_eq!(parse(text).unwrap()[1].line, 6);
    }

    #[test]
    fn values_are_read_as_systemd_reads_them() {
        for (text, read) in [
            ("", ""),
            ("  a b  ", "a b"),
            ("a#b;c", "a#b;c"),
            ("it's", "it's"),
            ("'a \\ b\n\"c\"'", "a \\ b\n\"c\""),
            ("\"a \\\" \\\\ \\$ \\` \\n\"", "a \" \\ $ ` \\n"),
            ("\"a\\\nb\"", "ab"),
            ("a\\\nb", "ab"),
            ("a\\ ", "a "),
            ("\\'a\\'", "'a'"),
            ("'a ' \"b\"", "a b"),
            ("\"a \"  ", "a "),
            ("a\r\n", "a"),
            ("$HOME", "$HOME"),
            ("grüße 🐸", "grüße 🐸"),
        ] {
            assert_eq!(value(text), read, "{text:?}");
        }
    }

    #[test]
    fn a_malformed_line_is_named() {
        for (text, line) in
            [("A=1\nB\n", 2), ("\nexport A=1", 2), ("1A=1", 1), ("=1", 1), ("A=1\nB='x\ny", 2)]
        {
            assert_eq!(parse(text).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn written_values_read_back() {
        for text in ["", "a,b:1", " a ", "it's \"so\" \\ $HOME `x`", "two\nlines", "# no comment", "🐸"] {
            assert_eq!(values(&format([("K", text)])), [("K".to_string(), text.to_string())]);
        }
    }
}
