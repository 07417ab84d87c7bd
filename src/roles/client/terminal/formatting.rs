//! Text formatting that only the terminal client needs, in addition to [`ribbit_ui::lines`].

use ribbit_state::query::Person;
use ribbit_ui::lines::{self, LineStyle};
use ribbit_ui::plain;

/// Formats a person with a remark: `@ada  Ada Lovelace  (you)`.
pub(crate) fn person(person: &Person, how: &str, style: LineStyle) -> String {
    let how = if how.is_empty() { String::new() } else { style.faint(&format!("  ({how})")) };
    format!("{}{how}", lines::person(person, style))
}

/// Escapes control characters in a name that the user typed.
pub(crate) fn name(typed: &str) -> String {
    plain::line(typed)
}

/// Formats a count with its noun: `1 new croak`, `3 new croaks`.
pub(crate) fn count(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
