//! `ribbit recover --from FOLDER`: starts a new history of the cluster from the store of one member.
//!
//! ```text
//!   FOLDER ─▶ copied beside the target ─▶ checked, log applied ─▶ new history, one voter ─▶ renamed to the target
//! ```
//!
//! The last resort, if so many stores are lost for good that no quorum can be reached. FOLDER is only read, and the target
//! appears only when it is complete. Acknowledged writes that FOLDER does not contain are lost, and FOLDER cannot tell
//! whether there were any. So an operator has to decide, and recovery never happens automatically.

use crate::common::cluster_file::ClusterFile;
use crate::common::cluster_selection::path_of_cluster_file;
use crate::common::command_line::command_line;
use crate::common::defaults::default_port;
use crate::common::defaults::{MEMBER_ID_MAX, data_dir_or_default};
use crate::common::failure::{Exit, Failure, unwritable};
use crate::common::output;
use crate::common::panics;
use crate::common::ports::Ports;
use crate::common::random::random_history;
use crate::common::write_file;
use clap::{Args, value_parser};
use ribbit_db::disk::{LOG_PREFIX, STORE_FILE, segment_names};
use ribbit_db::{self, DbError, Disk, FileDisk, Identity, Store};
use ribbit_state::ClusterId;
use ribbit_state::cluster::members;
use ribbit_state::rows::{Accounts, Croaks, Messages, Order, Table, View, scan};
use ribbit_state::{AccountId, HOME_REGION, HistoryId, KeyId, LogIndex, MemberName, Role};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Arguments of `recover`.
#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// Folder of a member's store, or a copy of it; it is only read
    #[arg(long, value_name = "FOLDER")]
    pub from: PathBuf,
    /// Number of the backend to create, 1 to 999; it must not have a store yet
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=MEMBER_ID_MAX as i64))]
    pub id: u32,
    /// Folder of the cluster file and the members' stores [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Cluster file [default: cluster.ribbit in the data folder]
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
}

/// Options of `recover`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecoverOptions {
    /// Folder of a member's store; only read.
    pub from: PathBuf,
    /// Number of the backend to create.
    pub id: u32,
    /// Parent folder of that backend's store.
    pub data_dir: PathBuf,
    pub cluster: ClusterId,
    /// Cluster file, if named.
    pub cluster_file: Option<PathBuf>,
    /// Newest key of the cluster.
    pub key: KeyId,
    /// Keys that the new member has to have in a file of its own, because they are newer than the cluster file's.
    pub keep_key: Option<ClusterFile>,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Use this only if the stores of a majority are lost for good. If they may return,
wait for them: every acknowledged write that FOLDER does not contain would be
lost. Stop all members first, and choose the FOLDER of the member that was last
in sync (`ribbit status` shows the index that each member has applied).

Examples:
  ribbit recover --from ribbit-data/backend-3 --id 1
  ribbit recover --from /mnt/card/backend-2 --id 2 --data-dir ribbit-data

Prints what FOLDER contains and what to do on the other machines.";

impl RecoverArgs {
    /// Returns the options, with the cluster of the cluster file.
    ///
    /// # Errors
    /// 78: the cluster file is missing or malformed.
    pub(crate) fn options(self) -> Result<RecoverOptions, Failure> {
        let data_dir = data_dir_or_default(self.data_dir);
        let path = path_of_cluster_file(self.cluster_file.clone(), &data_dir);
        let file = ClusterFile::read(&path)?;
        let (before, cluster, cluster_file) = (file.ring.age(), file.cluster, self.cluster_file);
        // The member has a newer key if the cluster file was not copied after the last rotation.
        let name = self.from.file_name().and_then(|name| name.to_str()?.parse().ok());
        let theirs =
            name.zip(self.from.parent()).map(|(name, parent)| ClusterFile::path_of_member(parent, name));
        let own = ClusterFile::path_of_member(&data_dir, MemberName::at_home(Role::Backend, self.id));
        let file = theirs.into_iter().chain([own]).try_fold(file, |file, own| file.with_own_key(&own))?;
        let key = file.ring.newest.id();
        let keep_key = (file.ring.age() > before).then_some(file);
        Ok(RecoverOptions { from: self.from, id: self.id, data_dir, cluster, cluster_file, key, keep_key })
    }
}

/// Number of rows counted per read.
const COUNT_STEP: usize = 1_024;

/// Recovers a backend from FOLDER and prints the next steps.
///
/// # Errors
/// 1: FOLDER cannot be used, or the target is not empty. 74: the disk is full. 78: FOLDER belongs to another cluster.
pub(crate) fn run(options: &RecoverOptions) -> Result<(), Failure> {
    let name = MemberName::at_home(Role::Backend, options.id).to_string();
    let target = options.data_dir.join(&name);
    if write_file::has_entries(&target) {
        let text = format!(
            "{} is not empty and was not changed: move it away, or choose another --id",
            target.display()
        );
        return Err(Failure::new(Exit::Refused, text));
    }
    // `backend-2.recovering` is not a member's name, so no process takes it for a store.
    let work = options.data_dir.join(format!("{name}.recovering"));
    for folder in [&target, &work] {
        write_file::owned(folder, Some(&options.data_dir)).map_err(|error| {
            Failure::new(Exit::Refused, format!("cannot recover into {}: {error}", folder.display()))
        })?;
    }
    let (from, left) = (options.from.display().to_string(), work.clone());
    panics::on_damage(move |why| {
        // The process exits after this, so the temporary folder has to be removed here.
        let _ = fs::remove_dir_all(&left);
        Failure::new(Exit::Refused, format!("{from} cannot be used: {why}"))
    });
    let recovered = begin_in(&work, options).and_then(|recovered| {
        let given = give(options, &work);
        given.and_then(|()| keep_key(options)).map_err(|error| unwritable(&options.data_dir, &error))?;
        write_file::move_folder(&work, &target).map_err(|error| unwritable(&target, &error))?;
        Ok(recovered)
    });
    if recovered.is_err() {
        let _ = fs::remove_dir_all(&work);
    }
    output::line(&recovered?.words(options, &name));
    Ok(())
}

/// Writes the new member's own key file if the cluster file is older.
fn keep_key(options: &RecoverOptions) -> io::Result<()> {
    let Some(file) = &options.keep_key else { return Ok(()) };
    let own = ClusterFile::path_of_member(&options.data_dir, MemberName::at_home(Role::Backend, options.id));
    file.replace(&own)?;
    give(options, &own)
}

/// Gives a file or folder to the owner of the data folder, if root recovers: a unit runs as another user.
fn give(options: &RecoverOptions, path: &Path) -> io::Result<()> {
    match rustix::process::geteuid().is_root() {
        true => write_file::give_to_owner_of(&options.data_dir, path),
        false => Ok(()),
    }
}

/// Result of a recovery, for the report.
struct Recovered {
    before: Identity,
    now: HistoryId,
    through: LogIndex,
    from_log: u64,
    counts: RowCounts,
}

fn begin_in(work: &Path, options: &RecoverOptions) -> Result<Recovered, Failure> {
    write_file::make_folder(&options.data_dir).map_err(|error| unwritable(&options.data_dir, &error))?;
    write_file::empty_folder(work).map_err(|error| unwritable(work, &error))?;
    let unusable = |error: DbError| {
        let from = options.from.display();
        if let DbError::Format(_) = error {
            return crate::common::failure::other_format(&options.from, &error);
        }
        match error {
            error if error.is_full() => {
                Failure::new(Exit::Disk, format!("not enough space for a copy of {from}: {error}"))
            }
            // Of the copy, which was written completely before.
            DbError::File(error) => Failure::new(Exit::Disk, format!("cannot recover from {from}: {error}")),
            DbError::TooNew(why) => {
                Failure::new(Exit::Configuration, format!("{from} cannot be used: {why}"))
            }
            error => Failure::new(Exit::Refused, format!("{from} cannot be used: {error}")),
        }
    };
    let disk = FileDisk::new(work);
    disk.claim().map_err(unusable)?;
    copy_store(&options.from, work)?;
    let mut store = Store::open(disk).map_err(unusable)?;
    let Some(before) = store.identity().cloned() else {
        let text = format!("{} has never been part of a cluster", options.from.display());
        return Err(Failure::new(Exit::Refused, text));
    };
    if before.cluster != options.cluster {
        let text = format!(
            "{} belongs to cluster {}, but the cluster file is for {}: pass the right one with --cluster-file",
            options.from.display(),
            before.cluster,
            options.cluster
        );
        return Err(Failure::new(Exit::Configuration, text));
    }
    while ribbit_db::catch_read_panics(|| store.reader().scrub()).map_err(unusable)?.is_none() {}
    let from_log = store.apply_whole_log().map_err(unusable)?;
    let through = store.applied().index;
    let now = random_history();
    let view = store.reader().view().map_err(unusable)?;
    let begun = members::begin_history(&view, now, Role::Backend, options.id, options.key);
    let begun = begun.map_err(unusable)?;
    let Ok((raft_id, changes)) = begun else {
        let text =
            format!("{} was written by a newer version of ribbit: use that version", options.from.display());
        return Err(Failure::new(Exit::Configuration, text));
    };
    let counts = counts(&view).map_err(unusable)?;
    drop(view);
    let identity = Identity {
        cluster: options.cluster,
        history: now,
        raft_id,
        role: Role::Backend,
        region: HOME_REGION,
        id: options.id,
    };
    store.begin_history(&identity, changes).map_err(unusable)?;
    Ok(Recovered { before, now, through, from_log, counts })
}

/// Copies the store and its log segments.
fn copy_store(from: &Path, work: &Path) -> Result<(), Failure> {
    // The path may also name the store file; its log segments are beside it.
    let folder = match from.is_file() {
        true => write_file::folder_of(from),
        false => from,
    };
    // Keeps the store locked until everything is copied.
    let _store = copy(&folder.join(STORE_FILE), &work.join(STORE_FILE))?;
    let unreadable =
        |error| Failure::new(Exit::Refused, format!("cannot read {}: {error}", folder.display()));
    let logs = segment_names(folder).map_err(unreadable)?;
    for name in &logs {
        copy(&folder.join(name), &work.join(name))?;
    }
    if logs.is_empty() {
        let text = format!(
            "{} has no log segments ({LOG_PREFIX}…), which contain the newest writes: copy the whole folder",
            folder.display()
        );
        return Err(Failure::new(Exit::Refused, text));
    }
    Ok(())
}

/// Copies a file, unless a member has it locked. Returns the open source, which stays locked while it is held.
fn copy(from: &Path, to: &Path) -> Result<File, Failure> {
    let unreadable =
        |error: io::Error| Failure::new(Exit::Refused, format!("cannot read {}: {error}", from.display()));
    let mut source = File::open(from).map_err(unreadable)?;
    match source.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let text = format!("{} is in use: stop its member first", from.display());
            return Err(Failure::new(Exit::Refused, text));
        }
        Err(TryLockError::Error(error)) => return Err(unreadable(error)),
    }
    let mut copy = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(|error| unwritable(to, &error))?;
    io::copy(&mut source, &mut copy).and_then(|_| copy.sync_all()).map_err(|error| unwritable(to, &error))?;
    Ok(source)
}

/// Number of accounts, croaks and messages in a store.
pub(crate) struct RowCounts {
    pub accounts: usize,
    pub croaks: usize,
    pub messages: usize,
}

/// Counts the rows of a view.
///
/// # Errors
/// An error of the view.
pub(crate) fn counts<V: View>(view: &V) -> Result<RowCounts, V::Error> {
    let (last, next) = (LogIndex::MAX, |index: &LogIndex| index + 1);
    let accounts = count::<Accounts, _>(
        view,
        AccountId(0),
        &AccountId(last),
        |id| AccountId(id.0 + 1),
        |row| !row.deleted,
    )?;
    let croaks = count::<Croaks, _>(view, 0, &last, next, |_| true)?;
    let messages = count::<Messages, _>(view, 0, &last, next, |_| true)?;
    Ok(RowCounts { accounts, croaks, messages })
}

/// Counts the rows with `from <= key < to` for which `wanted` holds.
fn count<T: Table, V: View>(
    view: &V,
    mut from: T::Key,
    to: &T::Key,
    next: impl Fn(&T::Key) -> T::Key,
    wanted: impl Fn(&T::Row) -> bool,
) -> Result<usize, V::Error> {
    let mut count = 0;
    loop {
        let rows = scan::<T, V>(view, &from, to, Order::OldestFirst, COUNT_STEP)?;
        count += rows.iter().filter(|(_, row)| wanted(row)).count();
        match rows.last() {
            Some((last, _)) if rows.len() == COUNT_STEP => from = next(last),
            _ => return Ok(count),
        }
    }
}

impl Recovered {
    /// Returns the report: the contents of the store and the next steps.
    fn words(&self, options: &RecoverOptions, name: &str) -> String {
        let Recovered { before, now, through, from_log, counts } = self;
        let RowCounts { accounts, croaks, .. } = counts;
        let (from, data_dir) = (options.from.display(), options.data_dir.display());
        let of = before.name();
        let mut start: Vec<std::ffi::OsString> =
            vec!["backend".into(), "--id".into(), options.id.to_string().into()];
        start.extend(["--data-dir".into(), PathBuf::from(&options.data_dir).into()]);
        if let Some(file) = &options.cluster_file {
            start.extend(["--cluster-file".into(), file.into()]);
        }
        let port = default_port(Role::Backend, HOME_REGION, options.id);
        // Members of `up` learn each other's addresses from the folder. Elsewhere only the coordinators' addresses are
        // known, and none of them belongs to the new history yet.
        let (start, again) = match Ports::path_in(&options.data_dir).exists() {
            true => (format!("{} (or `ribbit up` on that folder)", command_line(&start)), String::new()),
            false => (command_line(&start), format!(", once with --coordinator THIS-MACHINE:{port}")),
        };
        format!(
            "{from} is the intact store of {of}, history {}.\n\
             It contains {accounts} accounts and {croaks} croaks, up to log index {through}; {from_log} log entries were \
             applied just now.\n\
             {name} has been created from it and starts history {now} as its only member. Writes after that index on \
             other members are lost.\n\nNext steps:\n  \
             on this machine:        {start}\n  \
             on every other machine: stop ribbit, move the member's folder out of {data_dir}, and start ribbit \
             again{again}: the member joins as a new one and receives all data. With its old store it would be refused.\n\
             Users stay logged in.",
            before.history
        )
    }
}
