//! Input of verbs: texts, names and passwords from the terminal or from standard input.

use super::{VerbError, usage};
use crate::common::failure::{Exit, Failure};
use crate::common::secret_input::{self, SecretInput};
use ribbit_net::protocol::Password;
use ribbit_state::limits::MESSAGE_CHARS_MAX;
use std::io::{self, BufRead, IsTerminal, Read, Write};

/// Maximum number of bytes read from standard input: enough to see that the text is too long, at up to four bytes per
/// character.
const TEXT_BYTES_MAX: usize = 4 * 2 * MESSAGE_CHARS_MAX;

/// Returns the given text, or all of standard input without the last line end.
///
/// # Errors
/// `Refused` when standard input cannot be read or is not UTF-8.
pub(crate) fn text(given: Option<&str>) -> Result<String, VerbError> {
    if let Some(text) = given {
        return Ok(text.to_string());
    }
    if io::stdin().is_terminal() {
        eprintln!("Type your text, then press Ctrl-D on an empty line.");
    }
    let mut bytes = Vec::new();
    let limit = TEXT_BYTES_MAX as u64;
    io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    // A text of this length is too long in any case, so a character cut in half does not matter.
    let text = if bytes.len() == TEXT_BYTES_MAX {
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        String::from_utf8(bytes).map_err(|_| unreadable(&"that is not text (UTF-8)"))?
    };
    let end = if text.ends_with("\r\n") { 2 } else { usize::from(text.ends_with('\n')) };
    Ok(text[..text.len() - end].to_string())
}

/// Asks for a line on the terminal. Returns `None` when standard input is not a terminal.
///
/// # Errors
/// `Refused` when the terminal cannot be read.
pub(crate) fn line(prompt: &str) -> Result<Option<String>, VerbError> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut out = io::stderr().lock();
    let _ = write!(out, "{prompt}").and_then(|()| out.flush());
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| unreadable(&error))?;
    Ok(Some(line.trim().to_string()))
}

/// Asks for a password on a terminal, otherwise reads the next line of standard input.
///
/// # Errors
/// - `Usage` at the end of input.
/// - `Refused` when the input cannot be read.
/// - [`VerbError::Interrupted`] after Ctrl-C.
pub(crate) fn password(prompt: &str) -> Result<Password, VerbError> {
    match secret_input::ask(prompt).map_err(|error| unreadable(&error))? {
        SecretInput::Line(password) => Ok(Password(password)),
        SecretInput::Interrupted => Err(VerbError::Interrupted),
        SecretInput::End => {
            Err(usage("the password is missing; type it, or pass it as a line on standard input"))
        }
    }
}

/// Asks for a new password; on a terminal, the user types it twice.
///
/// # Errors
/// Those of [`password`]; `Refused` when the two inputs differ.
pub(crate) fn new_password(prompt: &str) -> Result<Password, VerbError> {
    let password = password(prompt)?;
    if io::stdin().is_terminal() && self::password("Repeat the password: ")? != password {
        return Err(Failure::new(Exit::Refused, "the two passwords do not match; nothing was changed").into());
    }
    Ok(password)
}

fn unreadable(why: &dyn std::fmt::Display) -> VerbError {
    Failure::new(Exit::Refused, format!("standard input: {why}")).into()
}
