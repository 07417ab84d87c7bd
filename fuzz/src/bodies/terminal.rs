//! Lines of the terminal client, and what is said to those that are none.

use ribbit_roles::client::terminal::commands::{self, Command, Typed};
use ribbit_ui::plain;

/// What is wrong is said in one line that fits a screen.
const WRONG_CHARS_MAX: usize = 1_000;

pub fn run(data: &[u8]) {
    let line = String::from_utf8_lossy(data);
    let said = match commands::parse(&line) {
        Ok(Typed::Nothing) => return assert!(line.trim().is_empty()),
        Ok(Typed::Text(text)) => {
            assert!(!text.starts_with('/') && !text.is_empty());
            commands::unposted(&text).to_string()
        }
        Ok(Typed::Command(command)) => return whole(&line, &command),
        Err(wrong) => wrong.to_string(),
    };
    assert!(said.chars().count() <= WRONG_CHARS_MAX, "{said}");
    assert!(!said.chars().any(plain::is_odd), "{said:?}");
}

/// What is croaked or sent is the end of what was typed, as it was typed.
fn whole(line: &str, command: &Command) {
    match command {
        Command::Post { text } | Command::Message { text: Some(text), .. } => {
            assert!(!text.is_empty() && line.trim_end().ends_with(text.as_str()));
        }
        Command::Message { name, text: None } | Command::Add { name } | Command::Remove { name } => {
            assert!(!name.is_empty() && !name.contains(char::is_whitespace));
        }
        _ => {}
    }
}
