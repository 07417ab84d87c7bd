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
pub(super) fn sync_folder(folder: &Path) -> Result<(), DbError> {
    sync_names(folder).map_err(|source| file(folder, source))
}

/// As [`sync_folder`], with the error of the system.
pub(super) fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Returns the error of a file.
pub(super) fn file(path: &Path, source: io::Error) -> DbError {
    DbError::File { path: path.display().to_string(), source }
}
