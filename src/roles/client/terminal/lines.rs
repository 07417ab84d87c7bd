//! Lines of a terminal that [`ribbit_ui::lines`] has no words for.

use ribbit_state::query::Person;
use ribbit_ui::lines::{self, Style};
use ribbit_ui::plain;

/// `@ada  Ada Lovelace  (you)`.
pub fn person(person: &Person, how: &str, style: Style) -> String {
    let how = if how.is_empty() { String::new() } else { style.faint(&format!("  ({how})")) };
    format!("{}{how}", lines::person(person, style))
}

/// A name as it was typed.
pub fn name(typed: &str) -> String {
    plain::line(typed)
}

/// `1 new croak`, `3 new croaks`.
pub fn count(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
