//! `ribbit backup FILE|-`: writes the whole state, as of one log index, to a file.
//!
//! ```text
//!   newest log index ─▶ a member that has applied it pins a snapshot ─▶ rows, step by step ─▶ FILE.new
//!        all rows present, digest equal to the member's ─▶ synced ─▶ renamed to FILE
//! ```
//!
//! Users can go on writing; later writes are not in the backup. If the member dies or gives up, the backup starts again with
//! another member. FILE appears only when it is complete, readable by its owner only; its old contents stay until then.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::cluster_selection::{ClusterFlags, select_with_key};
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::common::write_file::Beside;
use crate::operator::pinned::{PinError, Pinned, living, newest};
use crate::operator::progress::Progress;
use crate::operator::user::Operator;
use clap::{ArgMatches, Args};
use ribbit_db::Position;
use ribbit_db::backup::{BackupError, BackupHead, BackupWriter};
use ribbit_net::pinned::PinAsk;
use ribbit_net::survey::MemberView;
use ribbit_state::Token;
use ribbit_state::command::UnreplicatedAct;
use smol::future::FutureExt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::path::PathBuf;

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// File to write, or - for standard output
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Options of `backup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackupOptions {
    pub cluster: ClusterAccess,
    pub to: BackupTo,
}

/// Target of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BackupTo {
    File(PathBuf),
    /// Standard output.
    Output,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit backup ribbit.backup
  ribbit backup --server board1:10001 /mnt/card/ribbit.backup
  ribbit backup - | ssh elsewhere 'cat > ribbit.backup'

The backup contains every write acknowledged before it started; users can go on
writing meanwhile. FILE appears when it is complete, readable by its owner only,
and replaces an existing file. It contains no logs and no keys, but it contains
password hashes: keep it secret.";

impl BackupArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`select_with_key`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<BackupOptions, Failure> {
        let to = if self.file == Path::new("-") { BackupTo::Output } else { BackupTo::File(self.file) };
        Ok(BackupOptions { cluster: select_with_key(self.cluster, matches)?, to })
    }
}

/// Number of attempts per member.
const ROUNDS: usize = 2;

/// Writes a backup.
///
/// # Errors
/// 1: FILE cannot be written, or the command was stopped. 2: standard output is a terminal. 3: no member answers. 74: the
/// disk is full.
pub(crate) async fn run(options: &BackupOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    check(&options.to)?;
    let stopped = async {
        stop.await;
        Err(Failure::new(Exit::Refused, "stopped: no backup was written"))
    };
    let said = take(options).or(stopped).await?;
    match &options.to {
        BackupTo::File(_) => output::line(&said),
        BackupTo::Output => eprintln!("{said}"),
    }
    Ok(())
}

/// Checks the target before any member is asked.
fn check(to: &BackupTo) -> Result<(), Failure> {
    match to {
        BackupTo::Output if io::stdout().is_terminal() => {
            let text = "a backup cannot be written to a terminal: name a file, or pipe it with `ribbit backup - | …`";
            Err(Failure::new(Exit::Usage, text))
        }
        BackupTo::File(path) if path.exists() && !path.is_file() => {
            Err(Failure::new(Exit::Refused, format!("{} is not a file", path.display())))
        }
        _ => Ok(()),
    }
}

/// Reason why one attempt failed.
enum AttemptError {
    /// A problem of the member; another one may succeed.
    Member(String),
    /// A problem of this machine; no other member helps.
    Here(Failure),
}

impl From<PinError> for AttemptError {
    fn from(error: PinError) -> AttemptError {
        AttemptError::Member(error.to_string())
    }
}

async fn take(options: &BackupOptions) -> Result<String, Failure> {
    let members = living(&options.cluster).await?;
    let at_least = newest(&members, &options.cluster.keys).await;
    if at_least.is_none() {
        eprintln!(
            "warning: there is no quorum at the moment, so the backup may lack the newest writes, and the audit log does not record it"
        );
    }
    for member in members.iter().cycle().take(ROUNDS * members.len()) {
        match from_member(options, member, at_least).await {
            Ok((said, act)) => {
                if at_least.is_some() {
                    Operator::record(&options.cluster, act, "backup").await;
                }
                return Ok(said);
            }
            Err(AttemptError::Here(failure)) => return Err(failure),
            Err(AttemptError::Member(why)) => eprintln!("{}: {why}", member.info.name()),
        }
    }
    Err(Failure::new(Exit::Unreachable, "no member sent a complete copy: there is no backup"))
}

async fn from_member(
    options: &BackupOptions,
    member: &MemberView,
    at_least: Option<Token>,
) -> Result<(String, UnreplicatedAct), AttemptError> {
    let pinned = Pinned::begin(member, &options.cluster.keys, PinAsk::Begin { at_least }).await?;
    let said = match &options.to {
        BackupTo::File(path) => {
            let failed = |error| AttemptError::Here(unwritable(path, &error));
            let file = write_all(Beside::begin(path).map_err(failed)?, &pinned, failed).await?;
            let bytes = file.finish().map_err(failed)?;
            words(&path.display().to_string(), &pinned, Some(bytes))
        }
        BackupTo::Output => {
            let name = Path::new("standard output");
            let written =
                write_all(io::stdout(), &pinned, |error| AttemptError::Here(unwritable(name, &error)));
            written.await.map_err(|halt| match halt {
                AttemptError::Member(why) => {
                    let text = format!(
                        "{}: {why}. The output is incomplete and `ribbit restore` will refuse it",
                        pinned.name
                    );
                    AttemptError::Here(Failure::new(Exit::Unreachable, text))
                }
                here @ AttemptError::Here(_) => here,
            })?;
            words("standard output", &pinned, None)
        }
    };
    let act = UnreplicatedAct::Backup { through: pinned.head.index, rows: pinned.head.rows };
    pinned.end().await;
    Ok((said, act))
}

/// Writes all rows; the writer checks them against the member's row count and digest.
async fn write_all<W: Write>(
    out: W,
    pinned: &Pinned,
    failed: impl Fn(io::Error) -> AttemptError,
) -> Result<W, AttemptError> {
    let halted = |error: BackupError| match error {
        BackupError::Io(error) => failed(error),
        other => AttemptError::Member(other.to_string()),
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
        "{what}: {} rows{bytes}, from {} at index {} of history {}; digest {:016x}.\n\
         The backup contains all messages and the hashes of all passwords: keep it secret.",
        head.rows, pinned.name, head.index, head.history, head.digest
    )
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Exit::Disk,
        _ => Exit::Refused,
    };
    Failure::new(exit, format!("cannot write {}: {error}", path.display()))
}
