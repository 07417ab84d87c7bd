//! `save`: copies a part of the tree to files and folders of this machine.
//!
//! - All files are created below the target folder: names in the tree contain no slash and are neither `.` nor `..`
//!   ([`ribbit_state::path`]).
//! - Control characters, invisible characters, `%`, `\` and a leading dot are percent-encoded.
//! - Locks become files.
//! - Nothing is overwritten. The copy stops at the first name that already exists, including symbolic links.

use super::ShellSession;
use super::inspect::warn_if_stale;
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::locks::namespace::shown;
use ribbit_state::query::TreeEntry;
use ribbit_state::rows::NodeKind;
use ribbit_state::{Consistency, TreePath};
use ribbit_ui::plain;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Copies a path and everything below it into a local folder.
pub(crate) async fn save(
    session: &ShellSession,
    path: &TreePath,
    folder: &Path,
    consistency: Consistency,
) -> Result<(), Failure> {
    warn_if_stale(consistency);
    let mut copy = TreeCopy { folder, top: path, saved: 0, failed: None };
    session.namespace.each_page(path, None, consistency, |entries| copy.take(entries)).await?;
    if let Some((place, error)) = copy.failed {
        let place = place.display();
        let words = match error.kind() {
            io::ErrorKind::AlreadyExists => format!("{place} already exists; choose another folder"),
            _ => format!("cannot write {place}: {error}"),
        };
        return Err(Failure::new(Exit::Refused, words));
    }
    let count = match copy.saved {
        1 => "1 file or folder".to_string(),
        saved => format!("{saved} files and folders"),
    };
    output::line(&format!("saved {} to {}: {count}", shown(path), folder.display()));
    Ok(())
}

struct TreeCopy<'a> {
    folder: &'a Path,
    top: &'a TreePath,
    saved: usize,
    failed: Option<(PathBuf, io::Error)>,
}

impl TreeCopy<'_> {
    fn take(&mut self, entries: Vec<TreeEntry>) {
        for entry in entries {
            if self.failed.is_some() {
                return;
            }
            let place = place(self.folder, self.top, &entry.path);
            match self.write(&place, &entry) {
                Ok(()) => self.saved += 1,
                Err(error) => self.failed = Some((place, error)),
            }
        }
    }

    fn write(&self, place: &Path, entry: &TreeEntry) -> io::Result<()> {
        if entry.path == *self.top {
            fs::create_dir_all(self.folder)?;
            // The root becomes the target folder itself.
            if entry.path.is_root() {
                return Ok(());
            }
        }
        match entry.node.kind {
            NodeKind::Folder => DirBuilder::new().create(place),
            NodeKind::File | NodeKind::Lock => {
                OpenOptions::new().write(true).create_new(true).open(place)?.write_all(&entry.node.content)
            }
        }
    }
}

/// Returns the local path of a node. The saved path keeps its last name.
fn place(folder: &Path, top: &TreePath, path: &TreePath) -> PathBuf {
    let above = top.depth().saturating_sub(1);
    path.names().skip(above).fold(folder.to_path_buf(), |place, name| place.join(safe(name)))
}

fn safe(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for (at, letter) in name.chars().enumerate() {
        if plain::is_odd(letter) || matches!(letter, '%' | '\\') || (at == 0 && letter == '.') {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                safe.push_str(&format!("%{byte:02x}"));
            }
        } else {
            safe.push(letter);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_in_the_folder_and_odd_names_are_encoded() {
        let path = |text: &str| text.parse::<TreePath>().unwrap();
        let at = |top: &str, node: &str| place(Path::new("d"), &path(top), &path(node)).display().to_string();
        assert_eq!(at("/", "/a/b"), "d/a/b");
        assert_eq!(at("/a/b", "/a/b"), "d/b");
        assert_eq!(at("/a/b", "/a/b/c d"), "d/b/c d");
        assert_eq!(at("/", "/.ssh/100%/\u{202e}x"), "d/%2essh/100%25/%e2%80%aex");
        assert_eq!(at("/", "/..a"), "d/%2e.a");
    }
}
