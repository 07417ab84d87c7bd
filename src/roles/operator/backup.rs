//! `ribbit backup FILE|-`: the whole state, as it was at one index, in a file.
//!
//! ```text
//!   where is the log now? ─▶ a member that has applied as much pins its rows ─▶ step by step ─▶ FILE.new
//!        all there, and they add up to what the member keeps ─▶ durable ─▶ takes FILE's name
//! ```
//!
//! People go on writing; what they write behind that index is not in it. A member that dies, or gives up, in the middle is
//! left for another one, from the beginning. FILE is there as a whole or not at all, for its owner alone; what it held
//! before stays until then.

use crate::common::failure::{Exit, Failure};
use crate::common::options::{BackupOptions, BackupTo};
use crate::common::output;
use crate::common::write_file::Beside;
use crate::operator::pinned::{Pinned, Trouble, living, newest};
use crate::operator::progress::Progress;
use ribbit_db::Position;
use ribbit_db::backup::{BackupError, BackupHead, BackupWriter};
use ribbit_net::pinned::PinAsk;
use ribbit_net::survey::MemberView;
use ribbit_state::Token;
use smol::future::FutureExt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// How often each member is tried.
const ROUNDS: usize = 2;

/// # Errors
/// 1: FILE cannot be written, or it was stopped; 2: standard output is a terminal; 3: nobody can be asked; 74: the disk is
/// full.
pub async fn run(options: &BackupOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    check(&options.to)?;
    let stopped = async {
        stop.await;
        Err(Failure::new(Exit::Refused, "stopped: nothing was written"))
    };
    let said = take(options).or(stopped).await?;
    match &options.to {
        BackupTo::File(_) => output::line(&said),
        BackupTo::Output => eprintln!("{said}"),
    }
    Ok(())
}

/// What is wrong with where it should go is said before anybody is asked.
fn check(to: &BackupTo) -> Result<(), Failure> {
    match to {
        BackupTo::Output if io::stdout().is_terminal() => {
            let text =
                "a backup is nothing for a terminal: name a file, or send it on with `ribbit backup - | …`";
            Err(Failure::new(Exit::Usage, text))
        }
        BackupTo::File(path) if path.exists() && !path.is_file() => {
            Err(Failure::new(Exit::Refused, format!("{} is no file", path.display())))
        }
        _ => Ok(()),
    }
}

/// Why one try came to nothing.
enum Halt {
    /// Another member may do.
    Member(String),
    /// No other member helps.
    Here(Failure),
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Halt {
        Halt::Member(trouble.to_string())
    }
}

async fn take(options: &BackupOptions) -> Result<String, Failure> {
    let members = living(&options.group).await?;
    let at_least = newest(&members, &options.group.keys).await;
    if at_least.is_none() {
        eprintln!("the servers cannot agree at the moment: what was written last may be missing");
    }
    for member in members.iter().cycle().take(ROUNDS * members.len()) {
        match from_member(options, member, at_least).await {
            Ok(said) => return Ok(said),
            Err(Halt::Here(failure)) => return Err(failure),
            Err(Halt::Member(why)) => eprintln!("{}: {why}", member.info.name()),
        }
    }
    Err(Failure::new(Exit::Unreachable, "nobody has given all of it: there is no backup"))
}

async fn from_member(
    options: &BackupOptions,
    member: &MemberView,
    at_least: Option<Token>,
) -> Result<String, Halt> {
    let pinned = Pinned::begin(member, &options.group.keys, PinAsk::Begin { at_least }).await?;
    let said = match &options.to {
        BackupTo::File(path) => {
            let failed = |error| Halt::Here(unwritable(path, &error));
            let file = write_all(Beside::begin(path).map_err(failed)?, &pinned, failed).await?;
            let bytes = file.finish().map_err(failed)?;
            words(&path.display().to_string(), &pinned, Some(bytes))
        }
        BackupTo::Output => {
            let name = Path::new("standard output");
            let written = write_all(io::stdout(), &pinned, |error| Halt::Here(unwritable(name, &error)));
            written.await.map_err(|halt| match halt {
                Halt::Member(why) => {
                    let text = format!(
                        "{}: {why}. What was written has no end, and is refused when it is restored",
                        pinned.name
                    );
                    Halt::Here(Failure::new(Exit::Unreachable, text))
                }
                here @ Halt::Here(_) => here,
            })?;
            words("written", &pinned, None)
        }
    };
    pinned.end().await;
    Ok(said)
}

/// All rows, and that they are those that the member has.
async fn write_all<W: Write>(out: W, pinned: &Pinned, failed: impl Fn(io::Error) -> Halt) -> Result<W, Halt> {
    let halted = |error: BackupError| match error {
        BackupError::Io(error) => failed(error),
        other => Halt::Member(other.to_string()),
    };
    let head = head_of(pinned);
    let all = head.rows;
    let mut writer = BackupWriter::begin(out, head).map_err(halted)?;
    let (mut after, mut progress) = (Vec::new(), Progress::begin());
    loop {
        let rows = pinned.rows(&after).await?;
        let Some((last, _)) = rows.last() else { break };
        after.clone_from(last);
        writer.rows(&rows).map_err(halted)?;
        progress.rows(writer.so_far(), all);
    }
    writer.finish().map_err(halted)
}

fn head_of(pinned: &Pinned) -> BackupHead {
    let head = &pinned.head;
    BackupHead {
        cluster: head.cluster,
        history: head.history,
        position: Position { index: head.index, term: head.term },
        rules_level: head.rules_level,
        rows: head.rows,
        digest: head.digest,
    }
}

fn words(what: &str, pinned: &Pinned, bytes: Option<u64>) -> String {
    let head = &pinned.head;
    let bytes = bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
    format!(
        "{what}: {} rows{bytes}, as {} had them at index {} of history {}; digest {:016x}.\n\
         It holds all that people wrote, and hashes of their passwords: keep it where nobody else can read it.",
        head.rows, pinned.name, head.index, head.history, head.digest
    )
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Exit::Disk,
        _ => Exit::Refused,
    };
    Failure::new(exit, format!("{} cannot be written: {error}", path.display()))
}
