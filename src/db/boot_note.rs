//! A note that the main file is in use, with the id of the boot. It tells a power cut from the end of a process.
//!
//! ```text
//!   open ──▶ no note: ended well, or new      ──▶ trusted
//!       ├──▶ note of this boot: killed        ──▶ trusted: the page cache has what was written
//!       └──▶ note of another boot: power cut  ──▶ all pages are checked
//! ```
//!
//! The note is durable before anything is written. It is removed when the last handle of the main file is closed, and at a
//! clean stop, when everything that was written is synced while readers still have the file open. A later write makes it
//! again. A note that stays costs a check of all pages, and one that is missing costs nothing while nothing is written: so it
//! does not matter whether the process is killed or the power fails just before or after the removal.

use super::DbError;
use super::files::{FileAction, failed, private_file, sync_folder};
use ribbit_state::sync::MutexExt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Name of the note in the store's folder.
const BOOT_FILE: &str = "boot";
/// Where Linux tells the id of this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

#[derive(Debug)]
pub(super) struct BootNote {
    folder: PathBuf,
    /// Number of handles of the main file that are open. A snapshot is installed while readers still use the former file.
    handles: Mutex<usize>,
    /// True if a note is known to exist durably. Changed with `handles` locked.
    noted: AtomicBool,
}

impl BootNote {
    pub(crate) fn new(folder: &Path) -> BootNote {
        BootNote { folder: folder.to_path_buf(), handles: Mutex::default(), noted: AtomicBool::new(false) }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(BOOT_FILE)
    }

    /// Returns true if the main file was in use when the machine stopped, or if that is unknown. The note then stays as it is
    /// until [`BootNote::checked`], so that a check that fails or is interrupted is repeated.
    pub(crate) fn was_cut_off(&self) -> bool {
        let was_cut_off = match fs::read_to_string(self.path()) {
            Ok(before) => before.is_empty() || before != boot_id(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        if was_cut_off {
            self.noted.store(true, Ordering::Release);
        }
        was_cut_off
    }

    /// Replaces the note of another boot by one of this boot.
    ///
    /// # Errors
    /// `File` if the note cannot be written.
    pub(crate) fn checked(&self) -> Result<(), DbError> {
        let _handles = self.handles.locked();
        Ok(self.write()?)
    }

    /// Counts a handle of the main file.
    pub(crate) fn opened(&self) {
        *self.handles.locked() += 1;
    }

    /// Notes durably that the main file is in use, unless that is noted. Called before each write to it.
    ///
    /// # Errors
    /// The note cannot be written.
    pub(crate) fn before_write(&self) -> io::Result<()> {
        if self.noted.load(Ordering::Acquire) {
            return Ok(());
        }
        let _handles = self.handles.locked();
        if self.noted.load(Ordering::Acquire) { Ok(()) } else { self.write() }
    }

    /// Writes the note, or syncs the one that a killed process of this boot has left and may not have synced.
    fn write(&self) -> io::Result<()> {
        let (boot, path) = (boot_id(), self.path());
        let written = private_file(&path).and_then(|mut note| {
            if boot.is_empty() || fs::read_to_string(&path)? != boot {
                note.set_len(0)?;
                note.write_all(boot.as_bytes())?;
            }
            note.sync_all()
        });
        written.map_err(|source| failed(FileAction::Write, &path, source))?;
        sync_folder(&self.folder)?;
        self.noted.store(true, Ordering::Release);
        Ok(())
    }

    /// Removes the note durably, because everything that was written to the main file is synced.
    ///
    /// # Errors
    /// `File` if the note cannot be removed.
    pub(crate) fn settled(&self) -> Result<(), DbError> {
        let _handles = self.handles.locked();
        Ok(self.remove().and_then(|()| sync_folder(&self.folder))?)
    }

    /// Removes the note with the last handle.
    pub(crate) fn closed(&self) -> io::Result<()> {
        let mut handles = self.handles.locked();
        *handles -= 1;
        if *handles > 0 { Ok(()) } else { self.remove() }
    }

    fn remove(&self) -> io::Result<()> {
        self.noted.store(false, Ordering::Release);
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed(FileAction::Remove, &self.path(), error))
            }
            _ => Ok(()),
        }
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
        let store = Store::open(FileDisk::new(from.path())).unwrap();
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
        FileDisk::new(folder).open(StoreFile::Main).map(drop)
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
    fn a_clean_stop_removes_the_note_while_readers_have_the_file_open() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut store = Store::open(FileDisk::new(from.path())).unwrap();
        let reader = store.reader();
        assert!(from.path().join(BOOT_FILE).exists());
        store.settle().unwrap();
        assert!(!from.path().join(BOOT_FILE).exists());
        for entry in fs::read_dir(from.path()).unwrap().map(|entry| entry.unwrap().path()) {
            fs::copy(&entry, to.path().join(entry.file_name().unwrap())).unwrap();
        }
        assert!(!FileDisk::new(to.path()).boot.was_cut_off());
        opens(to.path()).unwrap();

        let transaction = crate::disk::begin_durable(&store.database()).unwrap();
        transaction.open_table(ROWS).unwrap().insert(&b"key"[..], &b"row"[..]).unwrap();
        transaction.commit().unwrap();
        assert!(from.path().join(BOOT_FILE).exists(), "it is written to again");
        drop((store, reader));
        assert!(!from.path().join(BOOT_FILE).exists());
    }

    #[test]
    fn a_store_that_another_process_has_open_keeps_its_note() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(FileDisk::new(folder.path())).unwrap();
        assert!(matches!(opens(folder.path()), Err(DbError::InUse(_))));
        assert!(folder.path().join(BOOT_FILE).exists());
        drop(store);
        assert!(!folder.path().join(BOOT_FILE).exists());
    }

    #[test]
    fn a_store_that_was_closed_well_has_no_note() {
        let folder = killed();
        opens(folder.path()).unwrap();
        assert!(!folder.path().join(BOOT_FILE).exists());
        let disk = FileDisk::new(folder.path());
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
