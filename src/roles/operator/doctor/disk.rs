//! Checks of the disk under the data folder: the latency of a synced write, and the free space.
//!
//! A member acknowledges a write once a majority has synced it, so this latency is what users wait for. The probe writes
//! as a member's write-ahead log does: it appends a few kilobytes and calls `fdatasync`.

use super::arguments::DoctorOptions;
use super::board::LocalState;
use crate::common::disk_space::{RESERVE_BYTES, allocated_bytes, free_bytes};
use ribbit_ui::doctor::Finding;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Number of appends of the probe.
const APPENDS: usize = 24;
/// Bytes per append.
const APPEND_BYTES: usize = 4096;
/// Time after which the probe makes no further append, because an SD card may stall.
const PROBE_MAX: Duration = Duration::from_secs(10);
/// File system type of tmpfs, as `statfs` returns it.
const TMPFS: i64 = 0x0102_1994;
/// File system type of ramfs, as `statfs` returns it.
const RAMFS: i64 = 0x8584_58f6;

/// Measures syncs, free space and the stores' sizes.
pub(crate) fn look(options: &DoctorOptions, local: &LocalState) -> Vec<Finding> {
    if !local.folder {
        return Vec::new();
    }
    let folder = &options.data_dir;
    let shown = folder.display().to_string();
    let mut findings = vec![match probe(folder) {
        Ok(mut spans) => {
            spans.sort_unstable();
            let (count, worst) = (spans.len(), spans.last().copied().unwrap_or_default());
            let usual = spans.get(count / 2).copied().unwrap_or_default();
            Finding::Syncs { folder: shown.clone(), count, usual, worst, in_memory: is_in_memory(folder) }
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Finding::Forbidden { path: shown.clone() }
        }
        Err(error) => Finding::NoSync { folder: shown.clone(), why: error.to_string() },
    }];
    let free = free_bytes(folder);
    findings.push(Finding::Space { folder: shown, free_bytes: free, reserve_bytes: RESERVE_BYTES });
    findings.extend(local.members.iter().map(|name| {
        let bytes = allocated_bytes(&folder.join(name.to_string()));
        Finding::Store {
            name: name.to_string(),
            bytes,
            quota_bytes: options.disk_quota_bytes,
            free_bytes: free,
        }
    }));
    findings
}

/// Returns the duration of each append. The file is removed in every case.
fn probe(folder: &Path) -> io::Result<Vec<Duration>> {
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let spans = appended(file);
    fs::remove_file(&path)?;
    spans
}

fn appended(mut file: File) -> io::Result<Vec<Duration>> {
    let begin = Instant::now();
    let mut spans = Vec::with_capacity(APPENDS);
    while spans.len() < APPENDS && begin.elapsed() < PROBE_MAX {
        let before = Instant::now();
        file.write_all(&[0x5a; APPEND_BYTES])?;
        file.sync_data()?;
        spans.push(before.elapsed());
    }
    Ok(spans)
}

fn is_in_memory(folder: &Path) -> bool {
    #[allow(clippy::unnecessary_cast, reason = "its type differs from target to target")]
    rustix::fs::statfs(folder).is_ok_and(|it| [TMPFS, RAMFS].contains(&(it.f_type as i64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let spans = probe(folder.path()).unwrap();
        assert!(!spans.is_empty() && spans.len() <= APPENDS);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(probe(&folder.path().join("nowhere")).is_err());
    }
}
