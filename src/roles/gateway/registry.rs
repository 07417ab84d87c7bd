//! Registration of gateways: which of them serve which protocols, at which addresses.
//!
//! ```text
//!   /gateways/nodes/board1-4711      file under a lease of the gateway: "chat=board1:1538,board1:2538 sns=board1:9000,board1:10000"
//! ```
//!
//! A gateway writes its file when it starts and when its lease was lost; the file goes with the lease. The protocols whose
//! servers name other servers to their clients read the folder, and `ribbit status` shows it.

use super::limits::{GATEWAYS_FRESH, LEASE, LIST_MAX, REGISTER_PAUSE};
use crate::common::address;
use crate::common::machine::host_name;
use crate::locks::lease::HeldLease;
use crate::locks::namespace::{Namespace, gateways_folder};
use ribbit_state::sync::MutexExt;
use ribbit_state::{TreeCommand, TreePath};
use smol::Timer;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Instant;

/// Maximum length of the host's part of a gateway's name, in characters.
const HOST_CHARS_MAX: usize = 64;

/// Host and port of a server, as clients reach it.
pub(crate) type HostPort = (String, u16);

/// The servers of one protocol in one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GatewayServers {
    /// Name under which the gateway is registered; empty for servers of `--advertise`.
    pub(crate) gateway: String,
    /// The gateway is this one.
    pub(crate) own: bool,
    /// In the order of the flag.
    pub(crate) servers: Vec<HostPort>,
}

/// A protocol that this gateway serves.
#[derive(Debug)]
pub(super) struct Served {
    /// Name of the protocol.
    pub(super) name: &'static str,
    /// Addresses at which clients reach its listeners, in the order of the flag.
    pub(super) addresses: Vec<HostPort>,
    /// Position of the first listener that is handed to clients, if any is.
    pub(super) handed_out_from: Option<usize>,
}

/// One value of `--advertise`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Advertised {
    /// A host, with the ports of this gateway.
    Host(String),
    /// A server of one protocol: name of the protocol, host and port.
    Server(&'static str, String, u16),
}

/// The registry as one gateway uses it.
#[derive(Debug)]
pub(crate) struct Registry {
    namespace: Namespace,
    name: String,
    served: Vec<Served>,
    advertise: Vec<Advertised>,
    /// The last list of all gateways: names and contents of their files, and the time of the read.
    known: Mutex<Option<(Instant, Vec<(String, String)>)>>,
    /// Lease of this gateway's file.
    lease: Mutex<Option<HeldLease>>,
}

impl Registry {
    pub(super) fn new(namespace: Namespace, served: Vec<Served>, advertise: Vec<Advertised>) -> Registry {
        // A host name may be anything that its administrator likes, a name in the namespace may not.
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let host: String = host_name().chars().map(plain).take(HOST_CHARS_MAX).collect();
        let name = format!("{host}-{}", std::process::id());
        let (known, lease) = Default::default();
        Registry { namespace, name, served, advertise, known, lease }
    }

    /// Keeps this gateway registered. Never returns.
    pub(super) async fn keep(&self) {
        let path = gateways_folder().join(&self.name).expect("a host name and a number are a plain name");
        let mut failing = false;
        loop {
            match self.register(&path).await {
                Ok(lease) => {
                    failing = false;
                    log::debug!("registered as {}", path.as_str());
                    let lost = lease.lost();
                    *self.lease.locked() = Some(lease);
                    log::info!("registering again: {}", lost.await);
                }
                Err(why) => {
                    if !failing {
                        log::warn!("cannot register as {} yet: {why}", path.as_str());
                    }
                    failing = true;
                    Timer::after(REGISTER_PAUSE).await;
                }
            }
        }
    }

    /// Removes this gateway, when it stops.
    pub(super) async fn close(&self) {
        let lease = self.lease.locked().take();
        if let Some(lease) = lease {
            lease.close().await;
        }
    }

    async fn register(&self, path: &TreePath) -> Result<HeldLease, String> {
        let lease = HeldLease::open(&self.namespace, "gateway", LEASE).await.map_err(|it| it.message)?;
        let folder = TreeCommand::MakeFolder { path: gateways_folder(), parents: true };
        let token = Some(lease.token());
        let content = format_served(&self.served).into_bytes();
        let file =
            TreeCommand::Write { path: path.clone(), content, append: false, lease: token, guard: None };
        for command in [folder, file] {
            let written = self.namespace.write(command).await.map_err(|failure| failure.message)?;
            written.1.map_err(|denied| denied.to_string())?;
        }
        Ok(lease)
    }

    /// Returns the servers of a protocol that are handed to clients: those of `--advertise`, else those of all gateways, this
    /// one first and the others by name. Without an answer of the cluster, the last list counts.
    pub(crate) async fn servers(&self, protocol: &str) -> Vec<GatewayServers> {
        let Some(of) = self.served.iter().find(|served| served.name == protocol) else { return Vec::new() };
        let own = of.handed_out(&of.addresses);
        if !self.advertise.is_empty() {
            let given = self.advertise.iter().filter_map(|given| match given {
                Advertised::Host(host) => Some(own.iter().map(|(_, port)| (host.clone(), *port)).collect()),
                Advertised::Server(of, host, port) => (*of == protocol).then(|| vec![(host.clone(), *port)]),
            });
            return given
                .map(|servers| GatewayServers { gateway: String::new(), own: false, servers })
                .collect();
        }
        let mut all = vec![GatewayServers { gateway: self.name.clone(), own: true, servers: own.to_vec() }];
        for (gateway, content) in self.all().await {
            let servers = of.servers_in(&content);
            if gateway != self.name && !servers.is_empty() {
                all.push(GatewayServers { gateway, own: false, servers });
            }
        }
        all
    }

    async fn all(&self) -> Vec<(String, String)> {
        if let Some((at, all)) = &*self.known.locked()
            && at.elapsed() < GATEWAYS_FRESH
        {
            return all.clone();
        }
        match self.namespace.list_stale(&gateways_folder(), 1, LIST_MAX).await {
            Ok(listing) => {
                let files = listing.entries.into_iter().filter(|entry| entry.node.owner.is_some());
                let all: Vec<(String, String)> = files
                    .map(|entry| {
                        let content = String::from_utf8_lossy(&entry.node.content).into_owned();
                        (entry.path.name().to_string(), content)
                    })
                    .collect();
                *self.known.locked() = Some((Instant::now(), all.clone()));
                all
            }
            Err(why) => {
                log::debug!("cannot read the list of gateways: {why}");
                self.known.locked().as_ref().map(|(_, all)| all.clone()).unwrap_or_default()
            }
        }
    }
}

impl Served {
    /// Returns those of the addresses that are handed out.
    fn handed_out<'a>(&self, addresses: &'a [HostPort]) -> &'a [HostPort] {
        self.handed_out_from.and_then(|from| addresses.get(from..)).unwrap_or_default()
    }

    /// Returns the servers of this protocol that the file of a gateway names. Parts that are malformed are left out.
    fn servers_in(&self, content: &str) -> Vec<HostPort> {
        let part = content.split(' ').find_map(|part| part.strip_prefix(self.name)?.strip_prefix('='));
        let parsed = part.unwrap_or_default().split(',').filter_map(|address| {
            let (host, port) = address::split(address).ok()?;
            Some((host.to_string(), port))
        });
        let addresses: Vec<HostPort> = parsed.collect();
        self.handed_out(&addresses).to_vec()
    }
}

/// Returns the address at which clients reach a listener: the host of the flag, or the name of this machine for a listener on
/// all its addresses.
pub(super) fn reached_at(listen: &str, bound: SocketAddr) -> HostPort {
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
    let host = if bound.ip().is_unspecified() { host_name() } else { host.to_string() };
    (host, bound.port())
}

/// Formats the content of a gateway's file.
fn format_served(served: &[Served]) -> String {
    let of_protocol = |Served { name, addresses, .. }: &Served| {
        let addresses: Vec<String> = addresses.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        format!("{name}={}", addresses.join(","))
    };
    served.iter().map(of_protocol).collect::<Vec<String>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_registered_under_hosts_that_clients_reach() {
        assert_eq!(reached_at("127.0.0.1:0", "127.0.0.1:99".parse().unwrap()), ("127.0.0.1".into(), 99));
        assert_eq!(reached_at("board1:9", "10.0.0.1:9".parse().unwrap()), ("board1".into(), 9));
        assert_eq!(reached_at("[::1]:0", "[::1]:99".parse().unwrap()), ("[::1]".into(), 99));
        assert_eq!(reached_at("0.0.0.0:9", "0.0.0.0:9".parse().unwrap()), (host_name(), 9));
    }

    #[test]
    fn a_file_names_the_servers_that_are_handed_out() {
        let addresses: Vec<HostPort> = (1..=3).map(|port| ("board1".to_string(), port)).collect();
        for (handed_out_from, expected) in
            [(Some(0), &addresses[..]), (Some(1), &addresses[1..]), (None, &[])]
        {
            let served = Served { name: "sns", addresses: addresses.clone(), handed_out_from };
            let content = format_served(std::slice::from_ref(&served));
            assert_eq!(content, "sns=board1:1,board1:2,board1:3");
            assert_eq!(served.servers_in(&format!("chat=a:1 {content} x")), expected);
            assert_eq!(served.servers_in("nonsense sns= snsx=a:1"), []);
        }
    }
}
