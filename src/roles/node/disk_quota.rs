//! Disk quota: measures the store and decides when growing writes are refused.
//!
//! The replicated rules know nothing of disks, and a full disk ends the process (`failure::Exit::Disk`). So commands that
//! grow the store are refused earlier, with a message, while there is still room for everything else: deletions,
//! membership changes and the log itself. The member that receives the request refuses it when
//! - its own disk or the leader's disk is full, or
//! - so many voters' disks are full that the remaining voters are no majority.
//!
//! One small disk among many affects only the users of its own member. In the worst case that member's process ends and
//! the others go on. Members exchange the state of their disks once a second, so the bound can be exceeded by the writes of
//! one second. `RESERVE_BYTES` leaves room for those.
//!
//! The size counted is the blocks that the file system has allocated to the store's files. redb reuses the space of
//! deleted rows but rarely returns it to the file system, so deleting makes room inside the file only.

use super::NodeState;
use crate::common::disk_space::{allocated_bytes, free_bytes};
use crate::common::failure::{Exit, Failure};
use crate::common::process;
use crate::node::arguments::NodeOptions;
use ribbit_net::health::no_room;
use ribbit_net::protocol::StoreStatus;
use ribbit_net::tasks;
use ribbit_state::sync::MutexExt;
use ribbit_ui::metrics::ProcessMetrics;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Interval between two measurements while writes are applied.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// Maximum interval between two measurements: other programs may fill the disk while no writes are applied.
const MEASURE_AT_LEAST_EVERY: Duration = Duration::from_secs(10);

/// Quota and last measurement of the disk under one member's store.
#[derive(Debug)]
pub(crate) struct DiskQuota {
    folder: PathBuf,
    quota_bytes: u64,
    reserve_bytes: u64,
    measured: Mutex<StoreStatus>,
}

impl DiskQuota {
    /// Returns the disk of the store in `folder`, not measured yet.
    pub(crate) fn new(folder: PathBuf, quota_bytes: u64, reserve_bytes: u64) -> DiskQuota {
        let measured = Mutex::new(StoreStatus { quota_bytes, ..StoreStatus::default() });
        DiskQuota { folder, quota_bytes, reserve_bytes, measured }
    }

    /// Returns the last measurement.
    pub(crate) fn status(&self) -> StoreStatus {
        *self.measured.locked()
    }

    /// Measures the disk and logs a change between full and not full. Blocks on the file system.
    pub(crate) fn look(&self) {
        let status = self.measure();
        let mut measured = self.measured.locked();
        let before = std::mem::replace(&mut *measured, status);
        drop(measured);
        match (before.full, status.full) {
            (false, true) => log::warn!(
                "the disk is full: the store uses {} of its quota of {} bytes, {} bytes are free on the disk; growing \
                 writes are refused until there is room",
                status.bytes,
                self.quota_bytes,
                status.free_bytes
            ),
            (true, false) => log::info!("the disk has room again"),
            _ => {}
        }
    }

    fn measure(&self) -> StoreStatus {
        let bytes = allocated_bytes(&self.folder);
        let free_bytes = free_bytes(&self.folder);
        let full = bytes >= self.quota_bytes || free_bytes < self.reserve_bytes;
        let ProcessMetrics { uptime_s, written_bytes, .. } = process::now();
        StoreStatus {
            bytes,
            quota_bytes: self.quota_bytes,
            free_bytes,
            full,
            written_bytes,
            written_s: uptime_s,
            ..StoreStatus::default()
        }
    }
}

/// Measures the disk periodically, on a blocking thread, for as long as the process lives.
pub(super) async fn watch(node: Arc<NodeState>) {
    let applied = || node.membership.get().map_or(0, |it| it.replica.reader().applied());
    let mut last = (applied(), Instant::now());
    loop {
        tasks::aligned_pause(MEASURE_EVERY).await;
        if applied() == last.0 && last.1.elapsed() < MEASURE_AT_LEAST_EVERY {
            continue;
        }
        last = (applied(), Instant::now());
        let node = node.clone();
        smol::unblock(move || node.disk.look()).await;
    }
}

/// Returns the failure of a member with a full, missing or failing disk. All writes that it acknowledged are on its disk or
/// on a majority of the other members' disks.
pub(crate) fn failed(options: &NodeOptions, why: &str) -> Failure {
    let text = format!(
        "{}: {why}. Make room on the disk of {} or repair it, then start this server again: it resumes where it stopped",
        options.name(),
        options.store_dir().display()
    );
    Failure::new(Exit::Disk, text)
}

/// Returns true if commands that grow the store are refused. `own` and `leader`: that member's disk is full.
///
/// A member without a configuration (`voters` is 0) refuses nothing. It does not know its cluster yet and cannot decide a
/// write anyway, so the client tries another member.
pub(crate) fn refuses(own: bool, leader: bool, full_voters: usize, voters: usize) -> bool {
    voters > 0 && (own || no_room(leader, full_voters, voters))
}

#[cfg(test)]
mod tests {
    use super::super::service::tests::backend;
    use super::*;
    use ribbit_net::frame::Plane;
    use ribbit_net::listener::{Caller, Service as _};
    use ribbit_net::protocol::{Answer, Ask};
    use ribbit_state::{Command, Request, RequestId, TokenHash};
    use std::fs;
    use std::net::Ipv4Addr;

    #[test]
    fn a_full_disk_stops_its_own_clients_and_the_leaders_or_a_majority_stop_all() {
        assert!(!refuses(false, false, 0, 5) && !refuses(false, false, 2, 5) && !refuses(false, false, 1, 3));
        assert!(refuses(true, false, 1, 5) && refuses(false, true, 1, 5));
        assert!(refuses(false, false, 3, 5) && refuses(false, false, 2, 3) && refuses(false, false, 1, 2));
    }

    #[test]
    fn a_member_without_a_configuration_refuses_nothing_for_disks() {
        assert!(!refuses(false, false, 0, 0) && !refuses(true, false, 0, 0));
        // The state between joining and the first snapshot: an identity but no configuration.
        let folder = tempfile::tempdir().unwrap();
        let service = backend(folder.path(), &[]);
        let command = Command::croak(TokenHash([0; 32]), "ribbit");
        let ask = Ask::Write(Request { id: RequestId(8), submitted_at: 0, origin: None, command });
        let asker = Caller { plane: Plane::Control, from: Ipv4Addr::LOCALHOST.into(), operator: "".into() };
        let answer = smol::block_on(service.answer(asker, ask, Instant::now() + Duration::from_millis(300)));
        assert!(matches!(answer, Answer::Unavailable(_)), "{answer:?}");
    }

    #[test]
    fn sparse_files_are_not_counted_and_quota_and_reserve_are_enforced() {
        let folder = tempfile::tempdir().unwrap();
        let disk = |quota, reserve| {
            let disk = DiskQuota::new(folder.path().to_path_buf(), quota, reserve);
            disk.look();
            disk.status()
        };
        fs::File::create(folder.path().join("sparse")).unwrap().set_len(1 << 30).unwrap();
        fs::write(folder.path().join("store"), vec![7; 1 << 20]).unwrap();
        let status = disk(1 << 29, 0);
        assert!(((1 << 20)..(1 << 22)).contains(&status.bytes), "{status:?}");
        assert!(!status.full && status.free_bytes > 0);
        assert!(disk(1 << 19, 0).full && disk(1 << 29, u64::MAX).full);
    }
}
