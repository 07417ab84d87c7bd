//! How much of its disk a member's store takes, and when that is too much.
//!
//! The rules know no disk, and a disk that is full ends a process (`failure::Exit::Disk`). So what grows is refused
//! before, in words, while there is still room for everything else: deleting, members that come and go, the log
//! itself. It is refused at the edge, by the member that people have asked, when
//! - its own disk is full, or the leader's, or
//! - so many voters' disks are full that the others are no majority.
//!
//! One small disk among many stops nobody else: its own people are refused, and should it come to the worst its
//! process ends and the others go on. Members tell each other once a second, so the bound is soft by what a second
//! brings; `RESERVE_BYTES` is there for that.
//!
//! Counted is what the file system has given to the store's files. redb uses the room of deleted rows again, and
//! rarely gives it back: who deletes makes room inside the file.

use super::Node;
use crate::net::health::no_room;
use crate::net::protocol::StoreStatus;
use crate::roles::failure::{Exit, Failure};
use crate::roles::options::NodeOptions;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Free space on the store's file system below which its disk is full, whatever the quota says.
pub const RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// A disk is measured this often while something is written ...
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// ... and this often anyway: others may write beside the store.
const MEASURE_AT_LEAST_EVERY: Duration = Duration::from_secs(10);
/// What `st_blocks` counts in.
const BLOCK_BYTES: u64 = 512;

/// The disk under one member's store.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    quota_bytes: u64,
    reserve_bytes: u64,
    measured: Mutex<StoreStatus>,
}

impl Disk {
    pub fn new(folder: PathBuf, quota_bytes: u64, reserve_bytes: u64) -> Disk {
        let measured = Mutex::new(StoreStatus { quota_bytes, ..StoreStatus::default() });
        Disk { folder, quota_bytes, reserve_bytes, measured }
    }

    /// How it was when it was last measured.
    pub fn status(&self) -> StoreStatus {
        *self.measured.lock().expect("nobody panics while it holds this lock")
    }

    /// Measures it. A disk may take its time.
    pub fn look(&self) {
        let status = self.measure();
        let mut measured = self.measured.lock().expect("nobody panics while it holds this lock");
        let before = std::mem::replace(&mut *measured, status);
        drop(measured);
        match (before.full, status.full) {
            (false, true) => log::warn!(
                "the disk is full: the store takes {} bytes of {} allowed, {} are free; nothing new is taken until \
                 there is room",
                status.bytes,
                self.quota_bytes,
                status.free_bytes
            ),
            (true, false) => log::info!("there is room on the disk again"),
            _ => {}
        }
    }

    fn measure(&self) -> StoreStatus {
        let bytes = taken(&self.folder);
        let free_bytes = free_bytes(&self.folder);
        let full = bytes >= self.quota_bytes || free_bytes < self.reserve_bytes;
        StoreStatus { bytes, quota_bytes: self.quota_bytes, free_bytes, full, scrubbed_s: None }
    }
}

/// Measures as long as this process lives, beside the threads that serve.
pub(super) async fn watch(node: Arc<Node>) {
    let applied = || node.member.get().map_or(0, |it| it.replica.reader().applied());
    let mut last = (applied(), Instant::now());
    loop {
        smol::Timer::after(MEASURE_EVERY).await;
        if applied() == last.0 && last.1.elapsed() < MEASURE_AT_LEAST_EVERY {
            continue;
        }
        last = (applied(), Instant::now());
        let node = node.clone();
        smol::unblock(move || node.disk.look()).await;
    }
}

/// What is left on the file system of this folder. One that does not tell is not full.
pub fn free_bytes(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |it| it.f_bavail * it.f_frsize)
}

/// What the file system has given to the files of this folder.
pub fn taken(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        // One store that was set aside.
        Ok(it) if it.is_dir() => taken(&entry.path()),
        Ok(it) => it.blocks() * BLOCK_BYTES,
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}

/// How a member ends whose disk is full, away or failing. What it had acknowledged is on the disk, or on a majority of
/// the others'.
pub fn failed(options: &NodeOptions, why: &str) -> Failure {
    let text = format!(
        "{}: {why}. Make room on the disk of {}, or mend it: started again, it goes on where it was",
        options.name(),
        options.store_dir().display()
    );
    Failure::new(Exit::Disk, text)
}

/// Returns whether commands that grow the store are refused. A member without a configuration does not know its cluster
/// yet and refuses nothing: it decides nothing either, so the client asks another member.
pub fn refuses(own: bool, leader: bool, full_voters: usize, voters: usize) -> bool {
    voters > 0 && (own || no_room(leader, full_voters, voters))
}

#[cfg(test)]
mod tests {
    use super::super::service::tests::backend;
    use super::*;
    use crate::net::frame::Plane;
    use crate::net::listener::{Asker, Node as _};
    use crate::net::protocol::{Answer, Ask};
    use crate::state::{Command, Request, RequestId, TokenHash};
    use std::net::Ipv4Addr;

    #[test]
    fn one_full_disk_stops_its_own_people_and_the_leaders_or_a_majority_stop_all() {
        assert!(!refuses(false, false, 0, 5) && !refuses(false, false, 2, 5) && !refuses(false, false, 1, 3));
        assert!(refuses(true, false, 1, 5) && refuses(false, true, 1, 5));
        assert!(refuses(false, false, 3, 5) && refuses(false, false, 2, 3) && refuses(false, false, 1, 2));
    }

    #[test]
    fn a_member_that_does_not_know_its_cluster_yet_refuses_nothing_for_disks() {
        assert!(!refuses(false, false, 0, 0) && !refuses(true, false, 0, 0));
        // As it is between joining and the first snapshot: it has an identity and no configuration.
        let folder = tempfile::tempdir().unwrap();
        let service = backend(folder.path(), &[]);
        let command = Command::Croak { session: TokenHash([0; 32]), text: "ribbit".into() };
        let ask = Ask::Write(Request { id: RequestId(8), born: 0, command });
        let asker = Asker { plane: Plane::Control, from: Ipv4Addr::LOCALHOST.into() };
        let answer = smol::block_on(service.answer(asker, ask, Instant::now() + Duration::from_millis(300)));
        assert!(matches!(answer, Answer::Unavailable(_)), "{answer:?}");
    }

    #[test]
    fn what_is_sparse_is_not_counted_and_the_bounds_are() {
        let folder = tempfile::tempdir().unwrap();
        let disk = |quota, reserve| {
            let disk = Disk::new(folder.path().to_path_buf(), quota, reserve);
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
