//! Locates the cluster: from flags or files to the addresses of its servers and the keys that authenticate them.

use crate::common::address;
use crate::common::address_book::AddressBook;
use crate::common::cluster_file::ClusterFile;
use crate::common::defaults::{CREDENTIALS, INSTALLED, STATE_DIR, data_dir_or_default};
use crate::common::discovery::{DiscoveryArgs, of_one_cluster};
use crate::common::failure::{Exit, Failure};
use crate::common::known::KnownServers;
use crate::common::machine::host_name;
use crate::common::ports::Ports;
use clap::builder::BoolishValueParser;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args};
use ribbit_net::keys::{Keys, PublicKey};
use std::path::{Path, PathBuf};

/// Addresses and keys of the cluster that a command talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterAccess {
    /// Addresses from which the members can be learned: members or balancers.
    pub seeds: Vec<String>,
    /// Addresses that serve clients, as far as they are known without asking; mostly the balancer of `up`.
    pub servers: Vec<String>,
    /// Source of the addresses, for messages: `ribbit-data/ports`.
    pub found_in: String,
    /// Keys that authenticate its servers; with the cluster file, also the key for operators' commands.
    pub keys: Keys,
    /// Saved addresses of its members, if there is a cluster file.
    pub book: Option<AddressBook>,
}

/// Flags that select the cluster a command talks to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster options")]
pub(crate) struct ClusterFlags {
    /// Use the cluster in this data folder [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Use the cluster of this cluster file
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
    /// Use the cluster at these addresses of balancers or members
    #[arg(long, value_name = "HOST:PORT[,…]", value_delimiter = ',', value_parser = address::peer)]
    pub server: Vec<String>,
    /// Public key of the cluster, as printed by `ribbit key`; not needed with a cluster file [default: the key seen
    /// on the first connection]
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<PublicKey>,
    #[command(flatten)]
    pub discovery: DiscoveryArgs,
}

/// Arguments of a command that prints a report about a cluster.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Print JSON
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Options of a command that prints a report about a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportOptions {
    pub cluster: ClusterAccess,
    pub json: bool,
}

impl ReportArgs {
    /// Selects the cluster.
    ///
    /// # Errors
    /// As [`select`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<ReportOptions, Failure> {
        Ok(ReportOptions { cluster: select(self.cluster, matches)?, json: self.json })
    }

    /// Selects the cluster, whose key the command needs.
    ///
    /// # Errors
    /// As [`select_with_key`].
    pub(crate) fn options_with_key(self, matches: &ArgMatches) -> Result<ReportOptions, Failure> {
        Ok(ReportOptions { cluster: select_with_key(self.cluster, matches)?, json: self.json })
    }
}

/// Returns the cluster of a data folder, from the ports file that `up` wrote, else from the cluster file.
///
/// # Errors
/// 3: the folder has neither. 78: a file is malformed or cannot be read.
pub(crate) fn in_data_dir(
    data_dir: &Path,
    public_key: Option<PublicKey>,
    discovery: DiscoveryArgs,
) -> Result<ClusterAccess, Failure> {
    let path = path_of_cluster_file(None, data_dir);
    if let Some(ports) = Ports::read(data_dir)? {
        let mut seeds = ports.everyone();
        seeds.extend(ports.balancer.clone());
        let servers = ports.balancer.into_iter().collect();
        // The cluster may belong to another user: its addresses are not secret, its key is.
        let file = ClusterFile::read_if_allowed(&path)?;
        let keys = file.as_ref().map_or_else(|| keys_without_file(public_key), keys_of);
        let found_in = Ports::path_in(data_dir).display().to_string();
        return Ok(ClusterAccess { seeds, servers, found_in, keys, book: None });
    }
    if path.exists() {
        return in_cluster_file(&path, Some(data_dir), discovery);
    }
    let message = format!(
        "no cluster found in {}: start one with `ribbit up`, or select one with --data-dir, --cluster-file or \
         --server",
        data_dir.display()
    );
    Err(Failure::new(Exit::Unreachable, message))
}

/// Returns the cluster of a cluster file. Its addresses are the coordinators in the file and the members in the address
/// book beside it or in `data_dir`. If there are none, they are those that are found in this network.
///
/// # Errors
/// 78: the file is missing or malformed, or no address is known.
pub(crate) fn in_cluster_file(
    path: &Path,
    data_dir: Option<&Path>,
    discovery: DiscoveryArgs,
) -> Result<ClusterAccess, Failure> {
    let file = ClusterFile::read(path)?;
    let keys = keys_of(&file);
    let data_dir = if path == Path::new(INSTALLED) { Some(Path::new(STATE_DIR)) } else { data_dir };
    let book = AddressBook::beside(path, data_dir, file.cluster);
    let mut seeds = file.coordinators;
    let kept = book.read();
    seeds.extend(kept);
    let mut seeds = without_duplicates(seeds);
    if seeds.is_empty() {
        let found = discovery.find().into_iter().filter(|it| it.is_member_of(file.cluster));
        seeds.extend(found.map(|it| it.address));
    }
    if seeds.is_empty() {
        let message = format!(
            "{} lists no coordinators, and none of its members was found in this network: pass the address of one with --server",
            path.display()
        );
        return Err(Failure::new(Exit::Configuration, message));
    }
    Ok(ClusterAccess {
        seeds,
        servers: Vec::new(),
        found_in: path.display().to_string(),
        keys,
        book: Some(book),
    })
}

/// Returns the cluster of this network, if servers of one cluster are found that serve clients.
///
/// # Errors
/// 3: there are several clusters.
fn in_network(
    discovery: DiscoveryArgs,
    public_key: Option<PublicKey>,
) -> Result<Option<ClusterAccess>, Failure> {
    let found = of_one_cluster(discovery.find())?;
    let of_role = |role: &str| -> Vec<String> {
        found.iter().filter(|it| it.role == role).map(|it| it.address.clone()).collect()
    };
    let (balancers, backends) = (of_role("balancer"), of_role("backend"));
    let servers = if balancers.is_empty() { backends.clone() } else { balancers.clone() };
    if servers.is_empty() {
        return Ok(None);
    }
    eprintln!("ribbit: found {} in this network", servers.join(", "));
    let (seeds, found_in) = ([balancers, backends].concat(), "this network".to_string());
    Ok(Some(ClusterAccess { seeds, servers, found_in, keys: keys_without_file(public_key), book: None }))
}

/// Returns the cluster at these addresses of balancers or members.
pub(crate) fn at_servers(servers: Vec<String>, keys: Keys) -> ClusterAccess {
    ClusterAccess { seeds: servers.clone(), servers, found_in: "--server".to_string(), keys, book: None }
}

/// Returns the keys for a cluster without a cluster file: the given public key, else trust on first use.
pub(crate) fn keys_without_file(public_key: Option<PublicKey>) -> Keys {
    public_key.map_or_else(|| Keys::trusting(KnownServers::in_folder(settings_folder())), Keys::pinned)
}

/// Returns the keys of a cluster file, under the name of the user and machine for the audit log: `ada@board1`.
pub(crate) fn keys_of(file: &ClusterFile) -> Keys {
    // Under sudo the person is of interest, not root.
    let user = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    file.keys().acting_as(&format!("{user}@{}", host_name()))
}

/// Returns the user's settings folder, `$XDG_CONFIG_HOME/ribbit` or `~/.config/ribbit`; `None` without a home.
pub(crate) fn settings_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    // The XDG specification says to ignore relative paths.
    let config = set("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let config = config.or_else(|| Some(PathBuf::from(set("HOME")?).join(".config")));
    config.map(|folder| folder.join("ribbit"))
}

/// Returns the cluster that the flags select. The source decides first: command line, environment, config file. Within
/// one source, `--server` takes precedence over `--cluster-file`, and that over `--data-dir`. Without any it is the cluster of this
/// network.
///
/// # Errors
/// 3: no cluster is known. 78: a file is missing or malformed.
pub(crate) fn select(flags: ClusterFlags, matches: &ArgMatches) -> Result<ClusterAccess, Failure> {
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
        Some(path) if cluster_file >= data_dir => {
            in_cluster_file(&path, flags.data_dir.as_deref(), flags.discovery)
        }
        _ => {
            match in_data_dir(&data_dir_or_default(flags.data_dir.clone()), flags.public_key, flags.discovery)
            {
                Err(not_found) if not_found.exit == Exit::Unreachable && flags.data_dir.is_none() => {
                    if installed()?.is_some() {
                        return in_cluster_file(Path::new(INSTALLED), None, flags.discovery);
                    }
                    in_network(flags.discovery, flags.public_key)?.ok_or(not_found)
                }
                found => found,
            }
        }
    }
}

/// Returns the keys for servers given with `--server`: from a cluster file named beside it, else from `--public-key`, else
/// trust on first use.
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
    Ok(file.map_or_else(|| keys_without_file(public_key), |file| keys_of(&file)))
}

/// Returns the cluster for an operator's command, which needs the cluster file: named, or in its usual place.
///
/// # Errors
/// As [`select`], and 78 if there is no cluster file.
pub(crate) fn select_with_key(flags: ClusterFlags, matches: &ArgMatches) -> Result<ClusterAccess, Failure> {
    let named = flags.data_dir.is_some();
    let data_dir = data_dir_or_default(flags.data_dir.clone());
    let cluster = select(flags, matches)?;
    if cluster.keys.cluster().is_some() {
        return Ok(cluster);
    }
    let beside = ClusterFile::read_if_allowed(&path_of_cluster_file(None, &data_dir))?;
    let found = if beside.is_none() && !named { installed()? } else { beside };
    match found {
        Some(file) => Ok(ClusterAccess { keys: keys_of(&file), ..cluster }),
        None => {
            let message = "this command needs the cluster file: pass it with --cluster-file, or its folder with \
                           --data-dir";
            Err(Failure::new(Exit::Configuration, message))
        }
    }
}

/// Returns the path of the cluster file: as named, else in the data folder, else in systemd's credentials folder.
pub(crate) fn path_of_cluster_file(named: Option<PathBuf>, data_dir: &Path) -> PathBuf {
    let credential = || Some(ClusterFile::path_in(Path::new(&std::env::var_os(CREDENTIALS)?)));
    let in_folder = ClusterFile::path_in(data_dir);
    match named {
        Some(path) => path,
        None if in_folder.exists() => in_folder,
        None => credential().filter(|path| path.exists()).unwrap_or(in_folder),
    }
}

/// Reads the cluster file of the installed package, if this user may. Commands use it if no other cluster is named.
/// Servers never do: a server started in the wrong folder would come back as a member that has lost its store.
fn installed() -> Result<Option<ClusterFile>, Failure> {
    ClusterFile::read_if_allowed(Path::new(INSTALLED))
}

/// Returns the path of the cluster file as [`path_of_cluster_file`] does, else that of the installed package. For commands
/// that are not servers.
pub(crate) fn path_to_ask(named: Option<PathBuf>, data_dir: Option<PathBuf>) -> PathBuf {
    let anywhere = named.is_none() && data_dir.is_none();
    let usual = path_of_cluster_file(named, &data_dir_or_default(data_dir));
    let installed = Path::new(INSTALLED);
    if anywhere && !usual.exists() && installed.exists() { installed.to_path_buf() } else { usual }
}

/// Returns the addresses without duplicates, in the order of their first occurrence.
pub(crate) fn without_duplicates(addresses: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for address in addresses {
        if !kept.contains(&address) {
            kept.push(address);
        }
    }
    kept
}
