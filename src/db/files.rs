//! Creating files of a store and making their names durable.

use super::DbError;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Mode of every file: access for the owner alone.
const FILE_MODE: u32 = 0o600;

/// Opens a file for reading and writing, and creates it if it does not exist. It is accessible to the owner alone.
///
/// # Errors
/// The file cannot be opened, or its mode cannot be changed.
pub fn private_file(path: &Path) -> io::Result<File> {
    let opened =
        File::options().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
    let mode = opened.metadata()?.permissions().mode();
    if mode & !FILE_MODE & 0o777 != 0 {
        opened.set_permissions(Permissions::from_mode(mode & FILE_MODE))?;
    }
    Ok(opened)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// An error of the system with a [`FileError`] in it.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| failed(FileAction::Sync, folder, source))
}

/// Operation on a file of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAction {
    Create,
    /// Open a file that exists.
    Open,
    Read,
    Write,
    Resize,
    Sync,
    Rename,
    Remove,
}

/// A failed operation on a file of a store.
#[derive(Debug, thiserror::Error)]
#[error("cannot {} {path}: {source}", words(*.action))]
pub struct FileError {
    pub action: FileAction,
    pub path: String,
    pub source: io::Error,
}

fn words(action: FileAction) -> &'static str {
    match action {
        FileAction::Create => "create",
        FileAction::Open => "open",
        FileAction::Read => "read",
        FileAction::Write => "write to",
        FileAction::Resize => "change the length of",
        FileAction::Sync => "sync",
        FileAction::Rename => "rename",
        FileAction::Remove => "remove",
    }
}

/// Returns the error of an operation on a file.
pub(super) fn file(action: FileAction, path: &Path, source: io::Error) -> DbError {
    failed(action, path, source).into()
}

/// Returns the same as an error of the system, because redb passes on only those. [`DbError`] takes the [`FileError`] out
/// of it. An error that has one already stays as it is.
pub(super) fn failed(action: FileAction, path: &Path, source: io::Error) -> io::Error {
    let inner = source.get_ref().and_then(|inner| inner.downcast_ref::<FileError>());
    if inner.is_some() {
        return source;
    }
    io::Error::new(source.kind(), FileError { action, path: path.display().to_string(), source })
}
