//! The table of protocols.

use super::protocol::Protocol;
use super::ribbit_tcp;

/// All protocols, one row each.
pub(crate) const PROTOCOLS: &[Protocol] = &[Protocol {
    name: "ribbit-tcp",
    help: "Serve the web client of Ribbit in Go: the ports of the balancer and of one to three backends",
    ports: &[8084, 8081, 8082, 8083],
    ports_range: (2, 4),
    trusts_names: false,
    handed_out_from: None,
    start: ribbit_tcp::start,
}];
