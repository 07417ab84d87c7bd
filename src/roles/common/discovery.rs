//! Servers of one network find each other by mDNS, where no address is given. What is found is a hint: the cluster's key decides.

use crate::common::failure::{Exit, Failure};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use ribbit_net::mdns::{self, Announced, Found, SiteAddress};
use ribbit_state::ClusterId;
use std::io;
use std::net::SocketAddr;

/// Flag that turns discovery off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub(crate) struct DiscoveryArgs {
    /// Do not look for servers in this network, and do not announce this one there
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub no_discovery: bool,
}

impl DiscoveryArgs {
    /// Returns the servers in this network, which takes a second; none if discovery is off.
    pub(crate) fn find(self) -> Vec<Found> {
        if self.no_discovery { Vec::new() } else { smol::block_on(mdns::find()).unwrap_or_default() }
    }
}

/// Returns the servers if they belong to one cluster.
///
/// # Errors
/// 3: they belong to several.
pub(crate) fn of_one_cluster(found: Vec<Found>) -> Result<Vec<Found>, Failure> {
    let mut clusters: Vec<ClusterId> = found.iter().filter_map(|it| it.cluster).collect();
    clusters.sort();
    clusters.dedup();
    if clusters.len() < 2 {
        return Ok(found);
    }
    let addresses: Vec<&str> = found.iter().map(|it| it.address.as_str()).collect();
    let text = format!(
        "there are {} clusters in this network: name a server of the right one; found {}",
        clusters.len(),
        addresses.join(", ")
    );
    Err(Failure::new(Exit::Unreachable, text))
}

/// Announces a server with this socket in its network, and does not return. A socket that only this machine reaches is not announced.
pub(crate) async fn announce<T>(
    is_on: bool,
    bound: io::Result<SocketAddr>,
    (role, name): (&'static str, String),
    cluster: Option<ClusterId>,
    site: SiteAddress,
) -> T {
    if let Ok(bound) = bound
        && is_on
        && !bound.ip().is_loopback()
    {
        // Boxed: its buffers would be in the future of each role that announces itself, which has to fit a thread's stack.
        Box::pin(mdns::announce(Announced { role, name, cluster, port: bound.port(), site })).await;
    }
    std::future::pending().await
}
