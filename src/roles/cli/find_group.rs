//! Where is the group, and what is it known by? From what a person typed, or from what lies in a folder, to addresses to
//! ask and keys.

use super::flags::GroupFlags;
use super::server_options::without_doubles;
use super::{CREDENTIALS, INSTALLED, STATE_DIR, or_default};
use crate::common::address_book::AddressBook;
use crate::common::cluster_file::ClusterFile;
use crate::common::failure::{Exit, Failure};
use crate::common::known::KnownServers;
use crate::common::options::Group;
use crate::common::ports::Ports;
use clap::ArgMatches;
use clap::parser::ValueSource;
use ribbit_net::keys::{Keys, PublicKey};
use std::path::{Path, PathBuf};

/// The group that runs on this folder: where `up` started it, else where its cluster file says.
///
/// # Errors
/// 3: nothing is known there. 78: a file is there and is wrong.
pub fn in_data_dir(data_dir: &Path, public_key: Option<PublicKey>) -> Result<Group, Failure> {
    let path = path_of_cluster_file(None, data_dir);
    if let Some(ports) = Ports::read(data_dir)? {
        let mut seeds = ports.everyone();
        seeds.extend(ports.balancer.clone());
        let servers = ports.balancer.into_iter().collect();
        // Another user's group: its addresses are no secret, its key is.
        let file = ClusterFile::read_if_allowed(&path)?;
        let keys = file.as_ref().map_or_else(|| keys_without_file(public_key), ClusterFile::keys);
        let found_in = Ports::path_in(data_dir).display().to_string();
        return Ok(Group { seeds, servers, found_in, keys, book: None });
    }
    if path.exists() {
        return in_cluster_file(&path, Some(data_dir));
    }
    let message = format!(
        "no group is known in {}: `ribbit up` starts one there; or name one with --data-dir, --cluster-file \
         or --server",
        data_dir.display()
    );
    Err(Failure::new(Exit::Unreachable, message))
}

/// The cluster whose coordinators the file lists, and whose members' addresses are kept beside it or in `data_dir`.
///
/// # Errors
/// 78: the file is missing or wrong, and no address is known.
pub fn in_cluster_file(path: &Path, data_dir: Option<&Path>) -> Result<Group, Failure> {
    let file = ClusterFile::read(path)?;
    let keys = file.keys();
    let data_dir = if path == Path::new(INSTALLED) { Some(Path::new(STATE_DIR)) } else { data_dir };
    let book = AddressBook::beside(path, data_dir, file.cluster);
    let mut seeds = file.coordinators;
    let kept = book.read();
    seeds.extend(kept);
    let seeds = without_doubles(seeds);
    if seeds.is_empty() {
        let message = format!("{} lists no coordinators: name a member with --server", path.display());
        return Err(Failure::new(Exit::Configuration, message));
    }
    Ok(Group { seeds, servers: Vec::new(), found_in: path.display().to_string(), keys, book: Some(book) })
}

/// The group that is reached at these addresses, balancers or members.
pub fn at_servers(servers: Vec<String>, keys: Keys) -> Group {
    Group { seeds: servers.clone(), servers, found_in: "--server".to_string(), keys, book: None }
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

/// Of several ways to name the group, the one that was typed counts before one from the environment, and that
/// before one from a file; among equals `--server` before `--cluster-file` before `--data-dir`.
pub fn group(flags: GroupFlags, matches: &ArgMatches) -> Result<Group, Failure> {
    let rank = |id: &str| match matches.value_source(id) {
        Some(ValueSource::CommandLine) => 3,
        Some(ValueSource::EnvVariable) => 2,
        Some(_) => 1,
        None => 0,
    };
    let (server, cluster_file, data_dir) = (rank("server"), rank("cluster_file"), rank("data_dir"));
    if server > 0 && server >= cluster_file.max(data_dir) {
        let keys = keys(flags.cluster_file, flags.data_dir, flags.public_key)?;
        return Ok(at_servers(flags.server, keys));
    }
    match flags.cluster_file {
        Some(path) if cluster_file >= data_dir => in_cluster_file(&path, flags.data_dir.as_deref()),
        _ => match in_data_dir(&or_default(flags.data_dir.clone()), flags.public_key) {
            Err(nothing) if nothing.exit == Exit::Unreachable && flags.data_dir.is_none() => {
                installed()?.map_or(Err(nothing), |_| in_cluster_file(Path::new(INSTALLED), None))
            }
            found => found,
        },
    }
}

/// What servers at an address that was typed are known by: a cluster file that was named with it, the key that was, or
/// nothing yet.
fn keys(
    cluster_file: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    public_key: Option<PublicKey>,
) -> Result<Keys, Failure> {
    let file = match (cluster_file, data_dir) {
        (Some(path), _) => Some(ClusterFile::read(&path)?),
        (None, Some(data_dir)) => ClusterFile::read_if_allowed(&ClusterFile::path_in(&data_dir))?,
        (None, None) => None,
    };
    Ok(file.map_or_else(|| keys_without_file(public_key), |file| file.keys()))
}

/// The group, for those who run it: they have the cluster file, named or where it usually lies.
pub fn own_group(flags: GroupFlags, matches: &ArgMatches) -> Result<Group, Failure> {
    let named = flags.data_dir.is_some();
    let data_dir = or_default(flags.data_dir.clone());
    let group = group(flags, matches)?;
    if group.keys.cluster().is_some() {
        return Ok(group);
    }
    let beside = ClusterFile::read_if_allowed(&path_of_cluster_file(None, &data_dir))?;
    let found = if beside.is_none() && !named { installed()? } else { beside };
    match found {
        Some(file) => Ok(Group { keys: file.keys(), ..group }),
        None => {
            let message = "this is for those who run the group, and they have its cluster file: name it with \
                           --cluster-file, or its folder with --data-dir";
            Err(Failure::new(Exit::Configuration, message))
        }
    }
}

/// Where the cluster file is: as named, else in the data folder, else where systemd puts what a unit is given.
pub fn path_of_cluster_file(named: Option<PathBuf>, data_dir: &Path) -> PathBuf {
    let credential = || Some(ClusterFile::path_in(Path::new(&std::env::var_os(CREDENTIALS)?)));
    let in_folder = ClusterFile::path_in(data_dir);
    match named {
        Some(path) => path,
        None if in_folder.exists() => in_folder,
        None => credential().filter(|path| path.exists()).unwrap_or(in_folder),
    }
}

/// A board's own cluster file, for those who may read it and named nothing else. Never for a server: one that was started in
/// the wrong folder would come back as a member that has lost its store.
fn installed() -> Result<Option<ClusterFile>, Failure> {
    ClusterFile::read_if_allowed(Path::new(INSTALLED))
}

/// The same for who asks and runs nothing: else this board's own.
pub fn path_to_ask(named: Option<PathBuf>, data_dir: Option<PathBuf>) -> PathBuf {
    let anywhere = named.is_none() && data_dir.is_none();
    let usual = path_of_cluster_file(named, &or_default(data_dir));
    let installed = Path::new(INSTALLED);
    if anywhere && !usual.exists() && installed.exists() { installed.to_path_buf() } else { usual }
}
