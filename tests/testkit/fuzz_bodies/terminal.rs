//! Fuzz target: lines of the terminal client, and the errors of invalid ones.

use ribbit_roles::client::terminal::commands::{self, ParsedLine, TerminalCommand};
use ribbit_ui::plain;

/// Maximum length of an error message in characters.
const WRONG_CHARS_MAX: usize = 1_000;

pub fn run(data: &[u8]) {
    let line = String::from_utf8_lossy(data);
    let said = match commands::parse(&line) {
        Ok(ParsedLine::Nothing) => return assert!(line.trim().is_empty()),
        Ok(ParsedLine::Text(text)) => {
            assert!(!text.starts_with('/') && !text.is_empty());
            commands::unposted(&text).to_string()
        }
        Ok(ParsedLine::Command(command)) => return whole(&line, &command),
        Err(wrong) => wrong.to_string(),
    };
    assert!(said.chars().count() <= WRONG_CHARS_MAX, "{said}");
    assert!(!said.chars().any(plain::is_odd), "{said:?}");
}

/// Asserts that the text of a croak or message is the unchanged end of the line.
fn whole(line: &str, command: &TerminalCommand) {
    match command {
        TerminalCommand::Post { text } | TerminalCommand::Message { text: Some(text), .. } => {
            assert!(!text.is_empty() && line.trim_end().ends_with(text.as_str()));
        }
        TerminalCommand::Message { name, text: None }
        | TerminalCommand::Add { name }
        | TerminalCommand::Remove { name } => {
            assert!(!name.is_empty() && !name.contains(char::is_whitespace));
        }
        _ => {}
    }
}
