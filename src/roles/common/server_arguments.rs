//! Arguments that backends, coordinators and balancers share.

use crate::common::address;
use crate::common::address_book::AddressBook;
use crate::common::cluster_file::ClusterFile;
use crate::common::cluster_selection::path_of_cluster_file;
use crate::common::defaults::data_dir_or_default;
use crate::common::discovery::DiscoveryArgs;
use crate::common::failure::Failure;
use crate::common::joining::JoinArgs;
use crate::common::network::Network;
use crate::common::ports::Ports;
use clap::{Args, value_parser};
use ribbit_state::limits::REGIONS_MAX;
use std::path::PathBuf;

/// Flags shared by backends, coordinators and balancers.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Region of this server; voters are in region 1 only, members elsewhere have all data but no vote
    #[arg(long, value_name = "C", default_value = "1", value_parser = value_parser!(u32).range(1..=REGIONS_MAX as i64))]
    pub cluster: u32,
    /// Listen address; see below for the default
    #[arg(long, value_name = "HOST:PORT", value_parser = address::listen)]
    pub listen: Option<String>,
    /// Folder of the cluster file and the members' stores [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Cluster file [default: cluster.ribbit in the data folder]
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
    #[command(flatten)]
    pub join: JoinArgs,
    #[command(flatten)]
    pub discovery: DiscoveryArgs,
    /// Addresses of web processes and other proxies that serve many users: not rate limited as a single client;
    /// loopback is always included
    #[arg(long, value_name = "ADDR[/BITS]", value_delimiter = ',', value_parser = Network::parse)]
    pub trusted_proxies: Vec<Network>,
    /// Addresses of members to contact first [default: the coordinators in the cluster file]
    #[arg(long, value_name = "HOST:PORT[,…]", value_delimiter = ',', value_parser = address::peer)]
    pub coordinator: Vec<String>,
}

/// Settings that all servers share, from flags and files.
pub(crate) struct ServerSettings {
    pub(crate) listen: Option<String>,
    pub(crate) data_dir: PathBuf,
    pub(crate) cluster: ClusterFile,
    pub(crate) ports: Option<Ports>,
    pub(crate) trusted_proxies: Vec<Network>,
    /// Addresses from `--coordinator`, else from the cluster file, else from the address book.
    pub(crate) coordinators: Vec<String>,
    /// Members' addresses from the address book.
    pub(crate) kept: Vec<String>,
    /// Look for others in the network, and announce this server there.
    pub(crate) discovery: DiscoveryArgs,
}

impl ServerArgs {
    /// Gets the cluster file if a join code is given. Reads it, the ports file and the address book, and returns the settings
    /// that all servers share.
    ///
    /// # Errors
    /// 78: the cluster file or the ports file is missing or malformed. With a join code, as [`JoinArgs::fetch_to`].
    pub(crate) fn settings(self) -> Result<ServerSettings, Failure> {
        let data_dir = data_dir_or_default(self.data_dir);
        let path = path_of_cluster_file(self.cluster_file, &data_dir);
        self.join.fetch_to(&path, self.discovery)?;
        let cluster = ClusterFile::read(&path)?;
        let kept = AddressBook::beside(&path, Some(&data_dir), cluster.cluster).read();
        let ports = Ports::read(&data_dir)?;
        let coordinators = match (self.coordinator.is_empty(), cluster.coordinators.is_empty()) {
            (false, _) => self.coordinator,
            (true, false) => cluster.coordinators.clone(),
            (true, true) => kept.clone(),
        };
        let (listen, trusted_proxies, discovery) = (self.listen, self.trusted_proxies, self.discovery);
        Ok(ServerSettings {
            listen,
            data_dir,
            cluster,
            ports,
            trusted_proxies,
            coordinators,
            kept,
            discovery,
        })
    }
}
