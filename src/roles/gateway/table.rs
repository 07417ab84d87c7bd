//! The table of protocols.

use super::protocol::Protocol;
use super::{chat, chirper, grpc_chat, ribbit_tcp, sns};

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
    Protocol {
        name: sns::NAME,
        help: "Serve the terminal client of Tiny SNS in C++: the ports of the coordinator and of one or more services",
        ports: &[9000, 10000],
        ports_range: (2, 8),
        trusts_names: true,
        handed_out_from: Some(1),
        start: sns::start,
    },
    Protocol {
        name: grpc_chat::NAME,
        help: "Serve the terminal clients of the gRPC chat in Python: one or more ports",
        ports: &[50051],
        ports_range: (1, 8),
        trusts_names: true,
        handed_out_from: Some(0),
        start: grpc_chat::start,
    },
];
