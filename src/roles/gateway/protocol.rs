//! Shape of a protocol: a row of facts, and a service for its connections.
//!
//! Each protocol is a folder of its own with a pure codec (bytes in, requests out; replies in, bytes out) and a thin session
//! above the [operations](super::operations). It contains no rules and knows no other protocol.

use super::operations::GatewayOperations;
use crate::common::service::Service;
use std::net::SocketAddr;
use std::sync::Arc;

/// Facts about one protocol: a row of [`super::table::PROTOCOLS`].
pub(crate) struct Protocol {
    /// Name of its flag and in the log.
    pub(crate) name: &'static str,
    /// Text of its flag in `--help`.
    pub(crate) help: &'static str,
    /// Ports of the original system, which `ribbit up --gateway` uses.
    pub(crate) ports: &'static [u16],
    /// Minimum and maximum number of ports.
    pub(crate) ports_range: (usize, usize),
    /// The protocol knows no passwords, so a name alone is believed.
    pub(crate) trusts_names: bool,
    /// Position of the first port that its servers hand to clients, if they hand out servers.
    pub(crate) handed_out_from: Option<usize>,
    /// Starts the service once its listeners are bound.
    pub(crate) start: fn(Context) -> Arc<dyn Service>,
}

impl std::fmt::Debug for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Protocol({})", self.name)
    }
}

impl PartialEq for Protocol {
    fn eq(&self, other: &Protocol) -> bool {
        self.name == other.name
    }
}
impl Eq for Protocol {}

/// Operations and listeners that a protocol's service works with.
pub(crate) struct Context {
    pub(crate) operations: Arc<GatewayOperations>,
    /// Addresses of its listeners, in the order of the flag.
    pub(crate) listeners: Vec<SocketAddr>,
}
