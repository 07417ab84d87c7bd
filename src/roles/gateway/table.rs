//! The table of protocols.

use super::protocol::Protocol;
use super::{chat, chirper, ribbit_tcp};

/// All protocols, one row each.
pub(crate) const PROTOCOLS: &[Protocol] = &[
    Protocol {
        name: "ribbit-tcp",
        help: "Serve the web client of Ribbit in Go: the ports of the balancer and of one to three backends",
        ports: &[8084, 8081, 8082, 8083],
        ports_range: (2, 4),
        trusts_names: false,
        handed_out_from: None,
        start: ribbit_tcp::start,
    },
    Protocol {
        name: "chat",
        help: "Serve the terminal clients of the wire-protocol chat in Python: one to three ports",
        ports: &[1538, 2538, 3538],
        ports_range: (1, 3),
        trusts_names: true,
        handed_out_from: None,
        start: chat::start,
    },
    Protocol {
        name: "chirper",
        help: "Serve the web server of Chirper in Go: the ports of one to three backends",
        ports: &[1337, 1338, 1339],
        ports_range: (1, 3),
        trusts_names: false,
        handed_out_from: None,
        start: chirper::start,
    },
];
