//! `ribbit backup FILE|-`: writes the whole state, as of one log index, to a file. [`target`] has the places for it, [`encryption`]
//! the keys.
//!
//! ```text
//!   newest log index ─▶ a member that has applied it pins a snapshot ─▶ rows, step by step ─▶ FILE.new
//!        all rows present, digest equal to the member's ─▶ synced ─▶ renamed to FILE
//! ```
//!
//! Users can go on writing; later writes are not in the backup. If the member dies or gives up, the backup starts again with
//! another member. FILE appears only when it is complete, readable by its owner only; its old contents stay until then.

pub(crate) mod encryption;
mod target;

use crate::common::cluster_selection::{ClusterAccess, ClusterFlags, select_with_key};
use crate::common::failure::{Exit, Failure, unwritable};
use crate::common::output;
use crate::operator::age::Lock;
use crate::operator::pinned::{PinError, Pinned, living, newest};
use crate::operator::progress::Progress;
use crate::operator::user::Operator;
use clap::{ArgMatches, Args, value_parser};
use encryption::{Encryption, EncryptionFlags};
use ribbit_db::Position;
use ribbit_db::backup::{BackupError, BackupHead, BackupWriter};
use ribbit_net::pinned::PinAsk;
use ribbit_net::survey::MemberView;
use ribbit_state::Token;
use ribbit_state::command::UnreplicatedAct;
use smol::future::FutureExt;
use std::io;
use std::path::{Path, PathBuf};
use target::{BackupTo, Output};

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// File to write, or - for standard output
    #[arg(value_name = "FILE|-")]
    pub file: Option<PathBuf>,
    /// Write a numbered file into this folder
    #[arg(long, value_name = "DIR")]
    pub to_dir: Option<PathBuf>,
    /// Number of backups of this cluster to keep in that folder; older ones are removed [default: all]
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
    #[command(flatten)]
    pub encryption: EncryptionFlags,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Options of `backup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackupOptions {
    pub cluster: ClusterAccess,
    pub to: BackupTo,
    pub encryption: Encryption,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit backup ribbit.backup
  ribbit backup --server board1:10001 /mnt/card/ribbit.backup
  ribbit backup - | ssh elsewhere 'cat > ribbit.backup'
  ribbit backup --to-dir /mnt/stick --keep 7 --recipient age1…

The backup contains every write acknowledged before it started; users can go on
writing meanwhile. FILE appears when it is complete, readable by its owner only,
and replaces an existing file. It contains no logs and no keys, but it contains
password hashes: keep it secret, or encrypt it. `ribbit restore --dry-run` checks
a backup and changes nothing.

An encrypted backup is a file of age (age-encryption.org), which the program
`age` reads as well. `ribbit key for-backups` makes a pair of keys: boards need
the public one only. Without the secret key or the passphrase it is lost.";

impl BackupArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`select_with_key`]; 2 if there is not one target, or more than one way of encryption.
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<BackupOptions, Failure> {
        let usage = |text: &str| Err(Failure::new(Exit::Usage, text));
        let to = match (self.file, self.to_dir, self.keep) {
            (None, Some(dir), keep) => BackupTo::Folder { dir, keep },
            (_, None, Some(_)) => {
                return usage("--keep counts the backups in a folder: name it with --to-dir");
            }
            (Some(file), None, None) if file == Path::new("-") => BackupTo::Output,
            (Some(file), None, None) => BackupTo::File(file),
            (None, None, None) => return usage("name a file for the backup, or a folder with --to-dir"),
            (Some(_), Some(_), _) => {
                return usage("a backup goes to a file or to a folder: leave out one of them");
            }
        };
        let encryption = self.encryption.encryption()?;
        Ok(BackupOptions { cluster: select_with_key(self.cluster, matches)?, to, encryption })
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
    options.to.check()?;
    let lock = options.encryption.lock()?;
    let stopped = async {
        stop.await;
        Err(Failure::new(Exit::Refused, "stopped: no backup was written"))
    };
    let said = take(options, lock.as_ref()).or(stopped).await?;
    match &options.to {
        BackupTo::File(_) | BackupTo::Folder { .. } => output::line(&said),
        BackupTo::Output => eprintln!("{said}"),
    }
    Ok(())
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

async fn take(options: &BackupOptions, lock: Option<&Lock>) -> Result<String, Failure> {
    let members = living(&options.cluster).await?;
    let at_least = newest(&members, &options.cluster.keys).await;
    if at_least.is_none() {
        eprintln!(
            "warning: there is no quorum at the moment, so the backup may lack the newest writes, and the audit log does not record it"
        );
    }
    for member in members.iter().cycle().take(ROUNDS * members.len()) {
        match from_member(options, lock, member, at_least).await {
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
    lock: Option<&Lock>,
    member: &MemberView,
    at_least: Option<Token>,
) -> Result<(String, UnreplicatedAct), AttemptError> {
    let pinned = Pinned::begin(member, &options.cluster.keys, PinAsk::Begin { at_least }).await?;
    let written = write_to(&options.to, lock, &pinned).await;
    let act = UnreplicatedAct::Backup { through: pinned.head.index, rows: pinned.head.rows };
    // Released after a failure, too: a member keeps few of them, and the backup is soon repeated.
    pinned.end().await;
    Ok((written?, act))
}

/// Writes the backup. Returns what to tell the operator.
async fn write_to(to: &BackupTo, lock: Option<&Lock>, pinned: &Pinned) -> Result<String, AttemptError> {
    let cluster = pinned.head.cluster;
    let unnamed = |error| AttemptError::Here(unwritable(to.shown(), &error));
    let path = to.path(cluster, lock).map_err(unnamed)?;
    let name = path.as_deref().unwrap_or(Path::new("standard output"));
    let failed = |error| AttemptError::Here(unwritable(name, &error));
    let output = Output::begin(path.as_deref(), lock).map_err(failed)?;
    let output = match write_all(output, pinned, failed).await {
        Err(AttemptError::Member(why)) if path.is_none() => {
            let text = format!(
                "{}: {why}. The output is incomplete and `ribbit restore` will refuse it",
                pinned.name
            );
            return Err(AttemptError::Here(Failure::new(Exit::Unreachable, text)));
        }
        other => other?,
    };
    let bytes = output.finish().map_err(failed)?;
    let mut said = words(&name.display().to_string(), pinned, bytes, lock.is_some());
    match to.remove_old(cluster).map_err(unnamed)? {
        0 => {}
        1 => said.push_str("\nRemoved 1 older backup."),
        old => said.push_str(&format!("\nRemoved {old} older backups.")),
    }
    Ok(said)
}

/// Writes all rows; the writer checks them against the member's row count and digest.
async fn write_all(
    out: Output,
    pinned: &Pinned,
    failed: impl Fn(io::Error) -> AttemptError,
) -> Result<Output, AttemptError> {
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

fn words(what: &str, pinned: &Pinned, bytes: Option<u64>, encrypted: bool) -> String {
    let head = &pinned.head;
    let bytes = bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
    let secret = match encrypted {
        true => {
            "The backup is encrypted. Without its key it cannot be restored: keep a copy of the key elsewhere."
        }
        false => "The backup contains all messages and the hashes of all passwords: keep it secret.",
    };
    format!(
        "{what}: {} rows{bytes}, from {} at index {} of history {}; digest {:016x}.\n{secret}",
        head.rows, pinned.name, head.index, head.history, head.digest
    )
}
