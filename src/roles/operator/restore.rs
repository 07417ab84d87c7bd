//! `ribbit restore FILE --data-dir NEW`: creates a new cluster from a backup.
//!
//! ```text
//!   FILE ─▶ NEW.restoring: every block checked, rows into backend-1's store ─▶ read again, digest compared
//!        ─▶ new history, one voter ─▶ cluster file with new keys ─▶ renamed to NEW
//! ```
//!
//! FILE is only read, and NEW appears only when it is complete. The new cluster has another id than the backup's, so members
//! of one never take part in the other.
//!
//! Sessions are not restored: a backup may be old or stolen, and a session that was ended since must not come back. Locks
//! are restored with their owners; those send no heartbeats any more, so the cluster releases the locks by lease.

use crate::common::address;
use crate::common::cluster_file::ClusterFile;
use crate::common::command_line::command_line;
use crate::common::defaults::data_dir_or_default;
use crate::common::failure::{Exit, Failure, unwritable};
use crate::common::output;
use crate::common::panics;
use crate::common::random::random_history;
use crate::common::write_file;
use crate::operator::backup::encryption::{self, BackupKeyFlag};
use crate::operator::progress::Progress;
use crate::operator::recover::{RowCounts, counts};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use ribbit_db::backup::{BackupError, BackupHead, BackupReader, digest_of};
use ribbit_db::snapshot::{self, SnapshotHead, SnapshotWriter};
use ribbit_db::{self, Configuration, DbError, FileDisk, HardState, Identity, Store};
use ribbit_state::cluster::members;
use ribbit_state::limits::RULES_LEVEL;
use ribbit_state::rows::{Sessions, SessionsOf, Table};
use ribbit_state::{ClusterId, HOME_REGION, HistoryId, KeyId, MemberName, Role};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Backup to read, or - for standard input
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    #[command(flatten)]
    pub key: BackupKeyFlag,
    /// Check the whole backup, and create nothing
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub dry_run: bool,
    /// Data folder to create; it must be missing or empty [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Display name of the new cluster
    #[arg(long, default_value = "ribbit")]
    pub name: String,
    /// Addresses of its coordinators, as every machine reaches them
    #[arg(long, value_name = "HOST:PORT[,…]", value_delimiter = ',', value_parser = address::peer)]
    pub coordinator: Vec<String>,
}

/// Options of `restore`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RestoreOptions {
    /// Backup to read; standard input if `None`.
    pub file: Option<PathBuf>,
    /// File of the key that decrypts it.
    pub key: Option<PathBuf>,
    /// The backup is checked and nothing is created.
    pub dry_run: bool,
    /// Data folder to create.
    pub data_dir: PathBuf,
    /// Name of the new cluster, for display only.
    pub name: String,
    /// Coordinators of the new cluster file.
    pub coordinators: Vec<String>,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit restore ribbit.backup --data-dir restored
  ssh elsewhere 'cat ribbit.backup' | ribbit restore - --data-dir restored
  ribbit restore ribbit.backup --coordinator board1:9000,board2:9001
  ribbit restore ribbit.backup.age --key backup.key --dry-run

A damaged, truncated or foreign file is refused before anything is created.
All users have to log in again.";

impl RestoreArgs {
    /// Returns the options, with the default folder filled in.
    pub(crate) fn options(self) -> RestoreOptions {
        let file = Some(self.file).filter(|file| file != Path::new("-"));
        let (key, dry_run) = (self.key.key, self.dry_run);
        let (data_dir, name, coordinators) =
            (data_dir_or_default(self.data_dir), self.name, self.coordinator);
        RestoreOptions { file, key, dry_run, data_dir, name, coordinators }
    }
}

/// Number of the backend that gets the restored store.
const FIRST: u32 = 1;

/// Restores a backup and prints the next steps.
///
/// # Errors
/// 1: FILE cannot be used, or NEW is not empty. 74: the disk is full. 78: a newer version made FILE.
pub(crate) fn run(options: &RestoreOptions) -> Result<(), Failure> {
    if options.dry_run {
        return dry_run(options);
    }
    let target = target(&options.data_dir)?;
    let mut name = target.as_os_str().to_owned();
    name.push(".restoring");
    let work = PathBuf::from(name);
    for folder in [&target, &work] {
        // In another user's folder, that user could read and change what root writes.
        write_file::owned(folder, None).map_err(|error| {
            Failure::new(Exit::Refused, format!("cannot restore into {}: {error}", folder.display()))
        })?;
    }
    let (from, left) = (shown(options), work.clone());
    panics::on_damage(move |why| {
        // The process exits after this, so the temporary folder has to be removed here.
        let _ = fs::remove_dir_all(&left);
        Failure::new(Exit::Refused, format!("cannot restore {from}: {why}"))
    });
    let restored = restore_in(&work, options).and_then(|restored| {
        write_file::move_folder(&work, &target).map_err(|error| unwritable(&target, &error))?;
        Ok(restored)
    });
    if restored.is_err() {
        let _ = fs::remove_dir_all(&work);
    }
    output::line(&restored?.words(options));
    Ok(())
}

/// Reads the whole backup and says what it is.
fn dry_run(options: &RestoreOptions) -> Result<(), Failure> {
    let mut backup = begin(options)?;
    let mut progress = Progress::begin();
    let head = backup.head().clone();
    while backup.next_rows().map_err(|error| unusable(options, &error))?.is_some() {
        progress.rows(backup.so_far(), head.rows);
    }
    output::line(&format!("{}\nNothing was created, because of --dry-run.", is_intact(options, &head)));
    Ok(())
}

/// Begins to read a backup, and checks that this version can restore it.
fn begin(options: &RestoreOptions) -> Result<BackupReader<Box<dyn Read>>, Failure> {
    let input = encryption::opened(options.file.as_deref(), options.key.as_deref())?;
    let backup = BackupReader::begin(input).map_err(|error| unusable(options, &error))?;
    let level = backup.head().rules_level;
    if level > RULES_LEVEL {
        let text = format!(
            "{} is from another version of ribbit: it has rules level {level}, and this version knows levels up to \
             {RULES_LEVEL}. Restore it with the version that made it",
            shown(options)
        );
        return Err(Failure::new(Exit::Configuration, text));
    }
    Ok(backup)
}

fn unusable(options: &RestoreOptions, error: &BackupError) -> Failure {
    let exit = if let BackupError::Newer(_) = error { Exit::Configuration } else { Exit::Refused };
    Failure::new(exit, format!("cannot restore {}: {error}", shown(options)))
}

fn is_intact(options: &RestoreOptions, head: &BackupHead) -> String {
    format!(
        "{} is an intact backup of cluster {}, history {}, at index {}.",
        shown(options),
        head.cluster,
        head.history,
        head.position.index
    )
}

/// Returns the absolute path of the target, which must be missing or an empty folder.
fn target(data_dir: &Path) -> Result<PathBuf, Failure> {
    let shown = data_dir.display();
    let refused = |text: String| Failure::new(Exit::Refused, text);
    if data_dir.symlink_metadata().is_ok() {
        let mut entries =
            fs::read_dir(data_dir).map_err(|error| refused(format!("cannot read {shown}: {error}")))?;
        if entries.next().is_some() {
            let text =
                format!("{shown} is not empty and was not changed: name another folder with --data-dir");
            return Err(refused(text));
        }
    }
    let absolute = std::path::absolute(data_dir).map_err(|error| refused(format!("{shown}: {error}")))?;
    match (absolute.file_name(), absolute.parent()) {
        (Some(_), Some(parent)) => {
            write_file::make_folder(parent).map_err(|error| unwritable(parent, &error))?;
            Ok(absolute)
        }
        _ => Err(refused(format!("{shown} cannot be a data folder: name a folder inside it"))),
    }
}

/// Result of a restore, for the report.
struct Restored {
    head: BackupHead,
    cluster: ClusterId,
    history: HistoryId,
    counts: RowCounts,
}

fn restore_in(work: &Path, options: &RestoreOptions) -> Result<Restored, Failure> {
    let from = shown(options);
    let broken = |error: DbError| match error {
        DbError::File(error) => Failure::new(Exit::Disk, format!("cannot restore {from}: {error}")),
        error => Failure::new(Exit::Refused, format!("cannot write {}: {error}", work.display())),
    };
    // The header is checked before anything is created.
    let mut backup = begin(options)?;
    let head = backup.head().clone();
    write_file::empty_folder(work).map_err(|error| unwritable(work, &error))?;
    let store_dir = work.join(MemberName::at_home(Role::Backend, FIRST).to_string());
    let mut store = Store::open(FileDisk::new(&store_dir)).map_err(broken)?;
    let left_out = fill(&mut backup, &store, |error| unusable(options, &error), broken)?;
    let (term, commit) = (head.position.term, head.position.index);
    store.install(HardState { term, vote: 0, commit }).map_err(broken)?;
    check(&store, head.digest.wrapping_sub(left_out)).map_err(broken)?;

    let file = ClusterFile::new(options.name.clone(), options.coordinators.clone());
    let (cluster, history) = (file.cluster, random_history());
    let counts = found(&mut store, cluster, history, file.ring.newest.id()).map_err(broken)?;
    let Some(counts) = counts else {
        let text = format!("{from} was written by a newer version of ribbit: use that version");
        return Err(Failure::new(Exit::Configuration, text));
    };
    drop(store);
    let path = ClusterFile::path_in(work);
    file.create(&path).map_err(|error| unwritable(&path, &error))?;
    Ok(Restored { head, cluster, history, counts })
}

/// Writes all rows except sessions to the store. Returns what the omitted rows would have added to the digest.
fn fill(
    backup: &mut BackupReader<Box<dyn Read>>,
    store: &Store,
    unusable: impl Fn(BackupError) -> Failure,
    broken: impl Fn(DbError) -> Failure,
) -> Result<u64, Failure> {
    let head = backup.head().clone();
    let all = SnapshotHead { applied: head.position, configuration: Configuration::default() };
    let mut writer = SnapshotWriter::begin(store.disk().as_ref(), &all).map_err(&broken)?;
    let (mut left_out, mut progress) = (0u64, Progress::begin());
    while let Some(rows) = backup.next_rows().map_err(&unusable)? {
        let (left, kept): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(key, _)| is_left_behind(key));
        left_out = left_out.wrapping_add(digest_of(&left));
        writer.write_chunk(&kept).map_err(&broken)?;
        progress.rows(backup.so_far(), head.rows);
    }
    let sum = writer.sum();
    writer.finish(sum).map_err(&broken)?;
    Ok(left_out)
}

/// Returns whether the key is that of a session row.
fn is_left_behind(key: &[u8]) -> bool {
    key.first().is_some_and(|table| [Sessions::ID.0, SessionsOf::ID.0].contains(table))
}

/// Reads all rows back from the disk and compares their digest.
fn check(store: &Store, expected: u64) -> Result<(), DbError> {
    let reader = store.reader();
    ribbit_db::catch_read_panics(|| snapshot::digest(&reader))?;
    match store.loaded()?.digest {
        digest if digest == expected => Ok(()),
        digest => Err(DbError::Damaged(format!("its digest is {digest:x} and should be {expected:x}"))),
    }
}

/// Begins the new history. Returns `None` if this version of ribbit does not understand the store.
fn found(
    store: &mut Store,
    cluster: ClusterId,
    history: HistoryId,
    key: KeyId,
) -> Result<Option<RowCounts>, DbError> {
    let view = store.reader().view()?;
    let Ok((raft_id, changes)) = members::begin_history(&view, history, Role::Backend, FIRST, key)? else {
        return Ok(None);
    };
    let counts = counts(&view)?;
    drop(view);
    let identity =
        Identity { cluster, history, raft_id, role: Role::Backend, region: HOME_REGION, id: FIRST };
    store.begin_history(&identity, changes)?;
    Ok(Some(counts))
}

fn shown(options: &RestoreOptions) -> String {
    options.file.as_ref().map_or("standard input".into(), |path| path.display().to_string())
}

impl Restored {
    /// Returns the report: the contents of the backup and the next steps.
    fn words(&self, options: &RestoreOptions) -> String {
        let Restored { head, cluster, history, counts } = self;
        let data_dir = options.data_dir.display();
        let RowCounts { accounts, croaks, messages } = counts;
        let up = command_line(&["up".into(), "--data-dir".into(), options.data_dir.clone().into()]);
        let backend = ["backend", "--id", "1", "--data-dir"].map(Into::into);
        let backend = command_line(&[&backend[..], &[options.data_dir.clone().into()]].concat());
        format!(
            "{}\nIt contains {accounts} accounts, {croaks} croaks and {messages} messages.\n\
             {data_dir} now holds them as the new cluster {cluster}, history {history}. Its keys are in {data_dir}/{}: \
             keep that file secret.\n\
             Passwords are unchanged, but all users have to log in again. The new cluster has another public key, which \
             `ribbit key` prints; clients that saved the old one will ask about it.\n\n\
             Next steps:\n  \
             on one machine:        {up}\n  \
             on several machines:   {backend}\n                         \
             then start the other members, each with a copy of that cluster file, once with \
             --coordinator THIS-MACHINE:10001",
            is_intact(options, head),
            crate::common::cluster_file::FILE_NAME,
        )
    }
}
