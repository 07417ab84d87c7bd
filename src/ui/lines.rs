//! What people see in a terminal, line by line: croaks and people. What others wrote is shown as [`plain`] shows it.
//!
//! ```text
//!   2026-07-01 09:05 UTC  @ada  Rain, at last
//!                               and more of it
//! ```
//!
//! A text of several lines goes on under its beginning, so that no line of it looks like another croak. Colour is the
//! caller's to allow: it is never needed to understand anything.

use super::{plain, time};
use crate::state::query::{FeedCroak, Person};
use std::fmt::Write;

/// Stands where a board had no clock: as wide as a time.
const NO_TIME: &str = "no time             ";

/// How lines may be dressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    pub colour: bool,
}

impl Style {
    fn dressed(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
    /// Of less importance: a time.
    pub fn faint(self, text: &str) -> String {
        self.dressed("2", text)
    }
    /// Somebody's name.
    pub fn name(self, text: &str) -> String {
        self.dressed("1;32", text)
    }
    /// What went wrong.
    pub fn alarm(self, text: &str) -> String {
        self.dressed("1;31", text)
    }
}

/// A croak, without a line end.
pub fn croak(croak: &FeedCroak, style: Style) -> String {
    said(croak.wall_ms, &croak.author.username, &croak.text, style)
}

/// Who said what and when, without a line end.
pub fn said(wall_ms: u64, username: &str, text: &str, style: Style) -> String {
    let when = time::shown(wall_ms).map_or_else(|| NO_TIME.to_string(), |shown| shown.people);
    let who = format!("@{}", plain::line(username));
    let indent = when.chars().count() + who.chars().count() + 4;
    let mut line = format!("{}  {}  ", style.faint(&when), style.name(&who));
    for (number, part) in text.split('\n').enumerate() {
        if number > 0 {
            let _ = write!(line, "\n{:indent$}", "");
        }
        line.push_str(&plain::line(part));
    }
    line
}

/// A person, without a line end: `@ada  Ada Lovelace`.
pub fn person(person: &Person, style: Style) -> String {
    format!("{}  {}", style.name(&format!("@{}", plain::line(&person.username))), plain::line(&person.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::AccountId;

    fn ada() -> Person {
        Person { account: AccountId(3), username: "ada".to_string(), name: "Ada \x1bL".to_string() }
    }

    #[test]
    fn a_croak_is_one_line_and_nothing_in_it_looks_like_another() {
        let text = "Rain\n2026-07-01 09:05 UTC  @bob  not me\u{202e}";
        let croak_of = |wall_ms| FeedCroak { id: 9, author: ada(), wall_ms, text: text.to_string() };
        let shown = croak(&croak_of(1_709_251_199_999), Style::default());
        let indent = " ".repeat("2024-02-29 23:59 UTC  @ada  ".len());
        let rest = r"2026-07-01 09:05 UTC  @bob  not me\u{202e}";
        assert_eq!(shown, format!("2024-02-29 23:59 UTC  @ada  Rain\n{indent}{rest}"));
        let coloured = croak(&croak_of(0), Style { colour: true });
        assert!(coloured.starts_with("\x1b[2mno time             \x1b[0m  \x1b[1;32m@ada\x1b[0m  Rain\n"));
        assert_eq!(person(&ada(), Style::default()), r"@ada  Ada \x1bL");
    }
}
