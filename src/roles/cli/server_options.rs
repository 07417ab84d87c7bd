//! Options of the servers: `up`, members, balancers and the web role. Default addresses come from the flags, the cluster
//! file and the ports file that `up` writes.

use super::flags::{NodeFlags, ServerFlags};
use super::web_flags::WebFlags;
use crate::common::address_book::AddressBook;
use crate::common::cluster_file::ClusterFile;
use crate::common::cluster_selection::{path_of_cluster_file, select, without_duplicates};
use crate::common::defaults::{
    BALANCER_LISTEN, CREDENTIALS, POSTS_PER_MINUTE, WEB_LISTEN, data_dir_or_default, listed, usual_listen,
};
use crate::common::failure::{Exit, Failure};
use crate::common::network::Network;
use crate::common::options::{BalancerOptions, NodeOptions, WebOptions};
use crate::common::ports::Ports;
use clap::ArgMatches;
use ribbit_state::{MemberName, Role};
use std::path::PathBuf;

/// Returns the options of a backend or coordinator.
///
/// # Errors
/// 78: the cluster file or the ports file is missing or malformed.
pub fn node(role: Role, clusters: Option<u32>, flags: NodeFlags) -> Result<NodeOptions, Failure> {
    let (id, advertise, evict_after) = (flags.id, flags.advertise, flags.evict_after);
    let disk_quota_bytes = flags.disk_quota;
    let (region, heartbeat, miss) = (flags.server.cluster, flags.heartbeat, flags.miss);
    let common = common(flags.server)?;
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
    let (cluster, keys) = (common.cluster.cluster, common.cluster.keys());
    let (found, found_only) = (flags.founding.found, flags.founding.found_only);
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
        found,
        found_only,
        evict_after,
        disk_quota_bytes,
        posts_per_minute: POSTS_PER_MINUTE,
        region,
        heartbeat,
        miss,
        clusters,
    })
}

/// Returns the options of a balancer.
///
/// # Errors
/// 78: the cluster file or the ports file is missing or malformed, or no member's address is known.
pub fn balancer(flags: ServerFlags) -> Result<BalancerOptions, Failure> {
    let region = flags.cluster;
    let common = common(flags)?;
    let keys = common.cluster.keys();
    let ports = common.ports.as_ref();
    let listen = common.listen.or_else(|| ports?.balancer.clone()).unwrap_or_else(|| BALANCER_LISTEN.into());
    let mut seeds = common.coordinators;
    seeds.extend(ports.map(Ports::everyone).unwrap_or_default());
    seeds.extend(common.kept);
    if seeds.is_empty() {
        let message =
            "no member is known: the cluster file lists no coordinators; pass one with --coordinator";
        return Err(Failure::new(Exit::Configuration, message));
    }
    Ok(BalancerOptions {
        listen,
        region,
        seeds: without_duplicates(seeds),
        keys,
        trusted_proxies: common.trusted_proxies,
        floating: None,
    })
}

/// Settings that all servers share, from flags and files.
struct Common {
    listen: Option<String>,
    data_dir: PathBuf,
    cluster: ClusterFile,
    ports: Option<Ports>,
    trusted_proxies: Vec<Network>,
    /// Addresses from `--coordinator`, else from the cluster file.
    coordinators: Vec<String>,
    /// Members' addresses from the address book.
    kept: Vec<String>,
}

fn common(flags: ServerFlags) -> Result<Common, Failure> {
    let data_dir = data_dir_or_default(flags.data_dir);
    let path = path_of_cluster_file(flags.cluster_file, &data_dir);
    let cluster = ClusterFile::read(&path)?;
    let kept = AddressBook::beside(&path, Some(&data_dir), cluster.cluster).read();
    let ports = Ports::read(&data_dir)?;
    let coordinators =
        if flags.coordinator.is_empty() { cluster.coordinators.clone() } else { flags.coordinator };
    let (listen, trusted_proxies) = (flags.listen, flags.trusted_proxies);
    Ok(Common { listen, data_dir, cluster, ports, trusted_proxies, coordinators, kept })
}

/// Returns the options of the web role.
///
/// # Errors
/// 2: TLS flags that do not fit together. 3, 78: as [`select`], and 78 if no server is known.
pub fn web(flags: WebFlags, matches: &ArgMatches) -> Result<WebOptions, Failure> {
    let credentials = std::env::var_os(CREDENTIALS).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let tls = flags.tls(credentials.as_deref())?;
    let data_dir = flags.cluster.data_dir.clone();
    let cluster = select(flags.cluster, matches)?;
    if cluster.servers.is_empty() {
        let message =
            format!("{} lists no balancer: pass balancers or backends with --server", cluster.found_in);
        return Err(Failure::new(Exit::Configuration, message));
    }
    let ports = Ports::read(&data_dir_or_default(data_dir))?;
    // The port in that folder is for the pages of the cluster in that folder, not for those of another cluster.
    let ports = ports.filter(|ports| ports.balancer.as_ref() == cluster.servers.first());
    let listen = flags.listen.clone().or_else(|| ports?.web).unwrap_or_else(|| WEB_LISTEN.into());
    let WebFlags { host: hosts, trusted_proxies, http, hsts: hsts_days, security_contact, .. } = flags;
    let (servers, keys) = (cluster.servers, cluster.keys);
    Ok(WebOptions { listen, servers, keys, tls, hosts, trusted_proxies, http, hsts_days, security_contact })
}
