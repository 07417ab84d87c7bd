//! Space on the file system under a folder.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Free space on the store's file system below which the disk counts as full, independent of the quota.
pub(crate) const RESERVE_BYTES: u64 = 64 * 1024 * 1024;

/// Unit of `st_blocks`.
const BLOCK_BYTES: u64 = 512;

/// Returns the free bytes on the file system of this folder. A file system that does not report them counts as not full.
pub(crate) fn free_bytes(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |it| it.f_bavail * it.f_frsize)
}

/// Returns the bytes that the file system has allocated to the files of this folder and its subfolders.
pub(crate) fn allocated_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        // A store that was moved aside.
        Ok(it) if it.is_dir() => allocated_bytes(&entry.path()),
        Ok(it) => it.blocks() * BLOCK_BYTES,
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}
