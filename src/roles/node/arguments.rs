//! Arguments of `ribbit backend` and `ribbit coordinator`.

use crate::common::address;
use crate::common::cluster_file::ClusterFile;
use crate::common::cluster_selection::without_duplicates;
use crate::common::defaults::{
    DISK_QUOTA, EVICT_AFTER, HEARTBEAT, MEMBER_ID_MAX, POSTS_PER_MINUTE, listed, usual_listen,
};
use crate::common::failure::Failure;
use crate::common::network::Network;
use crate::common::ports::Ports;
use crate::common::server_arguments::ServerArgs;
use crate::common::values;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, value_parser};
use ribbit_net::keys::Keys;
use ribbit_state::limits::{MEMBERS_MAX, REGIONS_MAX};
use ribbit_state::{ClusterId, MemberName, Role};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `backend`.
#[derive(Debug, Args)]
pub struct BackendArgs {
    /// Rate limit per account: croaks, messages and follows per minute, at least 6; 0 means no limit
    #[arg(long, value_name = "N", default_value_t = POSTS_PER_MINUTE, value_parser = values::posts_per_minute)]
    pub posts_per_minute: u32,
    #[command(flatten)]
    pub node: NodeArgs,
}

/// Arguments of `coordinator`.
#[derive(Debug, Args)]
pub struct CoordinatorArgs {
    /// Number of regions that clients are spread over: a client's region is its id modulo K, plus 1 [default:
    /// unchanged, initially 1]
    #[arg(long, value_name = "K", value_parser = value_parser!(u32).range(1..=REGIONS_MAX as i64))]
    pub clusters: Option<u32>,
    #[command(flatten)]
    pub node: NodeArgs,
}

/// Arguments that backends and coordinators share.
#[derive(Debug, Args)]
pub struct NodeArgs {
    /// Member number, 1 to 999; unique among the members of its role and region
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=MEMBER_ID_MAX as i64))]
    pub id: u32,
    /// Interval between heartbeats, 100ms to 60s
    #[arg(long, value_name = "TIME", default_value = HEARTBEAT, value_parser = values::heartbeat)]
    pub heartbeat: Duration,
    /// Number of missed heartbeats, 2 to 100, after which a server counts as down and its locks are released; the
    /// leader's setting applies
    #[arg(long, value_name = "N", default_value = "2", value_parser = value_parser!(u32).range(2..=100))]
    pub miss: u32,
    #[command(flatten)]
    pub founding: FoundingArgs,
    /// Address to announce to others, if they cannot use the listen address
    #[arg(long, value_name = "HOST:PORT", value_parser = address::peer)]
    pub advertise: Option<String>,
    /// Replace a voter that has been silent for this long, 1s to 10m, if a learner can take its seat; the leader's
    /// setting applies
    #[arg(long, value_name = "TIME", default_value = EVICT_AFTER, value_parser = values::evict_after)]
    pub evict_after: Duration,
    /// Disk quota of a member, at least 64KiB; when it is exceeded, or less than 64 MiB of the disk are free, new
    /// accounts, follows and croaks are refused
    #[arg(long, value_name = "SIZE", default_value = DISK_QUOTA, value_parser = values::disk_quota)]
    pub disk_quota: u64,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Arguments that create a cluster.
#[derive(Debug, Args)]
pub struct FoundingArgs {
    /// Create the cluster; ignored if this member has data already, refused if another member answers
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub found: bool,
    /// Like --found, but exit as soon as the cluster exists
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new(), conflicts_with = "found")]
    pub found_only: bool,
    /// Create the cluster as soon as N of its servers with empty stores, this one included, wait in the network, and join it
    /// if it exists; with more than half of its servers it is created once
    #[arg(long, value_name = "N", conflicts_with_all = ["found", "found_only"], value_parser = value_parser!(u32).range(1..=MEMBERS_MAX as i64))]
    pub found_with: Option<u32>,
}

/// Options of `backend` and `coordinator`.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    pub role: Role,
    /// Region of the node.
    pub region: u32,
    /// Number of the node, unique per role and region.
    pub id: u32,
    /// Listen address, HOST:PORT; port 0 picks a free port.
    pub listen: String,
    /// Address to announce to others; derived from `listen` if `None`.
    pub advertise: Option<String>,
    /// Parent folder of this node's store, which is `data_dir/backend-2`.
    pub data_dir: PathBuf,
    pub cluster: ClusterId,
    pub keys: Keys,
    /// Networks of proxies that serve many users.
    pub trusted_proxies: Vec<Network>,
    /// Addresses of coordinators or other members, without this node's own.
    pub coordinators: Vec<String>,
    /// Look for members in the network, and announce this one there.
    pub discovery: bool,
    /// Name of the cluster, as in the cluster file.
    pub cluster_name: String,
    /// Addresses of coordinators, as in the cluster file.
    pub listed: Vec<String>,
    /// Create the cluster if the store is empty.
    pub found: bool,
    /// Create the cluster if the store is empty and so many servers with empty stores wait.
    pub found_with: Option<u32>,
    /// Silence after which a learner may take a voter's seat; the leader's setting applies.
    pub evict_after: Duration,
    /// Disk quota of the store, in bytes; above it, growing writes are refused.
    pub disk_quota_bytes: u64,
    /// Rate limit of a backend: writes per account and minute; 0 means no limit.
    pub posts_per_minute: u32,
    /// Exit as soon as the cluster exists.
    pub found_only: bool,
    /// Interval between heartbeats.
    pub heartbeat: Duration,
    /// Number of missed heartbeats after which a server counts as down; the leader's setting applies.
    pub miss: u32,
    /// Number of regions that clients are spread over, if set for a coordinator.
    pub clusters: Option<u32>,
}

impl NodeOptions {
    /// Returns the node's name as text: `backend-2`.
    pub fn name(&self) -> String {
        self.member_name().to_string()
    }
    /// Returns the node's name.
    pub fn member_name(&self) -> MemberName {
        MemberName { role: self.role, region: self.region, id: self.id }
    }
    /// Returns the silence after which a server counts as down.
    pub fn lease(&self) -> Duration {
        self.heartbeat * self.miss
    }
    /// Returns the folder of this node's store.
    pub fn store_dir(&self) -> PathBuf {
        self.data_dir.join(self.name())
    }
}

/// Text below the flags in `--help`.
pub(crate) const BACKEND_HELP: &str = "\
Default listen address: 0.0.0.0:10000+N. In a data folder of `ribbit up`, the
address that `up` assigned to this member; the last example below restarts a
backend that died under `ribbit up`.

A board without the cluster file gets it with a code of `ribbit invite-board`:
--join CODE@HOST. The code works once. Once the file is there it is not used again,
so the flag may stay. RIBBIT_JOIN in the environment or in the file of --config
keeps the code off the list of processes.

Examples:
  ribbit backend --id 2
  ribbit backend --id 3 --join K7QX2-9MRT4@board1
  ribbit backend --id 2 --coordinator board1:9000 --advertise board2:10002
  ribbit backend --id 2 --data-dir ribbit-data";

/// Text below the flags in `--help`.
pub(crate) const COORDINATOR_HELP: &str = "\
Coordinator N announces the Nth coordinator address of the cluster file and
listens on that address's port. If the file has no such address, it listens on
0.0.0.0:8999+N. In a data folder of `ribbit up`, it listens where `up` did.

Examples:
  ribbit coordinator --id 1 --found        First start of a new cluster, once
  ribbit coordinator --id 1 --found-only   The same, then exit
  ribbit coordinator --id 1                Every later start
  ribbit coordinator --id 1 --found-with 3  All starts, in a cluster of five
  ribbit coordinator --id 2 --coordinator board1:9000";

impl BackendArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`ServerArgs::settings`].
    pub(crate) fn options(self) -> Result<NodeOptions, Failure> {
        let posts_per_minute = self.posts_per_minute;
        Ok(NodeOptions { posts_per_minute, ..self.node.options(Role::Backend, None)? })
    }
}

impl CoordinatorArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`ServerArgs::settings`].
    pub(crate) fn options(self) -> Result<NodeOptions, Failure> {
        self.node.options(Role::Coordinator, self.clusters)
    }
}

impl NodeArgs {
    /// Returns the options of a backend or coordinator.
    ///
    /// # Errors
    /// 78: the cluster file or the ports file is missing or malformed.
    fn options(self, role: Role, clusters: Option<u32>) -> Result<NodeOptions, Failure> {
        let (id, advertise, evict_after) = (self.id, self.advertise, self.evict_after);
        let disk_quota_bytes = self.disk_quota;
        let (region, heartbeat, miss) = (self.server.cluster, self.heartbeat, self.miss);
        let common = self.server.settings()?;
        let ports = common.ports.as_ref();
        let name = MemberName { role, region, id };
        // The cluster file says where this coordinator is.
        let listed = listed(name, &common.cluster).filter(|_| ports.is_none() && common.listen.is_none());
        let advertise = advertise.or(listed.map(|(address, _)| address));
        let listen = common.listen.unwrap_or_else(|| usual_listen(name, Some(&common.cluster), ports));
        let mut coordinators = common.coordinators;
        coordinators.extend(ports.map(Ports::everyone).unwrap_or_default());
        let own = |address: &String| *address == listen || Some(address) == advertise.as_ref();
        let coordinators = without_duplicates(coordinators.into_iter().filter(|address| !own(address)));
        let own_key = ClusterFile::path_of_member(&common.data_dir, name);
        let (cluster_name, listed) = (common.cluster.name.clone(), common.cluster.coordinators.clone());
        let (cluster, keys) = (common.cluster.cluster, common.cluster.with_own_key(&own_key)?.keys());
        let keys = keys.acting_as(&name.to_string());
        let FoundingArgs { found, found_only, found_with } = self.founding;
        let data_dir = common.data_dir;
        Ok(NodeOptions {
            role,
            id,
            listen,
            advertise,
            data_dir,
            cluster,
            keys,
            trusted_proxies: common.trusted_proxies,
            coordinators,
            discovery: !common.discovery.no_discovery,
            cluster_name,
            listed,
            found,
            found_only,
            found_with,
            evict_after,
            disk_quota_bytes,
            posts_per_minute: POSTS_PER_MINUTE,
            region,
            heartbeat,
            miss,
            clusters,
        })
    }
}
