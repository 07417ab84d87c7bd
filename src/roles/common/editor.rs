//! Line editor of the terminal: editing, history and completion, for `shell` and `client`.
//!
//! - The history is stored in a file that only its owner can read. Lines that start with a space and answers to questions are
//!   not stored.
//! - Text printed through [`LineEditor::printer`] appears above the input line, which stays unchanged.
//! - Input typed ahead belongs to the next line, so a process has one editor, which also reads secrets.
//!
//! All callers share one helper type and one prompt type, because each further type would add another copy of the generic
//! editor to the binary.

use crate::common::failure::{Exit, Failure};
use crate::common::secret_input::{self, SecretInput};
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

/// Maximum number of lines in the history.
const HISTORY_LINES_MAX: usize = 1_000;

/// Result of reading a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineInput {
    Line(String),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D, or the terminal was closed.
    Ended,
}

/// Source of the prompt, called whenever the line is drawn. The width of the prompt must not change while a line is read.
pub(crate) trait PromptSource: Send + Sync {
    fn prompt(&self) -> &str;
}

impl PromptSource for String {
    fn prompt(&self) -> &str {
        self
    }
}

impl PromptSource for &'static str {
    fn prompt(&self) -> &str {
        self
    }
}

/// Completion callback. Takes the line up to the cursor, and returns the byte offset of the word to replace and its
/// candidates.
pub(crate) type CompleteFn = Box<dyn Fn(&str) -> (usize, Vec<Pair>) + Send>;

/// Callback that prints above the input line.
pub(crate) type PrintFn = Box<dyn FnMut(String) + Send>;

/// Line editor with history and completion.
pub(crate) struct LineEditor {
    editor: Editor<EditorHelper, DefaultHistory>,
    history: Option<PathBuf>,
}

impl LineEditor {
    /// Creates an editor with the history in the given file.
    ///
    /// # Errors
    /// `Refused` (1) when the terminal cannot be used.
    pub(crate) fn new(history: Option<PathBuf>) -> Result<LineEditor, Failure> {
        let config = Config::builder().max_history_size(HISTORY_LINES_MAX).map_err(broken)?;
        let config = config.history_ignore_space(true).completion_type(CompletionType::List);
        // No colours are used, but secrets are masked through the highlighter, which needs colour mode.
        let config = config.color_mode(ColorMode::Forced).build();
        let mut editor: Editor<EditorHelper, DefaultHistory> = Editor::with_config(config).map_err(broken)?;
        editor.set_helper(Some(EditorHelper { complete: None, secret: false }));
        if let Some(file) = &history {
            // The editor works without the history, so a failure is only logged.
            if let Err(error) = editor.load_history(file) {
                log::warn!("cannot read the input history from {}: {error}", file.display());
            }
        }
        Ok(LineEditor { editor, history })
    }

    /// Sets the completion callback.
    pub(crate) fn complete_with(&mut self, complete: CompleteFn) {
        if let Some(helps) = self.editor.helper_mut() {
            helps.complete = Some(complete);
        }
    }

    /// Returns true if the terminal supports only plain lines.
    pub(crate) fn is_plain(&mut self) -> bool {
        self.editor.create_external_printer().is_err()
    }

    /// Returns the callback that prints above the input line, or `None` if the terminal does not support it.
    pub(crate) fn printer(&mut self) -> Option<PrintFn> {
        let mut printer = self.editor.create_external_printer().ok()?;
        Some(Box::new(move |text| drop(printer.print(text + "\n"))))
    }

    /// Reads a line and adds it to the history.
    ///
    /// # Errors
    /// `Refused` (1) when the terminal cannot be read.
    pub(crate) fn read(&mut self, before: &dyn PromptSource) -> Result<LineInput, Failure> {
        let read = self.ask(before)?;
        if let LineInput::Line(line) = &read
            && !line.trim().is_empty()
        {
            let _ = self.editor.add_history_entry(line);
            if let Some(file) = &self.history {
                let _ = self.editor.append_history(file); // The editor goes on when the disk is full.
            }
        }
        Ok(read)
    }

    /// Reads the answer to a question. It is not added to the history.
    ///
    /// # Errors
    /// `Refused` (1) when the terminal cannot be read.
    pub(crate) fn ask(&mut self, question: &dyn PromptSource) -> Result<LineInput, Failure> {
        match self.editor.readline(&EditorPrompt(question)) {
            Ok(line) => Ok(LineInput::Line(line)),
            Err(ReadlineError::Interrupted) => Ok(LineInput::Interrupted),
            Err(ReadlineError::Eof | ReadlineError::Io(_) | ReadlineError::Errno(_)) => Ok(LineInput::Ended),
            Err(error) => Err(broken(error)),
        }
    }

    /// Reads a hidden answer. The terminal shows a star for each character.
    ///
    /// # Errors
    /// `Refused` (1) when the terminal cannot be read.
    pub(crate) fn ask_secret(&mut self, question: &dyn PromptSource) -> Result<LineInput, Failure> {
        if self.is_plain() {
            return match secret_input::ask(question.prompt()) {
                Ok(SecretInput::Line(line)) => Ok(LineInput::Line(line)),
                Ok(SecretInput::Interrupted) => Ok(LineInput::Interrupted),
                Ok(SecretInput::End) => Ok(LineInput::Ended),
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
    Failure::new(Exit::Refused, format!("cannot read from the terminal: {error}"))
}

struct EditorPrompt<'a>(&'a dyn PromptSource);

impl Prompt for EditorPrompt<'_> {
    fn raw(&self) -> &str {
        self.0.prompt()
    }
}

#[derive(Helper, Hinter, Validator)]
struct EditorHelper {
    complete: Option<CompleteFn>,
    secret: bool,
}

impl Completer for EditorHelper {
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

impl Highlighter for EditorHelper {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.secret { Cow::Owned("*".repeat(line.chars().count())) } else { Cow::Borrowed(line) }
    }

    /// Forces a redraw through [`Highlighter::highlight`] for each character of a secret.
    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.secret
    }
}

/// Returns a completion candidate that ends with a space.
pub(crate) fn pair(word: String) -> Pair {
    Pair { display: word.clone(), replacement: word + " " }
}

/// Creates the history file, readable only by its owner. Returns `None` if it cannot be created.
pub(crate) fn history_file(folder: &Path, name: &str) -> Option<PathBuf> {
    fs::create_dir_all(folder).ok()?;
    let file = folder.join(name);
    OpenOptions::new().append(true).create(true).mode(0o600).open(&file).ok()?;
    // A file that existed before may be readable by others.
    fs::set_permissions(&file, Permissions::from_mode(0o600)).ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_readable_only_by_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let file = history_file(folder.path(), "history").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let file = history_file(folder.path(), "history").unwrap();
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
