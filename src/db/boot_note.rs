//! A note that the main file is in use, with the id of the boot. It tells a power cut from the end of a process.
//!
//! ```text
//!   open ──▶ no note: closed well, or new     ──▶ trusted
//!       ├──▶ note of this boot: killed        ──▶ trusted: the page cache has what was written
//!       └──▶ note of another boot: power cut  ──▶ all pages are checked
//! ```
//!
//! The note is durable before anything is written, and removed when the last handle of the main file is closed.

use super::DbError;
use super::files::{file, private_file, sync_folder};
use ribbit_state::sync::MutexExt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Name of the note in the store's folder.
const BOOT_FILE: &str = "boot";
/// Where Linux tells the id of this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

#[derive(Debug)]
pub(super) struct BootNote {
    folder: PathBuf,
    /// Number of handles of the main file that are open. A snapshot is installed while readers still use the former file.
    handles: Mutex<usize>,
}

impl BootNote {
    pub(crate) fn new(folder: &Path) -> BootNote {
        BootNote { folder: folder.to_path_buf(), handles: Mutex::default() }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(BOOT_FILE)
    }

    /// Returns true if the main file was in use when the machine stopped, or if that is unknown.
    pub(crate) fn was_cut_off(&self) -> bool {
        match fs::read_to_string(self.path()) {
            Ok(before) => before.is_empty() || before != boot_id(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// Notes durably that the main file is in use.
    ///
    /// # Errors
    /// `File` if the note cannot be written.
    pub(crate) fn opened(&self) -> Result<(), DbError> {
        let mut handles = self.handles.locked();
        let (path, boot) = (self.path(), boot_id());
        if fs::read_to_string(&path).is_ok_and(|before| before == boot) {
            *handles += 1;
            return Ok(());
        }
        let written = private_file(&path).and_then(|mut note| {
            note.set_len(0)?;
            note.write_all(boot.as_bytes())?;
            note.sync_all()
        });
        written.map_err(|source| file(&path, source))?;
        sync_folder(&self.folder)?;
        *handles += 1;
        Ok(())
    }

    /// Removes the note with the last handle. The removal need not be durable: a note that stays costs a check.
    pub(crate) fn closed(&self) -> io::Result<()> {
        let mut handles = self.handles.locked();
        *handles -= 1;
        if *handles > 0 { Ok(()) } else { fs::remove_file(self.path()) }
    }
}

/// Returns the id of this boot; empty if it is unknown.
fn boot_id() -> String {
    fs::read_to_string(BOOT_ID).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::STORE_FILE;
    use crate::tables::ROWS;
    use crate::{Disk, FileDisk, Store, StoreFile};
    use std::os::unix::fs::FileExt;

    /// Leaves a store as a kill does, with rows, and returns its folder.
    fn killed() -> tempfile::TempDir {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = Store::open(FileDisk::new(from.path()).unwrap()).unwrap();
        let transaction = crate::disk::begin_durable(&store.database()).unwrap();
        {
            let mut rows = transaction.open_table(ROWS).unwrap();
            for number in 0..2_000u32 {
                let key = [&[200][..], &number.to_be_bytes()].concat();
                rows.insert(key.as_slice(), crate::record::seal(&key, vec![7; 100]).as_slice()).unwrap();
            }
        }
        transaction.commit().unwrap();
        for entry in fs::read_dir(from.path()).unwrap().map(|entry| entry.unwrap().path()) {
            fs::copy(&entry, to.path().join(entry.file_name().unwrap())).unwrap();
        }
        to
    }

    /// Overwrites a leaf of the rows.
    fn damage(folder: &Path) {
        let path = folder.join(STORE_FILE);
        let bytes = fs::read(&path).unwrap();
        let at = bytes.windows(64).rposition(|bytes| bytes.iter().all(|byte| *byte == 7)).unwrap();
        let opened = fs::File::options().write(true).open(&path).unwrap();
        opened.write_all_at(&[8; 16], at as u64).unwrap();
    }

    fn opens(folder: &Path) -> Result<(), DbError> {
        FileDisk::new(folder).unwrap().open(StoreFile::Main).map(drop)
    }

    #[test]
    fn after_a_kill_a_store_opens_without_reading_its_pages() {
        let folder = killed();
        damage(folder.path());
        opens(folder.path()).unwrap();
    }

    #[test]
    fn after_a_power_cut_every_page_is_checked() {
        let folder = killed();
        fs::write(folder.path().join(BOOT_FILE), "another boot").unwrap();
        opens(folder.path()).unwrap();
        let folder = killed();
        fs::write(folder.path().join(BOOT_FILE), "another boot").unwrap();
        damage(folder.path());
        assert!(opens(folder.path()).unwrap_err().is_damage());
        assert!(opens(folder.path()).unwrap_err().is_damage(), "the failed check is repeated");
    }

    #[test]
    fn a_store_that_was_closed_well_has_no_note() {
        let folder = killed();
        opens(folder.path()).unwrap();
        assert!(!folder.path().join(BOOT_FILE).exists());
        let disk = FileDisk::new(folder.path()).unwrap();
        let first = disk.open(StoreFile::Main).unwrap();
        fs::copy(folder.path().join(STORE_FILE), folder.path().join("incoming.redb")).unwrap();
        disk.promote_incoming().unwrap();
        let second = disk.open(StoreFile::Main).unwrap();
        drop(first);
        assert!(folder.path().join(BOOT_FILE).exists(), "the installed file is in use");
        drop(second);
        assert!(!folder.path().join(BOOT_FILE).exists());
    }
}
