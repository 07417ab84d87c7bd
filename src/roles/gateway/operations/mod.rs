//! Operations of a gateway: those of every front end, and those that need the cluster's key.
//!
//! ```text
//!   protocol's session ──▶ GatewayOperations ──▶ [shared operations](crate::operations) ──▶ a backend, over the control plane
//!                              ├──▶ accounts: by name, and as operators see them
//!                              └──▶ presence: locks under the gateway's leases
//! ```
//!
//! Requests go over the control plane, because a gateway speaks for people who have no password. It therefore checks the
//! rates of its clients' addresses itself.
//!
//! - [`accounts`]: opened by name, listed and deleted; [`presence`]: who is online, decided once in the whole cluster

pub(crate) mod accounts;
pub(crate) mod presence;

use super::registry::{GatewayServers, Registry};
use crate::operations::Operations;
use presence::Presence;
use ribbit_net::keys::Keys;
use std::ops::Deref;
use std::sync::Arc;

/// The operations of one gateway.
#[derive(Debug)]
pub(crate) struct GatewayOperations {
    shared: Operations,
    keys: Keys,
    presence: Presence,
    registry: Arc<Registry>,
}

/// A gateway can do everything that other front ends can.
impl Deref for GatewayOperations {
    type Target = Operations;
    fn deref(&self) -> &Operations {
        &self.shared
    }
}

impl GatewayOperations {
    pub(super) fn new(
        shared: Operations,
        keys: Keys,
        presence: Presence,
        registry: Arc<Registry>,
    ) -> GatewayOperations {
        GatewayOperations { shared, keys, presence, registry }
    }

    /// Returns the servers of a protocol that are handed to clients: those of this gateway first, then those of the others.
    pub(crate) async fn servers(&self, protocol: &str) -> Vec<GatewayServers> {
        self.registry.servers(protocol).await
    }
}
