//! `save`: a place of the tree as files and folders of this machine.
//!
//! Every name becomes a name below the folder that was named and nowhere else: a name of the tree has no slash and is
//! neither `.` nor `..` ([`ribbit_state::path`]); letters that a terminal would not show as they are, `%` and a leading
//! dot are written as `%` and their bytes. Locks become files. Nothing is overwritten: the first thing that is in the
//! way ends it, and a link is in the way, too.

use super::Session;
use super::look::warn_if_stale;
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::locks::namespace::shown;
use ribbit_state::listing::TreeEntry;
use ribbit_state::rows::Kind;
use ribbit_state::{Consistency, TreePath};
use ribbit_ui::plain;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub async fn save(
    session: &Session,
    path: &TreePath,
    folder: &Path,
    consistency: Consistency,
) -> Result<(), Failure> {
    warn_if_stale(consistency);
    let mut copy = Copy { folder, top: path, saved: 0, failed: None };
    session.namespace.each_page(path, None, consistency, |entries| copy.take(entries)).await?;
    if let Some((place, error)) = copy.failed {
        let place = place.display();
        let words = match error.kind() {
            io::ErrorKind::AlreadyExists => format!("{place}: it exists already, and nothing is overwritten"),
            _ => format!("{place}: {error}"),
        };
        return Err(Failure::new(Exit::Refused, words));
    }
    output::line(&format!("{}: {} files and folders saved in {}", shown(path), copy.saved, folder.display()));
    Ok(())
}

struct Copy<'a> {
    folder: &'a Path,
    top: &'a TreePath,
    saved: usize,
    failed: Option<(PathBuf, io::Error)>,
}

impl Copy<'_> {
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
            // The root is the folder itself.
            if entry.path.is_root() {
                return Ok(());
            }
        }
        match entry.node.kind {
            Kind::Folder => DirBuilder::new().create(place),
            Kind::File | Kind::Lock => {
                OpenOptions::new().write(true).create_new(true).open(place)?.write_all(&entry.node.content)
            }
        }
    }
}

/// Where a node goes: the place that is saved keeps its last name.
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
    fn names_stay_in_the_folder_and_can_be_read() {
        let path = |text: &str| text.parse::<TreePath>().unwrap();
        let at = |top: &str, node: &str| place(Path::new("d"), &path(top), &path(node)).display().to_string();
        assert_eq!(at("/", "/a/b"), "d/a/b");
        assert_eq!(at("/a/b", "/a/b"), "d/b");
        assert_eq!(at("/a/b", "/a/b/c d"), "d/b/c d");
        assert_eq!(at("/", "/.ssh/100%/\u{202e}x"), "d/%2essh/100%25/%e2%80%aex");
        assert_eq!(at("/", "/..a"), "d/%2e.a");
    }
}
