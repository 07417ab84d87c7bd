//! The cluster file: the cluster's id, its secret key and its coordinators. It is copied to every machine of the cluster.
//!
//! ```text
//!   NAME=frogs
//!   CLUSTER=2f…     id of the installation, 128 bits
//!   KEY=9c…         secret key that authenticates members, 256 bits
//!   KEY_GENERATION=2  number of the key among those that the cluster has had
//!   OLD_KEY=41…     the key before it, while it still authenticates members
//!   FORMER_KEY=41…  the same, once it no longer does; it vouches for its successor
//!   COORDINATORS=board1:9000,board2:9001
//! ```
//!
//! It is the file `cluster.ribbit` in the data folder, with mode 0600. A file that other users can open is refused, because
//! its key grants full access to the cluster. `init` or `up` creates it once. Only `key rotate` changes it: its coordinators are
//! hints, and the cluster itself knows the addresses of its members.
//!
//! A member that takes over a new key keeps it in a file of its own in the data folder, such as `backend-2.key`, because the cluster
//! file may be read-only for it. The file with the later key counts.

use crate::common::address;
use crate::common::env_file;
use crate::common::failure::{Exit, Failure};
use crate::common::write_file;
use ribbit_net::key_ring::{ClusterKey, KeyRing};
use ribbit_net::keys::Keys;
use ribbit_net::secret;
use ribbit_state::{ClusterId, MemberName};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Name of the file in a data folder.
pub const FILE_NAME: &str = "cluster.ribbit";
/// End of the name of a file with a member's newer key.
const MEMBER_SUFFIX: &str = ".key";
/// Bytes read of a cluster file; more than any has.
const BYTES_MAX: u64 = 64 * 1024;

/// Contents of a cluster file.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterFile {
    /// Name of the cluster, for display only.
    pub name: String,
    pub cluster: ClusterId,
    /// Secret keys of the cluster.
    pub ring: KeyRing,
    /// Coordinator addresses, HOST:PORT. Empty in a cluster of `up`, whose addresses are in the ports file.
    pub coordinators: Vec<String>,
}

/// Leaves out the key.
impl fmt::Debug for ClusterFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterFile")
            .field("name", &self.name)
            .field("cluster", &self.cluster)
            .field("coordinators", &self.coordinators)
            .finish_non_exhaustive()
    }
}

impl ClusterFile {
    /// Returns a new cluster with a random id and key.
    pub fn new(name: String, coordinators: Vec<String>) -> ClusterFile {
        let cluster = u128::from_be_bytes(std::array::from_fn({
            let random = secret::new_token();
            move |i| random[i]
        }));
        ClusterFile {
            name,
            cluster: ClusterId(cluster),
            ring: KeyRing::first(secret::new_token()),
            coordinators,
        }
    }

    /// Returns the keys with which members authenticate each other and clients authenticate servers.
    pub fn keys(&self) -> Keys {
        Keys::of_ring(self.cluster, self.ring.clone())
    }

    /// Returns the path of the cluster file in a data folder.
    pub fn path_in(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE_NAME)
    }

    /// Writes a new cluster file.
    ///
    /// # Errors
    /// `AlreadyExists` if the path exists, or an I/O error.
    pub fn create(&self, path: &Path) -> io::Result<()> {
        write_file::create(path, &self.to_text())
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// An I/O error.
    pub fn replace(&self, path: &Path) -> io::Result<()> {
        write_file::replace(path, &self.to_text())
    }

    /// Returns the path of the file in which the member of this name keeps a newer key.
    pub(crate) fn path_of_member(data_dir: &Path, name: MemberName) -> PathBuf {
        data_dir.join(format!("{name}{MEMBER_SUFFIX}"))
    }

    /// Returns this file with the keys of the member's own file if those are newer.
    ///
    /// # Errors
    /// 78: the member's own file exists and cannot be read, or is malformed.
    pub(crate) fn with_own_key(self, own: &Path) -> Result<ClusterFile, Failure> {
        match File::open(own) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(self),
            Err(error) => Err(wrong(format!("cannot read {}: {error}", own.display()))),
            Ok(file) => match ClusterFile::read_opened(file, own)? {
                kept if kept.cluster == self.cluster && kept.ring.age() > self.ring.age() => {
                    Ok(ClusterFile { ring: kept.ring, ..self })
                }
                _ => Ok(self),
            },
        }
    }

    /// Reads a cluster file.
    ///
    /// # Errors
    /// 78: the file is missing, readable by other users, or malformed.
    pub fn read(path: &Path) -> Result<ClusterFile, Failure> {
        let shown = path.display();
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => wrong(format!(
                "there is no cluster file {shown}: create one with `ribbit init` and copy it there, or pass its path \
                 with --cluster-file"
            )),
            _ => wrong(format!("cannot read the cluster file {shown}: {error}")),
        })?;
        ClusterFile::read_opened(file, path)
    }

    /// Reads a cluster file; `None` if it does not exist or this user may not open it.
    ///
    /// # Errors
    /// As [`ClusterFile::read`].
    pub fn read_if_allowed(path: &Path) -> Result<Option<ClusterFile>, Failure> {
        match File::open(path) {
            Ok(file) => ClusterFile::read_opened(file, path).map(Some),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                Ok(None)
            }
            Err(error) => Err(wrong(format!("cannot read the cluster file {}: {error}", path.display()))),
        }
    }

    /// Returns the text of the file without checking its mode. For diagnosis; a member uses [`ClusterFile::read`].
    ///
    /// # Errors
    /// An I/O error.
    pub fn text_of(path: &Path) -> io::Result<String> {
        let mut text = String::new();
        File::open(path)?.take(BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    }

    fn read_opened(file: File, path: &Path) -> Result<ClusterFile, Failure> {
        let shown = path.display();
        let unreadable = |error: io::Error| wrong(format!("cannot read the cluster file {shown}: {error}"));
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & others(path) != 0 {
            return Err(wrong(format!(
                "others can open the cluster file {shown} (mode {mode:04o}), and its key gives full access to the \
                 cluster: run `chmod 600 {shown}`"
            )));
        }
        let mut text = String::new();
        file.take(BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
        ClusterFile::parse(&text).map_err(|what| wrong(format!("{shown} is not a cluster file: {what}")))
    }

    /// Returns the text of the file.
    pub fn to_text(&self) -> String {
        let KeyRing { newest, old, accepts_old } = &self.ring;
        let old_name = if *accepts_old { "OLD_KEY" } else { "FORMER_KEY" };
        let head = "# A ribbit cluster. Secret: this file gives full access to the cluster.\n";
        let mut entries = vec![
            ("NAME", self.name.clone()),
            ("CLUSTER", self.cluster.to_string()),
            ("KEY", secret::to_hex(&newest.secret)),
            ("COORDINATORS", self.coordinators.join(",")),
        ];
        if let Some(old) = old {
            entries.push(("KEY_GENERATION", newest.generation.to_string()));
            entries.push((old_name, secret::to_hex(old)));
        }
        head.to_string() + &env_file::format(entries)
    }

    /// Parses the text of a cluster file, written by [`ClusterFile::to_text`] or by hand.
    ///
    /// # Errors
    /// A message that names the missing or malformed entry.
    pub fn parse(text: &str) -> Result<ClusterFile, String> {
        let entries = env_file::parse(text).map_err(|error| error.to_string())?;
        let value = |key: &str| {
            let entry = entries.iter().rev().find(|entry| entry.key == key);
            entry.map(|entry| entry.value.as_str()).ok_or_else(|| format!("it has no {key}"))
        };
        let id = value("CLUSTER")?;
        let cluster = id.parse().ok().filter(|_| id.len() == 32).ok_or("CLUSTER is not 32 hex digits")?;
        let key = |name: &str| secret::from_hex(value(name)?).ok_or(format!("{name} is not 64 hex digits"));
        let has = |name: &str| entries.iter().any(|entry| entry.key == name);
        let generation = match has("KEY_GENERATION") {
            true => value("KEY_GENERATION")?.parse().ok().filter(|number| *number > 0),
            false => Some(1),
        };
        let generation = generation.ok_or("KEY_GENERATION is not a number from 1")?;
        let accepts_old = has("OLD_KEY");
        let old_name = if accepts_old { "OLD_KEY" } else { "FORMER_KEY" };
        let old = has(old_name).then(|| key(old_name)).transpose()?;
        let ring = KeyRing { newest: ClusterKey { generation, secret: key("KEY")? }, old, accepts_old };
        let mut coordinators = Vec::new();
        for text in value("COORDINATORS")?.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            coordinators.push(address::peer(text).map_err(|what| format!("COORDINATORS: {text}: {what}"))?);
        }
        Ok(ClusterFile { name: value("NAME")?.to_string(), cluster, ring, coordinators })
    }
}

fn wrong(message: String) -> Failure {
    Failure::new(Exit::Configuration, message)
}

/// Returns the mode bits that must not be set. In systemd's credentials folder the group's read bit may be set: the file
/// belongs to root there, and the mask of its access list appears in place of the group's bits.
fn others(path: &Path) -> u32 {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
    if credentials.is_some_and(|folder| path.starts_with(folder)) { 0o037 } else { 0o077 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::Role;
    use std::fs;

    #[test]
    fn it_reads_back_and_hides_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = ClusterFile::path_in(folder.path());
        let made = ClusterFile::new("the \"frogs\"".into(), vec!["board1:9000".into(), "[::1]:9001".into()]);
        made.create(&path).unwrap();
        assert_eq!(ClusterFile::read(&path).unwrap(), made);
        assert_eq!(made.create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(!format!("{made:?}").contains(&secret::to_hex(&made.ring.newest.secret[..2])));
        assert_ne!(ClusterFile::new(String::new(), Vec::new()).cluster, made.cluster);
    }

    #[test]
    fn a_file_that_others_can_open_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = ClusterFile::path_in(folder.path());
        ClusterFile::new("frogs".into(), Vec::new()).create(&path).unwrap();
        for mode in [0o644, 0o640, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let failure = ClusterFile::read(&path).unwrap_err();
            assert_eq!(failure.exit, Exit::Configuration);
            assert!(failure.message.contains(&format!("chmod 600 {}", path.display())), "{failure}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(ClusterFile::read(&path).is_ok());
    }

    #[test]
    fn the_file_with_the_later_key_counts() {
        let folder = tempfile::tempdir().unwrap();
        let own = ClusterFile::path_of_member(folder.path(), MemberName::at_home(Role::Backend, 2));
        let first = ClusterFile::new("frogs".into(), vec!["a:1".into()]);
        assert_eq!(first.clone().with_own_key(&own).unwrap(), first, "there is no other file");
        let key = ClusterKey { generation: 2, secret: [7; 32] };
        let second = ClusterFile { ring: first.ring.with(&key).unwrap(), ..first.clone() };
        second.replace(&own).unwrap();
        assert_eq!(ClusterFile::read(&own).unwrap(), second);
        assert_eq!(first.clone().with_own_key(&own).unwrap(), second);
        let settled = ClusterFile { ring: second.ring.settled(), ..first.clone() };
        assert_eq!(settled.clone().with_own_key(&own).unwrap(), settled, "the old key is refused by now");
        settled.replace(&own).unwrap();
        assert_eq!(ClusterFile::read(&own).unwrap(), settled);
        assert_eq!(second.with_own_key(&own).unwrap(), settled);
        let other = ClusterFile::new("toads".into(), Vec::new());
        assert_eq!(other.clone().with_own_key(&own).unwrap(), other, "the key of another cluster");
    }

    #[test]
    fn a_missing_or_malformed_entry_is_named() {
        let good = ClusterFile::new("frogs".into(), vec!["a:1".into()]).to_text();
        for (from, to, named) in [
            ("NAME=", "TITLE=", "NAME"),
            ("CLUSTER=", "CLUSTER=0", "CLUSTER"),
            ("KEY=", "KEY=+", "KEY"),
            ("NAME=", "KEY_GENERATION=0\nNAME=", "KEY_GENERATION"),
            ("NAME=", "OLD_KEY=1\nNAME=", "OLD_KEY"),
            ("a:1", "a", "COORDINATORS"),
            ("NAME=", "NAME", "line 2"),
        ] {
            let what = ClusterFile::parse(&good.replacen(from, to, 1)).unwrap_err();
            assert!(what.contains(named), "{from}: {what}");
        }
    }
}
