//! Where a backup goes: a file, standard output, or a folder of numbered backups of which the newest are kept.
//!
//! The name of a numbered backup has the cluster's id, so several clusters may use one folder and none removes the backups of
//! another. The numbers need no clock: a board may believe that it is 1970.

use crate::common::failure::{Exit, Failure};
use crate::common::write_file::Beside;
use crate::operator::age::{Lock, Sealed};
use ribbit_state::ClusterId;
use std::fs;
use std::io::{self, IsTerminal, Stdout, Write};
use std::path::{Path, PathBuf};

/// Target of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BackupTo {
    File(PathBuf),
    /// A numbered file in a folder. With a count, older ones are removed afterwards.
    Folder {
        dir: PathBuf,
        keep: Option<u32>,
    },
    /// Standard output.
    Output,
}

impl BackupTo {
    /// Checks the target before any member is asked.
    ///
    /// # Errors
    /// 1: it cannot be written. 2: standard output is a terminal.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self {
            BackupTo::Output if io::stdout().is_terminal() => {
                let text = "a backup cannot be written to a terminal: name a file, or pipe it with `ribbit backup - | …`";
                Err(Failure::new(Exit::Usage, text))
            }
            BackupTo::File(path) if path.exists() && !path.is_file() => {
                Err(Failure::new(Exit::Refused, format!("{} is not a file", path.display())))
            }
            BackupTo::Folder { dir, keep: _ } if !dir.is_dir() => {
                let text = format!("there is no folder {}: create it, or plug in its disk", dir.display());
                Err(Failure::new(Exit::Refused, text))
            }
            _ => Ok(()),
        }
    }

    /// Returns the path for messages.
    pub(super) fn shown(&self) -> &Path {
        match self {
            BackupTo::File(path) | BackupTo::Folder { dir: path, keep: _ } => path,
            BackupTo::Output => Path::new("standard output"),
        }
    }

    /// Returns the file to write.
    ///
    /// # Errors
    /// An I/O error of the folder.
    pub(super) fn path(&self, cluster: ClusterId, lock: Option<&Lock>) -> io::Result<Option<PathBuf>> {
        Ok(match self {
            BackupTo::File(path) => Some(path.clone()),
            BackupTo::Output => None,
            BackupTo::Folder { dir, keep: _ } => {
                let newest = numbered(dir, cluster)?.last().map_or(0, |(number, _)| *number);
                let suffix = if lock.is_some() { SEALED } else { PLAIN };
                let name = format!("{}{:06}{suffix}", prefix(cluster), newest.saturating_add(1));
                Some(dir.join(name))
            }
        })
    }

    /// Removes numbered backups of this cluster beyond the count, oldest first. Returns how many were removed.
    ///
    /// # Errors
    /// An I/O error.
    pub(super) fn remove_old(&self, cluster: ClusterId) -> io::Result<usize> {
        let BackupTo::Folder { dir, keep: Some(keep) } = self else { return Ok(0) };
        let all = numbered(dir, cluster)?;
        let old = all.len().saturating_sub(*keep as usize);
        for (_, path) in &all[..old] {
            fs::remove_file(path)?;
        }
        Ok(old)
    }
}

const PLAIN: &str = ".backup";
const SEALED: &str = ".backup.age";

fn prefix(cluster: ClusterId) -> String {
    let id = cluster.to_string();
    format!("ribbit-{}-", id.get(..8).unwrap_or(&id))
}

/// Returns the numbered backups of a cluster, oldest first.
fn numbered(dir: &Path, cluster: ClusterId) -> io::Result<Vec<(u32, PathBuf)>> {
    let prefix = prefix(cluster);
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| {
            let rest = name.strip_prefix(&prefix)?;
            rest.strip_suffix(SEALED).or_else(|| rest.strip_suffix(PLAIN))?.parse().ok()
        });
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort();
    Ok(found)
}

/// An open target, which may encrypt what is written to it.
pub(super) enum Output {
    Plain(Target),
    Sealed(Box<Sealed<Target>>),
}

pub(super) enum Target {
    File(Beside),
    Stdout(Stdout),
}

impl Output {
    /// Opens a file beside `path`, or standard output.
    ///
    /// # Errors
    /// An I/O error.
    pub(super) fn begin(path: Option<&Path>, lock: Option<&Lock>) -> io::Result<Output> {
        let target = match path {
            Some(path) => Target::File(Beside::begin(path)?),
            None => Target::Stdout(io::stdout()),
        };
        Ok(match lock {
            Some(lock) => Output::Sealed(Box::new(Sealed::begin(target, lock)?)),
            None => Output::Plain(target),
        })
    }

    /// Makes a file durable under its name, and returns its length in bytes.
    ///
    /// # Errors
    /// An I/O error.
    pub(super) fn finish(self) -> io::Result<Option<u64>> {
        let target = match self {
            Output::Plain(target) => target,
            Output::Sealed(sealed) => sealed.finish()?,
        };
        match target {
            Target::File(file) => file.finish().map(Some),
            Target::Stdout(mut out) => out.flush().map(|()| None),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Plain(target) => target.write(bytes),
            Output::Sealed(sealed) => sealed.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Plain(target) => target.flush(),
            Output::Sealed(sealed) => sealed.flush(),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::File(file) => file.write(bytes),
            Target::Stdout(out) => out.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::File(file) => file.flush(),
            Target::Stdout(out) => out.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_those_of_others_are_left() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let (ours, theirs) = (ClusterId(0x1111 << 112), ClusterId(0x2222 << 112));
        let to = BackupTo::Folder { dir: dir.to_path_buf(), keep: Some(2) };
        let lock = Lock::Passphrase("x".into());
        for sealed in [None, Some(&lock), None, None] {
            let path = to.path(ours, sealed).unwrap().unwrap();
            fs::write(&path, "").unwrap();
            fs::write(to.path(theirs, sealed).unwrap().unwrap(), "").unwrap();
        }
        // What is no backup of this cluster is not touched.
        for name in ["ribbit-11110000-000001.backup.new", "ribbit-11110000-x.backup", "1.backup"] {
            fs::write(dir.join(name), "").unwrap();
        }
        assert_eq!(to.remove_old(ours).unwrap(), 2);
        assert_eq!(to.remove_old(ours).unwrap(), 0);
        let left: Vec<u32> = numbered(dir, ours).unwrap().iter().map(|(number, _)| *number).collect();
        assert_eq!(left, [3, 4]);
        assert_eq!(numbered(dir, theirs).unwrap().len(), 4);
        assert_eq!(fs::read_dir(dir).unwrap().count(), 2 + 4 + 3);
        let next = to.path(ours, Some(&lock)).unwrap().unwrap();
        assert!(next.ends_with("ribbit-11110000-000005.backup.age"), "{next:?}");
    }
}
