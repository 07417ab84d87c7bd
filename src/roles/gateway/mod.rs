//! `ribbit client gateway`: serves the clients of five older systems, unmodified, as one more front of the cluster.
//!
//! ```text
//!   older client ──▶ listener ──▶ connection ──▶ a protocol: codec and session ──▶ operations ──▶ a backend
//!                    (table: one row a protocol)                                       │
//!                                                          presence: locks under leases of the gateway
//! ```
//!
//! - [`arguments`]: flags; [`table`]: the protocols, one row each; [`protocol`]: the shape of a row
//! - [`operations`]: what the protocols can do, in ribbit's terms
//! - protocols: [`ribbit_tcp`], [`chat`], [`chirper`]; [`sns`] and [`grpc_chat`], over [`grpc`]
//! - [`registry`]: the gateways of the cluster and their addresses
//! - [`limits`]: every limit
//!
//! The gateway stores nothing, so any number of them may run. It listens before it has reached the cluster, and holds
//! requests while no leader decides them: a client sees a slow answer, never a refused connection.

pub(crate) mod arguments;
pub mod chat;
pub mod chirper;
pub mod grpc;
pub mod grpc_chat;
mod limits;
mod operations;
mod protocol;
mod registry;
pub mod ribbit_tcp;
pub mod sns;
mod table;

use crate::common::failure::Failure;
use crate::common::key_following::KeyFollower;
use crate::common::service::limits::STOP_DEADLINE;
use crate::common::service::{self, Connections, is_loopback};
use crate::common::shutdown::Shutdown;
use crate::common::systemd;
use crate::locks::namespace::Namespace;
use crate::operations::Operations;
use crate::operations::requests::Requests;
use arguments::{GatewayOptions, ProtocolListeners};
use async_net::TcpListener;
use operations::GatewayOperations;
use operations::presence::Presence;
use protocol::{Context, Protocol};
use registry::{HostPort, Registry, Served, reached_at};
use ribbit_net::frame::Plane;
use ribbit_net::tasks;
use smol::Timer;
use smol::future::{or, race, zip};
use std::net::SocketAddr;
use std::sync::Arc;

/// Name of the device in people's lists of sessions.
const DEVICE: &str = "An older client";

/// Returns the name of each protocol's flag, and the ports of the original system.
pub(crate) fn original_ports() -> impl Iterator<Item = (&'static str, &'static [u16])> {
    table::PROTOCOLS.iter().map(|protocol| (protocol.name, protocol.ports))
}

/// Serves the protocols until `stop`, then completes the requests in progress.
///
/// # Errors
/// `Refused` if a port is taken.
pub(crate) async fn run(options: GatewayOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let GatewayOptions { listeners, advertise, servers, keys, found_in } = options;
    let mut bound: Vec<BoundProtocol> = Vec::new();
    for of in &listeners {
        bound.push(BoundProtocol::bind(of).await?);
    }
    let of_namespace = servers.clone();
    let followed = servers.clone();
    let namespace = Namespace::with_members(move || of_namespace.clone(), &keys, &found_in);
    let served = bound.iter().map(BoundProtocol::served).collect();
    let registry = Arc::new(Registry::new(namespace.clone(), served, advertise));
    let presence = Presence::new(namespace);
    let shared = Operations::new(Requests::on(Plane::Control, servers, keys.clone()), DEVICE);
    let following = keys.clone();
    let operations = Arc::new(GatewayOperations::new(shared, keys, presence.clone(), registry.clone()));
    let (shutdown, connections): (Arc<Shutdown>, Arc<Connections>) = Default::default();
    let (mut accepting, mut words) = (Vec::new(), Vec::new());
    for BoundProtocol { protocol, listeners, .. } in bound {
        let addresses: Vec<SocketAddr> =
            listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let shown: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        words.push(format!("{} on {}", protocol.name, shown.join(", ")));
        let served = (protocol.start)(Context { operations: operations.clone(), listeners: addresses });
        for (position, listener) in listeners.into_iter().enumerate() {
            let accept =
                service::accept(listener, position, served.clone(), shutdown.clone(), connections.clone());
            accepting.push(tasks::spawn(accept));
        }
    }
    let words = format!("serving {}", words.join("; "));
    log::info!("{words}");
    let follower = KeyFollower::default();
    let working = or(registry.keep(), follower.run(&following, &followed));
    or(stop, or(systemd::serving(|| words.clone()), working)).await;
    connections.end(&shutdown).await;
    drop(accepting);
    let closed = async {
        zip(presence.close(), registry.close()).await;
    };
    let late = async {
        Timer::after(STOP_DEADLINE).await;
    };
    race(closed, late).await;
    log::info!("stopped serving");
    Ok(())
}

/// A protocol with its bound listeners.
struct BoundProtocol {
    protocol: &'static Protocol,
    listeners: Vec<TcpListener>,
    /// Addresses at which clients reach them.
    reached_at: Vec<HostPort>,
}

impl BoundProtocol {
    async fn bind(of: &ProtocolListeners) -> Result<BoundProtocol, Failure> {
        let protocol = of.protocol;
        let mut bound = BoundProtocol { protocol, listeners: Vec::new(), reached_at: Vec::new() };
        for address in &of.addresses {
            let listener = service::bind(address, protocol.name).await?;
            if let Ok(local) = listener.local_addr() {
                bound.reached_at.push(reached_at(address, local));
            }
            bound.listeners.push(listener);
            if !protocol.trusts_names && !is_loopback(address) {
                log::warn!("--{} {address}: passwords cross the network without encryption", protocol.name);
            }
        }
        Ok(bound)
    }

    fn served(&self) -> Served {
        let BoundProtocol { protocol, reached_at, .. } = self;
        let (name, handed_out_from) = (protocol.name, protocol.handed_out_from);
        Served { name, addresses: reached_at.clone(), handed_out_from }
    }
}
