//! What a person types, or a script hands over, when a verb has to ask: texts, names and passwords.

use super::{Halt, usage};
use crate::client::session::secret_line::{self, Typed};
use crate::common::failure::{Exit, Failure};
use ribbit_net::protocol::Password;
use ribbit_state::limits::MESSAGE_CHARS_MAX;
use std::io::{self, BufRead, IsTerminal, Read, Write};

/// Of a text on standard input, no more is read than says that it is too long: four bytes a character at most.
const TEXT_BYTES_MAX: usize = 4 * 2 * MESSAGE_CHARS_MAX;

/// What was given, or all of standard input without its last line end.
///
/// # Errors
/// It cannot be read, or is no text.
pub fn text(given: Option<&str>) -> Result<String, Halt> {
    if let Some(text) = given {
        return Ok(text.to_string());
    }
    if io::stdin().is_terminal() {
        eprintln!("Type the text; Ctrl-D on a line of its own ends it.");
    }
    let mut bytes = Vec::new();
    let limit = TEXT_BYTES_MAX as u64;
    io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    // Cut in the middle of a character, it is too long all the same.
    let text = if bytes.len() == TEXT_BYTES_MAX {
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        String::from_utf8(bytes).map_err(|_| unreadable(&"that is not text (UTF-8)"))?
    };
    let end = if text.ends_with("\r\n") { 2 } else { usize::from(text.ends_with('\n')) };
    Ok(text[..text.len() - end].to_string())
}

/// A line that is shown while it is typed; only at a terminal.
///
/// # Errors
/// The terminal cannot be read.
pub fn line(prompt: &str) -> Result<Option<String>, Halt> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut out = io::stderr().lock();
    let _ = write!(out, "{prompt}").and_then(|()| out.flush());
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| unreadable(&error))?;
    Ok(Some(line.trim().to_string()))
}

/// A password: asked for at a terminal, else the next line of standard input.
///
/// # Errors
/// There is none, or it cannot be read; Ctrl-C.
pub fn password(prompt: &str) -> Result<Password, Halt> {
    match secret_line::ask(prompt).map_err(|error| unreadable(&error))? {
        Typed::Line(password) => Ok(Password(password)),
        Typed::Interrupted => Err(Halt::Interrupted),
        Typed::End => {
            Err(usage("a password is needed: type it, or hand it over as a line on standard input"))
        }
    }
}

/// A password that is not known yet: at a terminal typed twice.
///
/// # Errors
/// As [`password`]; the two are not the same.
pub fn new_password(prompt: &str) -> Result<Password, Halt> {
    let password = password(prompt)?;
    if io::stdin().is_terminal() && self::password("The same again: ")? != password {
        return Err(
            Failure::new(Exit::Refused, "those were two different passwords: nothing was done").into()
        );
    }
    Ok(password)
}

fn unreadable(why: &dyn std::fmt::Display) -> Halt {
    Failure::new(Exit::Refused, format!("standard input: {why}")).into()
}
