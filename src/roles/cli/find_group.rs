//! Where is the group? From what a person typed, or from what lies in a folder, to addresses to ask.

use crate::roles::cluster_file::ClusterFile;
use crate::roles::failure::{Exit, Failure};
use crate::roles::options::Group;
use crate::roles::ports::Ports;
use std::path::Path;

/// The group that runs on this folder: where `up` started it, else where its cluster file says.
///
/// # Errors
/// 3: nothing is known there. 78: a file is there and is wrong.
pub fn in_data_dir(data_dir: &Path) -> Result<Group, Failure> {
    if let Some(ports) = Ports::read(data_dir)? {
        let mut seeds = ports.everyone();
        seeds.extend(ports.balancer.clone());
        let servers = ports.balancer.into_iter().collect();
        return Ok(Group { seeds, servers, found_in: Ports::path_in(data_dir).display().to_string() });
    }
    let path = ClusterFile::path_in(data_dir);
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
    let seeds = ClusterFile::read(path)?.coordinators;
    if seeds.is_empty() {
        let message = format!("{} lists no coordinators: name a member with --server", path.display());
        return Err(Failure::new(Exit::Configuration, message));
    }
    Ok(Group { seeds, servers: Vec::new(), found_in: path.display().to_string() })
}

/// The group that is reached at these addresses, balancers or members.
pub fn at_servers(servers: Vec<String>) -> Group {
    Group { seeds: servers.clone(), servers, found_in: "--server".to_string() }
}
