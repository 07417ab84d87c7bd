//! A line of a terminal while it is typed: editing, history and completion, for `shell` and `client`.
//!
//! The history lies in a file that its owner alone may read; a line that begins with a blank is not kept, nor is an answer
//! to a question. What is printed through [`LineEditor::printer`] stands above the line that is being typed, which stays as
//! it is. What is typed ahead is the next line's: so one process has one editor, for secrets too.
//!
//! One helper type and one prompt type for all who read lines: each further one would be another copy of the editor in
//! the binary.

use crate::client::session::secret_line::{self, Typed};
use crate::common::failure::{Exit, Failure};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::history::DefaultHistory;
use rustyline::{
    ColorMode, CompletionType, Config, Context, Editor, ExternalPrinter, Helper, Hinter, Prompt, Validator,
};
use std::borrow::Cow;
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const HISTORY_LINES_MAX: usize = 1_000;

/// What came of reading a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    Line(String),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D, or a terminal that is gone.
    Ended,
}

/// What stands before the line, asked again whenever it is drawn. Its width must never change.
pub trait Before: Send + Sync {
    fn prompt(&self) -> &str;
}

impl Before for String {
    fn prompt(&self) -> &str {
        self
    }
}

impl Before for &'static str {
    fn prompt(&self) -> &str {
        self
    }
}

/// What Tab offers for a line up to the cursor, and where what it replaces begins.
pub type Complete = Box<dyn Fn(&str) -> (usize, Vec<Pair>) + Send>;

/// Prints above the line that is being typed.
pub type Print = Box<dyn FnMut(String) + Send>;

pub struct LineEditor {
    editor: Editor<Helps, DefaultHistory>,
    history: Option<PathBuf>,
}

impl LineEditor {
    /// # Errors
    /// 1: the terminal cannot be used.
    pub fn new(history: Option<PathBuf>) -> Result<LineEditor, Failure> {
        let config = Config::builder().max_history_size(HISTORY_LINES_MAX).map_err(broken)?;
        let config = config.history_ignore_space(true).completion_type(CompletionType::List);
        // Nothing is coloured, but what is secret is hidden by the same means.
        let config = config.color_mode(ColorMode::Forced).build();
        let mut editor: Editor<Helps, DefaultHistory> = Editor::with_config(config).map_err(broken)?;
        editor.set_helper(Some(Helps { complete: None, secret: false }));
        if let Some(file) = &history {
            // Begun anew: nothing but comfort hangs on it.
            if let Err(error) = editor.load_history(file) {
                log::warn!("what was typed before cannot be read from {}: {error}", file.display());
            }
        }
        Ok(LineEditor { editor, history })
    }

    /// What Tab offers from now on.
    pub fn complete_with(&mut self, complete: Complete) {
        if let Some(helps) = self.editor.helper_mut() {
            helps.complete = Some(complete);
        }
    }

    /// Whether the terminal is too simple for anything but plain lines.
    pub fn is_plain(&mut self) -> bool {
        self.editor.create_external_printer().is_err()
    }

    /// Nothing where the terminal is too simple for it.
    pub fn printer(&mut self) -> Option<Print> {
        let mut printer = self.editor.create_external_printer().ok()?;
        Some(Box::new(move |text| drop(printer.print(text + "\n"))))
    }

    /// Reads a line; whatever is in it is kept in the history.
    ///
    /// # Errors
    /// 1: the terminal cannot be read.
    pub fn read(&mut self, before: &dyn Before) -> Result<Read, Failure> {
        let read = self.ask(before)?;
        if let Read::Line(line) = &read
            && !line.trim().is_empty()
        {
            let _ = self.editor.add_history_entry(line);
            if let Some(file) = &self.history {
                let _ = self.editor.append_history(file); // A full disk is no reason not to go on.
            }
        }
        Ok(read)
    }

    /// Reads the answer to a question.
    ///
    /// # Errors
    /// 1: the terminal cannot be read.
    pub fn ask(&mut self, question: &dyn Before) -> Result<Read, Failure> {
        match self.editor.readline(&Drawn(question)) {
            Ok(line) => Ok(Read::Line(line)),
            Err(ReadlineError::Interrupted) => Ok(Read::Interrupted),
            Err(ReadlineError::Eof | ReadlineError::Io(_) | ReadlineError::Errno(_)) => Ok(Read::Ended),
            Err(error) => Err(broken(error)),
        }
    }

    /// Reads an answer that is not shown: a star stands for each letter.
    ///
    /// # Errors
    /// 1: the terminal cannot be read.
    pub fn ask_secret(&mut self, question: &dyn Before) -> Result<Read, Failure> {
        if self.is_plain() {
            return match secret_line::ask(question.prompt()) {
                Ok(Typed::Line(line)) => Ok(Read::Line(line)),
                Ok(Typed::Interrupted) => Ok(Read::Interrupted),
                Ok(Typed::End) => Ok(Read::Ended),
                Err(error) => {
                    Err(Failure::new(Exit::Refused, format!("the password cannot be read: {error}")))
                }
            };
        }
        self.hide(true);
        let read = self.ask(question);
        self.hide(false);
        read
    }

    fn hide(&mut self, secret: bool) {
        if let Some(helps) = self.editor.helper_mut() {
            helps.secret = secret;
        }
    }
}

fn broken(error: ReadlineError) -> Failure {
    Failure::new(Exit::Refused, format!("the terminal: {error}"))
}

struct Drawn<'a>(&'a dyn Before);

impl Prompt for Drawn<'_> {
    fn raw(&self) -> &str {
        self.0.prompt()
    }
}

#[derive(Helper, Hinter, Validator)]
struct Helps {
    complete: Option<Complete>,
    secret: bool,
}

impl Completer for Helps {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(match &self.complete {
            Some(complete) if !self.secret => complete(&line[..position]),
            _ => (position, Vec::new()),
        })
    }
}

impl Highlighter for Helps {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.secret { Cow::Owned("*".repeat(line.chars().count())) } else { Cow::Borrowed(line) }
    }

    /// A letter of a secret is never drawn as it is.
    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.secret
    }
}

/// A whole word, with the blank that follows it.
pub fn pair(word: String) -> Pair {
    Pair { display: word.clone(), replacement: word + " " }
}

/// A history file, there and nobody else's to read; nothing where there is no place for it.
pub fn history_file(folder: &Path, name: &str) -> Option<PathBuf> {
    fs::create_dir_all(folder).ok()?;
    let file = folder.join(name);
    OpenOptions::new().append(true).create(true).mode(0o600).open(&file).ok()?;
    // One that was there already may be anybody's to read.
    fs::set_permissions(&file, Permissions::from_mode(0o600)).ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = history_file(folder.path(), "history").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let file = history_file(folder.path(), "history").unwrap();
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
