//! The shell in a terminal: a line editor with history and completion.
//!
//! The history lies in `$XDG_STATE_HOME/ribbit`, else in the data folder if there is one, readable by its owner alone; a
//! line that begins with a blank is not kept. Tab completes commands, and paths from the tree as it is now.
//!
//! Ctrl-C drops the line, or stops the command that runs; Ctrl-D and `exit` end. A signal to end puts the terminal back
//! as it was and lets go of what is held, as does every other end but kill -9, where the lease ends by itself.

use super::commands::{self, Line, Verb};
use super::{INTERRUPTED, Session, ending_signals, explain, words};
use crate::net::tasks;
use crate::roles::failure::{Exit, Failure};
use crate::roles::namespace::Namespace;
use crate::roles::options::ShellOptions;
use crate::state::TreePath;
use crate::state::rows::Kind;
use async_signal::Signal;
use clap::CommandFactory;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{
    CompletionType, Config, Context, Editor, ExternalPrinter, Helper, Highlighter, Hinter, Validator,
};
use smol::channel::Receiver;
use smol::future::FutureExt;
use smol::stream::StreamExt;
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PROMPT: &str = "ribbit> ";
const HISTORY_LINES_MAX: usize = 1_000;
/// Tab does not wait for longer.
const COMPLETE_MAX: Duration = Duration::from_millis(500);
/// What shells add to the number of a signal that ended something.
const TERMINATED: i32 = 143;

/// # Errors
/// 1: the terminal cannot be read.
pub async fn run(session: &mut Session, options: &ShellOptions) -> Result<u8, Failure> {
    let broken = |error: ReadlineError| Failure::new(Exit::Refused, format!("the terminal: {error}"));
    let interrupts = end_on_signals(session)?;
    let config = Config::builder()
        .max_history_size(HISTORY_LINES_MAX)
        .map_err(broken)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .build();
    let mut editor: Editor<Tree, DefaultHistory> = Editor::with_config(config).map_err(broken)?;
    editor.set_helper(Some(Tree { namespace: session.namespace.clone() }));
    if let Ok(mut printer) = editor.create_external_printer() {
        let tell = move |text: String| drop(printer.print(text + "\n"));
        *session.tell.lock().expect("nothing panics while it holds this lock") = Box::new(tell);
    }
    let history = history_file(std::env::var_os("XDG_STATE_HOME").map(PathBuf::from), &options.data_dir);
    if let Some(file) = &history {
        let _ = editor.load_history(file); // Damaged: begun anew.
    }
    loop {
        let line = match editor.readline(PROMPT) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            // The end of input, and a terminal that is gone.
            Err(ReadlineError::Eof | ReadlineError::Io(_) | ReadlineError::Errno(_)) => return Ok(0),
            Err(error) => return Err(broken(error)),
        };
        if line.trim().is_empty() {
            continue;
        }
        let _ = editor.add_history_entry(&line);
        if let Some(file) = &history {
            let _ = editor.append_history(file); // A full disk is no reason not to go on.
        }
        if !perform(session, &line, &interrupts).await {
            return Ok(0);
        }
    }
}

/// Does a line, and says what is wrong with it. Whether there is a next one.
async fn perform(session: &mut Session, line: &str, interrupts: &Receiver<()>) -> bool {
    let verb = match words::split(line) {
        Err(error) => {
            eprintln!("{error}");
            return true;
        }
        Ok(words) => match commands::parse(&words) {
            Ok(Verb::Exit) => return false,
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

/// From now on a signal to end ends this process well; Ctrl-C comes through the channel.
fn end_on_signals(session: &Session) -> Result<Receiver<()>, Failure> {
    let (interrupt, interrupts) = smol::channel::bounded(1);
    let mut signals = ending_signals()?;
    let terminal = tcgetattr(io::stdin()).ok();
    let held = session.held.clone();
    let ending = async move {
        while let Some(signal) = signals.next().await {
            if matches!(signal, Ok(Signal::Int)) {
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

/// The file, there and nobody else's to read; nothing where there is no place for it.
fn history_file(state: Option<PathBuf>, data_dir: &Path) -> Option<PathBuf> {
    let folder = match state {
        Some(state) if state.is_absolute() => state.join("ribbit"),
        _ if data_dir.is_dir() => data_dir.to_path_buf(),
        _ => return None,
    };
    fs::create_dir_all(&folder).ok()?;
    let file = folder.join("shell-history");
    OpenOptions::new().append(true).create(true).mode(0o600).open(&file).ok()?;
    // One that was there already may be anybody's to read.
    fs::set_permissions(&file, Permissions::from_mode(0o600)).ok()?;
    Some(file)
}

/// Knows the commands, and the tree as it is now.
#[derive(Helper, Hinter, Highlighter, Validator)]
struct Tree {
    namespace: Namespace,
}

impl Completer for Tree {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (begins, word) = words::last(&line[..position]);
        let first = line[..begins].trim().is_empty();
        let helps = line[..begins].trim() == "help";
        let found = match first || helps {
            true => verbs(&word),
            false if word.starts_with('-') => flags(line, &word),
            false => self.paths(&word),
        };
        Ok((begins, found))
    }
}

impl Tree {
    /// Paths that begin so.
    fn paths(&self, word: &str) -> Vec<Pair> {
        let (folder, begin) = word.rsplit_once('/').unwrap_or(("", ""));
        let folder: TreePath = match format!("/{folder}").parse() {
            Ok(folder) => folder,
            Err(_) => return Vec::new(),
        };
        let names = smol::block_on(self.namespace.names_in(&folder, COMPLETE_MAX));
        let matching = names.into_iter().filter(|(path, _)| path.name().starts_with(begin));
        let pair = |(path, kind): (TreePath, Kind)| {
            let end = if kind == Kind::Folder { "/" } else { "" };
            let display = format!("{}{end}", crate::ui::plain::line(path.name()));
            Pair { display, replacement: words::escaped(path.as_str()) + end }
        };
        matching.map(pair).collect()
    }
}

fn verbs(begin: &str) -> Vec<Pair> {
    let line = Line::command();
    let names = line.get_subcommands().map(clap::Command::get_name).chain(["help"]);
    names.filter(|name| name.starts_with(begin)).map(|name| pair(name.to_string())).collect()
}

fn flags(line: &str, begin: &str) -> Vec<Pair> {
    let known = Line::command();
    let verb = line.split_whitespace().next().and_then(|verb| known.find_subcommand(verb));
    let flags = verb.into_iter().flat_map(|verb| verb.get_arguments().filter_map(clap::Arg::get_long));
    let flags = flags.map(|flag| format!("--{flag}"));
    flags.filter(|flag| flag.starts_with(begin)).map(pair).collect()
}

fn pair(word: String) -> Pair {
    Pair { display: word.clone(), replacement: word + " " }
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
    fn a_history_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = history_file(None, folder.path()).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let file = history_file(None, folder.path()).unwrap();
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        let state = history_file(Some(folder.path().join("state")), Path::new("/nonexistent")).unwrap();
        assert_eq!(state, folder.path().join("state/ribbit/shell-history"));
        assert_eq!(history_file(None, Path::new("/nonexistent")), None);
    }
}
