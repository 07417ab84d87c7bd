//! Where is the group, and what is it known by? From what a person typed, or from what lies in a folder, to addresses to
//! ask and keys.

use crate::net::keys::{Keys, PublicKey};
use crate::roles::cluster_file::ClusterFile;
use crate::roles::failure::{Exit, Failure};
use crate::roles::known::KnownServers;
use crate::roles::options::Group;
use crate::roles::ports::Ports;
use std::path::{Path, PathBuf};

/// The group that runs on this folder: where `up` started it, else where its cluster file says.
///
/// # Errors
/// 3: nothing is known there. 78: a file is there and is wrong.
pub fn in_data_dir(data_dir: &Path, public_key: Option<PublicKey>) -> Result<Group, Failure> {
    let path = ClusterFile::path_in(data_dir);
    if let Some(ports) = Ports::read(data_dir)? {
        let mut seeds = ports.everyone();
        seeds.extend(ports.balancer.clone());
        let servers = ports.balancer.into_iter().collect();
        // Another user's group: its addresses are no secret, its key is.
        let keys = match ClusterFile::read_if_allowed(&path)? {
            Some(file) => file.keys(),
            None => keys_without_file(public_key),
        };
        return Ok(Group { seeds, servers, found_in: Ports::path_in(data_dir).display().to_string(), keys });
    }
    if path.exists() {
        return in_cluster_file(&path);
    }
    let message = format!(
        "no group is known in {}: `ribbit up` starts one there; or name one with --data-dir, --cluster-file \
         or --server",
        data_dir.display()
    );
    Err(Failure::new(Exit::Unreachable, message))
}

/// The group whose coordinators the file lists.
///
/// # Errors
/// 78: the file is missing or wrong, or lists nobody.
pub fn in_cluster_file(path: &Path) -> Result<Group, Failure> {
    let file = ClusterFile::read(path)?;
    let keys = file.keys();
    let seeds = file.coordinators;
    if seeds.is_empty() {
        let message = format!("{} lists no coordinators: name a member with --server", path.display());
        return Err(Failure::new(Exit::Configuration, message));
    }
    Ok(Group { seeds, servers: Vec::new(), found_in: path.display().to_string(), keys })
}

/// The group that is reached at these addresses, balancers or members.
pub fn at_servers(servers: Vec<String>, keys: Keys) -> Group {
    Group { seeds: servers.clone(), servers, found_in: "--server".to_string(), keys }
}

/// The servers' key as it was given, else as it was first seen.
pub fn keys_without_file(public_key: Option<PublicKey>) -> Keys {
    public_key.map_or_else(|| Keys::trusting(KnownServers::in_folder(settings_folder())), Keys::pinned)
}

/// Where what belongs to this user is kept.
pub fn settings_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    // A relative path is none, says the specification.
    let config = set("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let config = config.or_else(|| Some(PathBuf::from(set("HOME")?).join(".config")));
    config.map(|folder| folder.join("ribbit"))
}
