//! Opening the store: checks that it may be used, and the failures that name what to do when it may not.

use super::{NodeState, digest_comparison, disk_quota, duplicate_id_check, store_loss, upgrade};
use crate::common::failure::{Exit, Failure, other_format};
use crate::common::test_hooks;
use crate::node::arguments::NodeOptions;
use ribbit_db::{DbError, FileDisk, Identity, Store};
use ribbit_replica::ReplicaFailure;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time that a starting process waits for the store's lock: on a restart the old process may still hold it.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// Pause between two attempts to open a locked store.
const STORE_PAUSE: Duration = Duration::from_millis(50);

/// Test hook: number of log entries to keep, so small that a short absence requires a snapshot.
const TEST_LOG_KEEP: &str = "LOG_KEEP";

/// Marks the store as lost, so that the next start joins as a new member. Returns the failure to end with.
pub(crate) fn lost_store(options: &NodeOptions, why: &str) -> Failure {
    let folder = options.store_dir();
    let text = match store_loss::mark(&folder, store_loss::LOST, why) {
        Ok(()) => format!(
            "{}: {why}. Start it again: it then leaves the cluster, moves {} aside and joins as a new member",
            options.name(),
            folder.display()
        ),
        Err(error) => {
            format!("{}: {why}. {} could not be marked as lost: {error}", options.name(), folder.display())
        }
    };
    Failure::new(Exit::Refused, text)
}

/// Returns the failure of a member that was removed from the cluster. It does not join again by itself, because an
/// operator removed it on purpose.
pub(crate) fn removed(options: &NodeOptions, why: &str) -> Failure {
    let text = format!(
        "{}: {why}. To join again as a new member, delete {} and start it",
        options.name(),
        options.store_dir().display()
    );
    Failure::new(Exit::Configuration, text)
}

/// Returns the failure for a store of a newer version. The store is intact, but this version must not run on it.
pub(crate) fn too_new(options: &NodeOptions, why: &str) -> Failure {
    let text =
        format!("{}: cannot use the store in {}: {why}", options.name(), options.store_dir().display());
    Failure::new(Exit::Configuration, text)
}

/// Opens the store. If it is marked as lost, first waits until the cluster has removed the old member, and moves the old
/// store aside.
pub(crate) async fn open_trusted(node: &Arc<NodeState>) -> Result<Store, Failure> {
    let options = &node.options;
    let folder = options.store_dir();
    let unreadable =
        |error| disk_quota::failed(options, &format!("cannot read {}: {error}", folder.display()));
    if let Some(failure) = digest_comparison::halted_before(options).map_err(unreadable)? {
        return Err(failure);
    }
    if let Some(why) = store_loss::marked(&folder, store_loss::LOST).map_err(unreadable)? {
        log::warn!("not using the store in {}: {why}", folder.display());
        store_loss::leave(node).await?;
        store_loss::set_aside(&folder).map_err(|error| {
            let why = format!("cannot move the lost store in {} aside: {error}", folder.display());
            disk_quota::failed(options, &why)
        })?;
        log::warn!("moved the old store aside in {}", folder.display());
    }
    let store = open(options).await?;
    node.disk.look();
    if let Some(identity) = store.identity() {
        check_identity(identity, options)?;
        duplicate_id_check::refuse_copied_store(node, &store).await?;
    }
    Ok(store)
}

pub(crate) async fn open(options: &NodeOptions) -> Result<Store, Failure> {
    let folder = options.store_dir();
    let level = upgrade::understood()?;
    let started = Instant::now();
    loop {
        match Store::open_at_level(FileDisk::new(&folder), level) {
            Ok(mut store) => {
                if let Some(entries) = test_hooks::number(TEST_LOG_KEEP)? {
                    store.set_log_keep_entries(entries);
                }
                return Ok(store);
            }
            Err(DbError::InUse(_)) if started.elapsed() < STORE_WAIT => {
                smol::Timer::after(STORE_PAUSE).await;
            }
            Err(error) => return Err(unusable(options, error)),
        }
    }
}

/// Returns the failure of a store that cannot be opened or begun with. Marks it as lost if it is damaged. Retrying does not
/// help there: a sector that is unreadable at the start stays unreadable.
pub(crate) fn unusable(options: &NodeOptions, error: DbError) -> Failure {
    match error {
        error if error.is_damage() || error.is_unreadable() => lost_store(options, &error.to_string()),
        DbError::Format(_) => other_format(&options.store_dir(), &error),
        DbError::InUse(_) => {
            let text = format!("{error}: is {} running already?", options.name());
            Failure::new(Exit::Configuration, text)
        }
        error => failure_of(options, ReplicaFailure::from(error)),
    }
}

/// Returns the failure to end with. Marks the store where it must not be used again.
pub(crate) fn failure_of(options: &NodeOptions, failing: ReplicaFailure) -> Failure {
    match failing {
        ReplicaFailure::Broken(why) => Failure::new(Exit::Refused, format!("{}: {why}", options.name())),
        ReplicaFailure::Disk(why) => disk_quota::failed(options, &why),
        ReplicaFailure::Lost(why) => lost_store(options, &why),
        ReplicaFailure::Differs(why) => digest_comparison::halt(options, &why),
        ReplicaFailure::TooNew(why) => too_new(options, &why),
        ReplicaFailure::Removed(why) => removed(options, &why),
    }
}

/// Checks that the store belongs to this cluster and to this server.
///
/// # Errors
/// `Configuration` when it does not.
pub(crate) fn check_identity(identity: &Identity, options: &NodeOptions) -> Result<(), Failure> {
    if identity.cluster != options.cluster {
        let text = format!(
            "the store in {} belongs to cluster {}, but the cluster file names {}",
            options.store_dir().display(),
            identity.cluster,
            options.cluster
        );
        return Err(Failure::new(Exit::Configuration, text));
    }
    if identity.member_name() != options.member_name() {
        let text = format!(
            "the store in {} belongs to {}, not to {}",
            options.store_dir().display(),
            identity.name(),
            options.name()
        );
        return Err(Failure::new(Exit::Configuration, text));
    }
    Ok(())
}
