//! The format of a store, and the refusal of a store of another format or a newer rules level before anything in it is changed.
//!
//! - Builds before version 0.2.0 recorded no format. They are recognised by the heads of their log segments, whose frames had no
//!   checksum of their own ([`Segment::open`]), or, without a log, by a `meta` table without a format.
//! - Every other store has a record of its format in `meta`.
//!
//! Redb writes to a file when it opens it. So the log is looked at first, and then the main file, with redb's writes kept in
//! memory ([`Disk::look`]). A store of this format always has a log, from its first start on. A later format needs another version
//! of the log's records, too: it is recognised by them before its main file is looked at.

use super::applying::check_level;
use super::meta::{has_tables, read_meta};
use super::segment::Segment;
use super::tables::META;
use super::tables::{FORMAT, FORMAT_VERSION};
use super::{DbError, Disk, FileDisk};
use redb::{Database, ReadableDatabase};
use std::path::Path;

/// Checks that the store in this folder has this format and at most this rules level, without a change to the folder. A
/// folder without a store passes.
///
/// # Errors
/// `Format` if the store has another format, `TooNew` if it has a higher level; otherwise the disk fails, or the store is
/// damaged.
pub fn check_folder(folder: &Path, level: u32) -> Result<(), DbError> {
    super::catch_read_panics(|| check_untouched(&FileDisk::new(folder), level))
}

/// Checks that a store which is about to be opened has this format and at most this rules level. An empty folder passes.
///
/// # Errors
/// As [`check_folder`].
pub(super) fn check_untouched(disk: &dyn Disk, level: u32) -> Result<(), DbError> {
    let segments = disk.log_segments()?;
    for number in &segments {
        Segment::open(disk, *number)?;
    }
    let Some(main) = disk.look()? else { return Ok(()) };
    check(&main, if segments.is_empty() { FormatMissing::IsEarlier } else { FormatMissing::IsDamage })?;
    check_level(&main, level)
}

/// Meaning of a missing format record in a store with tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormatMissing {
    /// A build before version 0.2.0 wrote it.
    IsEarlier,
    /// Its log is of this format, so the record was lost.
    IsDamage,
}

/// Checks the record of the format. A file without tables passes.
///
/// # Errors
/// `Format` if the store has another format, `Damaged` if its record was lost; otherwise the disk fails.
pub(super) fn check(database: &Database, missing: FormatMissing) -> Result<(), DbError> {
    if !has_tables(database)? {
        return Ok(());
    }
    let found = read_meta(&database.begin_read()?.open_table(META)?, FORMAT)?;
    match (found, missing) {
        (Some(FORMAT_VERSION), _) => Ok(()),
        (None, FormatMissing::IsDamage) => Err(DbError::Damaged("its format record is missing".into())),
        (Some(_), _) | (None, FormatMissing::IsEarlier) => Err(DbError::Format(found)),
    }
}
