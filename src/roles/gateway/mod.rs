//! `ribbit client gateway`: serves the clients of five older systems, unmodified, as one more front of the cluster.
//!
//! ```text
//!   older client ──▶ listener ──▶ connection ──▶ a protocol: codec and session ──▶ operations ──▶ requests ──▶ a backend
//!                    (table: one row a protocol)                                       │
//!                                                          presence: locks under leases of the gateway
//! ```
//!
//! - [`arguments`]: flags; [`table`]: the protocols, one row each; [`protocol`]: the shape of a row
//! - [`listener`]: the accept loop that all share; [`connection`]: bounded reads, whole writes
//! - [`operations`]: what the protocols can do, in ribbit's terms; [`requests`]: held until decided, carried out once
//! - protocols: [`ribbit_tcp`]
//! - [`limits`]: every limit
//!
//! The gateway stores nothing, so any number of them may run. It listens before it has reached the cluster, and holds
//! requests while no leader decides them: a client sees a slow answer, never a refused connection.

pub(crate) mod arguments;
mod connection;
#[allow(dead_code, reason = "the limits of protocols that are not served yet")]
mod limits;
mod listener;
#[allow(dead_code, reason = "the operations of protocols that are not served yet")]
mod operations;
#[allow(dead_code, reason = "a fact of protocols that are not served yet")]
mod protocol;
mod requests;
pub mod ribbit_tcp;
mod table;

use crate::common::failure::Failure;
use crate::common::shutdown::Shutdown;
use crate::common::systemd;
use crate::locks::namespace::Namespace;
use arguments::{GatewayOptions, ProtocolListeners, is_loopback};
use async_net::TcpListener;
use listener::Connections;
use operations::Operations;
use operations::presence::Presence;
use protocol::Context;
use requests::Requests;
use ribbit_net::tasks;
use smol::Timer;
use smol::future::{or, race};
use std::net::SocketAddr;
use std::sync::Arc;

/// Serves the protocols until `stop`, then completes the requests in progress.
///
/// # Errors
/// `Refused` if a port is taken.
pub(crate) async fn run(options: GatewayOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let GatewayOptions { listeners, advertise: _, servers, keys, found_in } = options;
    let mut bound = Vec::new();
    for ProtocolListeners { protocol, addresses } in &listeners {
        for address in addresses {
            bound.push((*protocol, listener::bind(protocol, address).await?));
            if !protocol.trusts_names && !is_loopback(address) {
                log::warn!("--{} {address}: passwords cross the network without encryption", protocol.name);
            }
        }
    }
    let of_namespace = servers.clone();
    let namespace = Namespace::with_members(move || of_namespace.clone(), &keys, &found_in);
    let presence = Presence::new(namespace);
    let requests = Requests::new(servers, keys.clone());
    let operations = Arc::new(Operations::new(requests, keys, presence.clone()));
    let (shutdown, connections): (Arc<Shutdown>, Arc<Connections>) = Default::default();
    let (mut accepting, mut words) = (Vec::new(), Vec::new());
    for ProtocolListeners { protocol, .. } in &listeners {
        let own: Vec<TcpListener> =
            bound.extract_if(.., |(of, _)| of == protocol).map(|(_, listener)| listener).collect();
        let addresses: Vec<SocketAddr> =
            own.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let shown: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        words.push(format!("{} on {}", protocol.name, shown.join(", ")));
        let service = (protocol.start)(Context { operations: operations.clone(), listeners: addresses });
        for (position, listener) in own.into_iter().enumerate() {
            let accept =
                listener::accept(listener, position, service.clone(), shutdown.clone(), connections.clone());
            accepting.push(tasks::spawn(accept));
        }
    }
    let words = format!("serving {}", words.join("; "));
    log::info!("{words}");
    or(stop, systemd::serving(|| words.clone())).await;
    // The listeners stay open for as long as requests in progress are answered: a refused connection means more than a slow one.
    shutdown.begin();
    let late = async {
        Timer::after(limits::STOP_DEADLINE).await;
    };
    race(connections.all_ended(), late).await;
    drop(accepting);
    presence.close().await;
    log::info!("stopped serving");
    Ok(())
}
