//! Addresses of all members, kept on disk, so that a cluster is found although the coordinators that its cluster file lists
//! are gone.
//!
//! ```text
//!   FOLDER/cluster.ribbit.addresses     written by commands that have looked at the cluster
//!   FOLDER/backend-2/addresses          written by that member, in its own folder
//! ```
//!
//! Addresses are hints: an entry may lead nowhere, and a file that cannot be read, or is another cluster's, counts as empty.
//! Nothing fails because of this file, and only one process writes it, so readers need no lock.

use crate::common::address;
use crate::common::env_file;
use crate::common::write_file;
use ribbit_net::limits::ADDRESSES_MAX;
use ribbit_state::{ClusterId, MemberName};
use std::fs;
use std::path::{Path, PathBuf};

/// Name of a member's own file in its folder.
const IN_STORE: &str = "addresses";
/// Suffix of the file beside a cluster file.
const SUFFIX: &str = ".addresses";

/// Files from which a process reads addresses, and the file to which it writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddressBook {
    cluster: ClusterId,
    own: PathBuf,
    /// Data folders in which members may have left theirs.
    folders: Vec<PathBuf>,
}

impl AddressBook {
    /// Returns the book of commands that were given this cluster file; members of `data_dir` may have left theirs there.
    pub(crate) fn beside(cluster_file: &Path, data_dir: Option<&Path>, cluster: ClusterId) -> AddressBook {
        let mut own = cluster_file.as_os_str().to_owned();
        own.push(SUFFIX);
        let parent = cluster_file.parent().map(Path::to_path_buf);
        let folders = parent.into_iter().chain(data_dir.map(Path::to_path_buf)).collect();
        AddressBook { cluster, own: own.into(), folders }
    }

    /// Returns the book of the member that has its store in this folder of `data_dir`.
    pub(crate) fn of_member(data_dir: &Path, store: &Path, cluster: ClusterId) -> AddressBook {
        AddressBook { cluster, own: store.join(IN_STORE), folders: vec![data_dir.to_path_buf()] }
    }

    /// Reads all addresses that are known here, its own first.
    pub(crate) fn read(&self) -> Vec<String> {
        let mut known = self.read_file(&self.own);
        for folder in &self.folders {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            let is_member = |entry: &fs::DirEntry| {
                entry.file_name().to_str().is_some_and(|name| name.parse::<MemberName>().is_ok())
            };
            for entry in entries.flatten().filter(is_member) {
                known.extend(self.read_file(&entry.path().join(IN_STORE)));
            }
        }
        known.sort();
        known.dedup();
        known.truncate(ADDRESSES_MAX);
        known
    }

    fn read_file(&self, path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap_or_default();
        parse(&text, self.cluster).unwrap_or_default()
    }

    /// Writes these addresses in the place of what was there, where they differ.
    pub(crate) fn write(&self, addresses: impl IntoIterator<Item = String>) {
        let mut addresses: Vec<String> =
            addresses.into_iter().filter(|it| address::peer(it).is_ok()).collect();
        addresses.sort();
        addresses.dedup();
        addresses.truncate(ADDRESSES_MAX);
        if addresses.is_empty() || addresses == self.read_file(&self.own) {
            return;
        }
        if let Err(error) = write_file::replace(&self.own, &text(self.cluster, &addresses)) {
            log::debug!("{} is not written: {error}", self.own.display());
        }
    }
}

fn text(cluster: ClusterId, addresses: &[String]) -> String {
    let entries = [("CLUSTER", cluster.to_string()), ("ADDRESSES", addresses.join(","))];
    "# Where members were last reached. May be removed.\n".to_string() + &env_file::format(entries)
}

/// Returns nothing when this is no such file, or another cluster's.
fn parse(text: &str, cluster: ClusterId) -> Option<Vec<String>> {
    let entries = env_file::parse(text).ok()?;
    let value = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    if value("CLUSTER")? != cluster.to_string() {
        return None;
    }
    let addresses = value("ADDRESSES")?.split(',').filter_map(|text| address::peer(text).ok());
    Some(addresses.take(ADDRESSES_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_beside_the_cluster_file_and_in_members_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let words = |text: &str| text.split_whitespace().map(str::to_string).collect::<Vec<_>>();
        let commands = AddressBook::beside(&path("cluster.ribbit"), None, ClusterId(7));
        assert_eq!(commands.read(), words(""));
        commands.write(words("b:2 a:1 a:1 nonsense"));
        assert_eq!(commands.read(), words("a:1 b:2"));
        fs::create_dir(path("backend-2")).unwrap();
        let member = AddressBook::of_member(folder.path(), &path("backend-2"), ClusterId(7));
        member.write(words("c:3 b:2"));
        fs::create_dir(path("elsewhere")).unwrap();
        fs::copy(path("backend-2/addresses"), path("elsewhere/addresses")).unwrap();
        assert_eq!(commands.read(), words("a:1 b:2 c:3"));
        commands.write(words("d:4"));
        assert_eq!(commands.read(), words("b:2 c:3 d:4"));
        commands.write(words(""));
        assert_eq!(commands.read(), words("b:2 c:3 d:4"), "an empty list changes nothing");
    }

    #[test]
    fn what_is_broken_or_another_clusters_is_nothing() {
        let good = text(ClusterId(7), &["a:1".to_string()]);
        assert_eq!(parse(&good, ClusterId(7)), Some(vec!["a:1".to_string()]));
        assert_eq!(parse(&good, ClusterId(8)), None);
        assert_eq!(parse("ADDRESSES=a:1\n", ClusterId(7)), None);
        assert_eq!(parse("\u{0}\u{1}", ClusterId(7)), None);
        let odd = text(ClusterId(7), &["a:1".to_string(), "b".to_string()]);
        assert_eq!(parse(&odd, ClusterId(7)), Some(vec!["a:1".to_string()]));
    }
}
