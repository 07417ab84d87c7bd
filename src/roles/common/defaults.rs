//! Default settings: folders, listen addresses, limits.

use crate::common::address;
use crate::common::cluster_file::ClusterFile;
use crate::common::ports::Ports;
use crate::common::systemd;
use ribbit_state::{HOME_REGION, MemberName, Role};
use std::path::PathBuf;

/// Default data folder, relative to the current directory, if neither a flag nor systemd names one.
pub(crate) const DATA_DIR: &str = "ribbit-data";
/// Cluster file of the package's units. Commands run by root use it by default.
pub(crate) const INSTALLED: &str = "/etc/ribbit/cluster.ribbit";
/// Data folder of the packages' units.
pub(crate) const STATE_DIR: &str = "/var/lib/ribbit";
/// Environment variable with the folder of the credentials that systemd passes with `LoadCredential`.
pub(crate) const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// Default listen address of a balancer.
pub(crate) const BALANCER_LISTEN: &str = "0.0.0.0:8081";
/// Default listen address of the web pages.
pub(crate) const WEB_LISTEN: &str = "127.0.0.1:8080";
/// Listen address of the web pages in the package, as in `systemd/ribbit-web.socket`.
pub(crate) const INSTALLED_WEB_LISTEN: &str = "0.0.0.0:80";
/// Default port of coordinator N, minus N.
const COORDINATOR_PORT: u32 = 8_999;
/// Default port of backend N of the home region, minus N.
const BACKEND_PORT: u32 = 10_000;
/// Distance between the default ports of two regions; more than the highest member number.
const PORTS_PER_CLUSTER: u32 = 1_000;
/// Default rate limit of a backend: writes per account and minute.
pub(crate) const POSTS_PER_MINUTE: u32 = 60;
/// Lowest rate limit that can be configured.
pub(crate) const POSTS_PER_MINUTE_MIN: u32 = 6;
/// Highest rate limit that can be configured; 0 turns the limit off.
pub(crate) const POSTS_PER_MINUTE_MAX: u32 = 1_000_000;

/// Highest member number: the default port is derived from it and must exist.
pub(crate) const MEMBER_ID_MAX: u32 = 999;

/// Default interval between heartbeats.
pub(crate) const HEARTBEAT: &str = "1s";
/// Default of `--evict-after`; equals `replica::limits::EVICT_TICKS`, which a test checks.
pub(crate) const EVICT_AFTER: &str = "10s";
/// Default disk quota of a member, sized for a small SD card.
pub(crate) const DISK_QUOTA: &str = "2GiB";

/// Returns the data folder: the named one, else that of the systemd unit, else the default.
pub(crate) fn data_dir_or_default(data_dir: Option<PathBuf>) -> PathBuf {
    data_dir.or_else(systemd::state_directory).unwrap_or_else(|| PathBuf::from(DATA_DIR))
}

/// Returns a member's default port: 8999+N for coordinator N, 10000+N for backend N, and a thousand more for each region
/// after the home region.
pub(crate) fn default_port(role: Role, region: u32, id: u32) -> u32 {
    let first = match role {
        Role::Backend => BACKEND_PORT + (region - HOME_REGION) * PORTS_PER_CLUSTER,
        Role::Coordinator => COORDINATOR_PORT,
    };
    first + id
}

/// Returns the address and port that the cluster file lists for this coordinator: coordinator N has the Nth entry.
pub(crate) fn listed(name: MemberName, cluster: &ClusterFile) -> Option<(String, u16)> {
    if name.role != Role::Coordinator || name.region != HOME_REGION {
        return None;
    }
    let address = cluster.coordinators.get(usize::try_from(name.id).ok()?.checked_sub(1)?)?;
    let (_, port) = address::split(address).ok()?;
    Some((address.clone(), port))
}

/// Returns a member's default listen address: that of the ports file of `up`, else the port that the cluster file lists
/// for this coordinator, else the default port of its number.
pub(crate) fn usual_listen(name: MemberName, cluster: Option<&ClusterFile>, ports: Option<&Ports>) -> String {
    let MemberName { role, region, id } = name;
    let port = match ports {
        Some(ports) => match ports.members.get(&(role, id)).filter(|_| region == HOME_REGION) {
            Some(address) => return address.clone(),
            None => None,
        },
        None => cluster.and_then(|cluster| listed(name, cluster)).map(|(_, port)| u32::from(port)),
    };
    format!("0.0.0.0:{}", port.unwrap_or_else(|| default_port(role, region, id)))
}
