//! Interactive mode of the shell: a line editor with history and completion.
//!
//! - The history is stored in `$XDG_STATE_HOME/ribbit`, otherwise in the data folder if it exists, readable only by its owner.
//!   Lines that start with a space are not stored.
//! - Tab completes commands, and paths from the current tree.
//! - Ctrl-C discards the line, or stops the running command. Ctrl-D and `exit` leave the shell.
//! - SIGTERM and SIGHUP restore the terminal mode and release the locks, like every other exit. After SIGKILL the lease
//!   expires by itself.

use super::arguments::ShellOptions;
use super::commands::{self, ShellCommand, ShellLine};
use super::{INTERRUPTED, ShellSession, explain, quoting};
use crate::common::editor::{LineEditor, LineInput, history_file, pair};
use crate::common::failure::Failure;
use crate::common::signals::received;
use crate::common::stop::ending_signals;
use crate::locks::namespace::Namespace;
use async_signal::Signal;
use clap::CommandFactory;
use ribbit_net::tasks;
use ribbit_state::TreePath;
use ribbit_state::rows::NodeKind;
use ribbit_state::sync::MutexExt;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use rustyline::completion::Pair;
use smol::channel::Receiver;
use smol::future::FutureExt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Prompt of the shell.
const PROMPT: &str = "ribbit> ";
/// Time limit of the query for paths during Tab completion.
const COMPLETE_MAX: Duration = Duration::from_millis(500);
/// Exit code after SIGTERM, as shells report it: 128 plus the signal number.
const TERMINATED: i32 = 143;

/// Reads and runs commands until the user leaves, and returns the exit code.
///
/// # Errors
/// `Refused` (1) when the terminal cannot be read.
pub(crate) async fn run(session: &mut ShellSession, options: &ShellOptions) -> Result<u8, Failure> {
    let interrupts = end_on_signals(session)?;
    let namespace = session.namespace.clone();
    let complete = move |line: &str| complete(&namespace, line);
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let history = history_folder(state, &options.data_dir);
    let history = history.and_then(|folder| history_file(&folder, "shell-history"));
    let mut editor = LineEditor::new(history)?;
    editor.complete_with(Box::new(complete));
    if let Some(print) = editor.printer() {
        *session.print.locked() = print;
    }
    loop {
        match editor.read(&PROMPT)? {
            LineInput::Ended => return Ok(0),
            LineInput::Line(line) if !line.trim().is_empty() => {
                if !perform(session, &line, &interrupts).await {
                    return Ok(0);
                }
            }
            LineInput::Line(_) | LineInput::Interrupted => {}
        }
    }
}

/// Runs a line and reports its error. Returns false if the line was `exit`.
async fn perform(session: &mut ShellSession, line: &str, interrupts: &Receiver<()>) -> bool {
    let verb = match quoting::split(line) {
        Err(error) => {
            eprintln!("{error}");
            return true;
        }
        Ok(words) => match commands::parse(&words) {
            Ok(ShellCommand::Exit) => return false,
            Ok(verb) => verb,
            Err(error) => {
                explain(&error);
                return true;
            }
        },
    };
    while interrupts.try_recv().is_ok() {}
    let stopped = async {
        let _ = interrupts.recv().await;
        Ok(INTERRUPTED)
    };
    if let Err(failure) = session.perform(verb).or(stopped).await {
        eprintln!("{failure}");
    }
    true
}

/// Starts the signal handler: SIGTERM and SIGHUP clean up and exit, and SIGINT sends a message to the returned channel.
fn end_on_signals(session: &ShellSession) -> Result<Receiver<()>, Failure> {
    let (interrupt, interrupts) = smol::channel::bounded(1);
    let mut signals = ending_signals()?;
    let terminal = tcgetattr(io::stdin()).ok();
    let held = session.held.clone();
    let ending = async move {
        while let Some(signal) = received(&mut signals).await {
            if let Signal::Int = signal {
                let _ = interrupt.try_send(());
                continue;
            }
            if let Some(terminal) = &terminal {
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
            }
            if let Some(lease) = held.lock().await.lease.take() {
                lease.close().await;
            }
            std::process::exit(TERMINATED);
        }
    };
    tasks::spawn(ending).detach();
    Ok(interrupts)
}

/// Returns the folder of the history, if there is a place for it.
fn history_folder(state: Option<PathBuf>, data_dir: &Path) -> Option<PathBuf> {
    match state {
        Some(state) if state.is_absolute() => Some(state.join("ribbit")),
        _ => data_dir.is_dir().then(|| data_dir.to_path_buf()),
    }
}

/// Completes commands, their flags and paths of the current tree.
fn complete(namespace: &Namespace, line: &str) -> (usize, Vec<Pair>) {
    let (begins, word) = quoting::last(line);
    let first = line[..begins].trim().is_empty();
    let helps = line[..begins].trim() == "help";
    let found = match first || helps {
        true => verbs(&word),
        false if word.starts_with('-') => flags(line, &word),
        false => paths(namespace, &word),
    };
    (begins, found)
}

/// Returns the paths that start with `word`.
fn paths(namespace: &Namespace, word: &str) -> Vec<Pair> {
    let (folder, begin) = word.rsplit_once('/').unwrap_or(("", ""));
    let folder: TreePath = match format!("/{folder}").parse() {
        Ok(folder) => folder,
        Err(_) => return Vec::new(),
    };
    let names = smol::block_on(namespace.names_in(&folder, COMPLETE_MAX));
    let matching = names.into_iter().filter(|(path, _)| path.name().starts_with(begin));
    let pair = |(path, kind): (TreePath, NodeKind)| {
        let end = if kind == NodeKind::Folder { "/" } else { "" };
        let display = format!("{}{end}", ribbit_ui::plain::line(path.name()));
        Pair { display, replacement: quoting::escaped(path.as_str()) + end }
    };
    matching.map(pair).collect()
}

fn verbs(begin: &str) -> Vec<Pair> {
    let line = ShellLine::command();
    let names = line.get_subcommands().map(clap::Command::get_name).chain(["help"]);
    names.filter(|name| name.starts_with(begin)).map(|name| pair(name.to_string())).collect()
}

fn flags(line: &str, begin: &str) -> Vec<Pair> {
    let known = ShellLine::command();
    let verb = line.split_whitespace().next().and_then(|verb| known.find_subcommand(verb));
    let flags = verb.into_iter().flat_map(|verb| verb.get_arguments().filter_map(clap::Arg::get_long));
    let flags = flags.map(|flag| format!("--{flag}"));
    flags.filter(|flag| flag.starts_with(begin)).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(pairs: Vec<Pair>) -> Vec<String> {
        pairs.into_iter().map(|pair| pair.replacement).collect()
    }

    #[test]
    fn commands_and_their_flags_are_completed() {
        assert_eq!(words(verbs("t")), ["test ", "touch "]);
        assert_eq!(words(verbs("he")), ["help "]);
        assert_eq!(words(flags("write --", "--")), ["--append ", "--lock ", "--fence "]);
        assert!(words(flags("frog --", "--")).is_empty());
    }

    #[test]
    fn the_history_is_in_the_state_folder_or_the_data_folder() {
        let folder = tempfile::tempdir().unwrap();
        let state = history_folder(Some("/state".into()), Path::new("/nonexistent"));
        assert_eq!(state, Some("/state/ribbit".into()));
        assert_eq!(history_folder(None, folder.path()), Some(folder.path().into()));
        assert_eq!(history_folder(None, Path::new("/nonexistent")), None);
    }
}
