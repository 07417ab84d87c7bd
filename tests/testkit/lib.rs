//! Shared code of the tests, the fuzz targets and the examples.
//!
//! - [`sim`]: the deterministic simulator: world, disks, network, clients and checkers; [`rig`]: one member on its disk
//! - [`fuzz_bodies`]: the code that each fuzz target runs, also replayed by `tests/formats/corpora.rs`
//! - in this process: [`group`], a cluster of servers that answer from memory; [`site`], web pages in front of one; [`keys`]
//! - processes: [`web_process`], `ribbit client web`; [`network`], hosts made of network namespaces; [`writers`], clients that
//!   post all the time; [`history`], what they were answered
//! - clients: [`http`], [`stream`], [`tls`]; of older systems: [`chat_client`], [`chirper_client`], [`grpc`]; [`irc_client`]; a real browser
//!   ([`driver`]) with accessibility checks ([`axe`])
//! - [`linearizability`]: histories of concurrent clients, checked by a crate
//! - [`page_text`] and [`status_json`]: read what pages and `ribbit status` print; [`timeouts`]: wait for other processes

// Shared code of tests may panic where a test would.
#![allow(clippy::unwrap_used)]

pub mod api;
pub mod api_stream;
pub mod axe;
pub mod chat_client;
pub mod chirper_client;
pub mod driver;
pub mod fuzz_bodies;
pub mod group;
pub mod grpc;
pub mod history;
pub mod http;
pub mod irc_client;
pub mod keys;
pub mod linearizability;
pub mod network;
pub mod page_text;
pub mod python;
pub mod qr;
pub mod rig;
pub mod sim;
pub mod site;
pub mod status_json;
pub mod stream;
pub mod timeouts;
pub mod tls;
pub mod web_process;
pub mod writers;

use std::path::PathBuf;

/// Returns the path of the `ribbit` binary that cargo built for the running test.
///
/// Cargo puts tests into `deps/` beside the binary. Only a test of the package `ribbit` may call this: for other packages
/// cargo does not build the binary.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let folder = test.parent().and_then(std::path::Path::parent).expect("tests are in target/PROFILE/deps");
    folder.join("ribbit")
}
